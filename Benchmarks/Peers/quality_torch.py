"""Quality of PyTorch on a flagship model: trains on a folder of MNIST-style IDX files and measures the test images.

  python quality_torch.py --data FOLDER --model conv-ae-28 --epochs 3 --seed 3

Adam 1e-3, a fresh order every epoch, the last partial batch included: the recipe of `hourglass train`. Prints one JSON
line after each epoch: mse per pixel of the test images or, for a variational model, the negative ELBO in nats per image
with one sample of z.
"""
import argparse
import gzip
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from models_torch import MODELS


def images(folder, name):
    """N x C x H x W in [0, 1]."""
    data = gzip.decompress((pathlib.Path(folder) / f"{name}-images-idx3-ubyte.gz").read_bytes())
    count, height, width = np.frombuffer(data, ">i4", 3, offset=4)
    pixels = np.frombuffer(data, np.uint8, offset=16).reshape(count, 1, height, width)
    return torch.from_numpy(pixels.astype(np.float32) / 255)


@torch.no_grad()
def measure(model, data):
    total = 0.0
    model.eval()
    for x in data.split(500):
        if model.latent_units:
            total += model.loss(x, torch.randn(len(x), model.latent_units)).item() * len(x)
        else:
            total += F.mse_loss(model.reconstruct(x), x).item() * len(x)
    model.train()
    return total / len(data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True, choices=sorted(MODELS))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    model = MODELS[arguments.model]()
    train, test = images(arguments.data, "train"), images(arguments.data, "t10k")
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    for epoch in range(1, arguments.epochs + 1):
        for places in torch.randperm(len(train)).split(arguments.batch_size):
            noise = torch.randn(len(places), model.latent_units) if model.latent_units else None
            adam.zero_grad(set_to_none=True)
            model.loss(train[places], noise).backward()
            adam.step()
        figure = "negativeELBO" if model.latent_units else "mse"
        print(json.dumps({"model": arguments.model, "torch": torch.__version__, "seed": arguments.seed,
                          "epoch": epoch, figure: measure(model, test)}), flush=True)


if __name__ == "__main__":
    main()
