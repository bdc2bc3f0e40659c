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
from typing import List, NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import nn

import hourglass_kernels as hg

from . import torch_operators as operators

# PyTorch's functions of the activations that layers have inside.
_ACTIVATIONS = {
    "linear": lambda x: x, "relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": F.softplus,
    "elu": F.elu, "leaky_relu": F.leaky_relu, "selu": F.selu, "relu6": F.relu6, "hard_sigmoid": F.hardsigmoid,
    "hard_tanh": F.hardtanh}


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
    return _batched(x, lambda x: operators.convolution(
        x, weight, bias, stride, padding, output_padding, dilation, groups, transposed, activation,
        operators.is_channels_last(x) or operators.is_channels_last(weight)))


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
    return _batched(x, lambda x: operators.max_pool2d(x, kernel_size, stride, hg._pair(padding), operators.is_channels_last(x)))


def max_unpool2d(y, switches, size, kernel_size, stride=None, padding=0):
    """y put at the switches of max_pool2d, on images of size (H, W). Where windows overlap values add up."""
    (y,) = _float32(y)
    kernel_size = hg._pair(kernel_size)
    stride = hg._pair(stride) if stride else kernel_size
    if switches.ndim == 3:
        switches = switches.unsqueeze(0)
    return _batched(y, lambda y: operators.max_unpool2d(
        y, switches, tuple(size), kernel_size, stride, hg._pair(padding), operators.is_channels_last(y)))


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
    """torch.nn.MaxPool2d without dilation and ceil_mode."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        refusal = _why_not(self)
        if refusal:
            raise ValueError(f"{self}: {refusal}")

    def forward(self, x):
        if _is_exporting():
            return super().forward(x)
        y, switches = max_pool2d(x, self.kernel_size, self.stride, self.padding)
        if not self.return_indices:
            return y
        return y, operators.indices_of(switches, x.shape[-2:], *map(hg._pair, (self.kernel_size, self.stride, self.padding)))


class MaxUnpool2d(nn.MaxUnpool2d):
    """torch.nn.MaxUnpool2d. Where windows overlap, or an index is not of its window, PyTorch's own function does it."""

    def forward(self, y, indices, output_size=None):
        if _is_exporting():
            return super().forward(y, indices, output_size)
        (y,) = _float32(y)
        window = [hg._pair(number) for number in (self.kernel_size, self.stride, self.padding)]
        size = F._unpool_output_size(y, *window, None if output_size is None else list(output_size))
        if indices.shape != y.shape or indices.dtype != torch.int64:
            raise ValueError(f"indices must be torch.int64 of shape {tuple(y.shape)}, not {indices.dtype} of shape"
                             f" {tuple(indices.shape)}")
        if indices.ndim == 3:
            indices = indices.unsqueeze(0)
        return _batched(y, lambda y: operators.max_unpool2d_of_indices(y, indices, size, *window, operators.is_channels_last(y)))


_KINDS = {nn.Conv2d: Conv2d, nn.ConvTranspose2d: ConvTranspose2d, nn.MaxPool2d: MaxPool2d, nn.MaxUnpool2d: MaxUnpool2d}


def _why_not(layer):
    """Why a layer of torch.nn cannot be replaced, or None."""
    for parameter in layer.parameters():
        if parameter.dtype != torch.float32 or parameter.device.type != "cpu":
            return f"its parameters are {parameter.dtype} on {parameter.device}"
    if isinstance(layer, nn.MaxPool2d):
        if layer.ceil_mode or set(hg._pair(layer.dilation)) != {1}:
            return "there is no dilation and no ceil_mode"
    return None


class Replacement(NamedTuple):
    """A layer that `replace` looked at: why it stays (None where it was replaced), and, where an input was given, its
    milliseconds by torch.nn and by these kernels."""
    name: str
    layer: nn.Module
    reason: Optional[str]
    milliseconds: Optional[Tuple[float, float]] = None


def _time(layer, given, runs=7):
    """The median of the milliseconds of a forward and a backward pass on what the layer was given."""
    (x, *rest), options = given
    times = []
    for _ in range(runs):
        leaf = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
        start = time.perf_counter()
        y = layer(leaf, *rest, **options)
        y = y[0] if isinstance(y, tuple) else y
        torch.autograd.grad(y, [leaf, *(p for p in layer.parameters() if p.requires_grad)], torch.ones_like(y))
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def replace(model, *inputs) -> List[Replacement]:
    """Makes these kernels' layers of a model's nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d and nn.MaxUnpool2d, with the same
    parameters, hooks and names, and says for each what was done and why. With inputs of the model each layer is timed on what it reads
    there, and stays where PyTorch's is as fast."""
    layers = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, tuple(_KINDS))]
    read, timed, report = {}, {}, []
    if inputs:
        hooks = [layer.register_forward_pre_hook(lambda layer, *given: read.__setitem__(layer, given), with_kwargs=True)
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
