"""What the originals of public architectures make of images, for ArchitectureTests.

  python originals.py values FOLDER NAME...    FOLDER/NAME.safetensors of each
  python originals.py onnx FOLDER NAME...      FOLDER/onnx.json, of what FOLDER/NAME/autoencoder.onnx makes of the same

A file of values holds images x (N H W C), their reconstruction y by the weights w.0, w.1, ..., which lie in the order of
the original's definition, and the gradients g.0, g.1, ... of the loss by all but running statistics, in double, with the
rounding of PyTorch's own gradients in float. The loss is the mean over two shards of what ArchitectureTests trains on:
sums over elements, means over the samples of a shard, whose statistics batch normalisation takes. Dropout keeps
everything. Noise of a Gaussian latent, and draws of its prior, are those of seed 3.
"""
import copy
import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Golden"))
import anomaly, denoising, keras_tf, pytorch, pythae, series, variational  # noqa: E401, E402, F401
import philox  # noqa: E402
from parts import ARCHITECTURES, Gaussian  # noqa: E402
from torch_family import dissimilarity  # noqa: E402

SAMPLES, SHARDS, SEED = 16, 2, 3


def log_cosh(y, x):
    return (y - x + F.softplus(2 * (x - y)) - np.log(2)).sum()


LOSSES = {"squaredError": lambda y, x: F.mse_loss(y, x, reduction="sum"),
          "absoluteError": lambda y, x: F.l1_loss(y, x, reduction="sum"),
          "bernoulli": lambda y, x: F.binary_cross_entropy(y, x, reduction="sum"),
          "ssim": lambda y, x: dissimilarity(y.double(), x.double()).sum(), "logCosh": log_cosh}


def channels_last(x, input):
    """N D, N L C or N H W C of what has N D, N C L or N C H W; of a vector that is an image elsewhere that image."""
    if x.dim() == 2 and len(input) > 1:
        return x
    return x.movedim(1, -1)


def images(architecture):
    extents = architecture.input
    shape = (SAMPLES, *(extents[-1:] + extents[:-1] if len(extents) > 1 else extents))
    generator = torch.Generator().manual_seed(1)
    return torch.rand(shape, generator=generator)


def weights(model):
    """All tensors in the order of their definition."""
    return [(name, tensor) for name, tensor in model.state_dict().items() if not name.endswith("num_batches_tracked")]


def prepare(model):
    """Normalisations that scale and shift, with statistics as if trained; dropout that keeps everything."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0
        for name in ("weight", "bias", "running_mean", "running_var"):
            tensor = getattr(module, name, None)
            if isinstance(module, (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)) and tensor is not None:
                low, high = (0.5, 1.5) if name in ("weight", "running_var") else (-0.2, 0.2)
                nn.init.uniform_(tensor, low, high)


def draws(units, number):
    """Normal values for each sample, by the stream of that number of a latent."""
    stream = philox.LATENT | number << 8
    return torch.from_numpy(np.stack([philox.normal(units, SEED, stream, step=0, sample=i) for i in range(SAMPLES)]))


def smooth(module):
    """Gradients jump where a rectifier's input is nearly 0 and rounding moves it across: ELUs take their places."""
    for name, inner in module.named_children():
        if isinstance(inner, (nn.ReLU, nn.ReLU6, nn.LeakyReLU)):
            setattr(module, name, nn.ELU())
        else:
            smooth(inner)


def gradients(architecture, model, x):
    """Of the loss by each tensor, in the order of definition, with smooth activations."""
    smooth(model)
    noise = prior = [None] * SAMPLES
    if isinstance(model.latent, Gaussian):
        noise, prior = draws(model.latent.mean.out_features, 0), draws(model.latent.mean.out_features, 1)
    elif model.penalty:
        prior = draws(model.latent(model.encoder(x)).flatten(1).shape[1], 0)
    model.train()
    size = SAMPLES // SHARDS
    for first in range(0, SAMPLES, size):
        shard = slice(first, first + size)
        found, second = model(x[shard], noise[shard] if noise[0] is not None else None, prior[shard])
        loss = LOSSES[architecture.likelihood](found, x[shard]) / size + second
        (loss / SHARDS).backward()
    named = dict(model.named_parameters())
    return {f"g.{i}": named[name].grad for i, (name, _) in enumerate(weights(model)) if name in named}


def rounding(found, wanted):
    """How far gradients in float are from those in double, as ArchitectureTests compares them."""
    largest = max(gradient.abs().max() for gradient in wanted.values())
    return max((found[key] - wanted[key]).abs().max() / max(wanted[key].abs().max(), 1e-2 * largest) for key in wanted)


def values(architecture):
    torch.manual_seed(2)
    model = architecture.make()
    prepare(model)
    x = images(architecture)
    tensors = {f"w.{i}": tensor.clone() for i, (_, tensor) in enumerate(weights(model))}
    with torch.no_grad():
        y, _ = model.eval()(x)
    in_double = gradients(architecture, copy.deepcopy(model).double(), x.double())
    tensors |= in_double
    tensors["rounding"] = rounding(gradients(architecture, model, x), in_double)[None]
    tensors["x"] = channels_last(x, architecture.input).contiguous()
    tensors["y"] = channels_last(y, architecture.input).contiguous()
    return {name: tensor.detach().float().contiguous() for name, tensor in tensors.items()}


def main(mode, folder, *names):
    torch.set_num_threads(2)
    if mode == "values":
        from safetensors.torch import save_file
        for name in names:
            save_file(values(ARCHITECTURES[name]), folder / f"{name}.safetensors")
        return
    import onnxruntime
    from safetensors.numpy import load_file
    worst = {}
    for name in names:
        session = onnxruntime.InferenceSession(str(folder / name / "autoencoder.onnx"))
        tensors = load_file(folder / f"{name}.safetensors")
        (port,) = session.get_inputs()
        x = images(ARCHITECTURES[name]).numpy().reshape(SAMPLES, *port.shape[1:])
        (y,) = session.run(None, {port.name: x})
        wanted = np.moveaxis(tensors["y"], -1, 1) if y.ndim > 2 else tensors["y"]
        worst[name] = float(np.abs(y.reshape(SAMPLES, -1) - wanted.reshape(SAMPLES, -1)).max())
    (folder / "onnx.json").write_text(json.dumps(worst))


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]), *sys.argv[3:])
