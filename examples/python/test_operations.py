"""Every operation of the C library on NumPy arrays: it computes what definitions.py says, refuses arrays of another kind or
length, and reads and writes nothing beyond them: python -m unittest"""
import ctypes
import inspect
import math
import mmap
import types
import unittest
import zlib

import numpy as np
import torch

import definitions as d
from hourglass_kernels import library, operations as ops

GEOMETRY = dict(samples=2, large_height=7, large_width=6, large_channels=4, small_height=4, small_width=3, small_channels=6,
                filter_height=3, filter_width=3, stride_vertical=2, stride_horizontal=2, pad_top=1, pad_left=1)
POOL = dict(samples=2, large_height=6, large_width=6, large_channels=5, small_height=3, small_width=3, small_channels=5,
            filter_height=2, filter_width=2, stride_vertical=2, stride_horizontal=2)
STRUCTS = {
    ops.Geometry2D: GEOMETRY, ops.Dense: dict(samples=3, inputs=5, outputs=7),
    ops.GroupNorm: dict(samples=2, positions=6, channels=4, groups=2, epsilon=0.125),
    ops.Permutation: dict(samples=2, rank=2, extents=(3, 4), strides=(1, 3)),
    ops.RandomStream: dict(seed=2 ** 40 + 5, stream=1, step=2, sample=3),
    ops.AdamOptions: dict(gradient_scale=0.5, learning_rate=0.125, beta1=0.75, beta2=0.875, epsilon=0.25, weight_decay=0.125,
                          correction1=0.25, correction2=0.5),
    ops.SgdOptions: dict(gradient_scale=0.5, learning_rate=0.125, momentum=0.5, weight_decay=0.125, nesterov=True),
    ops.RmspropOptions: dict(gradient_scale=0.5, learning_rate=0.125, alpha=0.75, epsilon=0.25, momentum=0.5),
    ops.AdagradOptions: dict(gradient_scale=0.5, learning_rate=0.125, epsilon=0.25),
    ops.AdadeltaOptions: dict(gradient_scale=0.5, learning_rate=0.125, rho=0.75, epsilon=0.25),
}
NUMBERS = dict(count=33, samples=2, positions=3, channels=5, skip_channels=2, rows=3, columns=4, pixels=3, classes=5, units=3,
               images=2, draws=3, shards=3, stride=35, first=0, height=12, width=13, first_input=0, last_input=5, variance=0.5,
               beta=0.5, free_bits=0.125, rate=0.25, deviation=0.5, decay=0.75, scale=0.5, l2=0.25, l1=0.125, limit=0.25,
               accumulate=True, activation="tanh", gate_activation="tanh", input_activation="tanh", threads=2)
POSITIVE = {"targets", "variance", "v", "u"}
AXIS = library.ResamplingAxis(3, [0, 2, 3], [0, 1, 2], [0.25, 0.5, 1])

DEFINITIONS = {
    "activation_forward": lambda a: (torch.tanh(a.x),),
    "activation_backward": lambda a: (d.slope("tanh", a.y) * a.dy,),
    "activation_backward_input": lambda a: d.gradients(d.ACTIVATIONS[a.activation], a.dy, a.x),
    "prelu_forward": lambda a: (torch.where(a.x > 0, a.x, a.slope * a.x),),
    "prelu_backward": lambda a: (torch.where(a.x > 0, a.dy, a.slope * a.dy),
                                 a.dslope + torch.where(a.x > 0, 0, a.x * a.dy).sum(0)),
    "softmax_forward": lambda a: (torch.softmax(a.x, 1),),
    "softmax_backward": lambda a: (a.y * (a.dy - (a.y * a.dy).sum(1, keepdim=True)),),
    "fork_backward": lambda a: (d.slope("tanh", a.x) * (a.first + a.second),),
    "join_forward": lambda a: (torch.tanh(a.x + a.skip),),
    "concat_forward": lambda a: (torch.cat([a.x, a.skip], 1),),
    "concat_backward": lambda a: a.dy.split([a.channels, a.skip_channels], 1),
    "conv2d_prepare_gather": None, "conv2d_prepare_scatter": None,  # what they write is the library's own
    "conv2d_forward": lambda a: (torch.tanh(d.convolve(a.geometry, a.x, a.filter) + a.bias),),
    "conv2d_backward_data": lambda a: (d.slope("tanh", a.gate) * d.scatter(a, a.dy, a.filter),),
    "conv2d_backward_filter": lambda a: d.filter_gradient(a, a.x, a.dy, a.dy),
    "conv2d_transpose_forward": lambda a: (torch.tanh(d.scatter(a, a.y, a.filter) + a.bias),),
    "conv2d_transpose_backward_data": lambda a: (d.slope("tanh", a.gate) * d.convolve(a.geometry, a.dx, a.filter),),
    "conv2d_transpose_backward_filter": lambda a: d.filter_gradient(a, a.dx, a.y, a.dx),
    "max_pool2d_forward": lambda a: (d.pool(a.geometry, a.x)[0], d.switches(a, d.pool(a.geometry, a.x)[1])),
    "max_pool2d_backward": lambda a: (d.unpool(a, d.slope("tanh", a.y) * a.dy),),
    "max_unpool2d_forward": lambda a: (d.unpool(a, a.y),),
    "max_unpool2d_backward":
        lambda a: (a.dx.flatten(1, 2).gather(1, d.places(a).flatten(1, 2)).view(a.switches.shape),),
    "upsample2d_forward": lambda a: (d.repeat(a.geometry, a.y),),
    "upsample2d_backward": lambda a: (4 * d.average(a.geometry, a.dx),),
    "average_pool2d_forward": lambda a: (d.average(a.geometry, a.x),),
    "average_pool2d_backward": lambda a: (d.repeat(a.geometry, a.dy) / 4,),
    "resample2d": lambda a: (d.resample(a),),
    "permute_forward": lambda a: (a.x[:, d.order(a.permutation)],),
    "permute_backward": lambda a: (torch.zeros_like(a.dy).index_copy(1, d.order(a.permutation), a.dy),),
    "group_norm_forward": lambda a: (d.normalize(a.geometry, a.x, *d.statistics(a.geometry, a.x), a.weight, a.bias),
                                     *d.statistics(a.geometry, a.x)),
    "group_norm_apply": lambda a: (d.normalize(a.geometry, a.x, a.mean, a.variance, a.weight, a.bias),),
    "group_norm_backward": d.normalize_backward,
    "dense_forward": lambda a: (torch.tanh(a.x @ a.weight + a.bias),),
    "dense_backward_data": lambda a: (d.slope("tanh", a.gate) * (a.dy @ a.weight.T),),
    "dense_backward_weight": lambda a: (a.dweight + a.x.T @ a.dy,),
    "dense_backward_bias": lambda a: (a.dbias + a.dy.sum(0),),
    "transpose": lambda a: (a.in_.T,),
    "bernoulli_logits": d.loss(lambda a, y, t: d.F.binary_cross_entropy_with_logits(y, t, reduction="none")),
    "squared_error": d.loss(lambda a, y, t: (y - t) ** 2),
    "absolute_error": d.loss(lambda a, y, t: (y - t).abs()),
    "huber_error": d.loss(lambda a, y, t: d.F.huber_loss(y, t, reduction="none")),
    "log_cosh_error": d.loss(lambda a, y, t: torch.log(torch.cosh(y - t))),
    "poisson": d.loss(lambda a, y, t: y.exp() - t * y + torch.lgamma(t + 1)),
    "multinomial": d.loss(lambda a, y, t: d.multinomial(a, y, t)[:, None]),
    "gaussian": d.loss(lambda a, y, t: (y - t) ** 2 / (2 * a.variance) + math.log(2 * math.pi * a.variance) / 2),
    "gaussian_heads": d.loss(d.gaussian_heads), "negative_binomial": d.loss(d.negative_binomial),
    "discretized_logistic": d.loss(d.discretized_logistic),
    "softmax_cross_entropy": d.loss(lambda a, y, t: d.F.cross_entropy(y, torch.as_tensor(a.labels).long(),
                                                                      reduction="none")[:, None]),
    "ssim": d.loss(d.ssim), "ms_ssim": d.loss(d.ssim),  # of images with a single scale they are the same
    "gaussian_latent_forward": lambda a: (d.latent(a, a.heads), d.divergence(a.heads).sum(1)),
    "gaussian_latent_backward": lambda a: (d.gradients(lambda h: d.latent(a, h), a.dz, a.heads)[0]
                                           + d.gradients(d.divergence, a.beta, a.heads)[0],),
    "gaussian_free_bits": d.free_bits,
    "gaussian_log_ratio": lambda a: (d.log_ratio(a, a.heads, a.z),),
    "gaussian_log_ratio_backward": lambda a: (
        d.gradients(lambda h: d.latent(a, h), a.dz + a.weights[:, None] * a.z, a.heads)[0]
        + d.gradients(lambda h: d.log_ratio(a, h, a.z), a.weights, a.heads)[0],),
    "importance_bound": d.importance,
    "random_bits": lambda a: (d.philox(a.stream, a.count),), "random_uniform": lambda a: (d.uniform(a.stream, a.count),),
    "random_normal": lambda a: (d.normal(a.stream, a.count),),
    "dropout_forward": lambda a: (torch.as_tensor(d.kept(a)) * a.x / (1 - a.rate), d.words(d.kept(a))),
    "dropout_backward": d.dropout_backward,
    "gaussian_noise": lambda a: (a.x + a.deviation * torch.stack(
        [d.normal(a.stream, a.count, a.stream.sample + n) for n in range(a.samples)]),),
    "sum_shards": d.shards, "first_nonfinite": lambda a: -1, "sum_of_squares": lambda a: float((a.x ** 2).sum()),
    "argmin": lambda a: (a.x.argmin(1),),
    "moving_average": lambda a: (a.decay * a.average + (1 - a.decay) * a.x,),
    "adam": d.adam, "sgd": d.sgd, "rmsprop": d.rmsprop, "adagrad": d.adagrad, "adadelta": d.adadelta,
    "penalize": lambda a: (a.scale * a.gradient + a.l2 * a.weights + a.l1 * a.weights.sign(),),
    "clip": lambda a: ((a.scale * a.gradient).clamp(-a.limit, a.limit),),
}
OPERATIONS = {name: call for name, call in vars(ops).items() if getattr(call, "arrays", None)}


def sample(name, place=lambda array: array, **fields):
    """Arguments that the operation takes; arrays lie where `place` copies them to."""
    call, given, letters = OPERATIONS[name], {}, {}
    random = np.random.default_rng(zlib.crc32(name.encode()))
    for argument, parameter in inspect.signature(call).parameters.items():
        kind = parameter.annotation
        if kind is ops.Resampling2D:
            given[argument] = ops.Resampling2D(2, 3, AXIS, AXIS)
        elif inspect.isclass(kind) and issubclass(kind, ops.Struct):
            plain = POOL if kind is ops.Geometry2D and "conv2d" not in name else STRUCTS[kind]
            given[argument] = kind(**{**plain, **fields})
        elif argument in NUMBERS and "[" not in str(kind):
            given[argument] = "mish" if argument == "activation" and name.endswith("_input") else NUMBERS[argument]
        if hasattr(given.get(argument), "letters"):
            letters.update(given[argument].letters())
    for array in call.arrays:
        shape = eval(array.axes, array.module, {**given, **letters})
        if array.dtype == np.float32:
            values = random.integers(-6, 7, shape).astype(np.float32) / 8
            values = np.abs(values) if array.name in POSITIVE else values
        else:
            values = random.integers(0, 4, shape).astype(array.dtype)
        if array.name.endswith("_filter") and not array.out:
            form, g = array.name.split("_")[0], given["geometry"]
            filter = random.integers(-6, 7, (g.filter_height, g.filter_width, g.large_channels // (g.groups or 1),
                                             g.small_channels)).astype(np.float32) / 8
            values = np.empty(shape, array.dtype)
            getattr(ops, f"conv2d_prepare_{form}")(g, filter, values)
            given["filter"] = filter
        given[array.name] = place(values)
    if name == "dropout_backward":
        given["mask"][...] = random.integers(0, 2 ** 32, given["mask"].shape)
    if name == "group_norm_backward":  # of the forward pass
        for array, values in zip(("mean", "variance"), d.statistics(given["geometry"], torch.from_numpy(given["x"]).double())):
            given[array][...] = values
    if name.endswith("ssim"):  # where it is not above 0 the loss of several scales has no gradient
        given["y"][...] = (given["y"] + 3 * given["targets"]) / 4
    return given


def run(name, given):
    parameters = inspect.signature(OPERATIONS[name]).parameters
    return OPERATIONS[name](**{n: value for n, value in given.items() if n in parameters})


def tensors(given):
    """Copies, floats as float64; the filter of conv2d_backward_filter is where its gradient starts."""
    out = {n: torch.from_numpy(value.astype(np.float64)) if getattr(value, "dtype", None) == np.float32
           else value.copy() if isinstance(value, np.ndarray) else value for n, value in given.items()}
    if "dfilter" in out:
        out["filter"] = torch.zeros_like(out["dfilter"])
    return types.SimpleNamespace(**out)


class Guarded:
    """Copies arrays to where a page that may be neither read nor written follows them, or comes before them."""

    def __init__(self, behind):
        self.behind, self.pages = behind, []

    def __call__(self, array):
        size = (array.nbytes + mmap.PAGESIZE - 1) // mmap.PAGESIZE * mmap.PAGESIZE
        pages = mmap.mmap(-1, size + 2 * mmap.PAGESIZE)
        self.pages.append(pages)
        start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
        mprotect = ctypes.CDLL(None).mprotect
        for page in start, start + mmap.PAGESIZE + size:
            if mprotect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), 0):
                raise OSError("mprotect fails")
        offset = mmap.PAGESIZE + (size - array.nbytes if self.behind else 0)
        copy = np.frombuffer(pages, array.dtype, array.size, offset).reshape(array.shape)
        copy[...] = array
        return copy


class Operations(unittest.TestCase):
    def test_none_is_without_a_definition(self):
        self.assertEqual(OPERATIONS.keys(), DEFINITIONS.keys())

    def check(self, name, given):
        definition, expected = DEFINITIONS[name], tensors(given)
        found = run(name, given)
        if definition is None:
            return
        wanted = definition(expected)
        written = [given[array.name] for array in OPERATIONS[name].arrays if array.out and array.name != "scratch"]
        for got, value in zip(written or [found], wanted if written else [wanted], strict=True):
            np.testing.assert_allclose(got, np.asarray(value), rtol=2e-5, atol=2e-5, err_msg=name)

    def test_each_computes_its_definition_within_its_arrays(self):
        for name in OPERATIONS:
            for behind in True, False:
                with self.subTest(name):
                    self.check(name, sample(name, Guarded(behind)))

    def test_groups_and_dilation(self):
        for name in OPERATIONS:
            if name.startswith("conv2d"):
                for fields in dict(groups=2), dict(dilation_vertical=2, small_height=3), dict(algorithm=1, stride_vertical=1,
                              stride_horizontal=1, small_height=7, small_width=6):
                    with self.subTest(name, **fields):
                        self.check(name, sample(name, Guarded(True), **fields))

    def test_activations(self):
        x = np.linspace(-7, 7, 57, dtype=np.float32)
        for name, function in d.ACTIVATIONS.items():
            y, dx, dy = np.empty_like(x), np.empty_like(x), np.linspace(-1, 2, 57, dtype=np.float32)
            ops.activation_forward(name, x.size, x, y)
            np.testing.assert_allclose(y, function(torch.from_numpy(x).double()), rtol=2e-5, atol=1e-6, err_msg=name)
            back, read = (ops.activation_backward_input, x) if name in library.ACTIVATIONS_OF_INPUT \
                else (ops.activation_backward, y)
            back(name, x.size, read, dy, dx)
            wanted, = d.gradients(function, torch.from_numpy(dy).double(), torch.from_numpy(x).double())
            np.testing.assert_allclose(dx, wanted, rtol=2e-4, atol=2e-5, err_msg=name)
        ops.activation_forward(("leaky_relu", 0.25), x.size, x, y)
        np.testing.assert_array_equal(y, np.where(x > 0, x, x / 4))


class Refusals(unittest.TestCase):
    def refused(self, name, given, array, wrong, error=(TypeError, ValueError)):
        with self.assertRaises(error, msg=f"{name}: {array} {getattr(wrong, 'shape', wrong)}"):
            run(name, {**given, array: wrong})

    @np.errstate(all="ignore")  # casts of what outputs hold
    def test_arrays_of_another_kind_or_length(self):
        for name, call in OPERATIONS.items():
            given = sample(name)
            run(name, given)
            for array in call.arrays:
                right = given[array.name]
                for wrong in (right.astype(np.float64), right.astype(np.float16), right.astype(right.dtype.newbyteorder()),
                              right.tolist(), memoryview(right.tobytes()), 7):
                    if getattr(wrong, "dtype", None) != right.dtype:
                        self.refused(name, given, array.name, wrong, TypeError)
                if right.size == 0:
                    continue
                flat = right.ravel()
                for wrong in (flat[:-1].copy(), flat[:0], np.append(flat, flat[:1]), np.repeat(flat, 2)[::2],
                              np.broadcast_to(flat[:1], right.size), flat.view(np.uint8)[:-1]):
                    if wrong.size > 1 or right.size > 1:
                        self.refused(name, given, array.name, wrong)
                if right.itemsize > 1:
                    shifted = np.empty(right.nbytes + 1, np.uint8)[1:].view(right.dtype)
                    self.refused(name, given, array.name, shifted, ValueError)
                if array.out:
                    fixed = right.copy()
                    fixed.flags.writeable = False
                    self.refused(name, given, array.name, fixed, ValueError)
                if right.ndim > 1 and right.shape != right.T.shape:
                    self.refused(name, given, array.name, np.ascontiguousarray(right.T), ValueError)
                if array.name != "scratch":
                    if array.optional:
                        continue
                    self.refused(name, given, array.name, None, TypeError)

    def test_outputs_lie_over_nothing_but_what_they_may(self):
        for name, call in OPERATIONS.items():
            for array in call.arrays:
                for other in call.arrays:
                    given = sample(name)
                    if array is other or not array.out or given[array.name].shape != given[other.name].shape \
                            or array.dtype != other.dtype or 0 in given[other.name].shape:
                        continue
                    if other.name not in array.aliases and array.name not in other.aliases:
                        self.refused(name, given, array.name, given[other.name], ValueError)
                        continue
                    wanted = sample(name)
                    run(name, wanted)
                    given[array.name] = given[other.name]
                    run(name, given)
                    np.testing.assert_array_equal(given[array.name], wanted[array.name], name)

    def test_structs_and_numbers(self):
        x, y = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32)
        g = ops.Geometry2D(**GEOMETRY)
        g.size = 112
        for error, sentence, call in (
                (ValueError, "size of Geometry2D", lambda: ops.conv2d_check(g)),
                (TypeError, "must be a Geometry2D", lambda: ops.conv2d_check(None)),
                (TypeError, "must be a Geometry2D", lambda: ops.conv2d_check(ops.Dense(1, 2, 3))),
                (TypeError, "no field sample", lambda: ops.Dense(sample=1)),
                (ValueError, "no integer of C", lambda: ops.prelu_forward(2 ** 64 + 2, 3, x, x[0], y)),
                (ValueError, "needed", lambda: ops.prelu_forward(-2, -3, x, x[0], y)),
                (TypeError, "", lambda: ops.prelu_forward(2.0, 3, x, x[0], y)),
                (ValueError, "no activation 'swish'", lambda: ops.activation_forward("swish", 6, x, y)),
                (ValueError, "only a leaky_relu has a slope", lambda: ops.activation_forward(("tanh", 0.5), 6, x, y)),
                (ValueError, "derivative of this activation", lambda: ops.activation_backward("gelu", 6, x, y, y)),
                (ValueError, "threads", lambda: ops.activation_forward("relu", 6, x, y, threads=-1)),
                (ValueError, "a label is none", lambda: ops.softmax_cross_entropy(2, 3, x, np.array([0, 3], np.int32), None, y)),
                (ValueError, "as many weights", lambda: library.ResamplingAxis(3, [0, 4], [0, 1, 2], [1, 1, 1])),
                (ValueError, "end before they start", lambda: ops.resample2d_check(ops.Resampling2D(
                    1, 1, library.ResamplingAxis(3, [0, 9, 3], [0, 1, 2], [1, 1, 1]), AXIS))),
                (ValueError, "no such instruction set", lambda: library.isa_select("mmx")),
                (ValueError, "has 1 to 6 axes", lambda: ops.permute_forward(ops.Permutation(1, 7), x, y))):
            with self.assertRaisesRegex(error, sentence):
                call()

    def test_refusals_have_the_code_of_their_sentence(self):
        with self.assertRaises(library.Refusal) as refusal:
            library.isa_select("mmx")
        self.assertEqual(refusal.exception.code, 8)  # HG_ERROR_ISA

    def test_threads_and_instruction_sets(self):
        met = []
        library.on_each_thread(met.append, 3)
        self.assertEqual(sorted(met), [0, 1, 2])
        self.assertIn(library.isa_name(), library.isa_names())
        self.assertRegex(library.version(), r"^\d+\.\d+\.\d+$")
        library.parallel_check(2)
        self.assertIsInstance(library.isa_has_fma() and library.has_openmp(), bool)


if __name__ == "__main__":
    unittest.main()
