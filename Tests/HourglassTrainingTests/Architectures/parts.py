"""What the originals are made of: PyTorch's own modules under short names, Keras's "same", blocks, latents; and the
list of all architectures, which the other files of this folder fill.

Images are N C H W, series N C L. An original is written with the layers of its source in their order, so that its
state_dict has the tensors of a model file in the same order.
"""
import collections

import torch
import torch.nn.functional as F
from torch import nn

Architecture = collections.namedtuple("Architecture", "name source input likelihood make lacks")

ARCHITECTURES = {}

# The range to which Hourglass clamps a log-variance.
LOG_VARIANCE_RANGE = (-30.0, 20.0)


def architecture(name, source, input=None, likelihood="squaredError", lacks=None):
    """Enters the function below it, which makes the module, into the list.

    `input` is (height, width, channels), (length, channels) of a series or (elements,) of a vector. `lacks` says why no
    model file can be written.
    """
    def enter(make):
        assert name not in ARCHITECTURES, name
        ARCHITECTURES[name] = Architecture(name, source, input, likelihood, make, lacks)
        return make
    return enter


def absent(name, source, lacks):
    """An architecture of which not even PyTorch's form is kept."""
    architecture(name, source, lacks=lacks)(None)


# Short names, in the order of PyTorch's arguments.
C, CT, L, BN, BN1, GN = nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.BatchNorm2d, nn.BatchNorm1d, nn.GroupNorm
C1, CT1, MP, MP1, AP, AP1 = nn.Conv1d, nn.ConvTranspose1d, nn.MaxPool2d, nn.MaxPool1d, nn.AvgPool2d, nn.AvgPool1d
R, S, T, LR, ELU, SELU, GELU, SiLU = (nn.ReLU, nn.Sigmoid, nn.Tanh, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU)
FL, UF, UP, DO = nn.Flatten, nn.Unflatten, nn.Upsample, nn.Dropout


def up(factor=2, **how):
    return UP(scale_factor=factor, **how)


def view(*shape):
    return UF(1, shape)


def same(size, kernel, stride, dilation=1):
    """Keras's padding of one axis at its near and its far side."""
    total = max(0, (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
    return total // 2, total - total // 2


class Same:
    """Keras's padding "same" in front of a convolution."""

    def forward(self, x):
        axes = [same(*axis) for axis in zip(x.shape[2:], self.kernel_size, self.stride, self.dilation)]
        return super().forward(F.pad(x, [pad for axis in axes[::-1] for pad in axis]))


class KerasConv(Same, nn.Conv2d):
    """Keras's Conv2D with padding "same"."""


class KerasConv1(Same, nn.Conv1d):
    """Keras's Conv1D with padding "same"."""


class Cropped:
    """What Keras's padding "same" leaves of all positions that the kernels of a transposed convolution reach."""

    def forward(self, x):
        y = super().forward(x)
        for axis, stride in enumerate(self.stride, 2):
            size = x.shape[axis] * stride
            y = y.narrow(axis, (y.shape[axis] - size) // 2, size)
        return y


class KerasConvT(Cropped, nn.ConvTranspose2d):
    """Keras's Conv2DTranspose with padding "same"."""


class KerasConvT1(Cropped, nn.ConvTranspose1d):
    """Keras's Conv1DTranspose with padding "same"."""


class CausalConv1(nn.Conv1d):
    """Keras's Conv1D with padding "causal"."""

    def forward(self, x):
        return super().forward(F.pad(x, ((self.kernel_size[0] - 1) * self.dilation[0], 0)))


class KerasPool(nn.MaxPool2d):
    """Keras's MaxPooling2D with padding "same"."""

    def forward(self, x):
        axes = [same(size, self.kernel_size, self.stride) for size in x.shape[2:]]
        return super().forward(F.pad(x, [pad for axis in axes[::-1] for pad in axis], value=-torch.inf))


def keras_norm(channels, kind=nn.BatchNorm2d):
    """Keras's BatchNormalization, whose momentum counts what stays."""
    return kind(channels, eps=1e-3, momentum=0.01)


class Residual(nn.Module):
    """activation(layers(x) + shortcut(x)), the shortcut being the identity where there is none."""

    def __init__(self, layers, shortcut=(), activation=None):
        super().__init__()
        self.layers, self.shortcut = nn.Sequential(*layers), nn.Sequential(*shortcut)
        self.activation = activation or nn.Identity()

    def forward(self, x):
        return self.activation(self.layers(x) + self.shortcut(x))


class Keep(nn.Module):
    """Keeps what passes for a layer further on."""

    def forward(self, x):
        self.kept = x
        return x


class Cat(nn.Module):
    """What reaches it and what was kept, along the channels; the kept one in front where `first`."""

    def __init__(self, keep, first=False):
        super().__init__()
        self.keep, self.first = [keep], first

    def forward(self, x):
        both = (self.keep[0].kept, x) if self.first else (x, self.keep[0].kept)
        return torch.cat(both, 1)


class Add(nn.Module):
    """The activation of what reaches it plus what was kept."""

    def __init__(self, keep, activation=None):
        super().__init__()
        self.keep, self.activation = [keep], activation or nn.Identity()

    def forward(self, x):
        return self.activation(x + self.keep[0].kept)


class Branches(nn.Module):
    """What several chains make of one input, along the channels."""

    def __init__(self, *chains):
        super().__init__()
        self.chains = nn.ModuleList(nn.Sequential(*chain) for chain in chains)

    def forward(self, x):
        return torch.cat([chain(x) for chain in self.chains], 1)


class Tied(nn.Module):
    """The transpose of a linear layer, with a bias of its own."""

    def __init__(self, lender):
        super().__init__()
        self.lender, self.bias = [lender], nn.Parameter(torch.zeros(lender.in_features))

    def forward(self, x):
        return F.linear(x, self.lender[0].weight.t(), self.bias)


class Unpool(nn.Module):
    """The way back through a MaxPool2d that keeps its switches."""

    def __init__(self, pool):
        super().__init__()
        self.pool = [pool]

    def forward(self, x):
        pool = self.pool[0]
        return F.max_unpool2d(x, pool.switches, pool.kernel_size, pool.stride, output_size=pool.size)


class SwitchPool(nn.MaxPool2d):
    """A max-pooling that keeps its switches."""

    def forward(self, x):
        self.size = x.shape[2:]
        y, self.switches = F.max_pool2d(x, self.kernel_size, self.stride, return_indices=True)
        return y


class Gaussian(nn.Module):
    """Mean and log-variance of a code, and its sample. Sources that make both with one layer, and cut its output in
    two, have the same weights in one tensor."""

    def __init__(self, inputs, units):
        super().__init__()
        self.mean, self.log_variance = L(inputs, units), L(inputs, units)

    def forward(self, x, noise=None):
        x = x.flatten(1)
        mean, log_variance = self.mean(x), self.log_variance(x).clamp(*LOG_VARIANCE_RANGE)
        self.means, self.log_variances = mean, log_variance
        self.kl = 0.5 * (mean * mean + torch.exp(log_variance) - 1 - log_variance).sum(1).mean()
        return mean if noise is None else mean + torch.exp(0.5 * log_variance) * noise


class Quantizer(nn.Module):
    """The nearest of K vectors at each position, whose gradient goes straight through; the loss is, summed over the
    elements of a sample, (e - sg(z))^2 + commitment (z - sg(e))^2."""

    def __init__(self, codes, dimensions, commitment=0.25):
        super().__init__()
        self.codebook, self.commitment = nn.Parameter(torch.empty(codes, dimensions)), commitment
        nn.init.uniform_(self.codebook, -1, 1)

    def forward(self, x):
        z = x.movedim(1, -1)
        nearest = ((z[..., None, :] - self.codebook) ** 2).sum(-1).argmin(-1)
        e = self.codebook[nearest]
        self.loss = ((e - z.detach()) ** 2 + self.commitment * (z - e.detach()) ** 2).flatten(1).sum(1).mean()
        return (z + (e - z).detach()).movedim(-1, 1)


class AE(nn.Module):
    """A chain of encoder, latent and decoder. `penalty` makes a number of the codes, the latent, which knows mean and
    log-variance, and draws of the prior."""

    def __init__(self, encoder, latent, decoder, penalty=None):
        super().__init__()
        self.encoder, self.latent, self.decoder = nn.Sequential(*encoder), latent, nn.Sequential(*decoder)
        self.penalty = penalty

    def forward(self, x, noise=None, prior=None):
        """What the decoder puts out, and the second term of the loss, which a model that is evaluated has not."""
        h = self.encoder(x)
        z = self.latent(h, noise) if isinstance(self.latent, Gaussian) else self.latent(h)
        second = getattr(self.latent, "kl", getattr(self.latent, "loss", x.new_zeros(())))
        if self.penalty and self.training:
            second = second + self.penalty(z.flatten(1), self.latent, prior)
        return self.decoder(z), second


def mmd(weight):
    """The maximum mean discrepancy of the codes from as many draws of the prior, by the kernels of WAE."""
    def similarity(x, y):
        c, d = 2.0 * x.shape[1], ((x[:, None] - y[None]) ** 2).sum(2)
        return sum(c * s / (c * s + d) for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0))

    def penalty(z, _, prior):
        m = len(z)
        within = similarity(z, z) + similarity(prior, prior)
        apart = (within.sum() - within.diagonal().sum()) / (m * (m - 1))
        return weight * (apart - 2 * similarity(z, prior).sum() / m**2)
    return penalty


def total_correlation(weight):
    """That of Chen et al. 2018, with the shard in the place of the data."""
    def penalty(z, latent, _):
        deviation = torch.exp(0.5 * latent.log_variances)
        density = torch.distributions.Normal(latent.means[None], deviation[None]).log_prob(z[:, None])
        joint, each = density.sum(2).logsumexp(1), density.logsumexp(1)
        logarithm = torch.tensor(float(len(z))).log()
        return weight * (joint - logarithm - (each - logarithm).sum(1)).mean()
    return penalty


def dip_ii(weight, diagonal):
    """That of Kumar et al. 2018 on the covariance of the samples."""
    def penalty(z, latent, _):
        covariance = torch.cov(latent.means.T, correction=0) + torch.diag(latent.log_variances.exp().mean(0))
        own = torch.diagonal(covariance)
        return weight * ((covariance - torch.diag(own)) ** 2).sum() + diagonal * ((own - 1) ** 2).sum()
    return penalty
