"""The Rust declarations of all calls, and the safe functions around them."""
import ast

from header import image

TYPES = {"size_t": "usize", "ptrdiff_t": "isize", "float": "f32", "bool": "bool", "uint8_t": "u8", "int32_t": "i32",
         "uint32_t": "u32", "uint64_t": "u64"}
ANSWERS = {"refusal": " -> Refusal", "count": " -> isize", "int": " -> isize", "float": " -> f64", "nothing": ""}
# Structs that hold pointers are safe only in a wrapper that is written by hand.
WRAPPED = {"hg_resampling2d": "Resampling2d"}
WITHOUT_NAME = {"hg_resampling_axis", *WRAPPED}


def type_name(struct):
    return WRAPPED.get(struct) or "".join(word.capitalize() for word in struct.removeprefix("hg_").split("_"))


def wrapped(start, items, end, indent="    "):
    """Items with commas between them, on the line or in lines of their own, of at most 120 columns."""
    line = start + ", ".join(items) + end
    if len(line) <= 120:
        return line
    lines = [""]
    for item in items:
        if len(lines[-1]) + len(item) + len(indent) + len(start) - len(start.lstrip()) > 117:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + item + ","
    outer = start[:len(start) - len(start.lstrip())]
    return "\n".join([start, *(outer + indent + line for line in lines), outer + end])


def _raw_type(argument):
    if argument.kind == "parallel":
        return "*const hg_parallel"
    if argument.kind == "struct":
        return f"*const {argument.type}"
    if argument.kind == "array":
        return f"*{'mut' if argument.out else 'const'} {TYPES.get(argument.type, argument.type)}"
    return {"int": "isize", "float": "f32", "bool": "bool", "activation": "hg_activation"}[argument.kind]


def declarations(library):
    """The module of declarations as the C header has them."""
    out = ["""// Declarations as in hourglass_kernels.h and hourglass_reference.h, which explain them: written by
// examples/bindings/write.
use super::{hg_parallel, Refusal};
use std::ffi::c_int;
"""]
    for enum, values in library.enums.items():
        out.append(f"pub type {enum} = c_int;")
        out += [f"pub const {name}: {enum} = {value};" for name, value in values] + [""]
    for name, fields in library.structs.items():
        lines = []
        for field, type, extent in fields:
            plain = TYPES.get(type.rstrip("*"), type.rstrip("*"))
            plain = f"*const {plain}" if type.endswith("*") else plain
            lines.append(f"    pub {field}: {f'[{plain}; 6]' if extent else plain},")
        out += ["#[repr(C)]", "#[derive(Clone, Copy, Debug)]", f"pub struct {name} {{", *lines, "}", ""]
    for name in library.elements:
        out += ["#[repr(C)]", "#[derive(Clone, Copy, Debug, Default)]", f"pub struct {name} {{", "    pub prepared: f32,",
                "}", ""]
    out += [wrapped("with_size!(", list(library.structs), ");"), "", 'extern "C" {']
    for prefix, calls in ("hg_", library.calls.values()), ("hg_reference_", library.references):
        for call in calls:
            out.append(wrapped(f"    pub fn {prefix}{call.name}(", [f"{a.name}: {_raw_type(a)}" for a in call.arguments],
                               f"){ANSWERS[call.answer]};"))
    return "\n".join([*out, "}", ""])


def _argument(argument):
    if argument.kind == "parallel":
        return "parallel: &Parallel"
    if argument.kind == "struct":
        return f"{argument.name}: &{type_name(argument.type)}"
    if argument.kind == "array":
        element = TYPES.get(argument.type) or type_name(argument.type)
        slice = f"&{'mut ' if argument.out else ''}[{element}]"
        return f"{argument.name}: " + (f"Option<{slice}>" if argument.optional else slice)
    return f"{argument.name}: " + {"int": "isize", "float": "f32", "bool": "bool", "activation": "Activation"}[argument.kind]


def _passed(argument):
    if argument.kind == "array":
        pointer = "as_mut_ptr" if argument.out else "as_ptr"
        null = "pointer_mut" if argument.out else "pointer"
        return f"{null}({argument.name})" if argument.optional else f"{argument.name}.{pointer}()"
    if argument.kind == "struct" and argument.type in WRAPPED:
        return f"&**{argument.name}"
    return {"parallel": "threads", "activation": f"{argument.name}.0"}.get(argument.kind, argument.name)


class _Sizes:
    """Axes of a call as Rust; collects the letters that they use: fields of the struct, and what is computed of them."""

    def __init__(self, call, library):
        self.call, self.library, self.fields, self.computed = call, library, {}, {}
        self.known = library.letters.get(call.struct.type, {}) if call.struct else {}

    def __call__(self, axes):
        nodes = ast.parse(f"({axes},)", mode="eval").body.elts
        return self.product(nodes)

    def product(self, nodes):
        factors = [self.of(node) for node in nodes]
        return factors[0] if len(factors) == 1 else f"size(&[{', '.join(factors)}])"

    def of(self, node):
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.Name):
            return self.name(node.id)
        left, right = node.left, node.right
        if isinstance(node.op, ast.Mult):
            return self.product([left, right])
        if isinstance(node.op, ast.FloorDiv):
            return f"{self.of(left)} / {self.of(right)}"
        if isinstance(node.op, ast.Sub):
            return f"{self.of(left)}.saturating_sub({self.of(right)})"
        return f"plus({self.of(left)}, {self.of(right)})"

    def name(self, name):
        if name in self.known:
            field, struct, letter = self.known[name], self.call.struct.name, name.lower()
            if field.startswith("one_or("):
                self.computed[letter] = f"{struct}.{field[7:-1]}.max(1)"
            elif field.startswith("product("):
                extents, rank = field[8:-1].split(",")
                self.computed[letter] = f"size(&{struct}.{extents}[..{struct}.{rank} as usize])"
            elif self.call.struct.type in WRAPPED:
                return f"{struct}.{field}"
            else:
                self.fields[letter] = field
            return letter
        if name in self.library.calls:
            arguments = [_passed(a) for a in self.library.calls[name].arguments]
            return f"unsafe {{ sys::hg_{name}({', '.join(arguments)}) }}"
        return name


def _function(call, library):
    answer = {"refusal": "()", "count": "usize", "int": "isize", "float": "f64"}[call.answer]
    out = [f"/// {line}".rstrip() for line in call.comment.splitlines()]
    out.append(wrapped(f"pub fn {call.name}(", [_argument(a) for a in call.arguments], f") -> Result<{answer}, Refusal> {{"))
    if call.check:
        out.append(f"    {call.check}({', '.join(a.name for a in library.calls[call.check].arguments)})?;")
    elif call.struct and call.struct.type not in WRAPPED:
        out.append(f"    sized({call.struct.name}.size, {call.struct.name})?;")
    if any(a.kind == "parallel" for a in call.arguments):
        out.append("    let threads = &parallel.raw();")
    sizes, needs = _Sizes(call, library), []
    for a in call.arrays:
        need = "need_some" if a.optional else "need"
        found = f"{a.name}.as_deref()" if a.optional and a.out else a.name if a.optional or not a.out else f"&*{a.name}"
        which = image(library, call, a)
        length = f"{which}_span({call.struct.name})" if which else sizes(a.axes)
        needs.append(f'    {need}("{a.name.rstrip("_")}", {found}, {length})?;')
    out += [f"    let {letter} = {value};" for letter, value in sizes.computed.items()]
    if sizes.fields:
        fields = [f"{field}: {letter}" for letter, field in sizes.fields.items()] + [".."]
        line = wrapped(f"    let {type_name(call.struct.type)} {{ ", fields, f" }} = *{call.struct.name};")
        out.append(line.replace("..,", "..").replace("\n     }", "\n    }").replace("{ \n", "{\n"))
    out += needs
    passed = wrapped(f"    check(unsafe {{ sys::hg_{call.name}(", [_passed(a) for a in call.arguments], ") })", "    ")
    if call.answer == "count":
        passed = passed.replace("check(", "amount(", 1)
    elif call.answer != "refusal":
        passed = passed.replace("check(", "Ok(", 1)
    return "\n".join([*out, passed, "}"])


def operations(library):
    """The module of safe functions."""
    names = [f"{name} as {type_name(name)}" for name in (*library.structs, *library.elements) if name not in WITHOUT_NAME]
    constants = [f"    pub const {name.removeprefix('HG_ACTIVATION_')}: Activation = Activation({value});"
                 for name, value in library.enums["hg_activation"]]
    parts = ["""//! Every operation of the C library under its own name and with its own arguments, slices in the place of pointers. A
//! slice that has another length than the operation needs is refused, so that none reads or writes beyond one. Nothing
//! may be both an input and an output. An image with strides in memory is a slice from its first element to its last.
//
// examples/bindings/write wrote this file from hourglass_kernels.h and arrays.txt.
use crate::{amount, check, need, need_some, plus, pointer, pointer_mut, size, sized, Activation, Parallel, Refusal};
use crate::{large_span, small_span, Resampling2d};
use hourglass_kernels_sys as sys;
""" + wrapped("pub use sys::{", names, "};"),
             "impl Activation {\n" + "\n".join(constants) + "\n}"]
    return "\n\n".join([*parts, *(_function(call, library) for call in library.calls.values())]) + "\n"
