"""The calls of the C library for the scripts in this folder, on contiguous NumPy arrays; a refusal becomes Refused. Its
structs are those of the Python package in examples/python, which are written from the header."""
import ctypes
from ctypes import c_bool, c_float, c_ssize_t, c_void_p

import numpy as np
from hourglass_kernels.library import Parallel, Struct, _Axis as Axis, _Resampling2D as Resampling
from hourglass_kernels.operations import (AdagradOptions, AdamOptions, Dense, Geometry2D, GroupNorm, Permutation,
                                          SgdOptions)

# hg_activation
LINEAR, RELU, SIGMOID, TANH, SOFTPLUS, ELU, LEAKY_RELU, SELU, RELU6, HARD_SIGMOID, HARD_TANH = range(11)
GELU, SILU, MISH, HARD_SWISH = range(16, 20)


class Refused(Exception):
    pass


library = None  # the one that a script runs


def leaky_relu(slope):
    """The activation of this slope, as HG_LEAKY_RELU makes it."""
    return LEAKY_RELU | int(slope * 10000 + 0.5) << 8


class Library:
    def __init__(self, path):
        self._library = ctypes.CDLL(path)

    def _call(self, name, arguments, answer):
        function = getattr(self._library, "hg_" + name)
        function.restype = answer
        # NumPy's numbers and float are those of C's float, int is a count; an activation comes as ctypes.c_int.
        return function(*[
            a if a is None or isinstance(a, ctypes._SimpleCData) else ctypes.byref(a) if isinstance(a, Struct)
            else c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else c_bool(a) if isinstance(a, bool)
            else c_ssize_t(a) if isinstance(a, int) else c_float(a) for a in arguments])

    def run(self, name, *arguments):
        for a in arguments:
            assert not isinstance(a, np.ndarray) or a.flags.c_contiguous, name
        refusal = self._call(name, arguments, ctypes.c_char_p)
        if refusal is not None:
            raise Refused(f"hg_{name}: {refusal.decode()}")

    def count(self, name, *arguments):
        return self._call(name, arguments, c_ssize_t)

    def scratch(self, name, *arguments):
        return empty(max(1, self.count(f"{name}_scratch", *arguments)))

    def number(self, name, *arguments):
        return self._call(name, arguments, ctypes.c_double)


def empty(*shape):
    """Floats that no kernel may leave as they are."""
    return np.full(shape, np.nan, np.float32)
