"""The kernels as PyTorch functions and layers, to be put in the place of torch.nn.functional's and torch.nn's.

Tensors are float32 on the CPU, N C H W or C H W as everywhere in PyTorch; under autocast they are computed as float32. Results
have the memory format that PyTorch's would have: channels-last where the input or the weight is. That format is how the
kernels read and write, the other is copied to and fro, so that `model.to(memory_format=torch.channels_last)` pays. The
number of threads is torch.get_num_threads(). Import torch first, so that a library built by gcc shares PyTorch's OpenMP
threads instead of bringing its own.

Each function is a custom operator (torch.library), so that torch.compile, fake tensors and torch.jit.trace know it; where a
model is exported, as to ONNX, PyTorch's own operators stand in its place.
"""
import statistics
import time
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hourglass_kernels as hg

# PyTorch's functions of the activations that layers have inside.
_ACTIVATIONS = {
    "linear": lambda x: x, "relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": F.softplus,
    "elu": F.elu, "leaky_relu": F.leaky_relu, "selu": F.selu, "relu6": F.relu6, "hard_sigmoid": F.hardsigmoid,
    "hard_tanh": F.hardtanh}


def _nhwc(x):
    return x.detach().permute(0, 2, 3, 1).contiguous().numpy()


def _rsck(weight):
    """Filters of PyTorch's convolutions are K C R S, small channels first, those of transposed ones as well."""
    return weight.detach().permute(2, 3, 1, 0).contiguous().numpy()


def _kcrs(filter):
    return torch.from_numpy(filter).permute(3, 2, 0, 1)


def _is_channels_last(x):
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
def _convolution(x: Tensor, weight: Tensor, bias: Optional[Tensor], stride: Sequence[int], padding: Sequence[int],
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


@_convolution.register_fake
def _(x, weight, bias, stride, padding, output_padding, dilation, groups, transposed, activation, channels_last):
    return _fresh(_result_shape(x, weight, stride, padding, output_padding, dilation, groups, transposed), channels_last)


@torch.library.custom_op("hourglass_kernels::convolution_backward", mutates_args=(), device_types="cpu")
def _convolution_backward(x: Tensor, weight: Tensor, y: Optional[Tensor], dy: Tensor, stride: Sequence[int],
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


@_convolution_backward.register_fake
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
    dx, dweight, dbias = _convolution_backward(
        x, weight, y, dy, *ctx.geometry, ctx.activation, data, any(parameters))
    return (dx if data else None, dweight if parameters[0] else None, dbias if parameters[1] else None, *[None] * 8)


_convolution.register_autograd(_back_through_convolution, setup_context=_save_convolution)


@torch.library.custom_op("hourglass_kernels::max_pool2d", mutates_args=(), device_types="cpu")
def _max_pool2d(x: Tensor, kernel_size: Sequence[int], stride: Sequence[int], padding: Sequence[int],
                channels_last: bool) -> Tuple[Tensor, Tensor]:
    shape = (*x.shape[:2], *hg.small_extents(x.shape[2:], kernel_size, stride, padding))
    switches = _fresh(shape, channels_last, torch.uint8)

    def fill(out):
        found = hg.max_pool2d(_nhwc(x), kernel_size, stride, padding, torch.get_num_threads(), out=out)[1]
        switches.copy_(torch.from_numpy(found).permute(0, 3, 1, 2))

    return _filled(shape, channels_last, fill), switches


@_max_pool2d.register_fake
def _(x, kernel_size, stride, padding, channels_last):
    shape = (*x.shape[:2], *hg.small_extents(x.shape[2:], kernel_size, stride, padding))
    return _fresh(shape, channels_last), _fresh(shape, channels_last, torch.uint8)


@torch.library.custom_op("hourglass_kernels::max_unpool2d", mutates_args=(), device_types="cpu")
def _max_unpool2d(y: Tensor, switches: Tensor, size: Sequence[int], kernel_size: Sequence[int], stride: Sequence[int],
                  padding: Sequence[int], channels_last: bool) -> Tensor:
    shape = (*y.shape[:2], *size)
    if y.numel() == 0:
        return torch.zeros(shape)
    return _filled(shape, channels_last, lambda out: hg.max_unpool2d(
        _nhwc(y), _nhwc(switches), out.shape, kernel_size, stride, padding, torch.get_num_threads(), out=out))


@_max_unpool2d.register_fake
def _(y, switches, size, kernel_size, stride, padding, channels_last):
    return _fresh((*y.shape[:2], *size), channels_last)


@torch.library.custom_op("hourglass_kernels::max_unpool2d_backward", mutates_args=(), device_types="cpu")
def _max_unpool2d_backward(dx: Tensor, switches: Tensor, kernel_size: Sequence[int], stride: Sequence[int],
                           padding: Sequence[int]) -> Tensor:
    return _filled(switches.shape, True, lambda out: hg.max_unpool2d_backward(
        _nhwc(dx), _nhwc(switches), kernel_size, stride, padding, torch.get_num_threads(), out=out))


@_max_unpool2d_backward.register_fake
def _(dx, switches, kernel_size, stride, padding):
    return _fresh(switches.shape, True)


def _save_max_pool2d(ctx, inputs, output):
    x, *ctx.window, ctx.channels_last = inputs
    ctx.size = x.shape[2:]
    ctx.save_for_backward(output[1])


def _back_through_max_pool2d(ctx, dy, _):
    return _max_unpool2d(dy, *ctx.saved_tensors, ctx.size, *ctx.window, ctx.channels_last), None, None, None, None


def _save_max_unpool2d(ctx, inputs, output):
    _, switches, _, *ctx.window, _ = inputs
    ctx.save_for_backward(switches)


def _back_through_max_unpool2d(ctx, dx):
    return (_max_unpool2d_backward(dx, *ctx.saved_tensors, *ctx.window), *[None] * 6)


_max_pool2d.register_autograd(_back_through_max_pool2d, setup_context=_save_max_pool2d)
_max_unpool2d.register_autograd(_back_through_max_unpool2d, setup_context=_save_max_unpool2d)


def _float32(*tensors):
    """The tensors as the kernels take them; under autocast cast to float32."""
    if torch.is_autocast_enabled("cpu"):
        tensors = [t if t is None else t.float() for t in tensors]
    for t in tensors:
        if t is not None and (t.dtype != torch.float32 or t.device.type != "cpu"):
            raise TypeError(f"hourglass_kernels computes float32 on the CPU, not {t.dtype} on {t.device}: use .float() or"
                            " torch.nn's layers")
    return tensors


def _batched(x, call):
    """call(x), for one image C H W as for a batch."""
    if x.ndim not in (3, 4):
        raise ValueError(f"images are N C H W or C H W, not of shape {tuple(x.shape)}")
    y = call(x if x.ndim == 4 else x.unsqueeze(0))
    if x.ndim == 4:
        return y
    return tuple(t.squeeze(0) for t in y) if isinstance(y, tuple) else y.squeeze(0)


def _is_exporting():
    return torch.onnx.is_in_onnx_export() or getattr(torch.compiler, "is_exporting", lambda: False)()


def _convolve(x, weight, bias, stride, padding, output_padding, dilation, groups, transposed, activation):
    if activation not in _ACTIVATIONS:
        raise ValueError(f"there is no activation {activation!r}; there are {', '.join(_ACTIVATIONS)}")
    stride, padding, output_padding, dilation = map(hg._pair, (stride, padding, output_padding, dilation))
    if _is_exporting():
        y = F.conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation) if transposed \
            else F.conv2d(x, weight, bias, stride, padding, dilation, groups)
        return _ACTIVATIONS[activation](y)
    x, weight, bias = _float32(x, weight, bias)
    return _batched(x, lambda x: _convolution(
        x, weight, bias, stride, padding, output_padding, dilation, groups, transposed, activation,
        _is_channels_last(x) or _is_channels_last(weight)))


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, *, activation="linear"):
    """As torch.nn.functional.conv2d; activation: a name in hourglass_kernels.library.ACTIVATIONS."""
    if padding == "valid":
        padding = 0
    if padding == "same":  # what is left over of an odd sum goes to the bottom and to the right
        around = [gap * (taps - 1) for gap, taps in zip(hg._pair(dilation), weight.shape[2:])]
        if any(step != 1 for step in hg._pair(stride)):
            raise ValueError("padding 'same' wants strides of 1")
        x, padding = F.pad(x, (0, around[1] % 2, 0, around[0] % 2)), tuple(sides // 2 for sides in around)
    return _convolve(x, weight, bias, stride, padding, 0, dilation, groups, False, activation)


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1, *,
                     activation="linear"):
    """As torch.nn.functional.conv_transpose2d."""
    return _convolve(x, weight, bias, stride, padding, output_padding, dilation, groups, True, activation)


def max_pool2d(x, kernel_size, stride=None, padding=0):
    """(y, switches): as torch.nn.functional.max_pool2d with indices, but a byte r S + s for each window."""
    (x,) = _float32(x)
    kernel_size = hg._pair(kernel_size)
    stride = hg._pair(stride) if stride else kernel_size
    return _batched(x, lambda x: _max_pool2d(x, kernel_size, stride, hg._pair(padding), _is_channels_last(x)))


def max_unpool2d(y, switches, size, kernel_size, stride=None, padding=0):
    """y put at the switches of max_pool2d, on images of size (H, W). Where windows overlap values add up."""
    (y,) = _float32(y)
    kernel_size = hg._pair(kernel_size)
    stride = hg._pair(stride) if stride else kernel_size
    if switches.ndim == 3:
        switches = switches.unsqueeze(0)
    return _batched(y, lambda y: _max_unpool2d(
        y, switches, tuple(size), kernel_size, stride, hg._pair(padding), _is_channels_last(y)))


class Conv2d(nn.Conv2d):
    """torch.nn.Conv2d with the activation inside; the same parameters under the same names."""

    activation = "linear"

    def __init__(self, *arguments, activation="linear", **options):
        super().__init__(*arguments, **options)
        self.activation = activation

    def forward(self, x):
        padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = F.pad(x, self._reversed_padding_repeated_twice, mode=self.padding_mode), 0
        return conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups,
                      activation=self.activation)


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d with the activation inside; the same parameters under the same names."""

    activation = "linear"

    def __init__(self, *arguments, activation="linear", **options):
        super().__init__(*arguments, **options)
        self.activation = activation

    def forward(self, x, output_size=None):
        extra = self._output_padding(x, output_size, self.stride, self.padding, self.kernel_size, 2, self.dilation)
        return conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation,
                                activation=self.activation)


class MaxPool2d(nn.MaxPool2d):
    """torch.nn.MaxPool2d without indices, dilation and ceil_mode."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        refusal = _why_not(self)
        if refusal:
            raise ValueError(f"{self}: {refusal}")

    def forward(self, x):
        if _is_exporting():
            return super().forward(x)
        return max_pool2d(x, self.kernel_size, self.stride, self.padding)[0]


_KINDS = {nn.Conv2d: Conv2d, nn.ConvTranspose2d: ConvTranspose2d, nn.MaxPool2d: MaxPool2d}


def _why_not(layer):
    """Why a layer of torch.nn cannot be replaced, or None."""
    for parameter in layer.parameters():
        if parameter.dtype != torch.float32 or parameter.device.type != "cpu":
            return f"its parameters are {parameter.dtype} on {parameter.device}"
    if isinstance(layer, nn.MaxPool2d):
        if layer.return_indices or layer.ceil_mode or set(hg._pair(layer.dilation)) != {1}:
            return "there are no indices, no dilation and no ceil_mode"
    return None


class Replacement(NamedTuple):
    """A layer that `replace` looked at: why it stays (None where it was replaced), and, where an input was given, its
    milliseconds by torch.nn and by these kernels."""
    name: str
    layer: nn.Module
    reason: Optional[str]
    milliseconds: Optional[Tuple[float, float]] = None


def _time(layer, x, runs=7):
    """The median of the milliseconds of a forward and a backward pass."""
    times = []
    for _ in range(runs):
        leaf = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
        start = time.perf_counter()
        y = layer(leaf)
        torch.autograd.grad(y, [leaf, *(p for p in layer.parameters() if p.requires_grad)], torch.ones_like(y))
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def replace(model, *inputs) -> List[Replacement]:
    """Makes these kernels' layers of a model's nn.Conv2d, nn.ConvTranspose2d and nn.MaxPool2d, with the same parameters,
    hooks and names, and says for each what was done and why. With inputs of the model each layer is timed on what it reads
    there, and stays where PyTorch's is as fast."""
    layers = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, tuple(_KINDS))]
    read, timed, report = {}, {}, []
    if inputs:
        hooks = [layer.register_forward_pre_hook(lambda layer, given: read.__setitem__(layer, given[0].detach()))
                 for _, layer in layers]
        with torch.no_grad():
            model(*inputs)
        for hook in hooks:
            hook.remove()
    for name, layer in layers:
        kind = type(layer)
        reason = _why_not(layer)
        if kind in _KINDS.values():
            reason = "it is one of these kernels' layers already"
        elif kind not in _KINDS:
            reason = f"it is a {kind.__name__}, which may compute something else"
        elif inputs and layer not in read:
            reason = "the inputs do not reach it"
        if reason is None and inputs:
            plain = _time(layer, read[layer])
        if reason is None:
            layer.__class__ = _KINDS[kind]
            if inputs:
                timed[layer] = plain, _time(layer, read[layer])
                if timed[layer][1] >= plain:
                    layer.__class__ = kind
                    reason = "PyTorch's is as fast on these inputs"
        report.append(Replacement(name, layer, reason, timed.get(layer)))
    return report
