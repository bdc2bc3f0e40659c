"""Latents and penalties in PyTorch: what stands at the code of a model, with the parameter names that Hourglass writes."""
import math

import torch
import torch.nn.functional as F
from torch import nn

from layers_torch import Dense, GaussianNoise, Unsupported

# The range to which Hourglass clamps a log-variance; outside it the gradient is zero.
LOG_VARIANCE_RANGE = (-30.0, 20.0)


class GaussianLatent(nn.Module):
    def __init__(self, inputs, units):
        super().__init__()
        self.mean = Dense(inputs, units)
        self.logVariance = Dense(inputs, units)

    def forward(self, x, noise):
        """z and the KL divergence of each sample; without noise z is the mean."""
        mean, log_variance = self.mean(x), self.logVariance(x).clamp(*LOG_VARIANCE_RANGE)
        z = mean if noise is None else mean + torch.exp(0.5 * log_variance) * noise
        self.posterior = mean, log_variance
        return z, 0.5 * (mean * mean + torch.exp(log_variance) - 1 - log_variance).sum(1)


class Embedding(nn.Module):
    """The codes of a codebook, a parameter or with running means a buffer."""

    def __init__(self, codes, width, is_buffer):
        super().__init__()
        weight = torch.empty(codes, width).uniform_(-1 / codes, 1 / codes)
        if is_buffer:
            self.register_buffer("weight", weight)
        else:
            self.weight = nn.Parameter(weight)


class Codebook(nn.Module):
    """The nearest code of each row, by gradient or with running means (van den Oord et al. 2017), and the distances that
    the loss has."""

    def __init__(self, codes, width, commitment, decay):
        super().__init__()
        self.embedding, self.commitment, self.decay = Embedding(codes, width, decay is not None), commitment, decay
        if decay is not None:
            self.register_buffer("ema_cluster_size", torch.zeros(codes))
            self.register_buffer("ema_w", torch.zeros(codes, width))

    def forward(self, x):
        weight = self.embedding.weight
        numbers = (weight.square().sum(1) - 2 * x @ weight.T).argmin(1)
        code = weight[numbers]
        term = self.commitment * (x - code.detach()).square()
        if self.decay is None:
            term = term + (x.detach() - code).square()
        elif self.training and torch.is_grad_enabled():
            self.follow(x.detach(), numbers)
        return x + (code - x).detach(), term.sum(1)

    def follow(self, x, numbers):
        """Running means; a code with less than a hundredth of the mean size starts anew at a row drawn at random."""
        seen = F.one_hot(numbers, len(self.ema_w)).to(x)
        self.ema_cluster_size.mul_(self.decay).add_(seen.sum(0), alpha=1 - self.decay)
        self.ema_w.mul_(self.decay).add_(seen.T @ x, alpha=1 - self.decay)
        total = self.ema_cluster_size.sum()
        is_dead = self.ema_cluster_size < 0.01 * total / len(self.ema_w)
        fresh = x[torch.randint(len(x), (int(is_dead.sum()),))]
        self.ema_cluster_size[is_dead] = total / len(self.ema_w)
        self.ema_w[is_dead] = fresh * total / len(self.ema_w)
        size = (self.ema_cluster_size + 1e-5) / (total + 1e-5 * len(self.ema_w)) * total
        self.embedding.weight.copy_(self.ema_w / size[:, None])
        self.embedding.weight[is_dead] = fresh


def quantize(books, x):
    """Images N C H W, or vectors, by codebooks that share the channels; the straight-through codes and each sample's
    term of the loss."""
    rows = x.movedim(1, -1).reshape(-1, x.shape[1])
    found = [book(part) for book, part in zip(books, rows.chunk(len(books), 1))]
    codes = torch.cat([code for code, _ in found], 1).reshape(*x.movedim(1, -1).shape).movedim(-1, 1)
    return codes, sum(term for _, term in found).reshape(len(x), -1).sum(1)


def penalty(description, encoder, latent):
    """The penalty that a model file wants, as a function of the codes, and of means and log-variances."""
    kind, weight = description["layer"], description["weight"]
    if kind == "L1Penalty":
        return lambda h, *_: weight * h.abs().sum(1).mean()
    if kind == "L2Penalty":
        return lambda h, *_: weight * h.square().sum(1).mean()
    if kind == "TotalCorrelationPenalty":
        return lambda z, mean, lv: weight * total_correlation(z, mean, lv)
    if kind == "DIPPenalty":
        return lambda z, mean, lv: dip(mean, lv if description["type"] == "II" else None, weight, description["diagonal"])
    if kind == "ZeroMeanPenalty":
        return lambda h, *_: weight * (h.mean(0) ** 2).sum()
    if kind == "ActivityPenalty":
        t = description["target"]

        def activity(h, *_):
            r = h.mean(0).clamp(1e-6, 1 - 1e-6)
            return weight * (t * (t / r).log() + (1 - t) * ((1 - t) / (1 - r)).log()).sum()
        return activity
    if kind == "MMDPenalty":
        return lambda h, *_: weight * discrepancy(h, torch.randn_like(h))
    noises = (GaussianNoise, nn.Dropout)
    if kind == "ContractivePenalty" and isinstance(latent, Dense) and all(isinstance(x, noises) for x in encoder):
        return lambda h, *_: weight * (latent.slope(h) ** 2 @ latent.weight.square().sum(1)).mean()
    raise Unsupported("a contractive penalty along a tangent" if kind == "ContractivePenalty" else kind)


def discrepancy(h, z):
    """The maximum mean discrepancy of codes from draws of the prior (Tolstikhin et al. 2018)."""
    m, c = len(h), 2 * h.shape[1]

    def similarity(x, y):
        distance = torch.cdist(x, y).square()
        return sum(c * s / (c * s + distance) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))
    within = similarity(h, h) + similarity(z, z)
    return (within.sum() - within.diagonal().sum()) / (m * (m - 1)) - 2 * similarity(h, z).sum() / m**2


def total_correlation(z, mean, log_variance):
    """The total correlation of the minibatch's mixture (Chen et al. 2018)."""
    density = torch.distributions.Normal(mean[None], (log_variance / 2).exp()[None]).log_prob(z[:, None])
    rest = (z.shape[1] - 1) * math.log(len(z))
    return (density.sum(2).logsumexp(1) - density.logsumexp(1).sum(1)).mean() + rest


def dip(mean, log_variance, weight, diagonal):
    """The distance of the covariance from the identity (Kumar et al. 2018)."""
    covariance = torch.cov(mean.T, correction=0).reshape(mean.shape[1], -1)
    variances = covariance.diagonal() + (log_variance.exp().mean(0) if log_variance is not None else 0)
    between = covariance - torch.diag(covariance.diagonal())
    return weight * between.square().sum() + diagonal * (variances - 1).square().sum()
