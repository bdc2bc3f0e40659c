"""An autoencoder in PyTorch: its parts in a row, and the loss by its likelihood."""
import math

import torch
import torch.nn.functional as F
from torch import nn

from codes_torch import LOG_VARIANCE_RANGE, Codebook, GaussianLatent, quantize


class Autoencoder(nn.Module):
    """A chain of encoder, latent, decoder. `input` is (height, width, channels), `outputs` the elements that it puts out.
    `penalties` make numbers of the codes, means over the samples where they have one for each; of a Gaussian latent they
    get its means and log-variances too."""

    def __init__(self, input, outputs, likelihood, encoder, latent, decoder, penalties=(), image=nn.Identity()):
        super().__init__()
        self.input, self.outputs, self.penalties, self.image = input, outputs, penalties, image
        self.likelihood = likelihood if isinstance(likelihood, dict) else {"name": likelihood}
        self.encoder, self.latent, self.decoder = nn.Sequential(*encoder), latent, nn.Sequential(*decoder)

    @property
    def latent_units(self):
        """Units that need noise: 0 for a plain autoencoder."""
        return self.latent.mean.out_features if isinstance(self.latent, GaussianLatent) else 0

    def forward(self, x, noise=None):
        """What the likelihood reads and the sum of the other terms of the loss, a mean over samples."""
        code, posterior = self.encoder(self.image(x)), ()
        if self.latent_units:
            z, term = self.latent(code, noise)
            posterior = self.latent.posterior
        elif isinstance(self.latent, (Codebook, nn.ModuleList)):
            z, term = quantize([self.latent] if isinstance(self.latent, Codebook) else self.latent, code)
        else:
            z, term = self.latent(code), x.new_zeros(1)
        return self.decoder(z), term.mean() + sum(penalty(z.flatten(1), *posterior) for penalty in self.penalties)

    def error(self, y, x, labels):
        """Summed over pixels and samples."""
        name, target = self.likelihood["name"], x.flatten(1)
        y = y.flatten(1)
        if name == "bernoulli":
            return F.binary_cross_entropy_with_logits(y, target, reduction="sum")
        if name == "squaredError":
            return F.mse_loss(y, target, reduction="sum")
        if name == "absoluteError":
            return F.l1_loss(y, target, reduction="sum")
        if name == "huber":
            return F.huber_loss(y, target, reduction="sum")
        if name == "logCosh":
            distance = (y - target).abs()
            return (distance + F.softplus(-2 * distance) - math.log(2)).sum()
        if name == "poisson":
            return (y.exp() - target * y + torch.lgamma(target + 1)).sum()
        if name == "multinomial":
            coefficient = torch.lgamma(target.sum(1) + 1) - torch.lgamma(target + 1).sum(1)
            return -(coefficient + (target * F.log_softmax(y, 1)).sum(1)).sum()
        if name in ("negativeBinomial", "discretizedLogistic"):
            mean, log_spread = y.chunk(2, 1)
            log_spread = log_spread.clamp(*LOG_VARIANCE_RANGE)
            if name == "negativeBinomial":
                distribution = torch.distributions.NegativeBinomial(log_spread.exp(), logits=mean - log_spread,
                                                                    validate_args=False)
                return -distribution.log_prob(target).sum()
            above, below = (torch.sigmoid((target - mean + side / 510) / log_spread.exp()) for side in (1, -1))
            above = torch.where(target > 1 - 1 / 510, torch.ones_like(above), above)
            below = torch.where(target < 1 / 510, torch.zeros_like(below), below)
            return -(above - below).log().sum()
        if name == "gaussian":
            mean, log_variance = y, math.log(self.likelihood["variance"]) if "variance" in self.likelihood else None
            if log_variance is None:
                mean, log_variance = y.chunk(2, 1)
                log_variance = log_variance.clamp(*LOG_VARIANCE_RANGE)
            variance = torch.as_tensor(log_variance, dtype=y.dtype).exp()
            return 0.5 * ((mean - target) ** 2 / variance + log_variance + math.log(2 * math.pi)).sum()
        if name == "categorical":
            return F.cross_entropy(y, labels, reduction="sum")
        assert name == "labelSquaredError", name
        return F.mse_loss(y[:, 0], labels.to(y), reduction="sum")

    def loss(self, x, noise=None, beta=1.0, labels=None):
        """Summed over pixels and latent units, averaged over samples."""
        y, second = self(x, noise)
        return self.error(y, x, labels) / len(x) + beta * second

    def reconstruct(self, x):
        """The image, from the mean of the latent."""
        y, _ = self(x)
        name = self.likelihood["name"]
        if self.likelihood == {"name": "gaussian"} or name in ("negativeBinomial", "discretizedLogistic"):
            y = y.chunk(2, 1)[0]
        if name in ("poisson", "negativeBinomial"):
            return y.exp()
        if name == "multinomial":
            return F.softmax(y.flatten(1), 1).reshape(y.shape)
        return torch.sigmoid(y) if name == "bernoulli" else y
