"""The Python module of all operations."""
import re
import textwrap

DTYPES = {"float": "float32", "uint8_t": "uint8", "int32_t": "int32", "uint32_t": "uint32"}
FIELDS = {"size_t": "c_size_t", "ptrdiff_t": "c_ssize_t", "float": "c_float", "bool": "c_bool", "hg_algorithm": "c_int",
          "int32_t": "c_int32", "uint32_t": "c_uint32", "uint64_t": "c_uint64"}
# Structs that hold pointers are written by hand.
BY_HAND = {"hg_resampling_axis", "hg_resampling2d"}


def class_name(struct):
    return "".join(word.capitalize() for word in struct.removeprefix("hg_").split("_")).replace("2d", "2D")


def _wrapped(start, items, end):
    """Items with commas between them, in lines that begin below the first."""
    lines = [start]
    for number, item in enumerate(items):
        item += "," if number < len(items) - 1 else end
        if number and len(lines[-1]) + len(item) > 118:
            lines.append(" " * len(start))
        lines[-1] += item if lines[-1].endswith((start, "  ")) else " " + item
    return lines


def _struct(name, fields, letters, images):
    lines = []
    for field, type, extent in fields[1:]:
        lines.append(f'("{field}", {FIELDS[type]}{" * 6" if extent == "HG_PERMUTATION_RANK" else ""})')
    out = [f"class {class_name(name)}(Struct):"]
    out += _wrapped("    _fields_ = [", ['("size", c_size_t)', *lines], "]")
    if images:
        items = [f'"{axes.replace(",", ", ")}": "{image}"' for axes, image in images.items()]
        out += _wrapped("    images = {", items, "}")
    if letters:
        items = []
        for letter, value in letters.items():
            value = re.sub(r"\b(?!one_or\b|product\b)[a-z]\w*", lambda m: f"self.{m[0]}", value).replace(",", ", ")
            items.append(f'"{letter}": {value}')
        out += ["", "    def letters(self):", *_wrapped("        return {", items, "}")]
    return "\n".join(out)


def _axes(call, library, expression):
    def spelled(match):
        if match[0] not in library.calls:
            return match[0]
        arguments = ("threads" if a.kind == "parallel" else a.name for a in library.calls[match[0]].arguments)
        return f"{match[0]}({', '.join(arguments)})"
    return ", ".join(re.sub(r"[A-Za-z_]\w*", spelled, axis) for axis in expression.split(","))


def _argument(call, argument, library):
    if argument.kind == "parallel":
        return 'threads: "int" = None'
    if argument.kind == "struct":
        return f"{argument.name}: {class_name(argument.type)}"
    if argument.kind == "activation":
        return f'{argument.name}: "activation"'
    if argument.kind != "array":
        return f"{argument.name}: {argument.kind}"
    dtype = DTYPES.get(argument.type, argument.type.removeprefix("hg_"))
    text = f"{'out ' if argument.out else ''}{dtype}[{_axes(call, library, argument.axes)}]"
    text += " or None" if argument.optional else ""
    text += ", may be " + " or ".join(argument.aliases) if argument.aliases else ""
    return f'{argument.name}: "{text}"' + (" = None" if argument.name == "scratch" else "")


def _function(call, library):
    check = f'"{call.check}"' if call.check else ""
    answer = {"refusal": "", "count": ' -> "count"', "int": " -> int", "float": " -> float"}[call.answer]
    lines = _wrapped(f"def {call.name}(", [_argument(call, a, library) for a in call.arguments], f"){answer}:")
    comment = textwrap.indent(call.comment, "    ").strip()
    return f"@operation({check})\n" + "\n".join(lines) + f'\n    """{comment}"""'


def operations(library):
    elements = "".join(f'\n{e.removeprefix("hg_")} = np.dtype([("{e.removeprefix("hg_")}", np.float32)], align=True)'
                       for e in library.elements)
    parts = ['''"""Every operation of the C library under its own name and with its own arguments, NumPy arrays in the place of pointers.

An annotation such as "out float32[N, P, Q, K] or None, may be x" says what an array must be: its elements, its axes (an array
with another number of axes needs as many elements), whether it is written, may be None, may be another argument. Letters are
those of the struct. Images of a Geometry2D may be views of larger arrays, as y[..., :K] or x[:, 1:-1, 1:-1]; other arrays must
be contiguous. Scratch that is not given is allocated. What an operation cannot take raises ValueError or TypeError.

examples/bindings/write wrote this file from hourglass_kernels.h and arrays.txt.
"""
from ctypes import c_bool, c_float, c_int, c_int32, c_size_t, c_ssize_t, c_uint32, c_uint64

import numpy as np

from .library import Resampling2D, Struct, one_or, operation, product
''' + elements]
    parts += [_struct(name, fields, library.letters.get(name, {}), library.images.get(name, {})) for name, fields in library.structs.items()
              if name not in BY_HAND]
    parts += [_function(call, library) for call in library.calls.values()]
    text = "\n\n\n".join(part.strip("\n") for part in parts) + "\n"
    return text if elements else text.replace("\nimport numpy as np\n", "")
