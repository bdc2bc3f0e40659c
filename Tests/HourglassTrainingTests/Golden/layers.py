"""Layers, latent and likelihoods in NumPy float64: the formulas of include/hourglass_kernels.h, forward and backward.

Images are N C H W and parameters have PyTorch's shapes; P, Q are the small image's extents, H, W the large one's. Every
layer keeps in forward what backward needs, and backward fills `gradients` in the order of `parameters`.
"""
import numpy as np

import starting_point


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATION = {"linear": lambda s: s, "relu": lambda s: np.maximum(s, 0), "sigmoid": sigmoid, "tanh": np.tanh,
              "softplus": lambda s: np.logaddexp(0, s), "elu": lambda s: np.where(s > 0, s, np.expm1(np.minimum(s, 0))),
              "leakyRelu": lambda s: np.where(s > 0, s, s / 100)}
# By the output.
DERIVATIVE = {"linear": lambda y: np.ones_like(y), "relu": lambda y: (y > 0) * 1.0, "sigmoid": lambda y: y * (1 - y),
              "tanh": lambda y: 1 - y**2, "softplus": lambda y: 1 - np.exp(-y),
              "elu": lambda y: np.where(y > 0, 1, y + 1), "leakyRelu": lambda y: np.where(y > 0, 1, 0.01)}


class Geometry:
    """(p, q) and tap (r, s) meet (h, w) = (p U + r - top, q V + s - left); both strides are `stride`."""

    def __init__(self, large, small, kernel, stride, top, left):
        self.large, self.small, self.kernel, self.stride, self.top, self.left = large, small, kernel, stride, top, left
        self.padded = [max((p - 1) * stride + kernel, extent + pad)
                       for p, extent, pad in zip(small, large, (top, left))]

    def pad(self, x):
        y = np.zeros(x.shape[:2] + tuple(self.padded))
        y[:, :, self.top:self.top + self.large[0], self.left:self.left + self.large[1]] = x
        return y

    def crop(self, x):
        return x[:, :, self.top:self.top + self.large[0], self.left:self.left + self.large[1]]

    def taps(self):
        """Each tap with the part of the padded large image that it meets, as (r, s, rows, columns)."""
        (p, q), u = self.small, self.stride
        for r in range(self.kernel):
            for s in range(self.kernel):
                yield r, s, slice(r, r + (p - 1) * u + 1, u), slice(s, s + (q - 1) * u + 1, u)


def gather(geometry, x, w):
    """y[n,k,p,q] = sum over c, r, s of x[n,c,pU+r-top,qV+s-left] w[k,c,r,s]"""
    padded = geometry.pad(x)
    return sum(np.einsum("nchw,kc->nkhw", padded[:, :, rows, columns], w[:, :, r, s])
               for r, s, rows, columns in geometry.taps())


def scatter(geometry, y, w):
    """The adjoint of gather in x: y[n,k,p,q] w[k,c,r,s] adds to (n, c, pU+r-top, qV+s-left)."""
    padded = np.zeros((y.shape[0], w.shape[1], *geometry.padded))
    for r, s, rows, columns in geometry.taps():
        padded[:, :, rows, columns] += np.einsum("nkhw,kc->nchw", y, w[:, :, r, s])
    return geometry.crop(padded)


def filter_gradient(geometry, x, y, shape):
    """The adjoint of gather in w: sum over n, p, q of x[n,c,pU+r-top,qV+s-left] y[n,k,p,q]."""
    padded, gradient = geometry.pad(x), np.zeros(shape)
    for r, s, rows, columns in geometry.taps():
        gradient[:, :, r, s] = np.einsum("nchw,nkhw->kc", padded[:, :, rows, columns], y)
    return gradient


class Conv2D:
    """padding "same": P = ceil(H / U), an odd total puts the extra pixel at the bottom and right; else a number."""

    def __init__(self, inputs, outputs, large, kernel, stride, padding, activation):
        if padding == "same":
            small = [-(-extent // stride) for extent in large]
            total = [max((p - 1) * stride + kernel - extent, 0) for p, extent in zip(small, large)]
            top, left = total[0] // 2, total[1] // 2
        else:
            small = [(extent + 2 * padding - kernel) // stride + 1 for extent in large]
            top = left = padding
        self.geometry, self.activation = Geometry(large, small, kernel, stride, top, left), activation
        self.shapes = [(outputs, inputs, kernel, kernel), (outputs,)]

    def forward(self, x):
        w, b = self.parameters
        self.x, self.y = x, ACTIVATION[self.activation](gather(self.geometry, x, w) + b[:, None, None])
        return self.y

    def backward(self, dy):
        w, ds = self.parameters[0], dy * DERIVATIVE[self.activation](self.y)
        self.gradients = [filter_gradient(self.geometry, self.x, ds, w.shape), ds.sum((0, 2, 3))]
        return scatter(self.geometry, ds, w)


class ConvTranspose2D:
    """From small to large with an explicit output size; the weight is inputs x outputs x R x S."""

    def __init__(self, inputs, outputs, small, large, kernel, stride, padding, activation):
        self.geometry, self.activation = Geometry(large, small, kernel, stride, padding, padding), activation
        self.shapes = [(inputs, outputs, kernel, kernel), (outputs,)]

    def forward(self, y):
        w, b = self.parameters
        self.y, self.x = y, ACTIVATION[self.activation](scatter(self.geometry, y, w) + b[:, None, None])
        return self.x

    def backward(self, dx):
        w, ds = self.parameters[0], dx * DERIVATIVE[self.activation](self.x)
        self.gradients = [filter_gradient(self.geometry, ds, self.y, w.shape), ds.sum((0, 2, 3))]
        return gather(self.geometry, ds, w)


class MaxPool2D:
    """Windows of 2 x 2 without overlap, P = floor(H / 2); of equal values the first, row by row, is the largest."""

    shapes = []

    def forward(self, x):
        n, c, h, w = x.shape
        p, q = h // 2, w // 2
        windows = x[:, :, :2 * p, :2 * q].reshape(n, c, p, 2, q, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, p, q, 4)
        self.shape, self.switches = x.shape, windows.argmax(-1)
        return windows.max(-1)

    def backward(self, dy):
        n, c, h, w = self.shape
        p, q = h // 2, w // 2
        windows = (np.arange(4) == self.switches[..., None]) * dy[..., None]
        dx = np.zeros(self.shape)
        dx[:, :, :2 * p, :2 * q] = (windows.reshape(n, c, p, q, 2, 2).transpose(0, 1, 2, 4, 3, 5)
                                    .reshape(n, c, 2 * p, 2 * q))
        self.gradients = []
        return dx


class Dense:
    """Flattens what it reads, in the order C, H, W."""

    def __init__(self, inputs, outputs, activation="linear"):
        self.activation, self.shapes = activation, [(outputs, inputs), (outputs,)]

    def forward(self, x):
        w, b = self.parameters
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        self.y = ACTIVATION[self.activation](self.x @ w.T + b)
        return self.y

    def backward(self, dy):
        ds = dy * DERIVATIVE[self.activation](self.y)
        self.gradients = [ds.T @ self.x, ds.sum(0)]
        return (ds @ self.parameters[0]).reshape(self.shape)


class Reshape:
    shapes = []

    def __init__(self, height, width, channels):
        self.image = (channels, height, width)

    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), *self.image)

    def backward(self, dy):
        self.gradients = []
        return dy.reshape(self.shape)


class GaussianNoise:
    """x + deviation e while `draws` (seed, number, step) is there; then and otherwise the error passes."""

    shapes = []

    def __init__(self, deviation):
        self.deviation, self.draws = np.float64(np.float32(deviation)), None

    def forward(self, x):
        if self.draws is None:
            return x
        return x + self.deviation * starting_point.layer_noise(*self.draws, len(x), x.shape[1:])

    def backward(self, dy):
        self.gradients = []
        return dy


class Dropout:
    """x / (1 - rate) where a value is kept, else 0, while `draws` is there."""

    shapes = []

    def __init__(self, rate):
        self.rate, self.draws = np.float64(np.float32(rate)), None

    def forward(self, x):
        self.factor = 1.0
        if self.draws is not None:
            self.factor = starting_point.dropout_mask(self.rate, *self.draws, len(x), x.shape[1:]) / (1 - self.rate)
        return x * self.factor

    def backward(self, dy):
        self.gradients = []
        return dy * self.factor


class GaussianLatent:
    """Two dense heads, z = mean + exp(lv / 2) noise, and KL = 1/2 sum of mean^2 + exp(lv) - 1 - lv."""

    names = ["mean.weight", "mean.bias", "logVariance.weight", "logVariance.bias"]
    minimum, maximum = -30.0, 20.0

    def __init__(self, inputs, units):
        self.units, self.mean, self.log_variance = units, Dense(inputs, units), Dense(inputs, units)
        self.shapes = self.mean.shapes + self.log_variance.shapes

    def forward(self, x, noise):
        self.mean.parameters, self.log_variance.parameters = self.parameters[:2], self.parameters[2:]
        self.noise, self.raw = noise, self.log_variance.forward(x)
        self.m, self.lv = self.mean.forward(x), np.clip(self.raw, self.minimum, self.maximum)
        kl = 0.5 * (self.m**2 + np.exp(self.lv) - 1 - self.lv).sum(1)
        return self.m + np.exp(self.lv / 2) * noise, kl

    def backward(self, dz, beta):
        """beta: the factor of each sample's KL in the loss."""
        dlv = dz * self.noise * np.exp(self.lv / 2) / 2 + beta * (np.exp(self.lv) - 1) / 2
        dlv = dlv * ((self.raw >= self.minimum) & (self.raw <= self.maximum))
        dx = self.mean.backward(dz + beta * self.m) + self.log_variance.backward(dlv)
        self.gradients = self.mean.gradients + self.log_variance.gradients
        return dx


def squared_error(y, target):
    """Sum over pixels for each sample, and its derivative."""
    return ((y - target)**2).sum((1, 2, 3)), 2 * (y - target)


def bernoulli(logits, target):
    """In nats, from logits: max(l, 0) - l t + log(1 + exp(-|l|)) summed over pixels, and its derivative."""
    loss = np.maximum(logits, 0) - logits * target + np.log1p(np.exp(-np.abs(logits)))
    return loss.sum((1, 2, 3)), sigmoid(logits) - target
