"""The C library by ctypes: handles, arrays, errors. What users see stands in the other modules."""
import contextlib
import ctypes as C
import functools
import json
import os
import pathlib
import signal
import threading
import weakref

import numpy as np


class EngineError(Exception):
    """What every error of the engine is, beside the Python exception that fits it."""


class ForkError(EngineError, RuntimeError):
    """The engine was used before this process was forked, and has no threads here."""


class InvalidError(EngineError, ValueError):
    """Settings, images or other arguments that cannot be taken."""


class MissingError(EngineError, FileNotFoundError):
    """A file or folder that is not there."""


class ThereError(EngineError, FileExistsError):
    """A folder that is there already."""


class FileError(EngineError, OSError):
    """A file that cannot be written or read."""


class RoomError(EngineError, MemoryError):
    """More memory or threads than the system grants."""


class DivergedError(EngineError, FloatingPointError):
    """Training came to numbers that are not finite."""


ERRORS = {1: InvalidError, 2: MissingError, 3: ThereError, 4: FileError, 5: RoomError, 6: DivergedError, 7: ForkError}
TYPES = {"uint8": 1, "uint16": 2, "float32": 3, "float64": 4}


class Array(C.Structure):
    _fields_ = [("size", C.c_size_t), ("data", C.c_void_p), ("type", C.c_int32), ("rank", C.c_int32),
                ("extents", C.POINTER(C.c_int64)), ("strides", C.POINTER(C.c_int64))]


class Progress(C.Structure):
    _fields_ = [("size", C.c_size_t), ("step", C.c_int64), ("last_step", C.c_int64), ("epoch", C.c_int64),
                ("samples", C.c_int64), ("loss", C.c_double), ("metrics", C.c_char_p)]


Observer = C.CFUNCTYPE(C.c_int32, C.c_void_p, C.POINTER(Progress))


class Training(C.Structure):
    _fields_ = [("size", C.c_size_t), ("folder", C.c_char_p), ("keeps_weights", C.c_int32), ("observer", Observer),
                ("context", C.c_void_p)]


HANDLE, TEXT, COUNT = C.c_void_p, C.c_char_p, C.c_int64
# The arguments of each call that answers a code, without the sentence that all of them end in.
CALLS = {
    "make_model": [TEXT, C.POINTER(HANDLE)],
    "open_model": [TEXT, TEXT, C.POINTER(HANDLE)],
    "save": [HANDLE, TEXT],
    "describe": [HANDLE, C.POINTER(C.c_void_p)],
    "read_parameter": [HANDLE, TEXT, C.c_void_p, COUNT],
    "write_parameters": [HANDLE, COUNT, C.POINTER(TEXT), C.POINTER(C.c_void_p), C.POINTER(COUNT)],
    "lend_images": [HANDLE, C.POINTER(Array), C.c_void_p, C.POINTER(HANDLE)],
    "open_images": [HANDLE, TEXT, TEXT, C.POINTER(HANDLE)],
    "train": [HANDLE, HANDLE, HANDLE, C.POINTER(Training), C.POINTER(C.c_int32)],
    "encode": [HANDLE, HANDLE, C.c_void_p, COUNT],
    "decode": [HANDLE, C.c_void_p, COUNT, C.c_void_p, C.c_void_p, COUNT],
    "reconstruct": [HANDLE, HANDLE, C.c_void_p, COUNT],
    "score": [HANDLE, HANDLE, TEXT, C.c_void_p, COUNT],
    "map_errors": [HANDLE, HANDLE, TEXT, C.c_double, C.c_void_p, COUNT],
    "sample": [HANDLE, COUNT, C.c_uint64, C.c_void_p, COUNT],
    "export": [HANDLE, TEXT, TEXT],
}


def library_path():
    """The library beside this file, in a checkout the one that ``make engine`` built; HOURGLASS_LIBRARY names another."""
    here = pathlib.Path(__file__).resolve().parent
    named = os.environ.get("HOURGLASS_LIBRARY")
    places = [named] if named else [here / "libhourglass.so", here.parents[1] / ".build/engine/libhourglass.so"]
    for place in places:
        if os.path.exists(place):
            return os.fspath(place)
    raise ImportError(f"libhourglass.so: wanted it at {' or '.join(map(str, places))}, found nothing there; "
                      "install the wheel, or build it by `make engine`")


@functools.lru_cache(maxsize=None)
def library():
    """The library, loaded when it is first wanted."""
    found = C.CDLL(library_path())
    for name, arguments in CALLS.items():
        call = getattr(found, f"hourglass_{name}")
        call.argtypes, call.restype = arguments + [C.POINTER(C.c_void_p)], C.c_int32
    found.hourglass_version.restype = TEXT
    found.hourglass_count_images.argtypes, found.hourglass_count_images.restype = [HANDLE], COUNT
    for name in ("free_text", "free_model", "free_images"):
        call = getattr(found, f"hourglass_{name}")
        call.argtypes, call.restype = [C.c_void_p], None
    return found


def version():
    """The version of the engine, as "2.0.0"."""
    return library().hourglass_version().decode()


def taken(address):
    """The text at an address, which is freed."""
    text = C.string_at(address).decode()
    library().hourglass_free_text(address)
    return text


def call(name, *arguments):
    """Calls the engine without Python's lock. Raises what its answer means."""
    sentence = C.c_void_p()
    code = getattr(library(), f"hourglass_{name}")(*arguments, C.byref(sentence))
    if code:
        raise ERRORS.get(code, InvalidError)(taken(sentence.value) if sentence.value else f"code {code}")


def path_bytes(path):
    return os.fsencode(os.fspath(path))


def freed(owner, handle, free):
    """Frees a handle with its owner; not at the end of the process, where threads may still use it."""
    finalizer = weakref.finalize(owner, free, handle.value)
    finalizer.atexit = False


class Images:
    """Images that a model can read. The array that was lent lives as long as they do."""

    def __init__(self, handle, array=None, labels=None):
        self.handle, self._kept = handle, (array, labels)
        self.count = library().hourglass_count_images(handle)
        freed(self, handle, library().hourglass_free_images)


@contextlib.contextmanager
def kept_interrupts():
    """Keeps Ctrl-C in a list while the engine works, in the main thread; elsewhere Python does not hear it anyway."""
    pressed = []
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or previous in (None, signal.SIG_IGN, signal.SIG_DFL):
        yield pressed
        return
    signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, previous)


class Model:
    """A model of the engine."""

    def __init__(self, handle):
        self.handle = handle
        freed(self, handle, library().hourglass_free_model)

    @classmethod
    def make(cls, settings):
        handle = HANDLE()
        call("make_model", json.dumps(settings).encode(), C.byref(handle))
        return cls(handle)

    @classmethod
    def open(cls, folder, checkpoint="last"):
        handle = HANDLE()
        call("open_model", path_bytes(folder), checkpoint.encode(), C.byref(handle))
        return cls(handle)

    def describe(self):
        text = C.c_void_p()
        call("describe", self.handle, C.byref(text))
        return json.loads(taken(text.value))

    def save(self, folder):
        call("save", self.handle, path_bytes(folder))

    def export(self, form, folder):
        call("export", self.handle, form.encode(), path_bytes(folder))

    # Weights

    def parameter(self, name, shape):
        values = np.empty(shape, np.float32)
        call("read_parameter", self.handle, name.encode(), values.ctypes.data, values.size)
        return values

    def write(self, parameters):
        """Replaces parameters, by name: all of them, or none where one does not fit."""
        names = [name.encode() for name in parameters]
        values = [np.ascontiguousarray(value, np.float32) for value in parameters.values()]
        count = len(names)
        call("write_parameters", self.handle, count, (TEXT * count)(*names),
             (C.c_void_p * count)(*[value.ctypes.data for value in values]),
             (COUNT * count)(*[value.size for value in values]))

    # Images

    def lend(self, array, labels=None):
        """Images of an array of uint8, uint16, float32 or float64, which is read in place."""
        rank = array.ndim
        described = Array(C.sizeof(Array), array.ctypes.data, TYPES[array.dtype.name], rank,
                          (C.c_int64 * rank)(*array.shape), (C.c_int64 * rank)(*array.strides))
        handle = HANDLE()
        call("lend_images", self.handle, C.byref(described), None if labels is None else labels.ctypes.data,
             C.byref(handle))
        return Images(handle, array, labels)

    def open_images(self, path, split="test"):
        handle = HANDLE()
        call("open_images", self.handle, path_bytes(path), split.encode(), C.byref(handle))
        return Images(handle)

    # Work

    def train(self, images, validation, folder, keeps_weights, observe):
        """Trains. `observe` is told a `Progress`; where it raises, training ends with the best weights, then this does.

        Returns the way training ended, and whether Ctrl-C was pressed meanwhile.
        """
        raised, end = [], C.c_int32()
        with kept_interrupts() as pressed:
            def told(_, progress):
                try:
                    if observe is not None:
                        observe(progress.contents)
                except BaseException as error:  # ctypes would print it and go on
                    raised.append(error)
                return bool(pressed or raised)

            options = Training(C.sizeof(Training), None if folder is None else path_bytes(folder), keeps_weights,
                               Observer(told), None)
            call("train", self.handle, images and images.handle, validation and validation.handle, C.byref(options),
                 C.byref(end))
        return ("finished", "stoppedEarly", "interrupted")[end.value], raised[:1] or bool(pressed)

    def numbers(self, name, shape, *arguments, dtype=np.float32):
        """The array that a call fills, of some shape."""
        values = np.empty(shape, dtype)
        call(name, self.handle, *arguments, values.ctypes.data, values.size)
        return values
