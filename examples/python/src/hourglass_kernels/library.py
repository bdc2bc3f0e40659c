"""The C library by ctypes, and `operation`, which makes a function of a declaration: it checks each argument as its annotation
says, so that no call reads or writes beyond an array, and makes an exception of a refusal."""
import ctypes
import ctypes.util
import functools
import inspect
import math
import operator
import os
import pathlib
import re
from ctypes import Structure, c_bool, c_char_p, c_double, c_float, c_int, c_size_t, c_ssize_t, c_void_p

import numpy as np

ACTIVATIONS = {name: number for number, name in enumerate(
    ("linear", "relu", "sigmoid", "tanh", "softplus", "elu", "leaky_relu", "selu", "relu6", "hard_sigmoid", "hard_tanh"))}
ACTIVATIONS_OF_INPUT = {"gelu": 16, "silu": 17, "mish": 18, "hard_swish": 19}


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
    return library


_library = _load()


# ------------------------------------------------------------------------------------------------------ structs


class Struct(Structure):
    """A struct of the library; its size is filled in, fields that are not named are 0."""

    def __init__(self, *values, **fields):
        unknown = fields.keys() - {name for name, _ in self._fields_}
        if unknown:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        super().__init__(ctypes.sizeof(type(self)), *values, **fields)

    images = {}  # axes of arrays: the image, of which the strides in memory are those of the arrays

    def letters(self):
        """The extents that letters stand for."""
        return {}

    def checked(self):
        if self.size != ctypes.sizeof(type(self)):
            raise ValueError(f"the size of {type(self).__name__} is {self.size} instead of {ctypes.sizeof(type(self))}")
        return self


def one_or(value):
    return value or 1


def product(extents, rank):
    return math.prod(extents[:max(0, rank)])


class _Axis(Struct):
    _fields_ = [("size", c_size_t), ("inputs", c_ssize_t), ("outputs", c_ssize_t), ("start", c_void_p), ("input", c_void_p),
                ("weight", c_void_p)]


class _Resampling2D(Struct):
    _fields_ = [("size", c_size_t), ("samples", c_ssize_t), ("channels", c_ssize_t), ("vertical", _Axis),
                ("horizontal", _Axis)]


class ResamplingAxis:
    """One axis of a resampling: output i takes inputs[t] times weights[t] for starts[i] <= t < starts[i + 1], of an axis of
    `extent` elements."""

    def __init__(self, extent, starts, inputs, weights):
        self.starts, self.inputs = (np.array(a, np.intp).ravel() for a in (starts, inputs))
        self.weights = np.array(weights, np.float32).ravel()
        for array in self.starts, self.inputs, self.weights:
            array.flags.writeable = False
        if self.starts.size < 2 or not self.starts[-1] == self.inputs.size == self.weights.size:
            raise ValueError(f"a resampling of {self.starts.size - 1} outputs must end at tap {self.inputs.size}, with as many"
                             f" weights as inputs, not {self.weights.size}")
        addresses = (c_void_p(a.ctypes.data) for a in (self.starts, self.inputs, self.weights))
        self.struct = _Axis(_integer("extent", extent), self.starts.size - 1, *addresses)


class Resampling2D:
    """A resampling of rows by one axis and of columns by another, of images N H W C."""

    def __init__(self, samples, channels, vertical, horizontal):
        self.axes = vertical, horizontal
        numbers = _integer("samples", samples), _integer("channels", channels)
        self.struct = _Resampling2D(*numbers, vertical.struct, horizontal.struct)

    def letters(self):
        s = self.struct
        return {"N": s.samples, "C": s.channels, "H": s.vertical.inputs, "P": s.vertical.outputs,
                "W": s.horizontal.inputs, "Q": s.horizontal.outputs}

    def checked(self):
        return self.struct


# ------------------------------------------------------------------------------------------------------ threads


class Parallel(Struct):
    _fields_ = [("size", c_size_t), ("threads", c_ssize_t), ("parallel_for", c_void_p), ("context", c_void_p)]


_threads = len(os.sched_getaffinity(0))
_forked = False


def set_threads(threads):
    """Threads of all later calls that name none; at first as many as this process may use."""
    global _threads
    _threads = _integer("threads", threads)


def _stay_on_one_thread():
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_stay_on_one_thread)


def _parallel(threads):
    threads = _threads if threads is None else _integer("threads", threads)
    return Parallel(min(threads, 1) if _forked else threads)


# ---------------------------------------------------------------------------------------------------- operations


def _integer(name, value):
    value = operator.index(value)
    if not -2 ** 63 <= value < 2 ** 63:
        raise ValueError(f"{name} is {value}, which no integer of C holds")
    return value


def activation_number(name):
    """The hg_activation of a name, or of a name and a slope, as in ("leaky_relu", 0.2)."""
    name, *slope = name if isinstance(name, tuple) else (name,)
    number = {**ACTIVATIONS, **ACTIVATIONS_OF_INPUT}.get(name)
    if number is None:
        raise ValueError(f"there is no activation {name!r}; there are {', '.join((*ACTIVATIONS, *ACTIVATIONS_OF_INPUT))}")
    if slope and (name != "leaky_relu" or not 0 < slope[0] <= 1):
        raise ValueError(f"only a leaky_relu has a slope, above 0 and at most 1, not {name} {slope[0]}")
    return number | int(slope[0] * 10000 + 0.5) << 8 if slope else number


class Refusal(ValueError):
    """A sentence of the library, and its hg_error as `code`."""
    code = 0


def error_of(sentence):
    """The hg_error of the sentence at an address."""
    return _library.hg_error_of(c_void_p(sentence))


def answer(function, *arguments):
    """Calls hg_`function`, which answers NULL or the address of a sentence, which becomes an exception."""
    sentence = getattr(_library, "hg_" + function)(*arguments)
    if sentence is not None:
        refusal = Refusal(f"{function}: {ctypes.string_at(sentence).decode()}")
        refusal.code = error_of(sentence)
        raise refusal


def image_strides(array):
    """Elements from one sample, row and pixel of an image N H W C to the next, 0 where there is one alone; None where
    elements overlap or lie in another order."""
    steps, extents = array.strides, array.shape
    if not array.size:
        return 0, 0, 0
    if any(step % array.itemsize for step in steps) or (extents[3] > 1 and steps[3] != array.itemsize):
        return None
    strides, span = [], extents[3]
    for extent, step in zip(extents[2::-1], steps[2::-1]):
        step //= array.itemsize
        if extent > 1 and step < span:
            return None
        strides.insert(0, step if extent > 1 else 0)
        span += (extent - 1) * strides[0]
    return tuple(strides)


class _Array:
    """What an annotation asks of an array."""
    kind = c_void_p

    def __init__(self, name, annotation, module):
        out, dtype, axes, optional, aliases = re.fullmatch(
            r"(out )?(\w+)\[(.*)\]( or None)?(?:, may be (.*))?", annotation).groups()
        self.name, self.axes, self.module = name, compile(f"({axes},)", annotation, "eval"), module
        self.image_axes = axes if dtype == "float32" else None
        self.out, self.optional = bool(out), bool(optional)
        self.dtype = module[dtype] if dtype in module else np.dtype(dtype)
        self.aliases = aliases.split(" or ") if aliases else []

    def check(self, array, values, images):
        """The array, as it may be handed to the library. images: the structs of each image, by axes."""
        if array is None and self.optional:
            return None
        if array is None and self.name == "scratch":
            return np.empty(eval(self.axes, self.module, values), self.dtype)
        if not isinstance(array, np.ndarray) or array.dtype != self.dtype:
            raise TypeError(f"{self.name} must be a NumPy array of {self.dtype}, not"
                            f" {getattr(array, 'dtype', type(array).__name__)}")
        shape = eval(self.axes, self.module, values)
        if array.size != math.prod(shape) or min(shape) < 0 or (array.ndim == len(shape) and array.shape != shape):
            raise ValueError(f"{self.name} has shape {array.shape}, where {shape} is needed")
        view = array.ndim == 4 and self.image_axes in images
        contiguous = array.flags.c_contiguous or (view and image_strides(array) is not None)
        if not contiguous or not array.flags.aligned or (self.out and not array.flags.writeable):
            raise ValueError(f"{self.name} must be contiguous{' and writeable' if self.out else ''}")
        if self.image_axes in images:
            images[self.image_axes].lie(self.name, image_strides(array.reshape(shape) if not view else array))
        return array


class _Image:
    """An image of a call's struct, which gets the strides of its arrays."""

    def __init__(self, struct, name):
        self.struct, self.name, self.strides = struct, name, None
        if any(getattr(struct, field) for field in self.fields()):
            raise ValueError(f"strides of the {name} image are those of its arrays, the geometry must have none")

    def fields(self):
        return [f"{self.name}_{axis}_stride" for axis in ("sample", "row", "pixel")]

    def lie(self, name, strides):
        if self.strides not in (None, strides):
            raise ValueError(f"{name} has other strides than another array of the {self.name} image")
        self.strides = strides
        for field, stride in zip(self.fields(), strides):
            setattr(self.struct, field, stride)


_SCALARS = {int: c_ssize_t, float: c_float, bool: c_bool, "activation": c_int}


def _overlap(arrays, given):
    """The first output that lies over another array without being allowed to."""
    for one in arrays:
        for other in arrays:
            if one.out and one is not other and given[one.name] is not None and given[other.name] is not None:
                a, b = given[one.name], given[other.name]
                whole = a.ctypes.data == b.ctypes.data and a.nbytes == b.nbytes
                allowed = other.name in one.aliases or one.name in other.aliases
                if not (whole and allowed) and np.may_share_memory(a, b) and np.shares_memory(a, b):
                    return f"{one.name} lies over {other.name}"
    return None


def operation(check=None):
    """The function that hg_NAME is in Python, from a declaration of that name. `check` names the call that refuses its
    struct, or what stands in its place, before anything else is looked at."""
    def declare(declaration):
        name, signature = declaration.__name__, inspect.signature(declaration)
        function, module = getattr(_library, "hg_" + name), declaration.__globals__
        kinds = {n: p.annotation for n, p in signature.parameters.items()}
        arrays = [_Array(n, kind, module) for n, kind in kinds.items() if isinstance(kind, str) and "[" in kind]
        structs = [n for n, kind in kinds.items() if isinstance(kind, type) and kind not in _SCALARS]
        function.argtypes = [_SCALARS.get(kind, c_void_p) for kind in kinds.values()]
        result = signature.return_annotation
        function.restype = {int: c_ssize_t, "count": c_ssize_t, float: c_double}.get(result, c_void_p)
        asked = list(inspect.signature(module[check]).parameters) if check else []

        @functools.wraps(declaration)
        def call(*arguments, **named):
            bound = signature.bind(*arguments, **named)
            bound.apply_defaults()
            given = bound.arguments
            values = {}
            for n, kind in kinds.items():
                if kind is int:
                    given[n] = values[n] = _integer(n, given[n])
                elif kind in (float, bool):
                    given[n] = kind(given[n])
                elif kind == "activation":
                    given[n] = activation_number(given[n])
                elif n in structs:
                    if not isinstance(given[n], kind):
                        raise TypeError(f"{n} must be a {kind.__name__}, not {type(given[n]).__name__}")
                    values.update(given[n].letters(), **{n: given[n]})
            if asked:
                module[check](*(given[n] for n in asked))
            images = {}
            for n in structs:
                struct = given[n].checked()
                if axes := getattr(struct, "images", None):
                    values[n] = struct = type(struct).from_buffer_copy(struct)
                    images = {each: _Image(struct, image) for each, image in axes.items()} if arrays else {}
                given[n] = ctypes.byref(struct)
            if "threads" in given:
                values["threads"], parallel = given["threads"], _parallel(given["threads"])
                answer("parallel_check", ctypes.byref(parallel))
                given["threads"] = ctypes.byref(parallel)
            for array in arrays:
                given[array.name] = array.check(given[array.name], values, images)
            if len(arrays) > 1 and (sentence := _overlap(arrays, given)):
                raise ValueError(f"{name}: {sentence}")
            passed = (a.ctypes.data if isinstance(a, np.ndarray) else a for a in given.values())
            if result not in (int, float, "count"):
                return answer(name, *passed)
            found = function(*passed)
            if result == "count" and found < 0:
                raise ValueError(f"{name}: a count is negative or there are 2^40 elements or more")
            return found

        call.arrays = arrays
        return call
    return declare


# ------------------------------------------------------------------------------- threads and instruction sets


for _name in "parallel_check", "isa_select", "on_each_thread":
    getattr(_library, "hg_" + _name).restype = c_void_p
for _name in "isa_name", "isa_names":
    getattr(_library, "hg_" + _name).restype = c_char_p
_library.hg_isa_names.argtypes = [c_ssize_t]
_library.hg_isa_has_fma.restype = _library.hg_has_openmp.restype = c_bool
_BODY = ctypes.CFUNCTYPE(None, c_void_p, c_ssize_t)


def version():
    """Version of the library, "major.minor.patch"."""
    return _library.hg_version().decode()


def parallel_check(threads):
    """Raises ValueError where calls refuse this number of threads."""
    answer("parallel_check", ctypes.byref(_parallel(threads)))


def isa_name():
    """Name of the instruction set in use."""
    return _library.hg_isa_name().decode()


def isa_names():
    """Names of the instruction sets that this build and this machine have, the widest first."""
    names = iter(lambda index=iter(range(99)): _library.hg_isa_names(next(index)), None)
    return [name.decode() for name in names]


def isa_select(name):
    """Chooses the instruction set of all later calls, None for the widest. No other call may run meanwhile."""
    answer("isa_select", None if name is None else name.encode())


def isa_has_fma():
    """Whether the instruction set in use fuses multiply and add."""
    return _library.hg_isa_has_fma()


def has_openmp():
    """Whether the library was built with OpenMP."""
    return _library.hg_has_openmp()


def on_each_thread(body, threads=None):
    """Calls body(thread) for each of the threads, on that thread."""
    answer("on_each_thread", ctypes.byref(_parallel(threads)), _BODY(lambda _, thread: body(thread)), None)
