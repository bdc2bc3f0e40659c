"""Loss, penalty and all gradients of tiny models with tied weights, penalties and structural similarity, by automatic differentiation in
PyTorch float64. Nothing here knows a derivative: the Jacobian of the contractive penalty is PyTorch's as well, and so
is its product with a direction.

  python torch_family.py            writes torch_family.json beside this file
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

import philox
import starting_point

SEED, SAMPLES, PER_SHARD, BETA = 11, 7, 4, 0.7


def shards(codes):
    return codes.split(PER_SHARD)


def by_shard(penalty, codes):
    """A number for each shard, for each of its samples."""
    return torch.cat([penalty(part).expand(len(part)) for part in shards(codes)])


def l1(codes, **_):
    return 0.3 * codes.abs().sum(1)


def activity(codes, **_):
    def divergence(part):
        r, t = part.mean(0), torch.tensor(0.2, dtype=torch.float32).double()
        return 0.5 * (t * (t / r).log() + (1 - t) * ((1 - t) / (1 - r)).log()).sum()
    return by_shard(divergence, codes)


def zero_mean(codes, **_):
    return by_shard(lambda part: 3.0 * (part.mean(0)**2).sum(), codes)


def l2(codes, **_):
    return 0.3 * (codes**2).sum(1)


def mmd(codes, stream=philox.LATENT, **_):
    z = torch.from_numpy(np.stack([philox.normal(codes.shape[1], SEED, stream, 0, n) for n in range(SAMPLES)])).double()

    def kernel(x, y):
        c, d = 2.0 * x.shape[1], ((x[:, None] - y[None])**2).sum(2)
        return sum(c * s / (c * s + d) for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0))

    def of(h, z):
        m = len(h)
        apart = 1 - torch.eye(m, dtype=torch.float64)
        same = ((kernel(h, h) + kernel(z, z)) * apart).sum() / (m * (m - 1))
        return 5.0 * (same - 2 * kernel(h, z).sum() / m**2)
    return torch.cat([of(h, z).expand(len(h)) for h, z in zip(shards(codes), shards(z))])


def contractive(codes, x, encode):
    jacobians = [torch.autograd.functional.jacobian(encode, one[None], create_graph=True) for one in x]
    return torch.stack([0.4 * (j**2).sum() for j in jacobians])


def total_correlation(codes, mean, lv, **_):
    """Chen et al. 2018, with the shard in the place of the data."""
    def of(z, mean, lv):
        density = torch.distributions.Normal(mean[None], (lv / 2).exp()[None]).log_prob(z[:, None])
        joint = density.sum(2).logsumexp(1) - np.log(len(z))
        return joint - (density.logsumexp(1) - np.log(len(z))).sum(1)
    return 2.0 * torch.cat([of(*part) for part in zip(shards(codes), shards(mean), shards(lv))])


def dip(diagonal, has_variances):
    """Kumar et al. 2018, equations 6 and 7."""
    def penalty(codes, mean, lv, **_):
        def of(mean, lv):
            c = torch.cov(mean.T, correction=0) + (torch.diag(lv.exp().mean(0)) if has_variances else 0)
            d = torch.diagonal(c)
            return 3.0 * ((c - torch.diag(d))**2).sum() + diagonal * ((d - 1)**2).sum()
        return torch.cat([of(m, v).expand(len(m)) for m, v in zip(shards(mean), shards(lv))])
    return penalty


ACTIVATION = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "linear": lambda s: s}


def dense(code, penalty, encoder=(12,)):
    """Sizes as in `Autoencoder.dense`, tied, with hidden units of tanh."""
    sizes = [5 * 4 * 2, *encoder, 5]
    names = [f"encoder.{i}" for i in range(len(encoder))] + ["latent"]
    shapes = [(f"{name}.weight", (o, i), i) if part == 0 else (f"{name}.bias", (o,), i)
              for name, i, o in zip(names, sizes, sizes[1:]) for part in (0, 1)]
    shapes += [(f"decoder.{k}.bias", (i,), o) for k, (i, o) in enumerate(reversed(list(zip(sizes, sizes[1:]))))]

    def run(p, x):
        def encode(x):
            h = x.flatten(1)
            for name in names:
                a = ACTIVATION[code if name == "latent" else "tanh"]
                h = a(F.linear(h, p[f"{name}.weight"], p[f"{name}.bias"]))
            return h
        h = codes = encode(x)
        for k, name in enumerate(reversed(names)):
            a = torch.sigmoid if k == len(names) - 1 else torch.tanh
            h = a(F.linear(h, p[f"{name}.weight"].T, p[f"decoder.{k}.bias"]))
        return h.reshape(x.shape), penalty(codes, x=x, encode=encode)
    return (5, 4, 2), shapes, run


def gaussian(penalty):
    """Images of 5 x 4 x 2 to 12 units of tanh, a Gaussian latent of 3, and back by one layer."""
    shapes = [(name + part, shape if part == ".weight" else shape[:1], shape[1])
              for name, shape in [("encoder.0", (12, 40)), ("latent.mean", (3, 12)), ("latent.logVariance", (3, 12)),
                                  ("decoder.0", (40, 3))] for part in (".weight", ".bias")]
    noise = torch.from_numpy(starting_point.latent_noise(SEED, 0, SAMPLES, 3)).double()

    def run(p, x):
        def layer(name, x):
            return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])
        h = torch.tanh(layer("encoder.0", x.flatten(1)))
        mean, lv = layer("latent.mean", h), layer("latent.logVariance", h)
        z = mean + (lv / 2).exp() * noise
        kl = 0.5 * (mean**2 + lv.exp() - 1 - lv).sum(1)
        terms = kl + penalty(z, mean=mean, lv=lv)
        return torch.sigmoid(layer("decoder.0", z)).reshape(x.shape), terms
    return (5, 4, 2), shapes, run


def convolutions():
    """Images of 7 x 6 x 2, 4 x 4 filters by strides of 2 with the odd pixel of padding below, then 3 x 3."""
    shapes = [("encoder.0.weight", (3, 2, 4, 4), 32), ("encoder.0.bias", (3,), 32),
              ("encoder.1.weight", (4, 3, 3, 3), 27), ("encoder.1.bias", (4,), 27),
              ("latent.weight", (6, 48), 48), ("latent.bias", (6,), 48), ("decoder.0.bias", (48,), 6),
              ("decoder.1.bias", (3,), 27), ("decoder.2.bias", (2,), 32)]

    def run(p, x):
        h = torch.tanh(F.conv2d(F.pad(x, (1, 1, 1, 2)), p["encoder.0.weight"], p["encoder.0.bias"], stride=2))
        h = torch.tanh(F.conv2d(h, p["encoder.1.weight"], p["encoder.1.bias"], padding=1))
        h = F.linear(h.flatten(1), p["latent.weight"], p["latent.bias"])
        h = torch.tanh(F.linear(h, p["latent.weight"].T, p["decoder.0.bias"])).reshape(-1, 4, 4, 3)
        h = torch.tanh(F.conv_transpose2d(h, p["encoder.1.weight"], p["decoder.1.bias"], padding=1))
        h = F.conv_transpose2d(h, p["encoder.0.weight"], p["decoder.2.bias"], stride=2)
        return torch.sigmoid(h[:, :, 1:8, 1:7]), torch.zeros(len(x), dtype=torch.float64)
    return (7, 6, 2), shapes, run


def contractive_convolutions():
    """Images of 7 x 6 x 2 to 4 x 3 x 3, 4 x 3 x 4 and 6, decoder tied; dropout between the convolutions."""
    shapes = [("encoder.0.weight", (3, 2, 4, 4), 32), ("encoder.0.bias", (3,), 32),
              ("encoder.2.weight", (4, 3, 3, 3), 27), ("encoder.2.bias", (4,), 27),
              ("latent.weight", (6, 48), 48), ("latent.bias", (6,), 48), ("decoder.0.bias", (48,), 6),
              ("decoder.1.bias", (3,), 27), ("decoder.2.bias", (2,), 32)]
    rate = float(np.float32(0.3))
    kept = torch.from_numpy(starting_point.dropout_mask(0.3, SEED, 1, 0, SAMPLES, (3, 4, 3))).double() / (1 - rate)
    v = torch.from_numpy(starting_point.directions(SEED, 0, SAMPLES, 7, 6, 2))

    def run(p, x):
        def encode(x):
            h = torch.tanh(F.conv2d(F.pad(x, (1, 1, 1, 2)), p["encoder.0.weight"], p["encoder.0.bias"], stride=2))
            h = F.softplus(F.conv2d(kept * h, p["encoder.2.weight"], p["encoder.2.bias"], padding=1))
            return torch.sigmoid(F.linear(h.flatten(1), p["latent.weight"], p["latent.bias"]))
        codes, change = torch.func.jvp(encode, (x,), (v,))
        h = torch.tanh(F.linear(codes, p["latent.weight"].T, p["decoder.0.bias"])).reshape(-1, 4, 4, 3)
        h = torch.tanh(F.conv_transpose2d(h, p["encoder.2.weight"], p["decoder.1.bias"], padding=1))
        h = F.conv_transpose2d(h, p["encoder.0.weight"], p["decoder.2.bias"], stride=2)
        return torch.sigmoid(h[:, :, 1:8, 1:7]), 500 * (change**2).sum(1)
    return (7, 6, 2), shapes, run


def quantized(codes, codebooks, commitment):
    """Images of 7 x 6 x 2 to 4 x 3 features of 6, each replaced by codes, and back by one layer."""
    width = 6 // codebooks
    stems = ["latent"] if codebooks == 1 else [f"latent.{i}" for i in range(codebooks)]
    shapes = [("encoder.0.weight", (6, 2, 4, 4), 32), ("encoder.0.bias", (6,), 32),
              *((f"{stem}.embedding.weight", (codes, width), codes**2) for stem in stems),
              ("decoder.0.weight", (84, 72), 72), ("decoder.0.bias", (84,), 72)]

    def run(p, x):
        h = torch.tanh(F.conv2d(F.pad(x, (1, 1, 1, 2)), p["encoder.0.weight"], p["encoder.0.bias"], stride=2))
        parts, term = [], 0
        for part, stem in zip(h.split(width, 1), stems):
            table = p[f"{stem}.embedding.weight"]
            rows = part.permute(0, 2, 3, 1)
            code = table[torch.cdist(rows.reshape(-1, width), table).argmin(1)].reshape(rows.shape)
            term = term + (commitment * (rows - code.detach())**2 + (rows.detach() - code)**2).sum((1, 2, 3))
            parts.append((rows + (code - rows).detach()).permute(0, 3, 1, 2))
        z = torch.cat(parts, 1)
        y = torch.sigmoid(F.linear(z.flatten(1), p["decoder.0.weight"], p["decoder.0.bias"])).reshape(x.shape)
        return y, term + l2(z.flatten(1))
    return (7, 6, 2), shapes, run


def dissimilarity(y, x, contrast=False, raw=False):
    """Elements times 1 - mean SSIM (Wang et al. 2004) of each image, in [0, 1], windows within it."""
    line = torch.exp(-(torch.arange(11, dtype=torch.float64) - 5)**2 / (2 * 1.5**2))
    window = (line[:, None] * line[None] / line.sum()**2).expand(x.shape[1], 1, 11, 11)

    def mean(image):
        return F.conv2d(image, window, groups=x.shape[1])
    mx, my = mean(x), mean(y)
    vx, vy, cxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    s = (2 * mx * my + c1) * (2 * cxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    if contrast:
        return ((2 * cxy + c2) / (vx + vy + c2)).mean((1, 2, 3))
    return s.mean((1, 2, 3)) if raw else x[0].numel() * (1 - s.mean((1, 2, 3)))


def multi_scale_dissimilarity(y, x):
    """Elements times 1 - multi-scale SSIM (Wang et al. 2003) of images that are halved once."""
    weights = torch.tensor([0.0448, 0.2856], dtype=torch.float64)
    first, second = weights / weights.sum()
    product = dissimilarity(y, x, contrast=True)**first
    product = product * dissimilarity(F.avg_pool2d(y, 2), F.avg_pool2d(x, 2), raw=True)**second
    return x[0].numel() * (1 - product)


def similar(height=14, width=12, error=None):
    """Images of height x width x 2 to a code of 4 and back."""
    D = height // 2 * (width // 2) * 3
    shapes = [("encoder.0.weight", (3, 2, 4, 4), 32), ("encoder.0.bias", (3,), 32), ("latent.weight", (4, D), D),
              ("latent.bias", (4,), D), ("decoder.0.weight", (D, 4), 4), ("decoder.0.bias", (D,), 4),
              ("decoder.2.weight", (3, 2, 4, 4), 32), ("decoder.2.bias", (2,), 32)]

    def run(p, x):
        h = torch.tanh(F.conv2d(x, p["encoder.0.weight"], p["encoder.0.bias"], stride=2, padding=1))
        h = F.linear(h.flatten(1), p["latent.weight"], p["latent.bias"])
        h = torch.tanh(F.linear(h, p["decoder.0.weight"], p["decoder.0.bias"])).reshape(-1, 3, height // 2, width // 2)
        h = F.conv_transpose2d(h, p["decoder.2.weight"], p["decoder.2.bias"], stride=2, padding=1)
        return torch.sigmoid(h), torch.zeros(len(x), dtype=torch.float64)
    return (height, width, 2), shapes, run, error or dissimilarity


MODELS = {"l1": dense("sigmoid", l1), "activity": dense("sigmoid", activity), "zero-mean": dense("tanh", zero_mean),
          "mmd": dense("linear", mmd), "contractive": dense("sigmoid", contractive, encoder=()),
          "contractive-convolutions": contractive_convolutions(), "tied-convolutions": convolutions(), "ssim": similar(),
          "ms-ssim": similar(24, 22, multi_scale_dissimilarity),
          "quantizer": quantized(5, 1, 0.25), "two-codebooks": quantized(3, 2, 2.0),
          "l2": dense("tanh", l2), "two-penalties": dense("sigmoid", lambda codes, **_: l1(codes) + activity(codes)),
          "info-vae": gaussian(lambda codes, **_: mmd(codes, stream=philox.LATENT | 1 << 8)),
          "total-correlation": gaussian(total_correlation), "dip-i": gaussian(dip(5.0, False)),
          "dip-ii": gaussian(lambda codes, **of: dip(2.0, True)(codes, **of) + l1(codes) / 3)}


def squared_error(y, x):
    return ((y - x)**2).sum((1, 2, 3))


def measure(shape, shapes, run, error=squared_error):
    p = {name: torch.from_numpy(starting_point.initial_parameter(SEED, j, of, fan_in)).double().requires_grad_()
         for j, (name, of, fan_in) in enumerate(shapes)}
    x = torch.from_numpy(starting_point.images(0, SAMPLES, *shape)).double()
    y, penalty = run(p, x)
    loss = (error(y, x) + BETA * penalty).mean()
    loss.backward()
    return dict(loss=loss.item(), penalty=penalty.mean().item(),
                gradients={name: [float(f"{g:.9g}") for g in q.grad.flatten().tolist()] for name, q in p.items()})


if __name__ == "__main__":
    report = dict(seed=SEED, samples=SAMPLES, beta=BETA, models={name: measure(*m) for name, m in MODELS.items()})
    path = pathlib.Path(__file__).resolve().parent / "torch_family.json"
    path.write_text(json.dumps(report).replace("]}}, ", "]}},\n") + "\n")
