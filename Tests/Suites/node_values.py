"""ONNX operators without a window. Each takes the inputs and the attributes of a node and answers its outputs."""
import math
from ctypes import c_int

import numpy as np

import kernels as k
from nodes import floats, need


def activation(kind, x, limit=None):
    x = np.ascontiguousarray(floats(x))
    y = k.empty(*x.shape)
    k.library.run("activation_forward", c_int(kind), x.size, x, y, None)
    return [y]


def fixed(kind, **wanted):
    """An activation whose attributes are the ones that the library has."""
    def run(inputs, attributes):
        for name, value in wanted.items():
            given = attributes.get(name, value if not isinstance(value, tuple) else value[1])
            value = value[0] if isinstance(value, tuple) else value
            same = given == value if isinstance(value, (str, bytes)) else math.isclose(given, value, rel_tol=1e-6)
            need(same, f"{name} other than {value}")
        return activation(kind, inputs[0])
    return run


def leaky(inputs, attributes):
    slope = attributes.get("alpha", 0.01)
    need(0 < slope <= 1 and abs(slope * 10000 - round(slope * 10000)) < 1e-3, "a slope outside (0, 1] or its grid")
    return activation(k.leaky_relu(slope), inputs[0])


def clip(inputs, attributes):
    x, low, high = (list(inputs) + [None, None])[:3]
    floats(x)
    if low is not None and high is not None and low < high:
        if low == 0 and high == 6:
            return activation(k.RELU6, x)
        need(low == -high, "limits that are not -a and a")
        y = x.copy()
        k.library.run("clip", y.size, 1.0, float(high), y, None)
        return [y]
    need(low is not None and high is None and low == 0, "limits that are not -a and a")
    return activation(k.RELU, x)


def prelu(inputs, attributes):
    x, slope = floats(*inputs)
    x = np.ascontiguousarray(x)
    if slope.shape == x.shape:  # one position
        shape, slopes = (1, x.size), slope.reshape(-1)
    else:
        need(slope.size == 1 or slope.shape == x.shape[-slope.ndim:], "slopes that are not those of the last axes")
        slopes = np.repeat(slope.reshape(-1), x.shape[-1] if slope.size == 1 else 1)
        shape = (x.size // slopes.size, slopes.size)
    y = k.empty(*x.shape)
    k.library.run("prelu_forward", *shape, x, np.ascontiguousarray(slopes), y, None)
    return [y]


def softmax(inputs, attributes):
    x, axis = floats(inputs[0]), attributes.get("axis", -1)
    moved = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    y = k.empty(*moved.shape)
    k.library.run("softmax_forward", moved.size // moved.shape[-1], moved.shape[-1], moved, y, None)
    return [np.moveaxis(y, -1, axis)]


def permuted(x, axes):
    x = np.ascontiguousarray(floats(x))
    need(x.ndim <= 6, "more than six axes")
    strides = [int(np.prod(x.shape[a + 1:])) for a in range(x.ndim)]
    order = k.Permutation(samples=1, rank=x.ndim)
    for i, a in enumerate(axes):
        order.extents[i], order.strides[i] = x.shape[a], strides[a]
    y = k.empty(*(x.shape[a] for a in axes))
    k.library.run("permute_forward", order, x, y, None)
    return y


def transpose(inputs, attributes):
    return [permuted(inputs[0], attributes.get("perm") or range(inputs[0].ndim)[::-1])]


def depth_to_space(inputs, attributes):
    x, b = inputs[0], attributes["blocksize"]
    N, C, H, W = x.shape
    if attributes.get("mode", "DCR") == "DCR":
        y = permuted(x.reshape(N, b, b, C // b**2, H, W), (0, 3, 4, 1, 5, 2))
    else:
        y = permuted(x.reshape(N, C // b**2, b, b, H, W), (0, 1, 4, 2, 5, 3))
    return [y.reshape(N, C // b**2, H * b, W * b)]


def space_to_depth(inputs, attributes):
    x, b = inputs[0], attributes["blocksize"]
    N, C, H, W = x.shape
    x, axes = x.reshape(N, C, H // b, b, W // b, b), (0, 3, 5, 1, 2, 4)
    if attributes.get("mode", "DCR") == "CRD":
        axes = (0, 1, 3, 5, 2, 4)
    return [permuted(x, axes).reshape(N, C * b * b, H // b, W // b)]


def normed(x, groups, weight, bias, epsilon):
    """Of channels in groups: x is N P C."""
    N, P, C = x.shape
    g = k.GroupNorm(samples=N, positions=P, channels=C, groups=groups, epsilon=epsilon)
    y, mean, variance = k.empty(N, P, C), k.empty(N, groups), k.empty(N, groups)
    k.library.run("group_norm_forward", g, np.ascontiguousarray(x), weight, bias, y, mean, variance, None)
    return y, mean, variance


def positions(x):
    """N C ... as N P C."""
    return np.ascontiguousarray(np.moveaxis(floats(x).reshape(*x.shape[:2], -1), 1, 2))


def group_norm(inputs, attributes):
    x, weight, bias = floats(*inputs)
    y, _, _ = normed(positions(x), attributes["num_groups"], weight, bias, attributes.get("epsilon", 1e-5))
    return [np.moveaxis(y, 2, 1).reshape(x.shape)]


def instance_norm(inputs, attributes):
    return group_norm(inputs, {"num_groups": inputs[0].shape[1], **attributes})


def batch_norm(inputs, attributes):
    x, weight, bias, mean, variance = floats(*inputs)
    rows, epsilon, momentum = positions(x), attributes.get("epsilon", 1e-5), attributes.get("momentum", 0.9)
    N, P, C = rows.shape
    if not attributes.get("training_mode"):
        g = k.GroupNorm(samples=1, positions=N * P, channels=C, groups=C, epsilon=epsilon)
        y = k.empty(N, P, C)
        k.library.run("group_norm_apply", g, rows, mean, variance, weight, bias, y, None)
        return [np.moveaxis(y, 2, 1).reshape(x.shape)]
    y, batch_mean, batch_variance = normed(rows.reshape(1, N * P, C), C, weight, bias, epsilon)
    running = []
    for old, new in ((mean, batch_mean), (variance, batch_variance)):
        old = old.copy()
        k.library.run("moving_average", C, float(momentum), new.reshape(-1).copy(), old, None)
        running.append(old)
    return [np.moveaxis(y.reshape(N, P, C), 2, 1).reshape(x.shape), *running]


def layer_norm(inputs, attributes):
    x, weight, bias = floats(*(list(inputs) + [None])[:3])
    axis = attributes.get("axis", -1) % x.ndim
    rows, elements = int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:]))
    flat = [None if a is None else np.ascontiguousarray(np.broadcast_to(a, x.shape[axis:]).reshape(-1))
            for a in (weight, bias)]
    epsilon = attributes.get("epsilon", 1e-5)
    y, mean, variance = normed(x.reshape(rows, 1, elements), 1, *flat, epsilon)
    shape = x.shape[:axis] + (1,) * (x.ndim - axis)
    return [y.reshape(x.shape), mean.reshape(shape), (1 / np.sqrt(variance + np.float32(epsilon))).reshape(shape)]


def product(a, b, bias=None):
    g = k.Dense(samples=a.shape[0], inputs=a.shape[1], outputs=b.shape[1])
    y = k.empty(a.shape[0], b.shape[1])
    k.library.run("dense_forward", g, np.ascontiguousarray(a), np.ascontiguousarray(b), bias, c_int(0), y,
                k.library.scratch("dense_forward", g, None), None)
    return y


def turned(x):
    y = k.empty(x.shape[1], x.shape[0])
    k.library.run("transpose", *x.shape, np.ascontiguousarray(x), y, None)
    return y


def gemm(inputs, attributes):
    a, b, c = floats(*(list(inputs) + [None])[:3])
    a, b = turned(a) if attributes.get("transA") else a, turned(b) if attributes.get("transB") else b
    need(attributes.get("alpha", 1) == 1, "a factor alpha")
    need(c is None or attributes.get("beta", 1) == 1, "a factor beta")
    need(c is None or c.size == 1 or c.shape in ((b.shape[1],), (1, b.shape[1])), "a bias that is not one of columns")
    bias = None if c is None else np.ascontiguousarray(np.broadcast_to(c.reshape(-1), (b.shape[1],)))
    return [product(a, b, bias)]


def matmul(inputs, attributes):
    a, b = floats(*inputs)
    one, other = a.ndim == 1, b.ndim == 1
    a, b = a[None] if one else a, b[:, None] if other else b
    outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, outer + a.shape[-2:]), np.broadcast_to(b, outer + b.shape[-2:])
    y = np.array([product(u, v) for u, v in zip(a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:]))])
    y = y.reshape(outer + y.shape[-2:])
    y = y[..., 0, :] if one else y
    return [y[..., 0] if other else y]


def add(inputs, attributes):
    need(len(inputs) > 0 and all(i.shape == inputs[0].shape for i in inputs), "broadcasting")
    floats(*inputs)
    y = inputs[0].copy()
    for other in inputs[1:]:
        k.library.run("join_forward", c_int(0), y.size, y, np.ascontiguousarray(other), y, None)
    return [y]


def concat(inputs, attributes):
    floats(*inputs)
    axis = attributes["axis"] % inputs[0].ndim
    need(len(inputs) == 2, "other than two operands")
    a, b = inputs
    rows = int(np.prod(a.shape[:axis]))
    y = k.empty(*a.shape[:axis], a.shape[axis] + b.shape[axis], *a.shape[axis + 1:])
    k.library.run("concat_forward", rows, a.size // rows, b.size // rows, np.ascontiguousarray(a), np.ascontiguousarray(b),
                y, None)
    return [y]


def split(inputs, attributes):
    x, axis = floats(inputs[0]), attributes.get("axis", 0) % inputs[0].ndim
    extent = x.shape[axis]
    if len(inputs) > 1:
        parts = [int(p) for p in inputs[1]]
    else:
        parts, each = [], -(-extent // attributes["num_outputs"])
        while sum(parts) < extent:
            parts.append(min(each, extent - sum(parts)))
    need(len(parts) == 2 and 0 not in parts, "other than two operands")
    rows, inner = int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis + 1:]))
    out = [k.empty(*x.shape[:axis], p, *x.shape[axis + 1:]) for p in parts]
    k.library.run("concat_backward", rows, parts[0] * inner, parts[1] * inner, np.ascontiguousarray(x), *out, None)
    return out


def cross_entropy(inputs, attributes):
    logits, labels, *weights = inputs
    floats(logits)
    need(not weights, "weights of classes")
    need("ignore_index" not in attributes, "a label that is ignored")
    reduction = attributes.get("reduction", "mean")
    need(reduction in ("none", "sum", "mean"), "another reduction")
    rows = positions(logits.reshape(*logits.shape[:2], -1)).reshape(-1, logits.shape[1])
    loss = k.empty(len(rows))
    k.library.run("softmax_cross_entropy", *rows.shape, rows, np.ascontiguousarray(labels.reshape(-1).astype(np.int32)), loss,
                None, None)
    loss = loss.reshape(labels.shape)
    return [loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.mean()]


def optimiser(run):
    """R, T, then X of all tensors, then G, then each state."""
    def all_tensors(inputs, attributes):
        rate, count, arrays = inputs[0], inputs[1], inputs[2:]
        floats(*arrays)
        tensors = len(arrays) // run.arrays
        groups = [[arrays[a * tensors + i].copy() for a in range(run.arrays)] for i in range(tensors)]
        for group in groups:
            run(float(rate), int(count), group, attributes)
        return [group[a] for a in [0] + list(range(2, run.arrays)) for group in groups]
    return all_tensors


def adam(rate, t, group, attributes):
    w, g, m, v = group
    need(attributes.get("norm_coefficient_post", 0) == 0, "a penalty after the step")
    need(t == 0, "a rate that is corrected as ONNX corrects it")
    if attributes.get("norm_coefficient"):
        k.library.run("penalize", w.size, 1.0, float(attributes["norm_coefficient"]), 0.0, w, g, None)
    options = k.AdamOptions(gradient_scale=1, learning_rate=rate, beta1=attributes["alpha"],
                            beta2=attributes["beta"], epsilon=attributes["epsilon"], correction1=1, correction2=1)
    k.library.run("adam", options, w.size, g, w, m, v, None)


def adagrad(rate, t, group, attributes):
    w, g, h = group
    if attributes.get("norm_coefficient"):
        k.library.run("penalize", w.size, 1.0, float(attributes["norm_coefficient"]), 0.0, w, g, None)
    rate /= 1 + t * attributes.get("decay_factor", 0)
    options = k.AdagradOptions(gradient_scale=1, learning_rate=rate, epsilon=attributes["epsilon"])
    k.library.run("adagrad", options, w.size, g, w, h, None)


def momentum(rate, t, group, attributes):
    w, g, v = group
    need(t == 0 or attributes["beta"] == 1, "a gradient with a factor beta")
    options = k.SgdOptions(gradient_scale=1, learning_rate=rate, momentum=attributes["alpha"],
                           weight_decay=attributes.get("norm_coefficient", 0), nesterov=attributes["mode"] == "nesterov")
    k.library.run("sgd", options, w.size, g, w, v, None)


adam.arrays, adagrad.arrays, momentum.arrays = 4, 3, 3


def argmin(inputs, attributes):
    x, axis = floats(inputs[0]), attributes.get("axis", 0)
    need(not attributes.get("select_last_index"), "the last of equal elements")
    moved = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    found = np.zeros(moved.shape[:-1], np.int32)
    k.library.run("argmin", found.size, moved.shape[-1], moved, found)
    return [np.expand_dims(found, axis) if attributes.get("keepdims", 1) else found]


def sum_of_squares(inputs, attributes):
    x = np.ascontiguousarray(floats(inputs[0]))
    axes = inputs[1] if len(inputs) > 1 and inputs[1] is not None else attributes.get("axes")
    axes = range(x.ndim) if axes is None or len(axes) == 0 else [int(a) % x.ndim for a in axes]
    need(not (attributes.get("noop_with_empty_axes") and len(inputs) > 1 and not len(inputs[1])), "no axes")
    kept = [a for a in range(x.ndim) if a not in axes]
    rows = np.ascontiguousarray(x.transpose(kept + list(axes))).reshape(int(np.prod([x.shape[a] for a in kept])), -1)
    sums = np.array([k.library.number("sum_of_squares", row.size, row) for row in rows])
    shape = [x.shape[a] if a in kept else 1 for a in range(x.ndim) if a in kept or attributes.get("keepdims", 1)]
    return [sums.reshape(shape)]


def dropout(inputs, attributes):
    x = floats(inputs[0])
    training = bool(inputs[2]) if len(inputs) > 2 and inputs[2] is not None else False
    rate = float(inputs[1]) if len(inputs) > 1 and inputs[1] is not None else attributes.get("ratio", 0.5)
    need(not training or rate == 0, "the random numbers of another generator")
    return [activation(k.LINEAR, x)[0], np.ones(x.shape, bool)]
