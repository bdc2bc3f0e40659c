"""What a reference run is made of: weights, images and noise, functions of few numbers, rounded to float32."""
import numpy as np

import philox


def initial_parameter(seed, number, shape, fan_in):
    """Parameter number j of a model: (2u - 1) / sqrt(fan_in), u from stream (seed, initialization, step j, sample 0).

    Elements are row-major in the PyTorch shape. 2u - 1 is exact; bound and product are rounded to float32.
    """
    bound = np.float32(1 / np.sqrt(fan_in))
    u = philox.uniform(int(np.prod(shape)), seed, philox.INITIALIZATION, step=number)
    return ((np.float32(2) * u - np.float32(1)) * bound).reshape(shape)


def fan_in(weight_shape):
    """As PyTorch counts it: the weight's second extent times the filter's area, also for transposed convolutions."""
    return int(np.prod(weight_shape[1:]))


def images(step, batch, height, width, channels):
    """Test images in [0, 1], N C H W: two waves whose lengths and phases depend on sample, step and channel."""
    i, c, h, w = np.ogrid[0:batch, 0:channels, 0:height, 0:width]
    vertical = np.sin(0.37 * (h + 1) * (1 + i % 5) + 0.11 * step + c)
    horizontal = np.cos(0.23 * (w + 1) * (1 + i % 3) + 0.5 * i)
    return (0.5 + 0.25 * vertical + 0.25 * horizontal).astype(np.float32)


def latent_noise(seed, step, batch, units):
    """Standard normal noise of a Gaussian latent, N Z."""
    return np.stack([philox.normal(units, seed, philox.LATENT, step, sample) for sample in range(batch)])


def directions(seed, step, batch, height, width, channels):
    """+1 or -1 in each element of an image, N C H W, as they count in memory, which is H, W, C."""
    count = height * width * channels
    flat = [philox.uniform(count, seed, philox.DIRECTION, step, sample) for sample in range(batch)]
    return np.where(np.stack(flat) < 0.5, -1.0, 1.0).reshape(batch, height, width, channels).transpose(0, 3, 1, 2)


def layer_stream(number):
    """The stream of a layer that draws while training; number is its place among the layers that run."""
    return philox.LAYER | number << 8


def dropout_mask(rate, seed, number, step, batch, shape):
    """True where a value is kept, N x shape (C H W or units): where its 32 bits are at least rate 2^32 rounded."""
    bits = draw(philox.bits, seed, number, step, batch, shape)
    return bits >= np.floor(np.float64(np.float32(rate)) * 2**32 + 0.5)


def layer_noise(seed, number, step, batch, shape):
    """Standard normal values, N x shape."""
    return draw(philox.normal, seed, number, step, batch, shape)


def draw(values, seed, number, step, batch, shape):
    """Values of a layer's stream for each sample. They count in the order of memory, which is H, W, C."""
    flat = [values(int(np.prod(shape)), seed, layer_stream(number), step, sample) for sample in range(batch)]
    if len(shape) == 1:
        return np.stack(flat)
    channels, height, width = shape
    return np.stack(flat).reshape(batch, height, width, channels).transpose(0, 3, 1, 2)
