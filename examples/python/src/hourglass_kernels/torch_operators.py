"""The kernels as operators of torch.library, with gradients, on batches N C H W of float32: what hourglass_kernels.torch
stands on. The memory format of results is the caller's choice."""
from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

import hourglass_kernels as hg


def _nhwc(x):
    return x.detach().permute(0, 2, 3, 1).contiguous().numpy()


def _rsck(weight):
    """Filters of PyTorch's convolutions are K C R S, small channels first, those of transposed ones as well."""
    return weight.detach().permute(2, 3, 1, 0).contiguous().numpy()


def _kcrs(filter):
    return torch.from_numpy(filter).permute(3, 2, 0, 1)


def is_channels_last(x):
    """Whether PyTorch takes x for channels-last: by its strides, and not where both formats are the same."""
    if x.ndim != 4 or 0 in x.shape or x.stride(1) == 0:
        return False
    least = 0
    for axis in (1, 3, 2, 0):
        if x.stride(axis) < least or (axis == 0 and least == x.stride(1)):
            return False
        least = x.stride(axis) * x.shape[axis]
    return True


def _fresh(shape, channels_last, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def _filled(shape, channels_last, fill):
    """A new tensor N C H W in either format, from `fill`, which writes an array N H W C. It is no view of another, so that
    it may be changed in place."""
    y = _fresh(shape, True)
    if shape[0]:
        fill(y.permute(0, 2, 3, 1).numpy())
    return y if channels_last else _fresh(shape, False).copy_(y)


def _result_shape(x, weight, stride, padding, output_padding, dilation, groups, transposed):
    taps = weight.shape[2:]
    if transposed:
        return (x.shape[0], weight.shape[1] * groups,
                *hg.large_extents(x.shape[2:], taps, stride, padding, output_padding, dilation))
    return (x.shape[0], weight.shape[0], *hg.small_extents(x.shape[2:], taps, stride, padding, dilation))


@torch.library.custom_op("hourglass_kernels::convolution", mutates_args=(), device_types="cpu")
def convolution(x: Tensor, weight: Tensor, bias: Optional[Tensor], stride: Sequence[int], padding: Sequence[int],
                 output_padding: Sequence[int], dilation: Sequence[int], groups: int, transposed: bool, activation: str,
                 channels_last: bool) -> Tensor:
    shape = _result_shape(x, weight, stride, padding, output_padding, dilation, groups, transposed)
    geometry = dict(stride=stride, padding=padding, dilation=dilation, groups=groups, threads=torch.get_num_threads())
    if transposed:
        geometry["output_padding"] = output_padding
    call = hg.conv_transpose2d if transposed else hg.conv2d
    bias = None if bias is None else bias.detach().contiguous().numpy()
    return _filled(shape, channels_last, lambda out: call(
        _nhwc(x), _rsck(weight), bias, activation=activation, out=out, **geometry))


@convolution.register_fake
def _(x, weight, bias, stride, padding, output_padding, dilation, groups, transposed, activation, channels_last):
    return _fresh(_result_shape(x, weight, stride, padding, output_padding, dilation, groups, transposed), channels_last)


@torch.library.custom_op("hourglass_kernels::convolution_backward", mutates_args=(), device_types="cpu")
def convolution_backward(x: Tensor, weight: Tensor, y: Optional[Tensor], dy: Tensor, stride: Sequence[int],
                          padding: Sequence[int], output_padding: Sequence[int], dilation: Sequence[int], groups: int,
                          transposed: bool, activation: str, data: bool,
                          parameters: bool) -> Tuple[Tensor, Tensor, Tensor]:
    threads, errors = torch.get_num_threads(), _nhwc(dy)
    geometry = dict(stride=stride, padding=padding, dilation=dilation, groups=groups, threads=threads)
    if transposed:
        geometry["output_padding"] = output_padding
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    if dy.numel() == 0:
        return (x.new_zeros(x.shape if data else 0), weight.new_zeros(weight.shape if parameters else 0),
                weight.new_zeros(channels if parameters else 0))
    if y is not None:
        errors = hg.activation_backward(activation, _nhwc(y), errors, threads)
    call = hg.conv_transpose2d_backward if transposed else hg.conv2d_backward
    dx, dfilter, dbias = call(_nhwc(x), _rsck(weight), errors, data=data, parameters=parameters, **geometry)
    return (torch.from_numpy(dx).permute(0, 3, 1, 2) if data else x.new_empty(0),
            _kcrs(dfilter).contiguous() if parameters else x.new_empty(0),
            torch.from_numpy(dbias) if parameters else x.new_empty(0))


@convolution_backward.register_fake
def _(x, weight, y, dy, stride, padding, output_padding, dilation, groups, transposed, activation, data, parameters):
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    return (_fresh(x.shape, True) if data else x.new_empty(0),
            x.new_empty(weight.shape) if parameters else x.new_empty(0),
            x.new_empty(channels) if parameters else x.new_empty(0))


def _save_convolution(ctx, inputs, output):
    x, weight, _, *ctx.geometry, ctx.activation, _ = inputs
    ctx.save_for_backward(x, weight, None if ctx.activation == "linear" else output)


def _back_through_convolution(ctx, dy):
    x, weight, y = ctx.saved_tensors
    data, *parameters = ctx.needs_input_grad[:3]
    dx, dweight, dbias = convolution_backward(
        x, weight, y, dy, *ctx.geometry, ctx.activation, data, any(parameters))
    return (dx if data else None, dweight if parameters[0] else None, dbias if parameters[1] else None, *[None] * 8)


convolution.register_autograd(_back_through_convolution, setup_context=_save_convolution)


@torch.library.custom_op("hourglass_kernels::max_pool2d", mutates_args=(), device_types="cpu")
def max_pool2d(x: Tensor, kernel_size: Sequence[int], stride: Sequence[int], padding: Sequence[int],
                channels_last: bool) -> Tuple[Tensor, Tensor]:
    shape = (*x.shape[:2], *hg.small_extents(x.shape[2:], kernel_size, stride, padding))
    switches = _fresh(shape, channels_last, torch.uint8)

    def fill(out):
        found = hg.max_pool2d(_nhwc(x), kernel_size, stride, padding, torch.get_num_threads(), out=out)[1]
        switches.copy_(torch.from_numpy(found).permute(0, 3, 1, 2))

    return _filled(shape, channels_last, fill), switches


@max_pool2d.register_fake
def _(x, kernel_size, stride, padding, channels_last):
    shape = (*x.shape[:2], *hg.small_extents(x.shape[2:], kernel_size, stride, padding))
    return _fresh(shape, channels_last), _fresh(shape, channels_last, torch.uint8)


@torch.library.custom_op("hourglass_kernels::max_unpool2d", mutates_args=(), device_types="cpu")
def max_unpool2d(y: Tensor, switches: Tensor, size: Sequence[int], kernel_size: Sequence[int], stride: Sequence[int],
                  padding: Sequence[int], channels_last: bool) -> Tensor:
    shape = (*y.shape[:2], *size)
    if y.numel() == 0:
        return torch.zeros(shape)
    return _filled(shape, channels_last, lambda out: hg.max_unpool2d(
        _nhwc(y), _nhwc(switches), out.shape, kernel_size, stride, padding, torch.get_num_threads(), out=out))


@max_unpool2d.register_fake
def _(y, switches, size, kernel_size, stride, padding, channels_last):
    return _fresh((*y.shape[:2], *size), channels_last)


@torch.library.custom_op("hourglass_kernels::max_unpool2d_backward", mutates_args=(), device_types="cpu")
def max_unpool2d_backward(dx: Tensor, switches: Tensor, kernel_size: Sequence[int], stride: Sequence[int],
                           padding: Sequence[int]) -> Tensor:
    return _filled(switches.shape, True, lambda out: hg.max_unpool2d_backward(
        _nhwc(dx), _nhwc(switches), kernel_size, stride, padding, torch.get_num_threads(), out=out))


@max_unpool2d_backward.register_fake
def _(dx, switches, kernel_size, stride, padding):
    return _fresh(switches.shape, True)


def _save_max_pool2d(ctx, inputs, output):
    x, *ctx.window, ctx.channels_last = inputs
    ctx.size = x.shape[2:]
    ctx.save_for_backward(output[1])


def _back_through_max_pool2d(ctx, dy, _):
    return max_unpool2d(dy, *ctx.saved_tensors, ctx.size, *ctx.window, ctx.channels_last), None, None, None, None


def _save_max_unpool2d(ctx, inputs, output):
    _, switches, _, *ctx.window, _ = inputs
    ctx.save_for_backward(switches)


def _back_through_max_unpool2d(ctx, dx):
    return (max_unpool2d_backward(dx, *ctx.saved_tensors, *ctx.window), *[None] * 6)


max_pool2d.register_autograd(_back_through_max_pool2d, setup_context=_save_max_pool2d)
max_unpool2d.register_autograd(_back_through_max_unpool2d, setup_context=_save_max_unpool2d)


@torch.library.custom_op("hourglass_kernels::max_unpool2d_of_indices", mutates_args=(), device_types="cpu")
def max_unpool2d_of_indices(y: Tensor, indices: Tensor, size: Sequence[int], kernel_size: Sequence[int],
                             stride: Sequence[int], padding: Sequence[int], channels_last: bool) -> Tensor:
    switches = switches_of(indices, size, kernel_size, stride, padding)
    if switches is None:
        y = F.max_unpool2d(y, indices, kernel_size, stride, padding, size)
        return y.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    return max_unpool2d(y, switches, size, kernel_size, stride, padding, channels_last)


@max_unpool2d_of_indices.register_fake
def _(y, indices, size, kernel_size, stride, padding, channels_last):
    return _fresh((*y.shape[:2], *size), channels_last)


def _save_max_unpool2d_of_indices(ctx, inputs, output):
    ctx.save_for_backward(inputs[1])


def _back_through_max_unpool2d_of_indices(ctx, dx):
    indices, = ctx.saved_tensors
    return dx.flatten(2).gather(2, indices.flatten(2)).view(indices.shape), *[None] * 6


max_unpool2d_of_indices.register_autograd(_back_through_max_unpool2d_of_indices, setup_context=_save_max_unpool2d_of_indices)


def _corners(shape, stride, padding):
    """Row and column of the image that the first element of each window of the P x Q windows is at."""
    return (torch.arange(extent).mul_(step).sub_(pad) for extent, step, pad in zip(shape[-2:], stride, padding))


def indices_of(switches, size, kernel_size, stride, padding):
    """PyTorch's indices h W + w of the switches r S + s."""
    top, left = _corners(switches.shape, stride, padding)
    rows = switches.div(kernel_size[1], rounding_mode="floor")
    return (rows + top[:, None]) * size[1] + (switches - rows * kernel_size[1] + left)


def switches_of(indices, size, kernel_size, stride, padding):
    """The switches r S + s of PyTorch's indices h W + w. None where a value may fall on another, of which PyTorch keeps one,
    or where an index is not of its window."""
    if hg.small_extents(size, kernel_size, stride, padding) != list(indices.shape[2:]) \
            or any(step < taps for step, taps in zip(stride, kernel_size)) or kernel_size[0] * kernel_size[1] > 255:
        return None
    top, left = _corners(indices.shape, stride, padding)
    rows = indices.div(size[1], rounding_mode="floor")
    columns = indices - rows * size[1] - left
    rows -= top[:, None]
    if ((rows < 0) | (rows >= kernel_size[0]) | (columns < 0) | (columns >= kernel_size[1])).any():
        return None
    return (rows * kernel_size[1] + columns).to(torch.uint8)
