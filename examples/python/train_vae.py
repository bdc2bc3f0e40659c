"""conv-vae-28 in PyTorch, its convolutions by torch.nn or by these kernels, otherwise the same program.

  python train_vae.py --data FOLDER              both, a step in turn: loss of every epoch and samples a second
  python train_vae.py                            the same on random discs

Both start from the same parameters and see the same batches and noise. Each runs as it is fastest: torch in the memory
format that --format names, with and without which it can be compared. Times are medians over steps, so that what else runs
on the machine disturbs both alike.
"""
import argparse
import gzip
import pathlib
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

import hourglass_kernels.torch as hg

LATENT = 20


class Plain:
    """torch.nn with an activation behind each layer."""

    @staticmethod
    def Conv2d(*arguments, activation):
        return nn.Sequential(nn.Conv2d(*arguments), nn.ReLU())

    @staticmethod
    def ConvTranspose2d(*arguments, activation):
        return nn.Sequential(nn.ConvTranspose2d(*arguments), nn.ReLU() if activation == "relu" else nn.Identity())


class VAE(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.encoder = nn.Sequential(
            layers.Conv2d(1, 32, 4, 2, 1, activation="relu"),   # 14 x 14
            layers.Conv2d(32, 64, 4, 2, 1, activation="relu"),  # 7 x 7
            nn.Flatten(), nn.Linear(3136, 256), nn.ReLU(), nn.Linear(256, 2 * LATENT))
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, 256), nn.ReLU(), nn.Linear(256, 3136), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)),
            layers.ConvTranspose2d(64, 32, 4, 2, 1, activation="relu"),
            layers.ConvTranspose2d(32, 1, 4, 2, 1, activation="linear"))

    def loss(self, x, noise):
        """Negative ELBO in nats an image."""
        mean, log_variance = self.encoder(x).chunk(2, 1)
        logits = self.decoder(mean + torch.exp(0.5 * log_variance) * noise)
        divergence = 0.5 * (mean * mean + torch.exp(log_variance) - 1 - log_variance).sum()
        return (F.binary_cross_entropy_with_logits(logits, x, reduction="sum") + divergence) / len(x)


def discs(count):
    grid, centre, radius = torch.arange(28.0), 6 + 16 * torch.rand(count, 2, 1, 1), 2 + 4 * torch.rand(count, 1, 1)
    return ((grid[:, None] - centre[:, 0]) ** 2 + (grid - centre[:, 1]) ** 2 < radius ** 2).float()[:, None]


def images(folder):
    data = gzip.decompress((pathlib.Path(folder) / "train-images-idx3-ubyte.gz").read_bytes())
    return torch.frombuffer(bytearray(data[16:]), dtype=torch.uint8).view(-1, 1, 28, 28).float() / 255


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="folder with train-images-idx3-ubyte.gz")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--images", type=int, default=60000, help="so many of them")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--format", choices=["nchw", "channels_last"], default="nchw", help="memory of plain PyTorch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    data = (images(arguments.data) if arguments.data else discs(2000))[:arguments.images]

    kinds = {"torch": VAE(Plain), "hourglass": VAE(hg)}
    for ours, theirs in zip(kinds["hourglass"].parameters(), kinds["torch"].parameters()):
        ours.data.copy_(theirs.data)
    kinds["hourglass"].to(memory_format=torch.channels_last)
    if arguments.format == "channels_last":
        kinds["torch"].to(memory_format=torch.channels_last)
    optimizers = {kind: torch.optim.Adam(model.parameters(), lr=1e-3, fused=True) for kind, model in kinds.items()}
    times = {kind: [] for kind in kinds}
    for epoch in range(1, arguments.epochs + 1):
        losses = {kind: 0.0 for kind in kinds}
        places = torch.randperm(len(data)).split(arguments.batch_size)
        for number, batch in enumerate(places):
            x, noise = data[batch], torch.randn(len(batch), LATENT)
            for kind in sorted(kinds, reverse=number % 2 == 0):
                start = time.perf_counter()
                optimizers[kind].zero_grad(set_to_none=True)
                loss = kinds[kind].loss(x, noise)
                loss.backward()
                optimizers[kind].step()
                losses[kind] += loss.item() * len(batch)
                times[kind].append(time.perf_counter() - start)
        print(f"epoch {epoch}: " + ", ".join(f"{kind} {total / len(data):.3f} nats" for kind, total in losses.items()),
              flush=True)
    rates = {kind: arguments.batch_size / statistics.median(steps) for kind, steps in times.items()}
    print(f"{arguments.threads} threads: " + ", ".join(f"{kind} {rate:.0f} samples/s" for kind, rate in rates.items())
          + f", ratio {rates['hourglass'] / rates['torch']:.2f}")


if __name__ == "__main__":
    main()
