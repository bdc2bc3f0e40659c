"""NumPy functions and PyTorch layers against PyTorch in float64, on random geometries: python -m unittest

A sum of d products in float32, fused or not and in any order, is within d u sum |terms| of the exact one, u = 2^-24
(Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1). The bound used is (d + 2) u sum |terms|: bias and
the rounding of the result are one term each. sum |terms| is the same call on absolute values.
"""
import os
import random
import unittest
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

import hourglass_kernels as hg
import hourglass_kernels.torch as hgt

U = 2.0 ** -24
CASES = range(30)
torch.set_num_threads(1)  # arrays this small gain nothing from more


def uniform(generator, *shape):
    return torch.rand(*shape, generator=generator) * 2 - 1


class Problem:
    """A random convolution or transposed convolution that PyTorch takes as well, as functions of (x, weight, bias)."""

    def __init__(self, seed, transposed):
        choice, self.generator = random.Random(seed), torch.Generator().manual_seed(seed)
        N, C, K = choice.randint(1, 5), choice.choice([1, 3, 5, 16, 33]), choice.choice([1, 4, 16, 20, 65])
        taps, step = [(choice.randint(1, 5), choice.randint(1, 5)) for _ in range(2)]
        pad = [choice.randint(0, (t - 1) // 2) for t in taps]
        extra = [choice.randint(0, s - 1) for s in step] if transposed else [0, 0]
        sides = [choice.randint(max(1, t - 2 * p), 14) for t, p in zip(taps, pad)]
        channels = (K, C) if transposed else (C, K)
        x, weight = uniform(self.generator, N, channels[0], *sides), uniform(self.generator, K, C, *taps)
        self.inputs = [x, weight, uniform(self.generator, channels[1])]
        self.geometry = (step, pad, extra) if transposed else (step, pad)
        self.depth = {"y": taps[0] * taps[1] * channels[0], "dx": taps[0] * taps[1] * channels[1]}
        self.ours = hgt.conv_transpose2d if transposed else hgt.conv2d
        self.theirs = F.conv_transpose2d if transposed else F.conv2d

    def run(self, call, inputs, dy):
        """y and the three gradients."""
        leaves = [leaf.detach().clone().requires_grad_() for leaf in inputs]
        y = call(*leaves, *self.geometry)
        return (y.detach(), *torch.autograd.grad(y, leaves, dy))


class Agreement(unittest.TestCase):
    def close(self, got, wanted, magnitude, depth, what):
        excess = (got.double() - wanted).abs() - (depth + 2) * U * magnitude
        self.assertLessEqual(excess.max().item(), 0, what)

    def test_convolutions_and_their_gradients_are_within_the_bound(self):
        for transposed in False, True:
            for seed in CASES:
                problem = Problem(seed, transposed)
                dy = uniform(problem.generator, *problem.theirs(*problem.inputs, *problem.geometry).shape)
                got = problem.run(problem.ours, problem.inputs, dy)
                wanted = problem.run(problem.theirs, [i.double() for i in problem.inputs], dy.double())
                sizes = problem.run(problem.theirs, [i.double().abs() for i in problem.inputs], dy.double().abs())
                positions = dy.shape[0] * max(dy.shape[2] * dy.shape[3], problem.inputs[0][0, 0].numel())
                depths = problem.depth["y"], problem.depth["dx"], positions, positions
                for name, *arrays, depth in zip(("y", "dx", "dweight", "dbias"), got, wanted, sizes, depths):
                    self.close(*arrays, depth, f"{name}, seed {seed}, transposed {transposed}")

    def test_pooling_and_unpooling_equal_torch(self):
        for seed in CASES:
            choice, generator = random.Random(seed), torch.Generator().manual_seed(seed)
            size, channels, padding = choice.randint(1, 3), choice.choice([1, 5, 16, 40]), choice.randint(0, 1)
            padding = min(padding, size // 2)
            side = choice.randint(size, 12)
            x = uniform(generator, 2, channels, side, side).requires_grad_()
            y, switches = hgt.max_pool2d(x, size, None, padding)
            wanted, indices = F.max_pool2d(x, size, None, padding, return_indices=True)
            self.assertTrue(torch.equal(y, wanted))
            dy = uniform(generator, *y.shape)
            self.assertTrue(torch.equal(*(torch.autograd.grad(out, x, dy)[0] for out in (y, wanted))))
            values = uniform(generator, *y.shape).requires_grad_()
            unpooled = hgt.max_unpool2d(values, switches, (side, side), size, None, padding)
            # torch.max_unpool2d wants the indices into the unpadded image; ours are of the window.
            theirs = torch.zeros(2, channels, side * side).scatter(2, indices.flatten(2), values.detach().flatten(2))
            self.assertTrue(torch.equal(unpooled.flatten(2), theirs))
            dx = uniform(generator, 2, channels, side, side)
            self.assertTrue(torch.equal(torch.autograd.grad(unpooled, values, dx)[0],
                                        dx.flatten(2).gather(2, indices.flatten(2)).view_as(values)))

    def test_bits_do_not_depend_on_threads(self):
        problem = Problem(3, False)
        x, filter = (np.ascontiguousarray(t.permute(0, 2, 3, 1).numpy()) for t in problem.inputs[:2])
        filter = np.ascontiguousarray(problem.inputs[1].permute(2, 3, 1, 0).numpy())
        one, three = (hg.conv2d(x, filter, stride=problem.geometry[0], padding=problem.geometry[1], threads=n)
                      for n in (1, 3))
        self.assertTrue(np.array_equal(one, three))


class Views(unittest.TestCase):
    """Images that lie inside larger arrays: what is computed is what is computed of copies, and nothing else is written."""

    def setUp(self):
        self.generator = np.random.default_rng(4)

    def draw(self, *shape):
        return self.generator.standard_normal(shape, np.float32)

    def test_channels_side_by_side_are_a_concatenation(self):
        x, first, second, third = self.draw(2, 9, 8, 3), self.draw(3, 3, 3, 5), self.draw(3, 3, 3, 20), self.draw(3, 3, 25, 4)
        wide = np.full((2, 9, 8, 30), np.nan, np.float32)
        hg.conv2d(x, first, padding=1, out=wide[..., :5])
        hg.conv2d(x, second, padding=1, activation="tanh", out=wide[..., 5:25])
        copy = np.concatenate([hg.conv2d(x, first, padding=1), hg.conv2d(x, second, padding=1, activation="tanh")], -1)
        np.testing.assert_array_equal(wide[..., :25], copy)
        hg.conv2d(wide[..., :25], third, padding=1, out=wide[..., 25:29])  # from and to the same array
        np.testing.assert_array_equal(wide[..., 25:29], hg.conv2d(copy, third, padding=1))
        self.assertTrue(np.isnan(wide[..., 29]).all())
        inside, dy = wide[:, 1:-1, 1:-1, :25], self.draw(2, 5, 4, 4)
        for got, wanted in zip(hg.conv2d_backward(inside, third, dy), hg.conv2d_backward(inside.copy(), third, dy)):
            np.testing.assert_array_equal(got, wanted)
        for got, wanted in zip(hg.max_pool2d(inside, 2), hg.max_pool2d(inside.copy(), 2)):
            np.testing.assert_array_equal(got, wanted)

    def test_views_in_another_order_or_over_one_another_are_copied_or_refused(self):
        x, filter = self.draw(2, 6, 6, 4), self.draw(3, 3, 4, 4)
        for view in (x[::-1], x[..., ::2].repeat(2, -1)[..., ::-1], x.transpose(0, 2, 1, 3),
                     np.broadcast_to(x[:1], x.shape), x[:, ::-1]):
            np.testing.assert_array_equal(hg.conv2d(view, filter), hg.conv2d(view.copy(), filter))
            with self.assertRaises(TypeError):
                hg.conv2d(x, filter, padding=1, out=view)
        with self.assertRaisesRegex(ValueError, "lies over"):
            hg.conv2d(x[..., :4], filter, padding=1, out=x)
        geometry = hg.Geometry2D(2, 6, 6, 4, 6, 6, 4, 1, 1, 1, 1)
        wide = np.zeros((2, 6, 6, 9), np.float32)
        with self.assertRaisesRegex(ValueError, "other strides than another"):
            prepared = np.empty(hg.operations.conv2d_prepared_scatter_count(geometry), hg.operations.scatter_filter)
            hg.operations.conv2d_backward_data(geometry, x, prepared, "relu", x, wide[..., :4])
        geometry.large_pixel_stride = 9
        with self.assertRaisesRegex(ValueError, "strides of the large image are those of its arrays"):
            hg.operations.upsample2d_forward(geometry, x, wide[..., :4])


class Gradients(unittest.TestCase):
    """gradcheck in float32. The functions are linear in each argument (pooling: piecewise), so that central differences
    with a large step are exact but for rounding; where an activation bends them the step is small."""

    def check(self, call, inputs, eps=0.25, atol=1e-3, rtol=1e-3):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Input #.* is not a double precision")
            self.assertTrue(gradcheck(call, [i.requires_grad_() for i in inputs], eps=eps, atol=atol, rtol=rtol))

    def test_convolutions(self):
        generator = torch.Generator().manual_seed(1)
        for geometry, side in (((1, 1), 5), ((2, 1), 6), ((3, 0), 7)):
            weight, bias = uniform(generator, 3, 2, 3, 3), uniform(generator, 3)
            self.check(lambda x, w, b: hgt.conv2d(x, w, b, *geometry),
                       [uniform(generator, 2, 2, side, side), weight, bias])
            self.check(lambda x, w, b: hgt.conv_transpose2d(x, w, b, *geometry),
                       [uniform(generator, 2, 3, 3, 3), weight.detach(), uniform(generator, 2)])

    def test_fused_activations(self):
        generator = torch.Generator().manual_seed(2)
        inputs = [uniform(generator, 1, 2, 4, 4), uniform(generator, 2, 2, 3, 3), uniform(generator, 2)]
        # Third derivatives of the sigmoid are below 1/8, so the step costs eps^2 / 48 |change|^3, below 1e-4.
        self.check(lambda x, w, b: hgt.conv2d(x, w, b, 1, 1, activation="sigmoid"), inputs, eps=2 ** -6, atol=2e-3)
        # Integers and a half: no sum comes nearer to the bend of the ReLU than 1/2.
        whole = [(i.detach() * 2).round() for i in inputs]
        whole[2] += 0.5
        self.check(lambda x, w, b: hgt.conv2d(x, w, b, 1, 1, activation="relu"), whole, eps=2 ** -4)

    def test_pooling(self):
        order = torch.randperm(2 * 3 * 36, generator=torch.Generator().manual_seed(3)).float().view(2, 3, 6, 6)
        self.check(lambda x: hgt.max_pool2d(x, 2)[0], [order])
        self.check(lambda x: hgt.max_pool2d(x, 3, 2, 1)[0], [order.detach()])
        switches = hgt.max_pool2d(order.detach(), 2)[1]
        self.check(lambda y: hgt.max_unpool2d(y, switches, (6, 6), 2), [torch.rand(2, 3, 3, 3)])


class Refusals(unittest.TestCase):
    def test_what_cannot_be_computed_is_refused_with_a_sentence(self):
        x, filter = np.zeros((1, 8, 8, 3), np.float32), np.zeros((3, 3, 3, 4), np.float32)
        for sentence, call in (
                ("the padding is negative", lambda: hg.conv2d(x, filter, padding=-1)),
                ("the vertical stride is below 1", lambda: hg.conv2d(x, filter, stride=0)),
                ("x has shape", lambda: hg.conv2d(x[..., :2], filter)),
                ("dy has shape", lambda: hg.conv2d_backward(x, filter, np.zeros((1, 5, 6, 4), np.float32))),
                ("more than 255 elements", lambda: hg.max_pool2d(np.zeros((1, 32, 32, 1), np.float32), 16)),
                ("threads", lambda: hg.conv2d(x, filter, threads=-1))):
            with self.assertRaisesRegex(ValueError, sentence):
                call()

    def test_every_array_of_every_function_must_be_of_its_kind(self):
        x, filter, y = (np.zeros(shape, np.float32) for shape in ((1, 8, 8, 3), (3, 3, 3, 4), (1, 6, 6, 4)))
        pooled, switches = hg.max_pool2d(x, 2)
        calls = ((hg.conv2d, (x, filter, np.zeros(4, np.float32)), {}), (hg.conv2d_backward, (x, filter, y), {}),
                 (hg.conv_transpose2d, (y, filter, np.zeros(3, np.float32)), {}),
                 (hg.conv_transpose2d_backward, (y, filter, x), {}), (hg.max_pool2d, (x,), {"filter": 2}),
                 (hg.max_unpool2d, (pooled, switches), {"shape": x.shape, "filter": 2}),
                 (hg.max_unpool2d_backward, (x, switches), {"filter": 2}),
                 (lambda *arrays: hg.activation_backward("tanh", *arrays), (y, y), {}))
        for call, arrays, options in calls:
            call(*arrays, **options)
            for index, array in enumerate(arrays):
                for wrong in (array.astype(np.float64), array.astype(np.float16), array.tolist()):
                    with self.assertRaisesRegex(TypeError, "must be a NumPy array of"):
                        call(*arrays[:index], wrong, *arrays[index + 1:], **options)
        with self.assertRaisesRegex(TypeError, "out must be"):
            hg.conv2d(x, filter, out=y.astype(np.float64))

    def test_a_forked_process_computes_on_one_thread(self):
        x, filter = (np.random.default_rng(1).random(shape, np.float32) for shape in ((4, 32, 32, 8), (3, 3, 8, 32)))
        wanted, (read, write) = hg.conv2d(x, filter, threads=2), os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
            child = os.fork()
        if child == 0:
            try:
                os.write(write, b"=" if np.array_equal(hg.conv2d(x, filter, threads=2), wanted) else b"!")
            finally:
                os._exit(0)
        self.assertEqual(os.read(read, 1), b"=")
        os.waitpid(child, 0)


if __name__ == "__main__":
    unittest.main()
