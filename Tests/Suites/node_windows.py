"""ONNX operators with a window: convolutions and max-pooling. Each takes the inputs and the attributes of a node."""
import math
from ctypes import c_int

import numpy as np

import kernels as k
from nodes import floats, images, need, planes


def pair(values, default, spatial):
    values = list(values) if values else [default] * spatial
    return values if len(values) == 2 else [default, values[0]]


def padding(attributes, extents, taps, strides, dilations):
    """Top, left, bottom, right."""
    mode, spatial = attributes.get("auto_pad", "NOTSET"), len(extents)
    given = attributes.get("pads", [0, 0, 0, 0])
    given = given if len(given) == 4 else [0, given[0], 0, given[1]]
    if mode in ("NOTSET", "VALID"):
        return given if mode == "NOTSET" else [0] * 4
    totals = [max(0, (math.ceil(e / u) - 1) * u + d * (r - 1) + 1 - e)
              for e, r, u, d in zip(extents, taps, strides, dilations)]
    first = [(t + (mode == "SAME_LOWER")) // 2 for t in totals]
    return first + [t - f for t, f in zip(totals, first)]


def window(attributes, x, taps, ceil=False):
    """(geometry without channels of the small image, whether the small image is that of ceil_mode)."""
    spatial = x.ndim - 2
    extents = list(x.shape[2:]) if spatial == 2 else [1, x.shape[2]]
    taps = list(taps) if len(taps) == 2 else [1, taps[0]]
    strides, dilations = (pair(attributes.get(n), 1, spatial) for n in ("strides", "dilations"))
    pads = padding(attributes, extents, taps, strides, dilations)
    small = []
    for i in range(2):
        span = extents[i] + pads[i] + pads[2 + i] - dilations[i] * (taps[i] - 1) - 1
        count = (math.ceil if ceil else math.floor)(span / strides[i]) + 1
        if ceil and (count - 1) * strides[i] >= extents[i] + pads[i]:
            count -= 1
        small.append(count)
    return dict(samples=x.shape[0], large_height=extents[0], large_width=extents[1], large_channels=x.shape[1],
                small_height=small[0], small_width=small[1], filter_height=taps[0], filter_width=taps[1],
                stride_vertical=strides[0], stride_horizontal=strides[1], pad_top=pads[0], pad_left=pads[1],
                dilation_vertical=dilations[0], dilation_horizontal=dilations[1]), pads


def convolution(inputs, attributes):
    x, w, b = floats(*(list(inputs) + [None])[:3])
    need(x.ndim in (3, 4), "other than one or two spatial axes")
    fields, _ = window(attributes, x, w.shape[2:])
    g = k.Geometry2D(**fields, small_channels=w.shape[0], groups=attributes.get("group", 1))
    w = w if w.ndim == 4 else w[:, :, None]
    filter = np.ascontiguousarray(w.transpose(2, 3, 1, 0))
    y = k.empty(g.samples, g.small_height, g.small_width, g.small_channels)
    prepared = k.empty(k.library.count("conv2d_prepared_gather_count", g))
    k.library.run("conv2d_prepare_gather", g, filter, prepared, None)
    k.library.run("conv2d_forward", g, images(x), prepared, b, c_int(0), y, k.library.scratch("conv2d_forward", g, None),
                None)
    return [planes(y, x)]


def transposed(inputs, attributes):
    y, w, b = floats(*(list(inputs) + [None])[:3])
    need(y.ndim in (3, 4), "other than one or two spatial axes")
    spatial, groups = y.ndim - 2, attributes.get("group", 1)
    extents = list(y.shape[2:]) if spatial == 2 else [1, y.shape[2]]
    taps = list(w.shape[2:]) if spatial == 2 else [1, w.shape[2]]
    strides, dilations = (pair(attributes.get(n), 1, spatial) for n in ("strides", "dilations"))
    extra = pair(attributes.get("output_padding"), 0, spatial)
    pads = attributes.get("pads", [0] * 4)
    pads = list(pads) if len(pads) == 4 else [0, pads[0], 0, pads[1]]
    mode, shape = attributes.get("auto_pad", "NOTSET"), attributes.get("output_shape")
    full = [(e - 1) * u + d * (r - 1) + 1 + o for e, r, u, d, o in zip(extents, taps, strides, dilations, extra)]
    if mode.startswith("SAME") or shape:
        wanted = list(shape)[-spatial:] if shape else [e * u for e, u in zip(extents, strides)][-spatial:]
        wanted = wanted if spatial == 2 else [1] + wanted
        totals = [max(0, f - o) for f, o in zip(full, wanted)]
        first = [t // 2 if mode != "SAME_LOWER" else (t + 1) // 2 for t in totals]
        if shape and mode == "NOTSET":
            first = [t - t // 2 for t in totals]
        pads = first + [0, 0]
    else:
        wanted = [f - pads[i] - pads[2 + i] for i, f in enumerate(full)]
    channels = w.shape[1] * groups
    g = k.Geometry2D(samples=y.shape[0], large_height=wanted[0], large_width=wanted[1], large_channels=channels,
                     small_height=extents[0], small_width=extents[1], small_channels=y.shape[1], filter_height=taps[0],
                     filter_width=taps[1], stride_vertical=strides[0], stride_horizontal=strides[1], pad_top=pads[0],
                     pad_left=pads[1], dilation_vertical=dilations[0], dilation_horizontal=dilations[1], groups=groups)
    w = w if w.ndim == 4 else w[:, :, None]
    filter = np.ascontiguousarray(w.transpose(2, 3, 1, 0))
    x = k.empty(g.samples, g.large_height, g.large_width, channels)
    prepared = k.empty(k.library.count("conv2d_prepared_scatter_count", g))
    k.library.run("conv2d_prepare_scatter", g, filter, prepared, None)
    k.library.run("conv2d_transpose_forward", g, images(y), prepared, b, c_int(0), x,
                k.library.scratch("conv2d_transpose_forward", g, None), None)
    return [planes(x, y)]


def max_pool(inputs, attributes):
    x = floats(inputs[0])
    need(x.ndim in (3, 4), "other than one or two spatial axes")
    need(not attributes.get("storage_order"), "column-major indices")
    fields, _ = window(attributes, x, attributes["kernel_shape"], attributes.get("ceil_mode", 0))
    need(fields["dilation_vertical"] == 1 and fields["dilation_horizontal"] == 1, "dilation of a pooling")
    g = k.Geometry2D(**fields, small_channels=x.shape[1])
    y = k.empty(g.samples, g.small_height, g.small_width, x.shape[1])
    switches = np.zeros(y.shape, np.uint8)
    k.library.run("max_pool2d_forward", g, images(x), y, switches, None)
    # Switches name a place of the window; ONNX's indices one of the whole input, N C H W.
    n, p, q, c = np.indices(switches.shape)
    row = p * g.stride_vertical - g.pad_top + switches // g.filter_width
    column = q * g.stride_horizontal - g.pad_left + switches % g.filter_width
    indices = ((n * x.shape[1] + c) * g.large_height + row) * g.large_width + column
    return [planes(y, x), planes(indices, x)]


def max_unpool(inputs, attributes):
    y, indices = inputs[:2]
    floats(y)
    need(y.ndim in (3, 4), "other than one or two spatial axes")
    taps = attributes["kernel_shape"]
    strides = attributes.get("strides") or [1] * len(taps)
    full = [(e - 1) * u + r for e, u, r in zip(y.shape[2:], strides, taps)]
    large = list(inputs[2][2:]) if len(inputs) > 2 else full
    # ONNX's indices are those of the image before it was padded to the output's shape: only the same image has switches.
    need(len(inputs) < 3 or large == full, "an output shape that indices do not refer to")
    g = k.Geometry2D(samples=y.shape[0], large_height=int(large[0]), large_width=int(large[1]), large_channels=y.shape[1],
                     small_height=y.shape[2], small_width=y.shape[3], small_channels=y.shape[1], filter_height=taps[0],
                     filter_width=taps[1], stride_vertical=strides[0], stride_horizontal=strides[1])
    n, c, p, q = np.indices(indices.shape)
    place = indices - (n * y.shape[1] + c) * large[0] * large[1]
    switches = (place // large[1] - p * strides[0]) * taps[1] + place % large[1] - q * strides[1]
    x = k.empty(y.shape[0], int(large[0]), int(large[1]), y.shape[1])
    k.library.run("max_unpool2d_forward", g, images(y),
                np.ascontiguousarray(switches.transpose(0, 2, 3, 1).astype(np.uint8)), x, None)
    return [planes(x, y)]
