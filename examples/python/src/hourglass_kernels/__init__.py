"""Training kernels on NumPy arrays: float32, images N H W C, filters R S C K. Contiguous arrays are never copied.

C are the channels of the large image, K those of the small one: a convolution goes from large to small, a transposed
convolution from small to large, with the same filter. With G groups filters are R S C/G K. Strides, paddings and dilations
are numbers or pairs (vertical, horizontal). Wrong shapes raise ValueError with what the library says, other elements than
float32 TypeError. Calls run on `threads` OpenMP threads; bits do not depend on it.

A process that was forked off this one (os.fork, the workers of a DataLoader) computes on one thread, because libgomp's
threads do not survive a fork.
"""
import ctypes
import os

import numpy as np

from .library import ACTIVATIONS, Geometry2D, Parallel, count, run, version  # noqa: F401

_threads = len(os.sched_getaffinity(0))
_forked = False


def set_threads(threads):
    """Threads of all later calls that name none; at first as many as this process may use."""
    global _threads
    _threads = threads


def _stay_on_one_thread():
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_stay_on_one_thread)


def _parallel(threads):
    threads = _threads if threads is None else threads
    return Parallel(ctypes.sizeof(Parallel), min(threads, 1) if _forked else threads, None, None)


def _array(array, name, dtype):
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        raise TypeError(f"{name} must be a NumPy array of {np.dtype(dtype)}, not {getattr(array, 'dtype', type(array))}")
    return np.ascontiguousarray(array)


def _floats(array, name, dimensions):
    array = _array(array, name, np.float32)
    if array.ndim != dimensions:
        raise ValueError(f"{name} must have {dimensions} axes, not shape {array.shape}")
    return array


def _same(array, name, shape):
    if array.shape != tuple(shape):
        raise ValueError(f"{name} has shape {array.shape}, where {tuple(shape)} is needed")
    return array


def _bytes(array, name, shape):
    return _same(_array(array, name, np.uint8), name, shape)


def _pair(value):
    """A number twice, a pair as it is, and one number in a tuple twice."""
    value = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(value) > 2:
        raise ValueError(f"{value} is neither a number nor a pair (vertical, horizontal)")
    return value * 2 if len(value) == 1 else value


def _activation(name):
    if name not in ACTIVATIONS:
        raise ValueError(f"there is no activation {name!r}; there are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def _empty(shape):
    return np.empty(shape, np.float32)


def _output(out, shape):
    """`out`, which takes the result, or an array of its own."""
    if out is None:
        return _empty(shape)
    if not isinstance(out, np.ndarray) or out.dtype != np.float32 or not out.flags.c_contiguous or not out.flags.writeable:
        raise TypeError("out must be a contiguous NumPy array of float32 that can be written")
    return _same(out, "out", shape)


class _Window:
    """Geometry of the large image (N, H, W, C) and the small one (N, P, Q, K) with a filter (R, S), checked."""

    def __init__(self, large, small, filter, stride, padding, dilation=1, groups=1, check="conv2d_check"):
        self.large, self.small = tuple(large), tuple(small)
        self.struct = Geometry2D(ctypes.sizeof(Geometry2D), *large, *small[1:], *filter, *_pair(stride), *_pair(padding),
                                 0, 0, *_pair(dilation), groups)
        run(check, self.struct)

    def prepared(self, form, filter, parallel):
        out = _empty(count(f"conv2d_prepared_{form}_count", self.struct))
        run(f"conv2d_prepare_{form}", self.struct, filter, out, parallel)
        return out

    def scratch(self, call, parallel):
        return _empty(count(f"{call}_scratch", self.struct, parallel))


def small_extents(extents, taps, stride, padding, dilation=1):
    """P = (H + 2 padding - dilation (R - 1) - 1) div U + 1 and Q; 0 where the filter does not fit."""
    return [max(0, (extent + 2 * pad - gap * (r - 1) - 1) // max(1, step) + 1) for extent, r, step, pad, gap in zip(
        extents, taps, _pair(stride), _pair(padding), _pair(dilation))]


def large_extents(extents, taps, stride, padding, output_padding=0, dilation=1):
    """H = (P - 1) U - 2 padding + dilation (R - 1) + output_padding + 1 and W."""
    return [(extent - 1) * step - 2 * pad + gap * (r - 1) + extra + 1 for extent, r, step, pad, extra, gap in zip(
        extents, taps, _pair(stride), _pair(padding), _pair(output_padding), _pair(dilation))]


def _window_of_large(x, filter, stride, padding, dilation, groups):
    """The window whose large image is x."""
    (N, H, W, _), (R, S, channels, K) = x.shape, filter.shape
    _same(x, "x", (N, H, W, channels * groups))
    small = small_extents((H, W), (R, S), stride, padding, dilation)
    return _Window(x.shape, (N, *small, K), (R, S), stride, padding, dilation, groups)


def _window_of_small(y, filter, stride, padding, output_padding, dilation, groups):
    """The window whose small image is y."""
    (N, P, Q, _), (R, S, C, channels) = y.shape, filter.shape
    _same(y, "y", (N, P, Q, channels))
    for extra, step, gap in zip(_pair(output_padding), _pair(stride), _pair(dilation)):
        if not 0 <= extra < max(step, gap):
            raise ValueError(f"output_padding {extra} is not below the stride {step} or the dilation {gap}")
    large = large_extents((P, Q), (R, S), stride, padding, output_padding, dilation)
    return _Window((N, *large, C * groups), y.shape, (R, S), stride, padding, dilation, groups)


def _bias(bias, channels):
    return None if bias is None else _same(_floats(bias, "bias", 1), "bias", (channels,))


def conv2d(x, filter, bias=None, stride=1, padding=0, activation="linear", threads=None, dilation=1, groups=1, out=None):
    """y = activation(bias + convolution of x (N H W C) with filter (R S C K)), N P Q K."""
    x, filter, parallel = _floats(x, "x", 4), _floats(filter, "filter", 4), _parallel(threads)
    window = _window_of_large(x, filter, stride, padding, dilation, groups)
    bias, y = _bias(bias, filter.shape[3]), _output(out, window.small)
    prepared = window.prepared("gather", filter, parallel)
    run("conv2d_forward", window.struct, x, prepared, bias, _activation(activation), y,
        window.scratch("conv2d_forward", parallel), parallel)
    return y


def conv2d_backward(x, filter, dy, stride=1, padding=0, data=True, parameters=True, threads=None, dilation=1, groups=1):
    """(dx, dfilter, dbias) of a convolution; None for what is not wanted."""
    x, filter, dy = _floats(x, "x", 4), _floats(filter, "filter", 4), _floats(dy, "dy", 4)
    window, parallel = _window_of_large(x, filter, stride, padding, dilation, groups), _parallel(threads)
    _same(dy, "dy", window.small)
    dx = dfilter = dbias = None
    if data:
        dx, prepared = _empty(x.shape), window.prepared("scatter", filter, parallel)
        run("conv2d_backward_data", window.struct, dy, prepared, 0, None, dx,
            window.scratch("conv2d_backward_data", parallel), parallel)
    if parameters:
        dfilter, dbias = _empty(filter.shape), _empty(filter.shape[3])
        run("conv2d_backward_filter", window.struct, x, dy, False, dfilter, dbias,
            window.scratch("conv2d_backward_filter", parallel), parallel)
    return dx, dfilter, dbias


def conv_transpose2d(y, filter, bias=None, stride=1, padding=0, output_padding=0, activation="linear", threads=None,
                     dilation=1, groups=1, out=None):
    """x = activation(bias + transposed convolution of y (N P Q K) with filter (R S C K)), N H W C."""
    y, filter, parallel = _floats(y, "y", 4), _floats(filter, "filter", 4), _parallel(threads)
    window = _window_of_small(y, filter, stride, padding, output_padding, dilation, groups)
    bias, x = _bias(bias, window.large[3]), _output(out, window.large)
    prepared = window.prepared("scatter", filter, parallel)
    run("conv2d_transpose_forward", window.struct, y, prepared, bias, _activation(activation), x,
        window.scratch("conv2d_transpose_forward", parallel), parallel)
    return x


def conv_transpose2d_backward(y, filter, dx, stride=1, padding=0, output_padding=0, data=True, parameters=True,
                              threads=None, dilation=1, groups=1):
    """(dy, dfilter, dbias) of a transposed convolution; None for what is not wanted."""
    y, filter, dx = _floats(y, "y", 4), _floats(filter, "filter", 4), _floats(dx, "dx", 4)
    window, parallel = _window_of_small(y, filter, stride, padding, output_padding, dilation, groups), _parallel(threads)
    _same(dx, "dx", window.large)
    dy = dfilter = dbias = None
    if data:
        dy, prepared = _empty(y.shape), window.prepared("gather", filter, parallel)
        run("conv2d_transpose_backward_data", window.struct, dx, prepared, 0, None, dy,
            window.scratch("conv2d_transpose_backward_data", parallel), parallel)
    if parameters:
        dfilter, dbias = _empty(filter.shape), _empty(window.large[3])
        run("conv2d_transpose_backward_filter", window.struct, y, dx, False, dfilter, dbias,
            window.scratch("conv2d_transpose_backward_filter", parallel), parallel)
    return dy, dfilter, dbias


def _pooling(large, filter, stride, padding):
    (N, H, W, C), taps = large, _pair(filter)
    stride = taps if stride is None else stride
    small = (N, *small_extents((H, W), taps, stride, padding), C)
    return _Window(large, small, taps, stride, padding, check="max_pool2d_check")


def max_pool2d(x, filter, stride=None, padding=0, threads=None, out=None):
    """(y, switches): maxima of the windows, and where in each window they are, as bytes r S + s."""
    x, parallel = _floats(x, "x", 4), _parallel(threads)
    window = _pooling(x.shape, filter, stride, padding)
    y, switches = _output(out, window.small), np.empty(window.small, np.uint8)
    run("max_pool2d_forward", window.struct, x, y, switches, parallel)
    return y, switches


def max_unpool2d(y, switches, shape, filter, stride=None, padding=0, threads=None, out=None):
    """x of shape (N, H, W, C): y put at the switches, zero elsewhere; also the gradient of max_pool2d, with y = dy."""
    y, parallel = _floats(y, "y", 4), _parallel(threads)
    window = _pooling(shape, filter, stride, padding)
    switches, x = _bytes(switches, "switches", window.small), _output(out, shape)
    _same(y, "y", window.small)
    run("max_unpool2d_forward", window.struct, y, switches, x, parallel)
    return x


def max_unpool2d_backward(dx, switches, filter, stride=None, padding=0, threads=None, out=None):
    """dy = dx at the switches."""
    dx, parallel = _floats(dx, "dx", 4), _parallel(threads)
    window = _pooling(dx.shape, filter, stride, padding)
    switches, dy = _bytes(switches, "switches", window.small), _output(out, window.small)
    run("max_unpool2d_backward", window.struct, dx, switches, dy, parallel)
    return dy


def activation_backward(activation, y, dy, threads=None):
    """dy a'(y), with y the activation's output."""
    y = _array(y, "y", np.float32)
    dy, ds = _same(_array(dy, "dy", np.float32), "dy", y.shape), _empty(y.shape)
    run("activation_backward", _activation(activation), y.size, y, dy, ds, _parallel(threads))
    return ds
