"""Quality of PyTorch on a model: trains on the images of a folder and measures its test images.

  python quality_torch.py --data FOLDER --model conv-ae-28 --epochs 3 --seed 3

FOLDER holds MNIST-style IDX files, or train.npy and test.npy as `hourglass data --export` writes them. Adam 1e-3, a
fresh order every epoch, the last partial batch included: the recipe of `hourglass train`. Prints one JSON line after
each epoch: mse per pixel of the test images; for a variational model the negative ELBO in nats per image with one sample
of z; for a denoising model also psnr, in dB, of what it makes of the test images with its noise added.
"""
import argparse
import gzip
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from layers_torch import GaussianNoise
from models_torch import description, twin


def images(folder, split):
    """N x C x H x W in [0, 1]."""
    file = pathlib.Path(folder) / f"{split}.npy"
    if file.exists():
        pixels = np.load(file).transpose(0, 3, 1, 2)
    else:
        name = dict(train="train", test="t10k")[split]
        data = gzip.decompress((file.parent / f"{name}-images-idx3-ubyte.gz").read_bytes())
        count, height, width = np.frombuffer(data, ">i4", 3, offset=4)
        pixels = np.frombuffer(data, np.uint8, offset=16).reshape(count, 1, height, width)
    scale = np.float32(255 if pixels.dtype == np.uint8 else 1)
    return torch.from_numpy(np.ascontiguousarray(pixels, np.float32) / scale)


@torch.no_grad()
def measure(model, data):
    """The figures of all images, by name."""
    totals = dict(negativeELBO=0.0) if model.latent_units else dict(mse=0.0)
    noise = next((layer for layer in model.encoder if isinstance(layer, GaussianNoise)), None)
    model.eval()
    for x in data.split(500):
        if model.latent_units:
            totals["negativeELBO"] += model.loss(x, torch.randn(len(x), model.latent_units)).item() * len(x)
        else:
            totals["mse"] += F.mse_loss(model.reconstruct(x), x).item() * len(x)
        if noise:
            damaged = x + noise.deviation * torch.randn_like(x)
            totals["repaired"] = (totals.get("repaired", 0)
                                  + F.mse_loss(model.reconstruct(damaged), x).item() * len(x))
    model.train()
    figures = {name: total / len(data) for name, total in totals.items()}
    if noise:
        figures["psnr"] = -10 * math.log10(figures.pop("repaired"))
    return figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True, help="a model file, or the name of a preset")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--beta", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    model = twin(description(arguments.model))
    train, test = images(arguments.data, "train"), images(arguments.data, "test")
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    for epoch in range(1, arguments.epochs + 1):
        for places in torch.randperm(len(train)).split(arguments.batch_size):
            noise = torch.randn(len(places), model.latent_units) if model.latent_units else None
            adam.zero_grad(set_to_none=True)
            model.loss(train[places], noise, arguments.beta).backward()
            adam.step()
        print(json.dumps({"model": arguments.model, "torch": torch.__version__, "seed": arguments.seed,
                          "epoch": epoch, **measure(model, test)}), flush=True)


if __name__ == "__main__":
    main()
