"""What the operators of onnx_nodes.py have in common."""
import numpy as np


class Inexpressible(Exception):
    """Why the library has no call for a test."""


def need(condition, reason):
    if not condition:
        raise Inexpressible(reason)


def floats(*arrays):
    for array in arrays:
        need(array is None or array.dtype == np.float32, "elements that are not float32")
    return arrays[0] if len(arrays) == 1 else arrays


def images(x):
    """N C H W, or N C L as height 1, as N H W C."""
    need(floats(x).ndim in (3, 4), "other than one or two spatial axes")
    return np.ascontiguousarray((x if x.ndim == 4 else x[:, :, None]).transpose(0, 2, 3, 1))


def planes(y, like):
    y = y.transpose(0, 3, 1, 2)
    return y if like.ndim == 4 else y[:, :, 0]
