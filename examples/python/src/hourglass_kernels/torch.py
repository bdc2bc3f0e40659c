"""The kernels as PyTorch functions and layers, to be put in the place of torch.nn.functional's and torch.nn's.

Tensors are float32 on the CPU, N C H W as everywhere in PyTorch. Results are in the channels-last memory format, which is how
the kernels read: inputs in that format are not copied. The number of threads is torch.get_num_threads(). Import torch
first, so that a library built by gcc shares PyTorch's OpenMP threads instead of bringing its own.
"""
import torch
from torch import nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

import hourglass_kernels as hg


def _nhwc(x):
    return x.detach().permute(0, 2, 3, 1).contiguous().numpy()


def _nchw(x):
    return torch.from_numpy(x).permute(0, 3, 1, 2)


def _rsck(weight):
    """Filters of PyTorch's convolutions are K C R S, small channels first, those of transposed ones as well."""
    return weight.detach().permute(2, 3, 1, 0).contiguous().numpy()


def _kcrs(filter):
    return torch.from_numpy(filter).permute(3, 2, 0, 1)


class _Convolution(Function):
    """Both directions: `call` and `backward_call` are those of hourglass_kernels."""

    @staticmethod
    def forward(ctx, x, weight, bias, call, backward_call, activation, geometry):
        ctx.call, ctx.activation, ctx.geometry = backward_call, activation, geometry
        ctx.threads = torch.get_num_threads()
        y = _nchw(call(_nhwc(x), _rsck(weight), None if bias is None else bias.detach().numpy(), *geometry, activation,
                       threads=ctx.threads))
        ctx.save_for_backward(x, weight, y if activation != "linear" else None)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        x, weight, y = ctx.saved_tensors
        dy, needs = _nhwc(dy), ctx.needs_input_grad
        if y is not None:
            dy = hg.activation_backward(ctx.activation, _nhwc(y), dy, ctx.threads)
        dx, dfilter, dbias = ctx.call(_nhwc(x), _rsck(weight), dy, *ctx.geometry, data=needs[0],
                                      parameters=needs[1] or needs[2], threads=ctx.threads)
        return (None if dx is None else _nchw(dx), _kcrs(dfilter) if needs[1] else None,
                torch.from_numpy(dbias) if needs[2] else None, None, None, None, None)


class _MaxPool2d(Function):
    @staticmethod
    def forward(ctx, x, geometry):
        x, ctx.geometry, ctx.threads = _nhwc(x), geometry, torch.get_num_threads()
        y, ctx.switches = hg.max_pool2d(x, *geometry, threads=ctx.threads)
        ctx.shape, switches = x.shape, _nchw(ctx.switches)
        ctx.mark_non_differentiable(switches)
        return _nchw(y), switches

    @staticmethod
    @once_differentiable
    def backward(ctx, dy, _):
        return _nchw(hg.max_unpool2d(_nhwc(dy), ctx.switches, ctx.shape, *ctx.geometry, threads=ctx.threads)), None


class _MaxUnpool2d(Function):
    @staticmethod
    def forward(ctx, y, switches, size, geometry):
        y, ctx.switches = _nhwc(y), _nhwc(switches)
        ctx.geometry, ctx.threads = geometry, torch.get_num_threads()
        shape = (y.shape[0], *size, y.shape[3])
        return _nchw(hg.max_unpool2d(y, ctx.switches, shape, *geometry, threads=ctx.threads))

    @staticmethod
    @once_differentiable
    def backward(ctx, dx):
        dy = hg.max_unpool2d_backward(_nhwc(dx), ctx.switches, *ctx.geometry, threads=ctx.threads)
        return _nchw(dy), None, None, None


def conv2d(x, weight, bias=None, stride=1, padding=0, activation="linear"):
    """As torch.nn.functional.conv2d, without groups and dilation; activation: a name in hourglass_kernels.library.ACTIVATIONS."""
    return _Convolution.apply(x, weight, bias, hg.conv2d, hg.conv2d_backward, activation, (stride, padding))


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, activation="linear"):
    """As torch.nn.functional.conv_transpose2d, without groups and dilation."""
    return _Convolution.apply(x, weight, bias, hg.conv_transpose2d, hg.conv_transpose2d_backward, activation,
                              (stride, padding, output_padding))


def max_pool2d(x, kernel_size, stride=None, padding=0):
    """(y, switches): as torch.nn.functional.max_pool2d with indices, but a byte r S + s for each window."""
    return _MaxPool2d.apply(x, (kernel_size, stride, padding))


def max_unpool2d(y, switches, size, kernel_size, stride=None, padding=0):
    """y put at the switches of max_pool2d, on images of size (H, W). Where windows overlap values add up."""
    return _MaxUnpool2d.apply(y, switches, tuple(size), (kernel_size, stride, padding))


def _refuse(layer):
    if layer.groups != 1 or layer.dilation != (1, 1) or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise ValueError(f"no groups, dilation, padding by name or other than zeros here: {layer}")


class Conv2d(nn.Conv2d):
    """torch.nn.Conv2d with the activation inside; the same parameters under the same names."""

    def __init__(self, *arguments, activation="linear", **options):
        super().__init__(*arguments, **options)
        self.activation = activation
        _refuse(self)

    def forward(self, x):
        return conv2d(x, self.weight, self.bias, self.stride, self.padding, self.activation)


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d with the activation inside; the same parameters under the same names."""

    def __init__(self, *arguments, activation="linear", **options):
        super().__init__(*arguments, **options)
        self.activation = activation
        _refuse(self)

    def forward(self, x):
        return conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding, self.output_padding,
                                self.activation)
