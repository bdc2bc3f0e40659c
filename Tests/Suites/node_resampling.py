"""ONNX operators that weigh rows and columns: averages, padding, resizing. Each takes the inputs and the attributes."""
import math

import numpy as np

import kernels as k
from nodes import floats, images, need, planes
from node_windows import max_pool, window


def resample(x, maps):
    """x, N C H W, with a matrix of outputs x inputs along either axis."""
    images_in, axes, kept = images(x), [], []
    for matrix in maps:
        start, taps = [0], []
        for row in np.asarray(matrix, np.float64):
            used = np.flatnonzero(row)
            taps += [(i, row[i]) for i in used]
            start.append(len(taps))
        start, places = np.array(start, np.int64), np.array([t[0] for t in taps] or [0], np.int64)
        weights = np.array([t[1] for t in taps] or [0], np.float32)
        kept += [start, places, weights]
        axes.append(k.Axis(inputs=matrix.shape[1], outputs=matrix.shape[0], start=start.ctypes.data,
                           input=places.ctypes.data, weight=weights.ctypes.data))
    y = k.empty(x.shape[0], maps[0].shape[0], maps[1].shape[0], x.shape[1])
    k.library.run("resample2d", k.Resampling(samples=x.shape[0], channels=x.shape[1], vertical=axes[0],
                                           horizontal=axes[1]), images_in, y, None)
    return planes(y, x)


def average_pool(inputs, attributes):
    x = floats(inputs[0])
    need(x.ndim in (3, 4), "other than one or two spatial axes")
    ceil, counted = attributes.get("ceil_mode", 0), attributes.get("count_include_pad", 0)
    fields, pads = window(attributes, x, attributes["kernel_shape"], ceil)
    maps = []
    for axis, side in enumerate(("height", "width")):
        inputs_, outputs = fields[f"large_{side}"], fields[f"small_{side}"]
        taps, direction = fields[f"filter_{side}"], ("vertical", "horizontal")[axis]
        stride, dilation = fields[f"stride_{direction}"], fields[f"dilation_{direction}"]
        matrix = np.zeros((outputs, inputs_))
        for i in range(outputs):
            places = [i * stride - pads[axis] + t * dilation for t in range(taps)]
            inside = [p for p in places if 0 <= p < inputs_]
            padded = sum(p < inputs_ + pads[2 + axis] for p in places)
            matrix[i, inside] = 1 / (padded if counted else len(inside))
        maps.append(matrix)
    return [resample(x, maps)]


def global_average_pool(inputs, attributes):
    x = floats(inputs[0])
    need(x.ndim == 4, "other than one or two spatial axes")
    return [resample(x, [np.full((1, x.shape[2]), 1 / x.shape[2]), np.full((1, x.shape[3]), 1 / x.shape[3])])]


def global_max_pool(inputs, attributes):
    return max_pool(inputs, {"kernel_shape": inputs[0].shape[2:]})[:1]


def pad(inputs, attributes):
    x, pads = inputs[:2]
    floats(x)
    value = inputs[2] if len(inputs) > 2 and inputs[2] is not None else 0
    axes = [int(a) % x.ndim for a in (inputs[3] if len(inputs) > 3 else range(x.ndim))]
    sides = {a: (int(pads[i]), int(pads[i + len(axes)])) for i, a in enumerate(axes)}
    mode = attributes.get("mode", "constant")
    need(mode != "constant" or float(value) == 0, "padding by another constant than 0")
    need(all(sides.get(a, (0, 0)) == (0, 0) for a in range(x.ndim - 2)), "padding of other axes than the last two")
    while x.ndim < 4:
        x = x[None]
    maps = []
    for a in (-2, -1):
        extent, (before, after) = x.shape[a], sides.get(inputs[0].ndim + a, (0, 0))
        matrix = np.zeros((extent + before + after, extent))
        for i in range(len(matrix)):
            at = i - before
            if mode == "reflect" and extent > 1:
                at = abs(at) % (2 * extent - 2)
                at = min(at, 2 * extent - 2 - at)
            at = min(max(at, 0), extent - 1) if mode == "edge" else at % extent if mode == "wrap" else at
            if 0 <= at < extent:
                matrix[i, at] = 1
        maps.append(matrix)
    return [resample(x, maps).reshape([s + sum(sides.get(a, (0, 0))) for a, s in enumerate(inputs[0].shape)])]


def coordinate(mode, i, scale, inputs, outputs, wanted, roi):
    if mode == "asymmetric":
        return i / scale
    if mode == "align_corners":
        return 0 if outputs == 1 else i * (inputs - 1) / (wanted - 1)
    if mode == "pytorch_half_pixel":
        return (i + 0.5) / scale - 0.5 if outputs > 1 else -0.5
    if mode == "half_pixel_symmetric":
        return inputs / 2 * (1 - outputs / wanted) + (i + 0.5) / scale - 0.5
    if mode == "tf_half_pixel_for_nn":
        return (i + 0.5) / scale
    if mode == "tf_crop_and_resize":
        first, last = roi
        if outputs == 1:
            return (first + last) * (inputs - 1) / 2
        return first * (inputs - 1) + i * (last - first) * (inputs - 1) / (outputs - 1)
    return (i + 0.5) / scale - 0.5


def kernel_of(mode, a):
    """Weight of an input at a distance."""
    def linear(d):
        return max(0, 1 - abs(d))

    def cubic(d):
        d = abs(d)
        return ((a + 2) * d - (a + 3)) * d * d + 1 if d <= 1 else ((a * d - 5 * a) * d + 8 * a) * d - 4 * a if d < 2 else 0
    return (linear, 1) if mode == "linear" else (cubic, 2)


def axis_of_resize(attributes, inputs, outputs, scale, roi):
    mode = attributes.get("mode", "nearest")
    transformation = attributes.get("coordinate_transformation_mode", "half_pixel")
    matrix = np.zeros((outputs, inputs))
    wanted = scale * inputs
    for i in range(outputs):
        x = coordinate(transformation, i, scale, inputs, outputs, wanted, roi)
        need(transformation != "tf_crop_and_resize" or 0 <= x <= inputs - 1, "values that are extrapolated")
        if mode == "nearest":
            rounding = attributes.get("nearest_mode", "round_prefer_floor")
            at = {"floor": math.floor(x), "ceil": math.ceil(x), "round_prefer_ceil": math.floor(x + 0.5)}.get(
                rounding, math.ceil(x - 0.5))
            matrix[i, min(max(at, 0), inputs - 1)] = 1
            continue
        weigh, reach = kernel_of(mode, attributes.get("cubic_coeff_a", -0.75))
        stretch = min(1, scale) if attributes.get("antialias") else 1
        places = range(math.floor(x - reach / stretch) + 1, math.ceil(x + reach / stretch))
        if stretch == 1:
            places = range(math.floor(x) - reach + 1, math.floor(x) + reach + 1)
        weights = [weigh((p - x) * stretch) for p in places]
        if attributes.get("exclude_outside"):
            weights = [w if 0 <= p < inputs else 0 for p, w in zip(places, weights)]
        total = sum(weights)
        for p, w in zip(places, weights):
            matrix[i, min(max(p, 0), inputs - 1)] += w / total
    return matrix


def resize(inputs, attributes):
    x, roi, scales, sizes = (list(inputs) + [None] * 3)[:4]
    floats(x)
    scales = None if scales is not None and scales.size == 0 else scales
    axes = [a % x.ndim for a in attributes.get("axes", range(x.ndim))]
    if sizes is not None:
        sizes = [int(s) for s in sizes]
        factors = [s / x.shape[a] for s, a in zip(sizes, axes)]
        policy = attributes.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            factor = (min if policy == "not_larger" else max)(factors)
            factors = [factor] * len(axes)
            sizes = [math.floor(x.shape[a] * factor + 0.5) for a in axes]
    else:
        factors = [float(s) for s in scales]
        sizes = [math.floor(x.shape[a] * f) for a, f in zip(axes, factors)]
    of = {a: (s, f, (roi[i], roi[i + len(axes)]) if roi is not None and roi.size else None)
          for i, (a, s, f) in enumerate(zip(axes, sizes, factors))}
    outer = [a for a in range(x.ndim - 2) if a in of and of[a][0] != x.shape[a]]
    need(not outer, "resizing of other axes than the last two")
    spread = x.reshape((1, 1) + x.shape) if x.ndim == 2 else x
    need(spread.ndim == 4, "other than one or two spatial axes")
    maps = [axis_of_resize(attributes, x.shape[a], *of[a]) if a in of else np.eye(x.shape[a])
            for a in (x.ndim - 2, x.ndim - 1)]
    y = resample(spread, maps)
    return [y.reshape(x.shape[:-2] + y.shape[-2:])]


def upsample(inputs, attributes):
    need(attributes.get("mode", "nearest") == "nearest", "another mode than nearest")
    return resize([inputs[0], None, inputs[1]], {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"})
