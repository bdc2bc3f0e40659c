"""Four training steps of four tiny models with the layers that golden.py does without, in torch float64: losses, all
tensors and a reconstruction.

  python torch_layers.py      writes torch_layers.json beside this file

A minibatch is cut into shards; batch normalisation of several is the ghost batch normalisation of Hoffer et al. (2017),
whose running statistics follow the mean over the shards, weighed with their samples.
"""
import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import starting_point

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "Benchmarks" / "Peers"))
from layers_torch import Concat, Conv2D, ConvTranspose2D, Dense, GaussianNoise, Residual, Skip, reshape  # noqa: E402

SEED, BATCH_SIZES = 2**32 + 11, [5, 5, 5, 3]
OPTIMIZER = dict(name="sgd", learningRate=0.01, momentum=0.9, weightDecay=0.0)


class MaxPool2D(nn.MaxPool2d):
    def forward(self, x):
        y, self.switches = F.max_pool2d(x, 2, return_indices=True)
        return y


class MaxUnpool2D(nn.Module):
    def __init__(self, pool):
        super().__init__()
        self.pool = [pool]

    def forward(self, x):
        return F.max_unpool2d(x, self.pool[0].switches, 2)


class GhostBatchNorm(nn.Module):
    def __init__(self, channels, samples):
        super().__init__()
        self.samples = samples
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x):
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)
        ghosts, mean, variance = [], 0, 0
        for part in x.split(self.samples):
            ghosts.append(F.batch_norm(part, None, None, self.weight, self.bias, training=True))
            axes = [0] + list(range(2, x.dim()))
            mean = mean + part.detach().mean(axes) * len(part) / len(x)
            variance = variance + part.detach().var(axes, unbiased=True) * len(part) / len(x)
        with torch.no_grad():
            self.running_mean.mul_(0.9).add_(0.1 * mean)
            self.running_var.mul_(0.9).add_(0.1 * variance)
        return torch.cat(ghosts)


def batch_norm(kind, channels, shards):
    """PyTorch's own where there is one shard."""
    return kind(channels) if shards == 1 else GhostBatchNorm(channels, -(-BATCH_SIZES[0] // shards))


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Model(nn.Module):
    def __init__(self, input, encoder, latent, decoder):
        super().__init__()
        self.input = input
        self.encoder, self.latent, self.decoder = nn.Sequential(*encoder), latent, nn.Sequential(*decoder)

    def forward(self, x):
        return self.decoder(self.latent(self.encoder(x)))


def tiny_norm(shards):
    pool = MaxPool2D(2)
    return Model((8, 6, 2), [conv(2, 6), nn.GroupNorm(3, 6), nn.GELU(), pool], Dense(4 * 3 * 6, 5), [
        Dense(5, 4 * 3 * 6), nn.Unflatten(1, (6, 4, 3)),
        MaxUnpool2D(pool),
        conv(6, 4), batch_norm(nn.BatchNorm2d, 4, shards), nn.GELU(),
        Conv2D(4, 2, 3, 1, "sigmoid"),
    ])


def tiny_resize(shards):
    return Model((8, 8, 1), [Dense(64, 10), batch_norm(nn.BatchNorm1d, 10, shards), nn.GELU()], Dense(10, 6), [
        Dense(6, 40), nn.GroupNorm(2, 40),
        Dense(40, 4 * 4 * 3), nn.Unflatten(1, (3, 4, 4)),
        nn.Upsample(scale_factor=2), Conv2D(3, 1, 3, 1, "sigmoid"),
    ])


def tiny_residual(shards):
    return Model((8, 6, 2), [
        Conv2D(2, 4, 3, 1, "relu"),
        Residual(Conv2D(4, 4, 3, 1, "relu"), nn.GroupNorm(2, 4), conv(4, 4), activation="relu"),
        Residual(Conv2D(4, 6, 4, 2, "tanh"), conv(6, 6), shortcut=[nn.Conv2d(4, 6, 1, 2)], activation="tanh"),
    ], Dense(4 * 3 * 6, 5), [
        Dense(5, 4 * 3 * 6, "relu"), reshape(4, 3, 6),
        Residual(Conv2D(6, 6, 3, 1, "tanh")),
        ConvTranspose2D(6, 4, 4, 2, "relu"),
        Residual(
            conv(4, 3), Residual(Conv2D(3, 3, 3, 1, "tanh"), conv(3, 3), activation="relu"), conv(3, 2),
            shortcut=[Conv2D(4, 3, 3, 1, "relu"), nn.Conv2d(3, 2, 1)], activation="sigmoid"),
    ])


def tiny_unet(shards):
    encoder = [
        GaussianNoise(0.3),
        Conv2D(1, 3, 3, 1, "relu"),
        Skip(Conv2D(3, 2, 3, 1, "tanh"), Skip(Conv2D(2, 3, 3, 1, "relu"))),
        Conv2D(8, 4, 4, 2, "relu"),
    ]
    return Model((8, 8, 1), encoder, Dense(4 * 4 * 4, 6), [
        Dense(6, 4 * 4 * 2, "relu"), reshape(4, 4, 2),
        Concat(encoder[3]),
        ConvTranspose2D(6, 3, 4, 2, "relu"),
        Concat(encoder[1]),
        Conv2D(6, 2, 3, 1, "tanh"),
        Concat(encoder[1]),
        Conv2D(5, 1, 3, 1, "sigmoid"),
    ])


MODELS = {"tiny-norm": tiny_norm, "tiny-resize": tiny_resize, "tiny-residual": tiny_residual, "tiny-unet": tiny_unet}


def tensors(model):
    return {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}


def train(name, shards):
    model = MODELS[name](shards).double()
    shape = None
    for number, (key, value) in enumerate(tensors(model).items()):
        owner = model.get_submodule(key.rsplit(".", 1)[0])
        if isinstance(owner, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            shape = value.shape if key.endswith("weight") else shape
            start = starting_point.initial_parameter(SEED, number, tuple(value.shape), starting_point.fan_in(shape))
            value.copy_(torch.from_numpy(start))
    optimizer = torch.optim.SGD(model.parameters(), lr=OPTIMIZER["learningRate"], momentum=OPTIMIZER["momentum"])
    losses = []
    for step, samples in enumerate(BATCH_SIZES):
        x = torch.from_numpy(starting_point.images(step, samples, *model.input)).double()
        if isinstance(model.encoder[0], GaussianNoise):
            noise = starting_point.layer_noise(SEED, 0, step, samples, tuple(x.shape[1:]))
            model.encoder[0].noise = torch.from_numpy(noise).double()
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), x, reduction="sum") / samples
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses


def rounded(values):
    return [float(f"{value:.8g}") for value in np.asarray(values).reshape(-1)]


def main():
    runs = []
    for name in MODELS:
        for shards in (1, 2):
            model, losses = train(name, shards)
            parameters = {key: dict(shape=list(value.shape), values=rounded(value.detach()))
                          for key, value in tensors(model).items()}
            model.eval()
            x = torch.from_numpy(starting_point.images(0, BATCH_SIZES[0], *model.input)).double()
            first = model(x)[0].detach().permute(1, 2, 0)
            runs.append(dict(model=name, shards=shards, beta=0.0, optimizer=OPTIMIZER, losses=rounded(losses),
                             parameters=parameters, reconstruction=rounded(first)))
            print(name, shards, losses)
    report = dict(torch=torch.__version__, seed=SEED, batchSizes=BATCH_SIZES, runs=runs)
    text = json.dumps(report).replace("}, ", "},\n")  # one tensor to a line
    (pathlib.Path(__file__).resolve().parent / "torch_layers.json").write_text(text + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
