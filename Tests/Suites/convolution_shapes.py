#!/usr/bin/env python3
"""Runs all six passes of convolutions against their definitions, on the shapes of two suites that others wrote:

  benchdnn  oneDNN's: the layers of the networks it lists, written down here from their architectures, and its grids of
            tails, strides, dilations, groups and paddings, padding of the filter's size and more included
  torch     PyTorch's tests of nn.Conv1d, nn.Conv2d and their transposes, as the installed package makes them

Operands are small whole numbers, so that the direct form must agree to the bit; Winograd's form is tried where it takes the
geometry. Where a definition would take long channels become fewer, with the same remainder by 16, and rows and columns too.
  convolution_shapes.py libhourglass_kernels.so benchdnn|torch
"""
import sys
import warnings
from ctypes import c_int

import numpy as np

import kernels as k

warnings.filterwarnings("ignore")
MULTIPLICATIONS = 400_000


def geometry(n, h, w, c, out, r, s, u, v, top, left, bottom, right, dilation=(1, 1), groups=1):
    high, wide = dilation[0] * (r - 1) + 1, dilation[1] * (s - 1) + 1
    p, q = (h + top + bottom - high) // u + 1, (w + left + right - wide) // v + 1
    return dict(samples=n, large_height=h, large_width=w, large_channels=c, small_height=p, small_width=q,
                small_channels=out, filter_height=r, filter_width=s, stride_vertical=u, stride_horizontal=v, pad_top=top,
                pad_left=left, dilation_vertical=dilation[0], dilation_horizontal=dilation[1], groups=groups)


def square(side, c, out, r, u=1, pad=None, dilation=1, groups=1, n=2):
    pad = dilation * (r - 1) // 2 if pad is None else pad
    return geometry(n, side, side, c, out, r, r, u, u, pad, pad, pad, pad, (dilation, dilation), groups)


# ------------------------------------------------------------------------------------------------- benchdnn's nets


def alexnet():
    yield square(227, 3, 96, 11, 4, 0)
    yield square(27, 96, 256, 5, groups=2)
    yield square(13, 256, 384, 3)
    yield square(13, 384, 384, 3, groups=2)
    yield square(13, 384, 256, 3, groups=2)


def vgg():
    side, c = 224, 3
    for out, layers in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(layers):
            yield square(side, c, out, 3)
            c = out
        side //= 2


def resnet(widths=(64, 128, 256, 512), bottleneck=True, dilated=False):
    yield square(224, 3, 64, 7, 2)
    side, c, dilation = 56, 64, 1
    for stage, width in enumerate(widths):
        u = 2 if stage > 0 and not (dilated and stage > 1) else 1
        dilation *= 2 if dilated and stage > 1 else 1
        out = width * (4 if bottleneck else 1)
        if bottleneck:
            yield square(side, c, width, 1, u)
            yield square(side, c, width, 1)
            yield square(side, width, width, 3, u)
        else:
            yield square(side, c, width, 3, u)
        yield square(side, c, out, 1, u)
        side //= u
        yield square(side, width, width, 3, dilation=dilation)
        if bottleneck:
            yield square(side, width, out, 1)
            yield square(side, out, width, 1)
        c = out


def googlenet():
    yield square(224, 3, 64, 7, 2)
    yield square(56, 64, 64, 1)
    yield square(56, 64, 192, 3)
    blocks = [(28, 192, 64, 96, 128, 16, 32, 32), (28, 256, 128, 128, 192, 32, 96, 64), (14, 480, 192, 96, 208, 16, 48, 64),
              (14, 512, 160, 112, 224, 24, 64, 64), (14, 512, 128, 128, 256, 24, 64, 64), (14, 512, 112, 144, 288, 32, 64, 64),
              (14, 528, 256, 160, 320, 32, 128, 128), (7, 832, 256, 160, 320, 32, 128, 128), (7, 832, 384, 192, 384, 48, 128, 128)]
    for side, c, one, three_in, three, five_in, five, pool in blocks:
        for out in (one, three_in, five_in, pool):
            yield square(side, c, out, 1)
        yield square(side, three_in, three, 3)
        yield square(side, five_in, five, 5)


def inception():
    yield square(299, 3, 32, 3, 2, 0)
    yield square(149, 32, 32, 3, 1, 0)
    yield square(147, 32, 64, 3)
    yield square(73, 64, 80, 1)
    yield square(73, 80, 192, 3, 1, 0)
    for c in (192, 256, 288):
        for out in (64, 48, 32):
            yield square(35, c, out, 1)
    yield square(35, 48, 64, 5)
    yield square(35, 64, 96, 3)
    yield square(35, 96, 96, 3)
    yield square(35, 288, 384, 3, 2, 0)
    for width in (128, 160, 192):
        for r, s in ((1, 7), (7, 1)):
            for out in (width, 192):
                yield geometry(2, 17, 17, width, out, r, s, 1, 1, r // 2, s // 2, r // 2, s // 2)
        yield square(17, 768, width, 1)
    for c in (1280, 2048):
        for out in (320, 384, 448, 192):
            yield square(8, c, out, 1)
    for r, s in ((1, 3), (3, 1)):
        yield geometry(2, 8, 8, 384, 384, r, s, 1, 1, r // 2, s // 2, r // 2, s // 2)
    yield square(8, 448, 384, 3)


def mobilenet():
    yield square(224, 3, 32, 3, 2, 1)
    side, c = 112, 32
    for out, u in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (1024, 2), (1024, 1)):
        yield square(side, c, c, 3, u, 1, groups=c)
        side = (side - 1) // u + 1
        yield square(side, c, out, 1)
        c = out


def resnext():
    for side, width, u in ((56, 128, 1), (56, 256, 2), (28, 256, 1), (28, 512, 2), (14, 512, 1), (14, 1024, 2), (7, 1024, 1)):
        yield square(side, width, width, 3, u, 1, groups=32)


def densenet():
    yield square(224, 3, 64, 7, 2, 3)
    for side, first, layers in ((56, 64, 6), (28, 128, 12), (14, 256, 24), (7, 512, 16)):
        for layer in range(layers):
            yield square(side, first + 32 * layer, 128, 1)
        yield square(side, 128, 32, 3)
        yield square(side, first + 32 * layers, (first + 32 * layers) // 2, 1)


def unet():
    side, c = 572, 1
    for out in (64, 128, 256, 512, 1024):
        yield square(side, c, out, 3, 1, 0)
        yield square(side - 2, out, out, 3, 1, 0)
        side, c = (side - 4) // 2, out
    side = 56
    for out in (512, 256, 128, 64):
        yield square(side, out, 2 * out, 2, 2, 0)  # the transposed convolution: its small image has more channels
        yield square(side, 2 * out, out, 3, 1, 0)
        side = 2 * (side - 4)


def detectors():
    side, c = 416, 3  # YOLOv2
    for out in (32, 64, 128, 256, 512, 1024):
        yield square(side, c, out, 3)
        yield square(side, out, max(out // 2, 3), 1)
        side, c = max(13, side // 2), out
    yield square(13, 1024, 425, 1)
    yield square(38, 512, 1024, 3, pad=6, dilation=6)  # SSD
    for side, c, out, u, pad in ((19, 256, 512, 2, 1), (10, 128, 256, 2, 1), (5, 128, 256, 1, 0), (3, 128, 256, 1, 0)):
        yield square(side, c, out, 3, u, pad)
    for side, c, boxes in ((38, 512, 4), (19, 1024, 6), (10, 512, 6), (5, 256, 6), (3, 256, 4), (1, 256, 4)):
        for per in (4, 81):
            yield square(side, c, per * boxes, 3)


def decoders():
    """DCGAN's and the segmentation nets' transposed convolutions."""
    for side, c, out, r, u, pad in ((8, 512, 1024, 5, 2, 2), (16, 256, 512, 5, 2, 2), (32, 128, 256, 5, 2, 2), (64, 3, 128, 5, 2, 2),
                                    (64, 21, 21, 64, 32, 16), (34, 21, 21, 4, 2, 0), (14, 256, 256, 2, 2, 0),
                                    (28, 64, 64, 4, 2, 1), (32, 3, 64, 4, 2, 1), (7, 512, 512, 3, 1, 1)):
        yield square(side, c, out, r, u, pad)


# ------------------------------------------------------------------------------------------------ benchdnn's grids


def grids():
    for c in (1, 3, 7, 8, 15, 16, 17, 31, 33, 64):  # tails of channels
        for out in (1, 8, 15, 16, 17, 33, 48, 65):
            yield square(7, c, out, 3)
            yield square(6, c, out, 1, 2, 0)
    for r in (1, 2, 3, 4, 5, 7):  # filters, strides and paddings up to more than the filter
        for u in (1, 2, 3):
            for pad in range(r + 2):
                yield square(13, 5, 19, r, u, pad)
    for width in (1, 2, 5, 8, 15, 16, 17, 31, 33):  # widths
        yield geometry(2, 4, width, 16, 32, 3, 3, 1, 1, 1, 1, 1, 1)
        yield geometry(2, 1, width, 3, 17, 1, 3, 1, 2, 0, 1, 0, 1)
    for dilation in (2, 3, 4, 6):
        for r, u in ((3, 1), (3, 2), (5, 1), (2, 3)):
            yield square(17, 6, 18, r, u, dilation, dilation)
            yield square(17, 16, 16, r, u, 0 if dilation * (r - 1) < 17 else dilation * r // 2, dilation)
    for groups in (2, 3, 4, 8, 16, 32):
        for per in ((1, 1), (1, 2), (2, 1), (4, 4), (8, 8), (5, 17)):
            for r, u in ((3, 1), (3, 2), (1, 1)):
                yield square(9, per[0] * groups, per[1] * groups, r, u, groups=groups)
    for top, left, bottom, right in ((0, 1, 2, 3), (3, 0, 0, 2), (2, 2, 0, 0), (0, 0, 4, 1), (5, 6, 5, 6)):  # four sides
        for r, s, u, v in ((3, 3, 1, 1), (4, 2, 2, 1), (5, 1, 1, 3), (2, 5, 3, 2)):
            yield geometry(2, 11, 10, 4, 20, r, s, u, v, top, left, bottom, right)


def benchdnn():
    nets = (alexnet, vgg, resnet, lambda: resnet(bottleneck=False), lambda: resnet(dilated=True), googlenet, inception,
            mobilenet, resnext, densenet, unet, detectors, decoders, grids)
    for net in nets:
        yield from net()


# --------------------------------------------------------------------------------------------------------- PyTorch


def torch():
    """Each convolution that the tests of the installed package make, as its operator is called."""
    import torch
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db
    from torch.testing._internal.common_nn import get_new_module_tests

    seen = []

    class Recorder(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, arguments=(), named=None):
            name = getattr(function, "__name__", "")
            if name in ("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"):
                seen.append((name, arguments, named or {}))
            return function(*arguments, **(named or {}))

    names = ("nn.Conv1d", "nn.Conv2d", "nn.ConvTranspose1d", "nn.ConvTranspose2d")
    with Recorder():
        for op in op_db:
            if op.name.startswith("nn.functional.conv") and "3d" not in op.name:
                for sample in op.sample_inputs("cpu", torch.float32):
                    op.op(sample.input, *sample.args, **sample.kwargs)
        for info in module_db:
            if info.name in names:
                for made in info.module_inputs_func(info, device="cpu", dtype=torch.float32, requires_grad=False,
                                                    training=True):
                    module = info.module_cls(*made.constructor_input.args, **made.constructor_input.kwargs)
                    module(*made.forward_input.args, **made.forward_input.kwargs)
        for test in get_new_module_tests():
            name = test.get("fullname") or test.get("module_name")
            if "Conv" in name and "3d" not in name and "input_size" in test:
                make = test.get("constructor") or (
                    lambda: getattr(torch.nn, test["module_name"])(*test["constructor_args"]))
                made = make()
                made(torch.randn(test["input_size"]))
    for name, arguments, named in seen:
        fields = geometry_of(name, arguments, named)
        if fields:
            yield fields


def geometry_of(name, arguments, named):
    order = ["input", "weight", "bias", "stride", "padding"]
    order += ["output_padding", "groups", "dilation"] if "transpose" in name else ["dilation", "groups"]
    given = dict(zip(order, arguments)) | named
    x, w = given["input"], given["weight"]
    spatial = 1 if "1d" in name else 2
    shape = list(x.shape) if x.dim() == spatial + 2 else [1, *x.shape]
    extents, taps = shape[2:], list(w.shape[2:])
    if spatial == 1:
        extents, taps = [1, *extents], [1, *taps]

    def both(key, default):
        value = given.get(key, default)
        value = list(value) if hasattr(value, "__len__") else [value] * spatial
        value = value * spatial if len(value) == 1 else value
        return value if spatial == 2 else [default, value[0]]

    (u, v), dilation, groups = both("stride", 1), both("dilation", 1), given.get("groups", 1)
    if given.get("padding") in ("same", "valid"):
        totals = [d * (r - 1) if given["padding"] == "same" else 0 for d, r in zip(dilation, taps)]
        first, last = [t // 2 for t in totals], [t - t // 2 for t in totals]
    else:
        first = last = both("padding", 0)
    if "transpose" not in name:
        return geometry(shape[0], *extents, shape[1], w.shape[0], *taps, u, v, *first, *last, dilation, groups)
    extra = both("output_padding", 0)
    large = [(e - 1) * step - 2 * pad + d * (r - 1) + o + 1
             for e, step, pad, d, r, o in zip(extents, (u, v), first, dilation, taps, extra)]
    fields = geometry(shape[0], *large, w.shape[1] * groups, shape[1], *taps, u, v, *first, *first, dilation, groups)
    return fields | dict(small_height=extents[0], small_width=extents[1])


# ---------------------------------------------------------------------------------------------------------- running


def multiplications(f):
    return (max(1, f["samples"]) * f["small_height"] * f["small_width"] * f["small_channels"] * f["filter_height"]
            * f["filter_width"] * (f["large_channels"] // f["groups"]))


def smaller(f):
    """The geometry with fewer channels, rows and columns, as long as its definition would take long."""
    f = dict(f)
    bottom = {side: f[f"large_{side}"] - (f[f"small_{side}"] - 1) * f[f"stride_{way}"] for side, way in
              (("height", "vertical"), ("width", "horizontal"))}
    while multiplications(f) > MULTIPLICATIONS:
        side = max(("height", "width"), key=lambda s: f[f"small_{s}"])
        way = "vertical" if side == "height" else "horizontal"
        channel = max(("large", "small"), key=lambda s: f[f"{s}_channels"])
        step = 16 * f["groups"] if f[f"{channel}_channels"] // f["groups"] > 16 else f["groups"]
        if f["groups"] > 4 and min(f["large_channels"], f["small_channels"]) // f["groups"] < 16:
            for s in ("large", "small"):
                f[f"{s}_channels"] -= f[f"{s}_channels"] // f["groups"]
            f["groups"] -= 1
        elif f[f"{channel}_channels"] > 40 * f["groups"]:
            f[f"{channel}_channels"] -= step
        elif f[f"small_{side}"] > 5 and f[f"large_{side}"] > f[f"stride_{way}"]:
            f[f"small_{side}"] -= 1
            f[f"large_{side}"] = max(1, (f[f"small_{side}"] - 1) * f[f"stride_{way}"] + bottom[side])
        elif f[f"{channel}_channels"] > step:
            f[f"{channel}_channels"] -= step
        else:
            break
    return f


def passes(f, threads, generator):
    """(name, found, wanted) of all outputs."""
    g = k.Geometry2D(**f)
    parallel = k.Parallel(threads=threads)
    N, C, K = f["samples"], f["large_channels"], f["small_channels"]
    large, small = (N, f["large_height"], f["large_width"], C), (N, f["small_height"], f["small_width"], K)
    shape = (f["filter_height"], f["filter_width"], C // f["groups"], K)
    x, y, w = (generator.integers(-3, 4, s).astype(np.float32) for s in (large, small, shape))
    bias = {s: generator.integers(-3, 4, s).astype(np.float32) for s in (C, K)}
    gather = k.empty(k.library.count("conv2d_prepared_gather_count", g))
    scatter = k.empty(k.library.count("conv2d_prepared_scatter_count", g))
    k.library.run("conv2d_prepare_gather", g, w, gather, parallel)
    k.library.run("conv2d_prepare_scatter", g, w, scatter, parallel)

    def images(name, operand, prepared, out, *middle):
        found, wanted = k.empty(*out), k.empty(*out)
        k.library.run(f"conv2d_{name}", g, operand, prepared, *middle, found, k.library.scratch(f"conv2d_{name}", g, parallel),
                    parallel)
        k.library._call(f"reference_conv2d_{name}", (g, operand, w, *middle, wanted), None)
        return name, found, wanted

    yield images("forward", x, gather, small, bias[K], c_int(k.RELU))
    yield images("backward_data", y, scatter, large, c_int(k.RELU), x)
    yield images("transpose_forward", y, scatter, large, bias[C], c_int(k.LINEAR))
    yield images("transpose_backward_data", x, gather, small, c_int(k.LINEAR), None)
    for name, a, b, channels in (("backward_filter", x, y, K), ("transpose_backward_filter", y, x, C)):
        found, wanted = (k.empty(*shape), k.empty(channels)), (k.empty(*shape), k.empty(channels))
        k.library.run(f"conv2d_{name}", g, a, b, False, *found, k.library.scratch(f"conv2d_{name}", g, parallel), parallel)
        k.library._call(f"reference_conv2d_{name}", (g, a, b, False, *wanted), None)
        yield name, np.concatenate([f.reshape(-1) for f in found]), np.concatenate([f.reshape(-1) for f in wanted])


def main():
    k.library = k.Library(sys.argv[1])
    generator = np.random.default_rng(1)
    shapes = list({tuple(f.items()): f for f in (benchdnn if sys.argv[2] == "benchdnn" else torch)()}.values())
    runs = winograd = refused = wrong = 0
    for number, whole in enumerate(shapes):
        try:
            k.library.run("conv2d_check", k.Geometry2D(**whole))
            f = smaller(whole)
            kinds = [f]
            if whole["filter_height"] - whole["stride_vertical"] == 2 and whole["groups"] == 1:
                try:
                    k.library.run("conv2d_check", k.Geometry2D(**f, algorithm=1))
                    kinds.append(f | {"algorithm": 1})
                except k.Refused:
                    pass
            for kind in kinds:
                for name, found, wanted in passes(kind, 1 + number % 3, generator):
                    size = np.abs(wanted).max(initial=1) if "algorithm" in kind else 0
                    if not np.allclose(found, wanted, rtol=0, atol=1e-4 * size):
                        print(f"WRONG {name} of {whole}")
                        wrong += 1
                    runs += 1
                winograd += "algorithm" in kind
        except k.Refused as refusal:
            refused += 1
            print(f"REFUSED {whole}: {refusal}")
    print(f"{sys.argv[2]}: {len(shapes)} shapes, {winograd} of them in Winograd's form too: {runs} passes, {wrong} wrong;"
          f" {refused} shapes refused")
    return 1 if wrong or refused else 0


if __name__ == "__main__":
    sys.exit(main())
