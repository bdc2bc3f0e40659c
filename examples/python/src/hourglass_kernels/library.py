"""The C library by ctypes: structs, argument types, and refusals as exceptions."""
import ctypes
import ctypes.util
import os
import pathlib
from ctypes import POINTER, Structure, c_bool, c_char_p, c_int, c_int32, c_size_t, c_ssize_t, c_void_p

import numpy as np


class Geometry2D(Structure):
    _fields_ = [("size", c_size_t)] + [(name, c_ssize_t) for name in (
        "samples", "large_height", "large_width", "large_channels", "small_height", "small_width", "small_channels",
        "filter_height", "filter_width", "stride_vertical", "stride_horizontal", "pad_top", "pad_left")] + [
            ("algorithm", c_int), ("precision", c_int32)] + [
                (name, c_ssize_t) for name in ("dilation_vertical", "dilation_horizontal", "groups")]


class Parallel(Structure):
    _fields_ = [("size", c_size_t), ("threads", c_ssize_t), ("parallel_for", c_void_p), ("context", c_void_p)]


ACTIVATIONS = {name: number for number, name in enumerate(
    ("linear", "relu", "sigmoid", "tanh", "softplus", "elu", "leaky_relu", "selu", "relu6", "hard_sigmoid", "hard_tanh"))}


class _Address:
    """Where a NumPy array's elements are. The array outlives the call, because the caller hands over itself."""

    @staticmethod
    def from_param(array):
        if array is None:
            return None
        if array.dtype not in (np.float32, np.uint8) or not array.flags.c_contiguous:
            raise TypeError(f"the library reads contiguous arrays of float32 or uint8, not {array.dtype}")
        return c_void_p(array.__array_interface__["data"][0])


_G, _P = POINTER(Geometry2D), POINTER(Parallel)
# Arguments by kind: the geometry or parallel, a(rray), e(num), b(ool), c(ount).
_KINDS = {"g": _G, "p": _P, "a": _Address, "e": c_int, "b": c_bool, "c": c_ssize_t}
_OPERATIONS = {
    "conv2d_check": "g", "max_pool2d_check": "g",
    "conv2d_prepare_gather": "gaap", "conv2d_prepare_scatter": "gaap",
    "conv2d_forward": "gaaaeaap", "conv2d_backward_data": "gaaeaaap", "conv2d_backward_filter": "gaabaaap",
    "conv2d_transpose_forward": "gaaaeaap", "conv2d_transpose_backward_data": "gaaeaaap",
    "conv2d_transpose_backward_filter": "gaabaaap",
    "max_pool2d_forward": "gaaap", "max_pool2d_backward": "gaaeaap",
    "max_unpool2d_forward": "gaaap", "max_unpool2d_backward": "gaaap",
    "activation_backward": "ecaaap",
}
_COUNTS = {"conv2d_prepared_gather_count": "g", "conv2d_prepared_scatter_count": "g",
           **{f"{name}_scratch": "gp" for name in _OPERATIONS if name.startswith(("conv2d_forward", "conv2d_backward",
                                                                                  "conv2d_transpose"))}}


def _load():
    """$HOURGLASS_KERNELS_LIBRARY, the library that pip built, or that of the system."""
    own = pathlib.Path(__file__).with_name("libhourglass_kernels.so.2")
    path = os.environ.get("HOURGLASS_KERNELS_LIBRARY") or (str(own) if own.exists() else None) \
        or ctypes.util.find_library("hourglass_kernels")
    if not path:
        raise ImportError("libhourglass_kernels.so.2 is not installed: pip install this package, make install in the"
                          " checkout, or name the library in HOURGLASS_KERNELS_LIBRARY")
    library = ctypes.CDLL(path)
    library.hg_version.restype = c_char_p
    if tuple(map(int, library.hg_version().split(b".")[:2])) < (2, 0):
        raise ImportError(f"{path} is version {library.hg_version().decode()}, where 2.0 or later is needed")
    for table, answer in (_OPERATIONS, c_char_p), (_COUNTS, c_ssize_t):
        for name, kinds in table.items():
            function = getattr(library, "hg_" + name)
            function.argtypes, function.restype = [_KINDS[kind] for kind in kinds], answer
    return library


_library = _load()
version = _library.hg_version().decode()


def run(name, *arguments):
    """Runs an operation; a refusal becomes a ValueError with the library's sentence."""
    refusal = getattr(_library, "hg_" + name)(*arguments)
    if refusal is not None:
        raise ValueError(f"{name}: {refusal.decode()}")


def count(name, *arguments):
    """Floats of scratch or of prepared weights, for a geometry that was checked."""
    return getattr(_library, "hg_" + name)(*arguments)
