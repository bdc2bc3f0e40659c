"""Checks of golden.py: finite differences for every parameter tensor, and the same runs in torch, both in float64."""
import numpy as np

import golden
import starting_point

STEP = 1e-6  # of a central difference: truncation near STEP^2, rounding near 2^-52 loss / STEP


def check_gradients():
    """Up to 30 elements of each tensor. The tolerance is 2^-52 * 100 / STEP for rounding, and 1e-6 relative."""
    picker = np.random.default_rng(1)
    for name, make in golden.MODELS.items():
        model = make()
        model.draw(0)
        x, noise = model.images(0), model.noise(0)
        loss = model.loss(x, noise)
        model.backward()
        assert 1 < loss < 100, loss
        for tensor, parameter, gradient in zip(model.names, model.parameters(), model.gradients()):
            flat, wanted = parameter.reshape(-1), gradient.reshape(-1).copy()
            for i in picker.permutation(flat.size)[:30]:
                kept, sides = flat[i], []
                for sign in (1, -1):
                    flat[i] = kept + sign * STEP
                    sides.append(model.loss(x, noise))
                flat[i] = kept
                found = (sides[0] - sides[1]) / (2 * STEP)
                assert abs(found - wanted[i]) <= 2e-8 + 1e-6 * abs(wanted[i]), (name, tensor, i, found, wanted[i])
        print(f"{name}: gradients of {len(model.names)} tensors agree with finite differences")


def torch_decode(torch, name, p, x, noise, step):
    """What the likelihood reads, and the KL divergence of each sample, written with torch's own operations."""
    import torch.nn.functional as F
    if name == "tiny-dvae":
        return torch_denoise(torch, p, x, noise, step)
    if name == "tiny-smooth":
        return torch_smooth(torch, p, x, step)
    if name == "tiny-ae":
        x = F.relu(F.conv2d(F.pad(x, (1, 2, 1, 2)), p["encoder.0.weight"], p["encoder.0.bias"], stride=2))
        z = F.linear(F.max_pool2d(x, 2).flatten(1), p["latent.weight"], p["latent.bias"])
        x = F.relu(F.linear(z, p["decoder.0.weight"], p["decoder.0.bias"])).unflatten(1, (5, 3, 2))
        x = F.relu(F.conv_transpose2d(x, p["decoder.2.weight"], p["decoder.2.bias"], stride=2, padding=1,
                                      output_padding=(0, 1)))
        return torch.sigmoid(F.conv_transpose2d(x, p["decoder.3.weight"], p["decoder.3.bias"], stride=2,
                                                padding=1)), torch.zeros(len(x), dtype=x.dtype)
    x = F.relu(F.conv2d(x, p["encoder.0.weight"], p["encoder.0.bias"], stride=2, padding=1))
    x = F.relu(F.linear(x.flatten(1), p["encoder.1.weight"], p["encoder.1.bias"]))
    mean = F.linear(x, p["latent.mean.weight"], p["latent.mean.bias"])
    lv = F.linear(x, p["latent.logVariance.weight"], p["latent.logVariance.bias"]).clamp(-30, 20)
    x = F.relu(F.linear(mean + torch.exp(lv / 2) * noise, p["decoder.0.weight"], p["decoder.0.bias"]))
    x = F.relu(F.linear(x, p["decoder.1.weight"], p["decoder.1.bias"])).unflatten(1, (4, 4, 4))
    return (F.conv_transpose2d(x, p["decoder.3.weight"], p["decoder.3.bias"], stride=2, padding=1),
            torch.distributions.kl_divergence(torch.distributions.Normal(mean, torch.exp(lv / 2)),
                                              torch.distributions.Normal(0.0, 1.0)).sum(1))


def torch_smooth(torch, p, x, step):
    import torch.nn.functional as F

    def dense(name, x):
        return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])

    x = F.max_pool2d(torch.tanh(F.conv2d(x, p["encoder.0.weight"], p["encoder.0.bias"], stride=2, padding=1)), 2)
    x = F.softplus(dense("decoder.0", dense("latent", F.elu(dense("encoder.2", x.flatten(1))))))
    x = F.leaky_relu(dense("decoder.2", torch_dropout(torch, x, 0.2, 5, step))).unflatten(1, (4, 4, 4))
    x = F.conv_transpose2d(x, p["decoder.4.weight"], p["decoder.4.bias"], stride=2, padding=1)
    return torch.sigmoid(x), torch.zeros(len(x), dtype=x.dtype)


def torch_dropout(torch, x, rate, number, step):
    mask = starting_point.dropout_mask(rate, golden.SEED, number, step, len(x), x.shape[1:])
    return x * torch.tensor(mask) / (1 - float(np.float32(rate)))


def torch_denoise(torch, p, x, noise, step):
    """The numbers of the layers are 0 noise, 2 and 4 dropout, 6 latent, 8 dropout, 10 noise."""
    import torch.nn.functional as F

    def dropout(x, rate, number):
        return torch_dropout(torch, x, rate, number, step)

    def disturbed(x, deviation, number):
        drawn = starting_point.layer_noise(golden.SEED, number, step, len(x), x.shape[1:])
        return x + float(np.float32(deviation)) * torch.tensor(drawn).to(x.dtype)

    def dense(name, x):
        return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])

    x = F.conv2d(disturbed(x, 0.3, 0), p["encoder.1.weight"], p["encoder.1.bias"], stride=2, padding=1)
    x = dropout(F.relu(dense("encoder.3", dropout(F.relu(x), 0.25, 2).flatten(1))), 0.5, 4)
    mean, lv = dense("latent.mean", x), dense("latent.logVariance", x).clamp(-30, 20)
    x = dropout(torch.sigmoid(dense("decoder.0", mean + torch.exp(lv / 2) * noise)), 0.2, 8)
    x = disturbed(F.relu(dense("decoder.2", x)).unflatten(1, (4, 4, 4)), 0.1, 10)
    return (F.conv_transpose2d(x, p["decoder.5.weight"], p["decoder.5.bias"], stride=2, padding=1),
            (0.5 * (mean**2 + torch.exp(lv) - 1 - lv)).sum(1))


def check_torch(torch):
    """Losses and final parameters to 1e-10, which is 2^-52 times a generous bound on the length of all sums."""
    for run in golden.RUNS:
        name, options = run["model"], run["optimizer"]
        start = golden.MODELS[name]()
        parameters = {key: torch.tensor(value, requires_grad=True)
                      for key, value in zip(start.names, start.parameters())}
        betas, lr = (options["beta1"], options["beta2"]), options["learningRate"]
        update = {
            "sgd": lambda p: torch.optim.SGD(p, lr=lr, momentum=options["momentum"]),
            "adam": lambda p: torch.optim.Adam(p, lr=lr, betas=betas, eps=options["epsilon"]),
            "adamw": lambda p: torch.optim.AdamW(p, lr=lr, betas=betas, eps=options["epsilon"],
                                                 weight_decay=options["weightDecay"]),
        }[options["name"]](list(parameters.values()))
        losses = []
        for step in range(len(golden.BATCH_SIZES)):
            x, noise = torch.tensor(start.images(step)), start.noise(step)
            y, kl = torch_decode(torch, name, parameters, x, None if noise is None else torch.tensor(noise), step)
            if start.likelihood is golden.squared_error:
                error = torch.nn.functional.mse_loss(y, x, reduction="sum")
            else:
                error = torch.nn.functional.binary_cross_entropy_with_logits(y, x, reduction="sum")
            loss = (error + start.beta * kl.sum()) / len(x)
            update.zero_grad()
            loss.backward()
            update.step()
            losses.append(loss.item())
        model, found = golden.train(name, options)
        np.testing.assert_allclose(found, losses, rtol=1e-10)
        for key, value in zip(model.names, model.parameters()):
            np.testing.assert_allclose(value, parameters[key].detach().numpy(), rtol=1e-10, atol=1e-10, err_msg=key)
        print(f"{name}, {options['name']}: losses and {len(model.names)} tensors agree with torch {torch.__version__}")


def main():
    check_gradients()
    try:
        import torch
    except ImportError:
        print("torch is not installed: the comparison with it was skipped")
        return
    check_torch(torch)
