"""What each operation of the C library computes, by PyTorch in float64: the arrays that it writes, in their order. `a` has the
arguments of the operation by name, arrays of floats as tensors of float64 with the axes of hourglass_kernels.operations."""
import math

import numpy as np
import torch
import torch.nn.functional as F

ACTIVATIONS = {
    "linear": lambda x: x, "relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": F.softplus, "elu": F.elu,
    "leaky_relu": F.leaky_relu, "selu": F.selu, "relu6": F.relu6, "hard_sigmoid": F.hardsigmoid, "hard_tanh": F.hardtanh,
    "gelu": F.gelu, "silu": F.silu, "mish": F.mish, "hard_swish": F.hardswish}


def gradients(function, dy, *inputs):
    """Of sum(function(inputs) dy), with respect to each of the inputs."""
    leaves = [i.clone().requires_grad_() for i in inputs]
    return torch.autograd.grad((function(*leaves) * dy).sum(), leaves)


def slope(activation, y):
    """a'(s) of y = a(s), for the linear and the two activations with an inverse that the samples use."""
    return {"linear": torch.ones_like(y), "tanh": 1 - y ** 2, "sigmoid": y * (1 - y)}[activation]


# --------------------------------------------------------------------------------------------- images N H W C


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def window(g):
    return dict(stride=(g.stride_vertical, g.stride_horizontal), padding=(g.pad_top, g.pad_left))


def convolve(g, x, filter):
    options = dict(dilation=(g.dilation_vertical or 1, g.dilation_horizontal or 1), groups=g.groups or 1)
    return nhwc(F.conv2d(nchw(x), filter.permute(3, 2, 0, 1), **window(g), **options))


def large(a):
    g = a.geometry
    return torch.zeros(g.samples, g.large_height, g.large_width, g.large_channels, dtype=torch.float64)


def scatter(a, y, filter):
    """The transposed convolution, as the gradient of the convolution: it needs no output padding."""
    return gradients(lambda x: convolve(a.geometry, x, filter), y, large(a))[0]


def filter_gradient(a, x, dy, bias):
    dfilter, = gradients(lambda w: convolve(a.geometry, x, w), dy, a.filter)
    sums = bias.sum((0, 1, 2))
    return (dfilter + a.dfilter, sums + a.dbias) if a.accumulate else (dfilter, sums)


def channels(bias):
    return 0 if bias is None else bias


def pool(g, x):
    y, places = F.max_pool2d(nchw(x), (g.filter_height, g.filter_width), **window(g), return_indices=True)
    return nhwc(y), nhwc(places)


def places(a):
    """The flat index in the image of each switch; samples have no padding."""
    g, s = a.geometry, torch.as_tensor(a.switches.astype(np.int64))
    rows = torch.arange(g.small_height)[:, None, None] * g.stride_vertical + s // g.filter_width
    columns = torch.arange(g.small_width)[:, None] * g.stride_horizontal + s % g.filter_width
    return rows * g.large_width + columns


def switches(a, found):
    g = a.geometry
    rows, columns = found // g.large_width, found % g.large_width
    rows, columns = rows - torch.arange(g.small_height)[:, None, None] * g.stride_vertical, \
        columns - torch.arange(g.small_width)[:, None] * g.stride_horizontal
    return rows * g.filter_width + columns


def unpool(a, y):
    x = large(a).flatten(1, 2)
    return x.scatter_add(1, places(a).flatten(1, 2), y.flatten(1, 2)).view(large(a).shape)


def repeat(g, y):
    return y.repeat_interleave(g.stride_vertical, 1).repeat_interleave(g.stride_horizontal, 2)


def average(g, x):
    return nhwc(F.avg_pool2d(nchw(x), (g.stride_vertical, g.stride_horizontal)))


def matrix(axis):
    m = torch.zeros(axis.struct.outputs, axis.struct.inputs, dtype=torch.float64)
    for i in range(len(axis.starts) - 1):
        for t in range(axis.starts[i], axis.starts[i + 1]):
            m[i, axis.inputs[t]] += float(axis.weights[t])
    return m


def resample(a):
    vertical, horizontal = map(matrix, a.geometry.axes)
    return torch.einsum("ph,qw,nhwc->npqc", vertical, horizontal, a.x)


def order(p):
    """Where in x each element of a sample of y is."""
    strides = [range(0, extent * stride, stride) for extent, stride in zip(p.extents[:p.rank], p.strides[:p.rank])]
    return torch.tensor([sum(place) for place in __import__("itertools").product(*strides)])


# ------------------------------------------------------------------------------------------------ normalisation


def statistics(g, x):
    groups = x.view(g.samples, g.positions, g.groups, -1)
    return groups.mean((1, 3)), groups.var((1, 3), unbiased=False)


def normalize(g, x, mean, variance, weight, bias):
    mean, variance = (s.repeat_interleave(g.channels // g.groups, 1)[:, None] for s in (mean, variance))
    return (x - mean) / torch.sqrt(variance + g.epsilon) * (1 if weight is None else weight) + channels(bias)


def normalize_backward(a):
    zero = torch.zeros(a.geometry.channels, dtype=torch.float64)
    dx, dweight, dbias = gradients(lambda x, w, b: normalize(a.geometry, x, *statistics(a.geometry, x), w, b), a.dy, a.x,
                                   a.weight, zero)
    return (dx, dweight + a.dweight, dbias + a.dbias) if a.accumulate else (dx, dweight, dbias)


# -------------------------------------------------------------------------------------------------- likelihoods


def loss(function):
    """An operation that compares its first array with targets: the loss of each sample, and its gradient."""
    def definition(a):
        name = next(n for n in ("y", "logits", "log_rates", "heads") if hasattr(a, n))
        y = getattr(a, name).clone().requires_grad_()
        losses = function(a, y, getattr(a, "targets", None)).flatten(1).sum(1)
        return losses.detach(), torch.autograd.grad(losses.sum(), y)[0]
    return definition


def multinomial(a, y, t):
    return torch.lgamma(t + 1).sum(1) - (t * F.log_softmax(y, 1)).sum(1) - torch.lgamma(t.sum(1) + 1)


def halves(heads):
    first, second = heads.chunk(2, -1)
    return first, second.clamp(-30, 20)


def gaussian_heads(a, heads, t):
    mean, log_variance = halves(heads)
    return ((mean - t) ** 2 * torch.exp(-log_variance) + log_variance + math.log(2 * math.pi)) / 2


def negative_binomial(a, heads, t):
    log_mean, log_r = halves(heads)
    m, r = log_mean.exp(), log_r.exp()
    return torch.lgamma(r) + torch.lgamma(t + 1) - torch.lgamma(t + r) - r * torch.log(r / (r + m)) - t * torch.log(m / (r + m))


def discretized_logistic(a, heads, t):
    mean, log_scale = halves(heads)
    above, below = ((t + step - mean) / log_scale.exp() for step in (1 / 510, -1 / 510))
    upper = torch.where(t > 1 - 1 / 510, torch.ones_like(t), torch.sigmoid(above))
    return -torch.log(upper - torch.where(t < 1 / 510, torch.zeros_like(t), torch.sigmoid(below)))


def ssim(a, y, t):
    weights = torch.exp(-(torch.arange(11, dtype=torch.float64) - 5) ** 2 / 4.5)
    weights = torch.outer(weights, weights) / weights.sum() ** 2

    def mean(x):
        return F.conv2d(nchw(x), weights.expand(a.channels, 1, 11, 11), groups=a.channels)
    mt, my, c1, c2 = mean(t), mean(y), 0.01 ** 2, 0.03 ** 2
    vt, vy, cty = mean(t * t) - mt ** 2, mean(y * y) - my ** 2, mean(t * y) - mt * my
    s = (2 * mt * my + c1) * (2 * cty + c2) / ((mt ** 2 + my ** 2 + c1) * (vt + vy + c2))
    return a.height * a.width * a.channels * (1 - s.mean((1, 2, 3)))[:, None]


def latent(a, heads):
    mean, log_variance = halves(heads)
    return mean + torch.exp(log_variance / 2) * a.noise


def divergence(heads):
    mean, log_variance = halves(heads)
    return (mean ** 2 + log_variance.exp() - 1 - log_variance) / 2


def free_bits(a):
    """Gradients of beta N sum of the means of the units above free_bits, added to what there is."""
    wanted = divergence(a.heads).mean(0) > a.free_bits
    return (a.dheads + gradients(lambda h: divergence(h)[:, wanted], a.beta, a.heads)[0],)


def log_ratio(a, heads, z):
    return (z ** 2 - a.noise ** 2 - halves(heads)[1]).sum(1) / 2


def importance(a):
    log_w = -(a.loss + a.ratio)
    weights = torch.softmax(log_w, 1)
    return torch.logsumexp(log_w, 1) - math.log(a.draws), weights, a.dy * weights[:, :, None]


# ----------------------------------------------------------------------------------------------- random numbers


def philox(stream, count, sample=None):
    """The first words of a stream, by the paper."""
    sample = stream.sample if sample is None else sample
    words = []
    for block in range((count + 3) // 4):
        c, k = [block, sample, stream.step, stream.stream], [stream.seed % 2 ** 32, stream.seed >> 32]
        for _ in range(10):
            a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [b >> 32 ^ c[1] ^ k[0], b % 2 ** 32, a >> 32 ^ c[3] ^ k[1], a % 2 ** 32]
            k = [(k[0] + 0x9E3779B9) % 2 ** 32, (k[1] + 0xBB67AE85) % 2 ** 32]
        words += c
    return np.array(words[:count], np.uint32)


def uniform(stream, count, sample=None):
    return torch.as_tensor(((philox(stream, count, sample) >> 9) + 0.5) * 2.0 ** -23)


def normal(stream, count, sample=None):
    u, v = uniform(stream, count + count % 2, sample).view(-1, 2).T
    radius = torch.sqrt(-2 * torch.log(u))
    return torch.stack([radius * torch.cos(2 * math.pi * v), radius * torch.sin(2 * math.pi * v)], 1).flatten()[:count]


def kept(a):
    bits = np.stack([philox(a.stream, a.count, a.stream.sample + n) for n in range(a.samples)])
    return bits >= round(a.rate * 2 ** 32)


def words(bits):
    """Bits of rows as words of 32."""
    bits = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 32))).reshape(len(bits), -1, 32)
    return (bits.astype(np.uint64) << np.arange(32, dtype=np.uint64)).sum(2).astype(np.uint32)


def dropout_backward(a):
    bits = (a.mask[:, :, None] >> np.arange(32, dtype=np.uint32) & 1).reshape(a.samples, -1)[:, :a.count]
    return (torch.as_tensor(bits.astype(float)) * slope(a.input_activation, a.x) * a.dy / (1 - a.rate),)


# ----------------------------------------------------------------------------------------- the flat vector


def adam(a):
    o, g = a.options, a.options.gradient_scale * a.gradient
    m, v = o.beta1 * a.m + (1 - o.beta1) * g, o.beta2 * a.v + (1 - o.beta2) * g ** 2
    w = a.weights * (1 - o.learning_rate * o.weight_decay)
    return w - o.learning_rate * (m / o.correction1) / (torch.sqrt(v / o.correction2) + o.epsilon), m, v


def sgd(a):
    o = a.options
    g = o.gradient_scale * a.gradient + o.weight_decay * a.weights
    m = o.momentum * a.m + g
    return a.weights - o.learning_rate * (g + o.momentum * m if o.nesterov else m), m


def rmsprop(a):
    o, g = a.options, a.options.gradient_scale * a.gradient
    v = o.alpha * a.v + (1 - o.alpha) * g ** 2
    m = o.momentum * a.m + g / (torch.sqrt(v) + o.epsilon)
    return a.weights - o.learning_rate * m, v, m


def adagrad(a):
    o, g = a.options, a.options.gradient_scale * a.gradient
    v = a.v + g ** 2
    return a.weights - o.learning_rate * g / (torch.sqrt(v) + o.epsilon), v


def adadelta(a):
    o, g = a.options, a.options.gradient_scale * a.gradient
    v = o.rho * a.v + (1 - o.rho) * g ** 2
    d = g * torch.sqrt(a.u + o.epsilon) / torch.sqrt(v + o.epsilon)
    return a.weights - o.learning_rate * d, v, o.rho * a.u + (1 - o.rho) * d ** 2


def shards(a):
    rows = torch.stack([a.gradients[s * a.stride:s * a.stride + a.count] for s in range(a.shards)])
    return (rows.sum(0) + (a.sum if a.accumulate else 0),)
