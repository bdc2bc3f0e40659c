"""Layers in PyTorch with the parameter names and shapes that Hourglass writes."""
import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS = {"linear": lambda x: x, "relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
               "softplus": F.softplus, "elu": F.elu, "leakyRelu": F.leaky_relu, "selu": F.selu, "relu6": F.relu6,
               "hardSigmoid": F.hardsigmoid, "hardTanh": F.hardtanh, "gelu": F.gelu, "silu": F.silu, "mish": F.mish,
               "hardSwish": F.hardswish, "softmax": lambda x: F.softmax(x, 1)}


def activation_of(name):
    """The function of a name, `leakyRelu:0.2` with its slope."""
    kind, _, slope = name.partition(":")
    return (lambda x: F.leaky_relu(x, float(slope))) if slope else ACTIVATIONS[kind]


def ending(kind, activation):
    """The module `kind` with an activation at its end."""
    return type(kind.__name__, (kind,), {"forward": lambda self, x: activation_of(activation)(kind.forward(self, x))})


class VectorNorm(nn.BatchNorm1d):
    """Batch normalisation of vectors, and of images of one pixel as vectors."""

    def forward(self, x):
        return super().forward(x.flatten(1))


class Activation(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.activation = activation_of(activation)

    def forward(self, x):
        return self.activation(x)


# The derivative of some activations, in terms of their output.
SLOPES = {"linear": torch.ones_like, "relu": lambda y: (y > 0).to(y), "sigmoid": lambda y: y * (1 - y),
          "tanh": lambda y: 1 - y * y, "softplus": lambda y: 1 - torch.exp(-y),
          "elu": lambda y: torch.where(y > 0, torch.ones_like(y), y + 1),
          "leakyRelu": lambda y: torch.where(y > 0, torch.ones_like(y), torch.full_like(y, 0.01))}


class Unsupported(Exception):
    """What a twin lacks."""


def padding(large, small, kernel, stride, before, exact=False):
    """Padding on both sides, output padding, and rows to add at the far side, of one extent of a convolution.

    `before` is Hourglass's padding at the near side. Where the far side has more, a person takes that much for both in
    PyTorch, perhaps with an output padding, which is the mirror image with as many products. `exact` adds rows instead,
    as everybody must where an even kernel keeps the size of an image.
    """
    after = (small - 1) * stride + kernel - large - before
    both = max(before, after)
    rest = 2 * both - before - after
    if rest < stride and not (exact and after > before):
        return both, rest, 0
    if after < before:
        raise Unsupported("a padding that PyTorch does not have")
    return before, 0, after - before


def pair(extent):
    """Height and width of what a model file says of both."""
    return (extent, extent) if isinstance(extent, int) else tuple(extent)


def image(x):
    """A vector as an image of one pixel."""
    return x[:, :, None, None] if x.dim() == 2 else x


def alike(x, skip):
    """Two that meet, as vectors where one of them is."""
    return (x, skip) if x.dim() == skip.dim() else (x.flatten(1), skip.flatten(1))


class Conv2D(nn.Conv2d):
    """`sides` are added to the image first, (top, left, bottom, right)."""

    def __init__(self, inputs, outputs, kernel, stride, activation, padding=1, sides=(0, 0, 0, 0), mode="zeros",
                 bias=True, dilation=1, groups=1):
        super().__init__(inputs, outputs, kernel, stride, padding, dilation, groups, bias)
        self.activation, self.sides, self.mode = activation_of(activation), sides, mode

    def forward(self, x):
        return self.activation(super().forward(pad(image(x), self.sides, self.mode)))


def pad(x, sides, mode="zeros", value=0.0):
    """An image with pixels around it, (top, left, bottom, right)."""
    if not any(sides):
        return x
    top, left, bottom, right = sides
    if mode == "zeros":
        return F.pad(x, (left, right, top, bottom), value=value)
    return F.pad(x, (left, right, top, bottom), mode=mode)


class Pad2D(nn.Module):
    def __init__(self, sides, mode):
        super().__init__()
        self.sides, self.mode = sides, mode

    def forward(self, x):
        return pad(image(x), self.sides, self.mode)


class PaddedMaxPool2D(nn.MaxPool2d):
    """A max-pooling whose padding differs from side to side."""

    def __init__(self, kernel, stride, sides, ceiling):
        super().__init__(kernel, stride, 0, ceil_mode=ceiling)
        self.sides = sides

    def forward(self, x):
        return super().forward(pad(image(x), self.sides, value=-torch.inf))


class PaddedAveragePool2D(nn.AvgPool2d):
    """An average pooling whose padding differs from side to side."""

    def __init__(self, kernel, stride, sides, ceiling, counts):
        super().__init__(kernel, stride, 0, ceiling)
        self.sides, self.counts = sides, counts

    def forward(self, x):
        x = image(x)
        y = super().forward(pad(x, self.sides))
        return y if self.counts else y / super().forward(pad(torch.ones_like(x), self.sides))


class Conv1D(nn.Conv1d):
    """A convolution of images of height 1; (left, right) are added to the sequence first."""

    def __init__(self, inputs, outputs, kernel, stride, activation, ends, mode, bias=True, dilation=1, groups=1):
        super().__init__(inputs, outputs, kernel, stride, 0, dilation, groups, bias)
        self.activation, self.ends, self.mode = activation_of(activation), ends, "constant" if mode == "zeros" else mode

    def forward(self, x):
        x = F.pad(image(x).squeeze(2), self.ends, mode=self.mode)
        return self.activation(super().forward(x)).unsqueeze(2)


class ConvTranspose1D(nn.ConvTranspose1d):
    """A transposed convolution of images of height 1; `far` steps are cut off at the end, `near` ones at the start."""

    def __init__(self, inputs, outputs, kernel, stride, activation, padding=0, rest=0, far=0, near=0, bias=True,
                 dilation=1, groups=1):
        super().__init__(inputs, outputs, kernel, stride, padding, rest, groups, bias, dilation)
        self.activation, self.far, self.near = activation_of(activation), far, near

    def forward(self, x):
        y = super().forward(image(x).squeeze(2))
        return self.activation(y[:, :, self.near:y.shape[2] - self.far]).unsqueeze(2)


class GlobalAveragePool2D(nn.AdaptiveAvgPool2d):
    def __init__(self):
        super().__init__(1)

    def forward(self, x):
        return super().forward(image(x)).flatten(1)


class Images(nn.Module):
    """A module that reads an image, of one pixel where a vector reaches it."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(image(x))


class Reshape(nn.Module):
    """PyTorch's view, of a shape (height, width, channels)."""

    def __init__(self, height, width, channels):
        super().__init__()
        self.shape = (channels, height, width) if height * width > 1 else (channels,)

    def forward(self, x):
        return x.reshape(len(x), *self.shape)


class ConvTranspose2D(nn.ConvTranspose2d):
    """`far` rows and columns are cut off at the bottom and at the right, `near` ones at the top and at the left."""

    def __init__(self, inputs, outputs, kernel, stride, activation, padding=1, rest=0, far=(0, 0), near=(0, 0),
                 bias=True, dilation=1, groups=1):
        super().__init__(inputs, outputs, kernel, stride, padding, rest, groups, bias, dilation)
        self.activation, self.far, self.near = activation_of(activation), far, near

    def forward(self, x):
        y = crop(super().forward(image(x)), self.far)
        return self.activation(y[:, :, self.near[0]:, self.near[1]:])


def crop(x, far):
    return x[:, :, :x.shape[2] - far[0], :x.shape[3] - far[1]] if any(far) else x


class TiedConvTranspose2D(nn.Module):
    """The transpose of a convolution, which is held in a list so that it is no part of this module."""

    def __init__(self, lender, outputs, activation, padding, rest, far):
        super().__init__()
        self.lender, self.activation = [lender], activation_of(activation)
        self.geometry, self.far = (lender.stride, padding, rest, lender.groups, lender.dilation), far
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        y = F.conv_transpose2d(image(x), self.lender[0].weight, self.bias, *self.geometry)
        return self.activation(crop(y, self.far))


class Dense(nn.Linear):
    def __init__(self, inputs, outputs, activation="linear", bias=True):
        super().__init__(inputs, outputs, bias)
        self.activation = activation_of(activation)

    def forward(self, x):
        return self.activation(super().forward(x.flatten(1)))


class TiedDense(nn.Module):
    """The mirror of a dense layer; it puts out the shape that the other one reads."""

    def __init__(self, lender, shape, activation):
        super().__init__()
        self.lender, self.shape, self.activation = [lender], shape, activation_of(activation)
        self.bias = nn.Parameter(torch.zeros(lender.in_features))

    def forward(self, x):
        y = self.activation(F.linear(x.flatten(1), self.lender[0].weight.t(), self.bias))
        height, width, channels = self.shape
        return y if height * width == 1 else y.unflatten(1, (channels, height, width))


class GaussianNoise(nn.Module):
    """x + deviation e while training; e is `noise` where somebody set it."""

    def __init__(self, deviation):
        super().__init__()
        self.deviation, self.noise = deviation, None

    def forward(self, x):
        if not self.training:
            return x
        return x + self.deviation * (torch.randn_like(x) if self.noise is None else self.noise)


class MaxPool2D(nn.MaxPool2d):
    """Keeps its switches for a MaxUnpool2D."""

    def __init__(self, *geometry):
        super().__init__(*geometry, return_indices=True)

    def forward(self, x):
        y, self.switches = super().forward(image(x))
        return y


class MaxUnpool2D(nn.Module):
    """The way back through a pool."""

    def __init__(self, pool, size):
        super().__init__()
        self.pool, self.size = [pool], size
        self.unpool = nn.MaxUnpool2d(pool.kernel_size, pool.stride, pool.padding)

    def forward(self, x):
        return self.unpool(image(x), self.pool[0].switches, self.size)


class Residual(nn.Sequential):
    """The activation of what the layers put out and the shortcut, which is the identity where it is empty."""

    def __init__(self, *layers, shortcut=(), activation="linear"):
        super().__init__(*layers)
        self.count, self.activation = len(layers), activation_of(activation)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x):
        y = x
        for layer in list(self)[:self.count]:
            y = layer(y)
        y, x = alike(y, self.shortcut(x))
        return self.activation(y + x)


class Skip(nn.Sequential):
    """What the layers put out and what the shortcut does, along the channels; the identity where it is empty."""

    def __init__(self, *layers, shortcut=()):
        super().__init__(*layers)
        self.count, self.shortcut = len(layers), nn.Sequential(*shortcut)

    def forward(self, x):
        y = x
        for layer in list(self)[:self.count]:
            y = layer(y)
        return torch.cat(alike(y, self.shortcut(x)), 1)


class Concat(nn.Module):
    """What reaches it and what an earlier layer put out, along the channels."""

    def __init__(self, source, first=False):
        super().__init__()
        self.first = first
        source.register_forward_hook(self.keep)

    def keep(self, source, inputs, output):
        self.skip = output[0] if isinstance(output, tuple) else output

    def forward(self, x):
        x, skip = alike(x, self.skip)
        return torch.cat((skip, x) if self.first else (x, skip), 1)


class Add(Concat):
    """The activation of what reaches it plus what an earlier layer put out."""

    def __init__(self, source, activation="linear"):
        super().__init__(source)
        self.activation = activation_of(activation)

    def forward(self, x):
        x, skip = alike(x, self.skip)
        return self.activation(x + skip)


def reshape(height, width, channels):
    return nn.Unflatten(1, (channels, height, width))
