"""A Rust test of each operation: it equals its definition, and refuses each array that is one element short."""
import ast

import rust

# Of structs, by the call that refuses them or by their own name.
STRUCTS = {
    "conv2d_check": dict(samples=2, large_height=7, large_width=6, large_channels=4, small_height=4, small_width=3,
                         small_channels=6, filter_height=3, filter_width=3, stride_vertical=2, stride_horizontal=2,
                         pad_top=1, pad_left=1),
    "max_pool2d_check": dict(samples=2, large_height=6, large_width=6, large_channels=5, small_height=3, small_width=3,
                             small_channels=5, filter_height=2, filter_width=2, stride_vertical=2, stride_horizontal=2),
    "permute_check": dict(samples=2, rank=2, extents=[3, 4, 0, 0, 0, 0], strides=[1, 3, 0, 0, 0, 0]),
    "group_norm_check": dict(samples=2, positions=6, channels=4, groups=2, epsilon=0.125),
    "dense_check": dict(samples=3, inputs=5, outputs=7),
    "hg_random_stream": dict(seed=5, stream=1, step=2, sample=3),
    "hg_adam_options": dict(gradient_scale=0.5, learning_rate=0.125, beta1=0.75, beta2=0.875, epsilon=0.25,
                            weight_decay=0.125, correction1=0.25, correction2=0.5),
    "hg_sgd_options": dict(gradient_scale=0.5, learning_rate=0.125, momentum=0.5, weight_decay=0.125, nesterov=True),
    "hg_rmsprop_options": dict(gradient_scale=0.5, learning_rate=0.125, alpha=0.75, epsilon=0.25, momentum=0.5),
    "hg_adagrad_options": dict(gradient_scale=0.5, learning_rate=0.125, epsilon=0.25),
    "hg_adadelta_options": dict(gradient_scale=0.5, learning_rate=0.125, rho=0.75, epsilon=0.25),
}
STRUCTS["upsample2d_check"] = STRUCTS["max_pool2d_check"]
SCALARS = dict(count=33, samples=2, positions=3, channels=5, skip_channels=2, rows=3, columns=4, pixels=3, classes=5, units=3,
               images=2, draws=3, shards=3, stride=35, first=4, height=12, width=13, first_input=0, last_input=5,
               variance=0.5, beta=0.5, free_bits=0.125, rate=0.25, deviation=0.5, decay=0.75, scale=0.5, l2=0.25, l1=0.125,
               limit=0.25, accumulate=True)

HARNESS = '''//! Written by examples/bindings/write --tests.
#![allow(unused_mut, unused_variables)]
use hourglass_kernels::operations::{self, *};
use hourglass_kernels::{Activation, Parallel, Refusal, Resampling2d, ResamplingAxis};
use hourglass_kernels_sys as sys;
use std::ptr::null_mut;

/// Makes arrays, of which one has an element less than was asked for.
struct Arrays {
    made: usize,
    short: Option<usize>,
}

impl Arrays {
    fn length(&mut self, length: usize) -> usize {
        if length == 0 {
            return 0;
        }
        self.made += 1;
        length - usize::from(self.short == Some(self.made))
    }
    fn make<T>(&mut self, length: usize, of: impl Fn(usize) -> T) -> Vec<T> {
        let seed = self.made;
        (0..self.length(length)).map(|i| of(i * 7919 + seed * 104729)).collect()
    }
}

/// Fractions, of both signs where the name is not that of something that has one.
fn fraction(name: &str, i: usize) -> f32 {
    let whole = (i % 13) as f32;
    if ["targets", "variance", "v", "u"].contains(&name) { whole / 8.0 } else { (whole - 6.0) / 8.0 }
}

fn agree(name: &str, got: &[f32], wanted: &[f32]) {
    for (i, (g, w)) in got.iter().zip(wanted).enumerate() {
        assert!((g - w).abs() <= 1e-4 * (1.0 + w.abs()), "{name}[{i}] is {g} instead of {w}");
    }
}

fn operation(run: impl Fn(&mut Arrays) -> Result<(), Refusal>) {
    let mut whole = Arrays { made: 0, short: None };
    run(&mut whole).unwrap();
    assert!(whole.made > 0);
    for short in 1..=whole.made {
        let refusal = run(&mut Arrays { made: 0, short: Some(short) }).unwrap_err().sentence;
        assert!(refusal.contains("elements instead of"), "{refusal}");
    }
}
'''


class _Values:
    """Axes in numbers, and as Rust where only the library knows them."""

    def __init__(self, call, library):
        self.library, self.struct = library, STRUCTS.get(call.check) or STRUCTS.get(call.struct.type if call.struct else "", {})
        self.call, self.scope = call, dict(SCALARS)
        for letter, field in library.letters.get(call.struct.type, {}).items() if call.struct else ():
            if self.struct:
                self.scope[letter] = eval(field, {"one_or": lambda x: x or 1, "product": lambda x, n: x[0] * x[1]},
                                          {"groups": 0, "pad_top": 0, "pad_left": 0, **self.struct})
        if call.struct and call.struct.type == "hg_resampling2d":
            self.scope.update(N=2, C=3, H=3, W=3, P=2, Q=2)

    def __call__(self, axes):
        product, counts = 1, []
        for node in ast.parse(f"({axes},)", mode="eval").body.elts:
            if isinstance(node, ast.Name) and node.id in self.library.calls:
                asked = self.library.calls[node.id].arguments
                counts.append(f"operations::{node.id}({', '.join(passed(a) for a in asked)})?")
            else:
                product *= eval(compile(ast.Expression(node), "axes", "eval"), {}, self.scope)
        return " * ".join(([str(product)] if product != 1 or not counts else []) + counts)


def passed(argument):
    if argument.kind == "array":
        name = f"&{'mut ' if argument.out else ''}{argument.name}"
        return f"Some({name})" if argument.optional else name
    return f"&{argument.name}" if argument.kind in ("struct", "parallel") else argument.name


def _given(argument, of_input):
    """A let that makes a scalar or a struct."""
    if argument.kind == "parallel":
        return "let parallel = Parallel::OpenMP(2);"
    if argument.kind == "activation":
        return f"let {argument.name} = Activation::{'MISH' if of_input else 'TANH'};"
    value = SCALARS[argument.name]
    return f"let {argument.name} = {str(value).lower()}{'_isize' if argument.kind == 'int' else ''};"


def _struct(argument, fields):
    if argument.type == "hg_resampling2d":
        return ("let axis = ResamplingAxis { extent: 3, starts: &[0, 2, 3], inputs: &[0, 1, 2], weights: &[0.25, 0.5, 1.0] };"
                f"\n        let {argument.name} = Resampling2d::new(2, 3, axis, axis)?;")
    values = ", ".join(f"{field}: {str(value).lower()}" for field, value in fields.items())
    return f"let {argument.name} = {rust.type_name(argument.type)} {{ {values}, ..Default::default() }};"


def _array(argument, size, call, values):
    """A let that makes an array, prepared where the operation reads a prepared filter."""
    mutable = "mut " if argument.out else ""
    if argument.name.endswith("_filter") and not argument.out:
        form = argument.name.split("_")[0]
        filter = values("R,S,C//G,K")
        return [f"let filter: Vec<f32> = (0..{filter}).map(|i| fraction(\"filter\", i)).collect();",
                f"let mut {argument.name} = vec![Default::default(); {size}];",
                f"operations::conv2d_prepare_{form}(&geometry, &filter, &mut {argument.name}, &parallel)?;",
                f"{argument.name}.truncate(a.length({size}));"]
    of = {"float": f'fraction("{argument.name}", i)', "uint8_t": "(i % 4) as u8", "int32_t": "(i % 5) as i32",
          "uint32_t": "i as u32"}.get(argument.type, "Default::default()")
    length = f"let length = {size};"
    return [length, f"let {mutable}{argument.name} = a.make(length, |i| {of});"]


def _reference(call, reference, arrays):
    """The definition, on outputs of its own, and the comparison."""
    out, given = [], []
    own = {a.name: a for a in call.arguments}
    for a in reference.arguments:
        if a.kind == "struct":
            given.append(f"&{'*' if a.type in rust.WRAPPED else ''}{a.name}")
        elif a.kind == "array" and a.name not in own and not a.out:
            given.append("filter.as_ptr()")
        elif a.kind == "array" and a.name not in own:
            given.append("null_mut()")
        elif a.kind == "array" and a.out:
            given.append(f"{a.name}_wanted.as_mut_ptr()")
        elif a.kind == "array":
            given.append(f"{a.name}.as_ptr()")
        else:
            given.append(a.name + (".0" if a.kind == "activation" else ""))
    spoken = rust.wrapped(f"        unsafe {{ sys::hg_reference_{call.name}(", given, ") }", "    ")
    if reference.answer == "nothing":
        out.append(spoken + ";")
        for a in reference.arguments:
            if a.kind == "array" and a.out and a.name in own:
                out.append(f'        agree("{a.name}", &{a.name}, &{a.name}_wanted);' if a.type == "float"
                           else f"        assert_eq!({a.name}, {a.name}_wanted);")
    else:
        out.append("        assert_eq!(found, " + spoken.strip() + ");")
    return out


def operations(library):
    references, parts = {r.name: r for r in library.references}, [HARNESS]
    for call in library.calls.values():
        if not call.arrays:
            continue
        values, of_input = _Values(call, library), call.name.endswith("_input")
        body = []
        for a in call.arguments:
            if a.kind == "struct":
                body.append(_struct(a, values.struct))
            elif a.kind != "array":
                body.append(_given(a, of_input))
        for a in call.arrays:
            body += _array(a, values(a.axes), call, values)
        reference = references.get(call.name)
        for a in call.arrays if reference else ():
            if a.out and a.name in {r.name for r in reference.arguments}:
                body.append(f"let mut {a.name}_wanted = {a.name}.clone();")
        found = "" if call.answer == "refusal" else "let found = "
        body = [f"        {line}" for line in body]
        body.append(rust.wrapped(f"        {found}operations::{call.name}(", [passed(a) for a in call.arguments], ")?;"))
        if reference:
            body += _reference(call, reference, call.arrays)
        parts.append("\n".join(["#[test]", f"fn {call.name}() {{", "    operation(|a| {", *body, "        Ok(())", "    });", "}"]))
    return "\n\n".join(parts) + "\n"
