"""The calls of the C library for the scripts in this folder, on contiguous NumPy arrays; a refusal becomes Refused."""
import ctypes
from ctypes import c_bool, c_float, c_int, c_int32, c_size_t, c_ssize_t, c_void_p

import numpy as np

# hg_activation
LINEAR, RELU, SIGMOID, TANH, SOFTPLUS, ELU, LEAKY_RELU, SELU, RELU6, HARD_SIGMOID, HARD_TANH = range(11)
GELU, SILU, MISH, HARD_SWISH = range(16, 20)


class Refused(Exception):
    pass


library = None  # the one that a script runs


def leaky_relu(slope):
    """The activation of this slope, as HG_LEAKY_RELU makes it."""
    return LEAKY_RELU | int(slope * 10000 + 0.5) << 8


class Struct(ctypes.Structure):
    """A struct that begins with its size, made of its other fields; those that are not named are 0."""

    def __init__(self, **fields):
        super().__init__(ctypes.sizeof(self), **fields)


def _struct(name, **fields):
    return type(name, (Struct,), {"_fields_": [("size", c_size_t)] + [
        (field, kind) for kind, names in fields.values() for field in names.split()]})


Geometry = _struct("Geometry", a=(c_ssize_t, "samples large_height large_width large_channels small_height small_width"
                                  " small_channels filter_height filter_width stride_vertical stride_horizontal pad_top"
                                  " pad_left"),
                   b=(c_int, "algorithm"), c=(c_int32, "precision"),
                   d=(c_ssize_t, "dilation_vertical dilation_horizontal groups"))
Dense = _struct("Dense", a=(c_ssize_t, "samples inputs outputs"))
GroupNorm = _struct("GroupNorm", a=(c_ssize_t, "samples positions channels groups"), b=(c_float, "epsilon"),
                    c=(c_ssize_t, "activation"))
Parallel = _struct("Parallel", a=(c_ssize_t, "threads"), b=(c_void_p, "parallel_for context"))
Permutation = _struct("Permutation", a=(c_ssize_t, "samples rank"), b=(c_ssize_t * 6, "extents strides"))
Axis = _struct("Axis", a=(c_ssize_t, "inputs outputs"), b=(c_void_p, "start input weight"))
Resampling = _struct("Resampling", a=(c_ssize_t, "samples channels"), b=(Axis, "vertical horizontal"))
Adam = _struct("Adam", a=(c_float, "gradient_scale learning_rate beta1 beta2 epsilon weight_decay correction1"
                          " correction2"))
Sgd = _struct("Sgd", a=(c_float, "gradient_scale learning_rate momentum weight_decay"), b=(c_bool, "nesterov"))
Adagrad = _struct("Adagrad", a=(c_float, "gradient_scale learning_rate epsilon"))


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
