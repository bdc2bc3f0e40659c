"""Training kernels on NumPy arrays: float32, images N H W C, filters R S C K. Contiguous arrays are never copied, nor are
images that are views of larger ones, as x[..., :8] or x[:, 1:-1, 1:-1]; `out` may be such a view.

C are the channels of the large image, K those of the small one: a convolution goes from large to small, a transposed
convolution from small to large, with the same filter. With G groups filters are R S C/G K. Strides, paddings and dilations
are numbers or pairs (vertical, horizontal). Wrong shapes raise ValueError with what the library says, other elements than
float32 TypeError. Calls run on `threads` OpenMP threads; bits do not depend on it.

A process that was forked off this one (os.fork, the workers of a DataLoader) computes on one thread, because libgomp's
threads do not survive a fork.
"""
import numpy as np

from . import operations
from .library import ACTIVATIONS, image_strides, set_threads, version  # noqa: F401
from .operations import Geometry2D


def _typed(array, name, dtype):
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        raise TypeError(f"{name} must be a NumPy array of {np.dtype(dtype)}, not {getattr(array, 'dtype', type(array))}")
    return array


def _array(array, name, dtype):
    return np.ascontiguousarray(_typed(array, name, dtype))


def _image(array, name):
    if _typed(array, name, np.float32).ndim != 4:
        raise ValueError(f"{name} must have 4 axes, not shape {array.shape}")
    return array if array.flags.aligned and image_strides(array) is not None else np.ascontiguousarray(array)


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


def _empty(shape):
    return np.empty(shape, np.float32)


def _output(out, shape):
    """`out`, which takes the result, or an array of its own."""
    if out is None:
        return _empty(shape)
    if not isinstance(out, np.ndarray) or out.dtype != np.float32 or not out.flags.writeable:
        raise TypeError("out must be a NumPy array of float32 that can be written")
    if image_strides(_same(out, "out", shape)) is None:
        raise TypeError("out must be contiguous, or a view of images whose channels lie side by side")
    return out


class _Window:
    """Geometry of the large image (N, H, W, C) and the small one (N, P, Q, K) with a filter (R, S), checked."""

    def __init__(self, large, small, filter, stride, padding, dilation=1, groups=1, check=operations.conv2d_check):
        self.large, self.small = tuple(large), tuple(small)
        self.geometry = Geometry2D(*large, *small[1:], *filter, *_pair(stride), *_pair(padding), 0, 0, *_pair(dilation), groups)
        check(self.geometry)

    def gather(self, filter, threads):
        prepared = np.empty(operations.conv2d_prepared_gather_count(self.geometry), operations.gather_filter)
        operations.conv2d_prepare_gather(self.geometry, filter, prepared, threads)
        return prepared

    def scatter(self, filter, threads):
        prepared = np.empty(operations.conv2d_prepared_scatter_count(self.geometry), operations.scatter_filter)
        operations.conv2d_prepare_scatter(self.geometry, filter, prepared, threads)
        return prepared


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
    x, filter = _image(x, "x"), _floats(filter, "filter", 4)
    window = _window_of_large(x, filter, stride, padding, dilation, groups)
    bias, y = _bias(bias, filter.shape[3]), _output(out, window.small)
    operations.conv2d_forward(window.geometry, x, window.gather(filter, threads), bias, activation, y, threads=threads)
    return y


def conv2d_backward(x, filter, dy, stride=1, padding=0, data=True, parameters=True, threads=None, dilation=1, groups=1):
    """(dx, dfilter, dbias) of a convolution; None for what is not wanted."""
    x, filter, dy = _image(x, "x"), _floats(filter, "filter", 4), _image(dy, "dy")
    window = _window_of_large(x, filter, stride, padding, dilation, groups)
    _same(dy, "dy", window.small)
    dx = dfilter = dbias = None
    if data:
        dx, prepared = _empty(x.shape), window.scatter(filter, threads)
        operations.conv2d_backward_data(window.geometry, dy, prepared, "linear", None, dx, threads=threads)
    if parameters:
        dfilter, dbias = _empty(filter.shape), _empty(filter.shape[3])
        operations.conv2d_backward_filter(window.geometry, x, dy, False, dfilter, dbias, threads=threads)
    return dx, dfilter, dbias


def conv_transpose2d(y, filter, bias=None, stride=1, padding=0, output_padding=0, activation="linear", threads=None,
                     dilation=1, groups=1, out=None):
    """x = activation(bias + transposed convolution of y (N P Q K) with filter (R S C K)), N H W C."""
    y, filter = _image(y, "y"), _floats(filter, "filter", 4)
    window = _window_of_small(y, filter, stride, padding, output_padding, dilation, groups)
    bias, x = _bias(bias, window.large[3]), _output(out, window.large)
    operations.conv2d_transpose_forward(window.geometry, y, window.scatter(filter, threads), bias, activation, x,
                                        threads=threads)
    return x


def conv_transpose2d_backward(y, filter, dx, stride=1, padding=0, output_padding=0, data=True, parameters=True,
                              threads=None, dilation=1, groups=1):
    """(dy, dfilter, dbias) of a transposed convolution; None for what is not wanted."""
    y, filter, dx = _image(y, "y"), _floats(filter, "filter", 4), _image(dx, "dx")
    window = _window_of_small(y, filter, stride, padding, output_padding, dilation, groups)
    _same(dx, "dx", window.large)
    dy = dfilter = dbias = None
    if data:
        dy, prepared = _empty(y.shape), window.gather(filter, threads)
        operations.conv2d_transpose_backward_data(window.geometry, dx, prepared, "linear", None, dy, threads=threads)
    if parameters:
        dfilter, dbias = _empty(filter.shape), _empty(window.large[3])
        operations.conv2d_transpose_backward_filter(window.geometry, y, dx, False, dfilter, dbias, threads=threads)
    return dy, dfilter, dbias


def _pooling(large, filter, stride, padding):
    (N, H, W, C), taps = large, _pair(filter)
    stride = taps if stride is None else stride
    small = (N, *small_extents((H, W), taps, stride, padding), C)
    return _Window(large, small, taps, stride, padding, check=operations.max_pool2d_check)


def max_pool2d(x, filter, stride=None, padding=0, threads=None, out=None):
    """(y, switches): maxima of the windows, and where in each window they are, as bytes r S + s."""
    x = _image(x, "x")
    window = _pooling(x.shape, filter, stride, padding)
    y, switches = _output(out, window.small), np.empty(window.small, np.uint8)
    operations.max_pool2d_forward(window.geometry, x, y, switches, threads)
    return y, switches


def max_unpool2d(y, switches, shape, filter, stride=None, padding=0, threads=None, out=None):
    """x of shape (N, H, W, C): y put at the switches, zero elsewhere; also the gradient of max_pool2d, with y = dy."""
    y = _image(y, "y")
    window = _pooling(shape, filter, stride, padding)
    switches, x = _bytes(switches, "switches", window.small), _output(out, shape)
    _same(y, "y", window.small)
    operations.max_unpool2d_forward(window.geometry, y, switches, x, threads)
    return x


def max_unpool2d_backward(dx, switches, filter, stride=None, padding=0, threads=None, out=None):
    """dy = dx at the switches."""
    dx = _image(dx, "dx")
    window = _pooling(dx.shape, filter, stride, padding)
    switches, dy = _bytes(switches, "switches", window.small), _output(out, window.small)
    operations.max_unpool2d_backward(window.geometry, dx, switches, dy, threads)
    return dy


def activation_backward(activation, y, dy, threads=None):
    """dy a'(y), with y the activation's output."""
    y = _array(y, "y", np.float32)
    dy, ds = _same(_array(dy, "dy", np.float32), "dy", y.shape), _empty(y.shape)
    operations.activation_backward(activation, y.size, y, dy, ds, threads)
    return ds
