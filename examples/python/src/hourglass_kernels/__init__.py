"""Training kernels on NumPy arrays: float32, images N H W C, filters R S C K. Contiguous arrays are never copied.

C are the channels of the large image, K those of the small one: a convolution goes from large to small, a transposed
convolution from small to large, with the same filter. Strides and paddings are numbers or pairs (vertical, horizontal).
Wrong shapes raise ValueError with what the library says. Ranges run on `threads` OpenMP threads; bits do not depend on it.
"""
import ctypes
import os

import numpy as np

from .library import ACTIVATIONS, Geometry2D, Parallel, count, run, version  # noqa: F401

_threads = len(os.sched_getaffinity(0))


def set_threads(threads):
    """Threads of all later calls that name none; at first as many as this process may use."""
    global _threads
    _threads = threads


def _parallel(threads):
    return Parallel(ctypes.sizeof(Parallel), _threads if threads is None else threads, None, None)


def _floats(array, name, dimensions):
    if array.dtype != np.float32 or array.ndim != dimensions:
        raise ValueError(f"{name} must be float32 with {dimensions} axes, not {array.dtype} of shape {array.shape}")
    return np.ascontiguousarray(array)


def _bytes(array, name, shape):
    if array.dtype != np.uint8 or array.shape != shape:
        raise ValueError(f"{name} must be uint8 of shape {shape}, not {array.dtype} of shape {array.shape}")
    return np.ascontiguousarray(array)


def _same(array, name, shape):
    if array.shape != tuple(shape):
        raise ValueError(f"{name} has shape {array.shape}, where {tuple(shape)} is needed")
    return array


def _pair(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def _empty(shape):
    return np.empty(shape, np.float32)


class _Window:
    """Geometry of the large image (N, H, W, C) and the small one (N, P, Q, K) with a filter (R, S), checked."""

    def __init__(self, large, small, filter, stride, padding, check="conv2d_check"):
        self.large, self.small = tuple(large), tuple(small)
        self.struct = Geometry2D(ctypes.sizeof(Geometry2D), *large, *small[1:], *filter, *_pair(stride), *_pair(padding))
        run(check, self.struct)

    def prepared(self, form, filter, parallel):
        out = _empty(count(f"conv2d_prepared_{form}_count", self.struct))
        run(f"conv2d_prepare_{form}", self.struct, filter, out, parallel)
        return out

    def scratch(self, form, parallel):
        return _empty(count(f"conv2d_{form}_scratch", self.struct, parallel))


def _window_of_large(x, filter, stride, padding):
    """The window whose large image is x: P = (H + 2 padding - R) div U + 1."""
    (N, H, W, C), (R, S, channels, K) = x.shape, filter.shape
    _same(x, "x", (N, H, W, channels))
    (U, V), (top, left) = _pair(stride), _pair(padding)
    small = [max(0, (extent + 2 * pad - taps) // max(1, step) + 1)
             for extent, pad, taps, step in ((H, top, R, U), (W, left, S, V))]
    return _Window(x.shape, (N, *small, K), (R, S), stride, padding)


def _window_of_small(y, filter, stride, padding, output_padding):
    """The window whose small image is y: H = (P - 1) U - 2 padding + R + output_padding."""
    (N, P, Q, K), (R, S, C, channels) = y.shape, filter.shape
    _same(y, "y", (N, P, Q, channels))
    large = [(extent - 1) * step - 2 * pad + taps + extra for extent, step, pad, taps, extra in zip(
        (P, Q), _pair(stride), _pair(padding), (R, S), _pair(output_padding))]
    return _Window((N, *large, C), y.shape, (R, S), stride, padding)


def _bias(bias, channels):
    return None if bias is None else _same(_floats(bias, "bias", 1), "bias", (channels,))


def conv2d(x, filter, bias=None, stride=1, padding=0, activation="linear", threads=None):
    """y = activation(bias + convolution of x (N H W C) with filter (R S C K)), N P Q K."""
    x, filter, parallel = _floats(x, "x", 4), _floats(filter, "filter", 4), _parallel(threads)
    window = _window_of_large(x, filter, stride, padding)
    bias, y = _bias(bias, filter.shape[3]), _empty(window.small)
    prepared = window.prepared("gather", filter, parallel)
    run("conv2d_forward", window.struct, x, prepared, bias, ACTIVATIONS[activation], y, parallel)
    return y


def conv2d_backward(x, filter, dy, stride=1, padding=0, data=True, parameters=True, threads=None):
    """(dx, dfilter, dbias) of a convolution; None for what is not wanted."""
    x, filter, dy = _floats(x, "x", 4), _floats(filter, "filter", 4), _floats(dy, "dy", 4)
    window, parallel = _window_of_large(x, filter, stride, padding), _parallel(threads)
    _same(dy, "dy", window.small)
    dx = dfilter = dbias = None
    if data:
        dx, prepared = _empty(x.shape), window.prepared("scatter", filter, parallel)
        run("conv2d_backward_data", window.struct, dy, prepared, 0, None, dx,
            window.scratch("scatter", parallel), parallel)
    if parameters:
        dfilter, dbias = _empty(filter.shape), _empty(filter.shape[3])
        run("conv2d_backward_filter", window.struct, x, dy, False, dfilter, dbias,
            window.scratch("filter", parallel), parallel)
    return dx, dfilter, dbias


def conv_transpose2d(y, filter, bias=None, stride=1, padding=0, output_padding=0, activation="linear", threads=None):
    """x = activation(bias + transposed convolution of y (N P Q K) with filter (R S C K)), N H W C."""
    y, filter, parallel = _floats(y, "y", 4), _floats(filter, "filter", 4), _parallel(threads)
    window = _window_of_small(y, filter, stride, padding, output_padding)
    bias, x = _bias(bias, filter.shape[2]), _empty(window.large)
    prepared, scratch = window.prepared("scatter", filter, parallel), window.scratch("scatter", parallel)
    run("conv2d_transpose_forward", window.struct, y, prepared, bias, ACTIVATIONS[activation], x,
        scratch, parallel)
    return x


def conv_transpose2d_backward(y, filter, dx, stride=1, padding=0, output_padding=0, data=True, parameters=True,
                              threads=None):
    """(dy, dfilter, dbias) of a transposed convolution; None for what is not wanted."""
    y, filter, dx = _floats(y, "y", 4), _floats(filter, "filter", 4), _floats(dx, "dx", 4)
    window, parallel = _window_of_small(y, filter, stride, padding, output_padding), _parallel(threads)
    _same(dx, "dx", window.large)
    dy = dfilter = dbias = None
    if data:
        dy, prepared = _empty(y.shape), window.prepared("gather", filter, parallel)
        run("conv2d_transpose_backward_data", window.struct, dx, prepared, 0, None, dy, parallel)
    if parameters:
        dfilter, dbias = _empty(filter.shape), _empty(filter.shape[2])
        run("conv2d_transpose_backward_filter", window.struct, y, dx, False, dfilter, dbias,
            window.scratch("filter", parallel), parallel)
    return dy, dfilter, dbias


def _pooling(large, filter, stride, padding):
    (N, H, W, C), (R, S), (top, left) = large, _pair(filter), _pair(padding)
    U, V = _pair(filter if stride is None else stride)
    small = (N, (H + 2 * top - R) // max(1, U) + 1, (W + 2 * left - S) // max(1, V) + 1, C)
    return _Window(large, small, (R, S), (U, V), padding, "max_pool2d_check")


def max_pool2d(x, filter, stride=None, padding=0, threads=None):
    """(y, switches): maxima of the windows, and where in each window they are, as bytes r S + s."""
    x, parallel = _floats(x, "x", 4), _parallel(threads)
    window = _pooling(x.shape, filter, stride, padding)
    y, switches = _empty(window.small), np.empty(window.small, np.uint8)
    run("max_pool2d_forward", window.struct, x, y, switches, parallel)
    return y, switches


def max_unpool2d(y, switches, shape, filter, stride=None, padding=0, threads=None):
    """x of shape (N, H, W, C): y put at the switches, zero elsewhere; also the gradient of max_pool2d, with y = dy."""
    y, parallel = _floats(y, "y", 4), _parallel(threads)
    window = _pooling(shape, filter, stride, padding)
    switches, x = _bytes(switches, "switches", window.small), _empty(shape)
    _same(y, "y", window.small)
    run("max_unpool2d_forward", window.struct, y, switches, x, parallel)
    return x


def max_unpool2d_backward(dx, switches, filter, stride=None, padding=0, threads=None):
    """dy = dx at the switches."""
    dx, parallel = _floats(dx, "dx", 4), _parallel(threads)
    window = _pooling(dx.shape, filter, stride, padding)
    switches, dy = _bytes(switches, "switches", window.small), _empty(window.small)
    run("max_unpool2d_backward", window.struct, dx, switches, dy, parallel)
    return dy


def activation_backward(activation, y, dy, threads=None):
    """dy a'(y), with y the activation's output."""
    y, dy = np.ascontiguousarray(y), _same(np.ascontiguousarray(dy), "dy", y.shape)
    ds = _empty(y.shape)
    run("activation_backward", ACTIVATIONS[activation], y.size, y, dy, ds, _parallel(threads))
    return ds
