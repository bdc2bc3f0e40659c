"""The PyTorch layers in the place of PyTorch's own: what those do, these do: python -m unittest"""
import copy
import importlib.util
import io
import unittest
import warnings

import torch
import torch.nn.functional as F
from torch import nn

import hourglass_kernels.torch as hgt
from hourglass_kernels import torch_operators as operators
from test_kernels import uniform


class DropIn(unittest.TestCase):
    """What PyTorch's layers and functions do, these do."""

    def setUp(self):
        self.generator = torch.Generator().manual_seed(4)
        self.x, self.weight = uniform(self.generator, 2, 4, 9, 8), uniform(self.generator, 6, 4, 3, 3)

    def same(self, ours, theirs):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
        self.assertEqual(ours.stride(), theirs.stride())

    def test_memory_format_follows_the_input_and_the_weight(self):
        for x in self.x, self.x.to(memory_format=torch.channels_last), self.x[:, :, ::2, 1:], self.x[:, :1]:
            for weight in self.weight, self.weight.to(memory_format=torch.channels_last):
                weight = weight[:, :x.shape[1]]
                self.same(hgt.conv2d(x, weight), F.conv2d(x, weight))
        hgt.conv2d(self.x, self.weight).view(2, -1)

    def test_results_may_be_changed_in_place(self):
        for layer in hgt.Conv2d(4, 4, 3, padding=1), hgt.ConvTranspose2d(4, 4, 3, padding=1):
            x = self.x.clone().requires_grad_()
            y = layer(x)
            y += x
            nn.ReLU(inplace=True)(y).sum().backward()
            self.assertEqual(x.grad.shape, x.shape)
        y, _ = hgt.max_pool2d(self.x.clone().requires_grad_(), 2)
        y.mul_(2).sum().backward()

    def test_what_is_needed_for_a_gradient_may_not_be_changed(self):
        x = self.x.clone().requires_grad_()
        y, switches = hgt.max_pool2d(x, 2)
        switches.zero_()
        with self.assertRaisesRegex(RuntimeError, "modified by an inplace operation"):
            y.sum().backward()
        y = hgt.conv2d(x, self.weight, activation="sigmoid")
        with self.assertRaisesRegex(RuntimeError, "modified by an inplace operation"):
            y.mul_(2).sum().backward()

    def test_arguments_are_torchs(self):
        for options in (dict(stride=(2,)), dict(stride=[2, 3], padding=(1,)), dict(padding="same"), dict(padding="valid"),
                        dict(padding="same", dilation=(2, 1)), dict(dilation=2), dict(groups=2, padding=(2, 1))):
            weight = self.weight[:, :4 // options.get("groups", 1)]
            self.same(hgt.conv2d(self.x, weight, **options), F.conv2d(self.x, weight, **options))
            self.same(hgt.conv2d(self.x[0], weight, **options), F.conv2d(self.x[0], weight, **options))
        back = self.weight.transpose(0, 1).contiguous()
        for options in (dict(stride=(2,), output_padding=1), dict(dilation=2, stride=3, output_padding=(2, 1)),
                        dict(groups=2, padding=1)):
            self.same(hgt.conv_transpose2d(self.x, back, **options), F.conv_transpose2d(self.x, back, **options))
            self.same(hgt.conv_transpose2d(self.x[1], back, **options), F.conv_transpose2d(self.x[1], back, **options))
        self.assertTrue(torch.equal(hgt.max_pool2d(self.x[0], (2,))[0], F.max_pool2d(self.x[0], 2)))

    def test_what_torch_refuses_is_refused(self):
        back = self.weight.transpose(0, 1).contiguous()
        for error, sentence, call in (
                (ValueError, "output_padding 2 is not below", lambda: hgt.conv_transpose2d(self.x, back, None, 2, 0, 2)),
                (ValueError, "not of shape", lambda: hgt.conv2d(self.x[0, 0], self.weight)),
                (ValueError, "height of the small image", lambda: hgt.conv2d(self.x[:, :, :2], self.weight)),
                (ValueError, "no activation 'swish'", lambda: hgt.conv2d(self.x, self.weight, activation="swish")),
                (TypeError, "float32 on the CPU, not torch.float64", lambda: hgt.conv2d(self.x.double(), self.weight)),
                (TypeError, "float32 on the CPU, not torch.bfloat16", lambda: hgt.Conv2d(4, 4, 3).bfloat16()(self.x))):
            with self.assertRaisesRegex(error, sentence):
                call()

    def test_autocast_computes_in_float32(self):
        with torch.autocast("cpu", torch.bfloat16):
            y = hgt.conv2d(self.x.bfloat16().requires_grad_(), self.weight)
        self.same(y.detach(), F.conv2d(self.x.bfloat16().float(), self.weight))
        y.sum().backward()

    def test_layers_are_torchs(self):
        for ours, theirs, options in (
                (hgt.Conv2d, nn.Conv2d, dict(padding=1, padding_mode="reflect")), (hgt.Conv2d, nn.Conv2d, dict(groups=4)),
                (hgt.ConvTranspose2d, nn.ConvTranspose2d, dict(stride=2, bias=False, dilation=2))):
            ours, theirs = ours(4, 8, 3, **options), theirs(4, 8, 3, **options)
            ours.load_state_dict(theirs.state_dict())
            self.same(ours(self.x), theirs(self.x))
        self.same(ours(self.x, output_size=(22, 20)), theirs(self.x, output_size=(22, 20)))
        with self.assertRaisesRegex(ValueError, "no dilation and no ceil_mode"):
            hgt.MaxPool2d(2, ceil_mode=True)

    def unpooled(self, layer, y, indices, size):
        """The image and the gradient of y; nothing where the layer refuses the indices."""
        leaf = y.detach().clone().requires_grad_()
        try:
            x = layer(leaf, indices, output_size=size)
        except RuntimeError:
            return ()
        return x.detach(), *torch.autograd.grad(x, leaf, torch.linspace(-1, 1, x.numel()).view(x.shape))

    def test_indices_and_unpooling_are_torchs(self):
        """Indices of max-pooling, and unpooling by them, also where it is PyTorch's own: windows that overlap, indices that
        are not of their windows."""
        for window in dict(kernel_size=2), dict(kernel_size=(2, 3)), dict(kernel_size=3, stride=2, padding=1), \
                dict(kernel_size=2, stride=3), dict(kernel_size=3, padding=1):
            pool, unpool = nn.MaxPool2d(**window, return_indices=True), nn.MaxUnpool2d(**window)
            our_pool, our_unpool = (copy.deepcopy(layer) for layer in (pool, unpool))
            hgt.replace(nn.Sequential(our_pool, our_unpool))
            for x in self.x, self.x.to(memory_format=torch.channels_last), self.x[0], self.x[:0]:
                y, indices = pool(x)
                for got, wanted in zip(our_pool(x), (y, indices)):
                    self.assertTrue(torch.equal(got, wanted))
                for size in None, x.shape[-2:], (1, 1, *x.shape[-2:]):
                    for where in indices, indices.flip(-1):
                        ours, theirs = (self.unpooled(layer, y, where, size) for layer in (our_unpool, unpool))
                        self.assertEqual(len(ours), len(theirs), (window, size))
                        for got, wanted in zip(ours, theirs):
                            self.assertTrue(torch.equal(got, wanted), (window, size))

    def test_unpooling_refuses_what_torchs_refuses(self):
        y, indices = F.max_pool2d(self.x, 2, return_indices=True)
        layer = hgt.MaxUnpool2d(2)
        for error, call in (
                (RuntimeError, lambda: layer(y, indices + 10 ** 6)), (RuntimeError, lambda: layer(y, -1 - indices)),
                (ValueError, lambda: layer(y, indices[:1])), (ValueError, lambda: layer(y, indices.int())),
                (ValueError, lambda: layer(y, indices, output_size=(90, 90))), (TypeError, lambda: layer(y.double(), indices))):
            with self.assertRaises(error):
                call()

    def test_there_is_no_second_derivative(self):
        x = self.x.clone().requires_grad_()
        dx, = torch.autograd.grad(hgt.conv2d(x, self.weight.requires_grad_()).sum(), x, create_graph=True)
        with self.assertRaisesRegex(RuntimeError, "no autograd formula|not implemented|does not require grad"):
            torch.autograd.grad(dx.sum(), self.weight)

    def test_batches_of_nothing_have_gradients_of_zero(self):
        layer, x = hgt.Conv2d(4, 6, 3), torch.zeros(0, 4, 9, 8, requires_grad=True)
        layer(x).sum().backward()
        self.assertEqual(layer.weight.grad.abs().sum(), 0)
        self.assertEqual(x.grad.shape, x.shape)

    def test_operators_are_known_to_torch(self):
        switches = hgt.max_pool2d(self.x, 2)[1]
        one, zero, two = [1, 1], [0, 0], [2, 2]
        for operator, arguments in (
                (operators.convolution, (self.x, self.weight, None, one, one, zero, one, 1, False, "tanh", False)),
                (operators.convolution, (self.x, self.weight.transpose(0, 1).contiguous(), torch.rand(6), two, zero, one, one, 1,
                                    True, "linear", True)),
                (operators.max_pool2d, (self.x, two, two, zero, False)),
                (operators.max_unpool2d, (self.x[:, :, :4, :4].contiguous(), switches, [9, 8], two, two, zero, True)),
                (operators.max_unpool2d_of_indices, (*F.max_pool2d(self.x, 2, return_indices=True), [9, 8], two, two, zero,
                                                     False))):
            arguments = [a.requires_grad_() if isinstance(a, torch.Tensor) and a.is_floating_point() else a
                         for a in (a.detach().clone() if isinstance(a, torch.Tensor) else a for a in arguments)]
            torch.library.opcheck(operator, arguments, test_utils=("test_schema", "test_autograd_registration",
                                                                   "test_faketensor", "test_aot_dispatch_static"))

    def test_compiled_models_compute_the_same(self):
        model = nn.Sequential(hgt.Conv2d(4, 6, 3, padding=1, activation="relu"), hgt.MaxPool2d(2),
                              hgt.ConvTranspose2d(6, 4, 2, 2))
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
        self.assertTrue(torch.equal(compiled(self.x), model(self.x)))
        pool, unpool = hgt.MaxPool2d(2, return_indices=True), hgt.MaxUnpool2d(2)
        around = torch.compile(lambda x: unpool(*pool(x), output_size=x.shape), backend="aot_eager", fullgraph=True)
        self.assertTrue(torch.equal(around(self.x), unpool(*pool(self.x), output_size=self.x.shape)))
        gradients = [torch.autograd.grad(m(self.x).square().sum(), model.parameters()) for m in (compiled, model)]
        for ours, theirs in zip(*gradients):
            self.assertTrue(torch.equal(ours, theirs))

    def test_exported_programs_have_torchs_operators(self):
        model = nn.Sequential(hgt.Conv2d(4, 6, 3, activation="tanh"), hgt.MaxPool2d(2), hgt.ConvTranspose2d(6, 4, 2, 2))
        program = torch.export.export(model, (self.x,))
        self.assertNotIn("hourglass", str(program.graph))
        torch.testing.assert_close(program.module()(self.x), model(self.x), rtol=1e-4, atol=1e-4)

    @unittest.skipUnless(all(map(importlib.util.find_spec, ("onnx", "onnxruntime"))), "no onnx and onnxruntime here")
    def test_onnx_files_compute_the_same(self):
        import onnxruntime
        model = nn.Sequential(hgt.Conv2d(4, 6, 3, padding=1, activation="relu"), hgt.MaxPool2d(2),
                              hgt.ConvTranspose2d(6, 4, 2, 2)).eval()
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's own, of its older exporter
            torch.onnx.export(model, (self.x,), file, input_names=["x"], dynamo=False)
        session = onnxruntime.InferenceSession(file.getvalue())
        for x in self.x, uniform(self.generator, *self.x.shape):
            wanted = model(x).detach()
            torch.testing.assert_close(torch.from_numpy(session.run(None, {"x": x.numpy()})[0]), wanted)

    def test_replace_swaps_layers_and_says_why_not(self):
        class Own(nn.Conv2d):
            pass

        model = nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.ReLU(inplace=True), nn.MaxPool2d(2, ceil_mode=True),
                              nn.Sequential(nn.ConvTranspose2d(8, 4, 2, 2)), Own(4, 4, 1), nn.MaxPool2d(2))
        wanted = copy.deepcopy(model)(self.x)
        report = {r.name: r.reason for r in hgt.replace(model)}
        self.assertEqual([name for name, reason in report.items() if reason is None], ["0", "3.0", "5"])
        self.assertRegex(report["2"], "no dilation and no ceil_mode")
        self.assertRegex(report["4"], "it is a Own")
        self.assertIs(type(model[3][0]), hgt.ConvTranspose2d)
        self.same(model(self.x), wanted)

    def test_replace_times_layers_on_what_they_were_given(self):
        class Around(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.pool = nn.Conv2d(4, 8, 3), nn.MaxPool2d(2, return_indices=True)
                self.unpool = nn.MaxUnpool2d(2)

            def forward(self, x):
                x = self.conv(x)
                return self.unpool(*self.pool(x), output_size=x.shape)

        model = Around()
        wanted = model(self.x).detach()
        for timed in hgt.replace(model, self.x):
            self.assertEqual(timed.reason is None, timed.milliseconds[1] < timed.milliseconds[0], timed.name)
        self.same(model(self.x), wanted)


@unittest.skipUnless(importlib.util.find_spec("expecttest"), "no expecttest here, which PyTorch's own tests need")
class TorchsOwnCases(unittest.TestCase):
    """The arguments with which PyTorch tests its own modules: outputs and gradients in both memory formats, of inputs that
    are not contiguous, and of batches of nothing."""

    def test_modules(self):
        from torch.testing._internal.common_modules import module_db
        kinds, tried = {**hgt._KINDS}, 0
        for information in module_db:
            if information.module_cls not in kinds:
                continue
            for case in information.module_inputs_func(information, "cpu", torch.float32, True, True):
                arguments, options = case.constructor_input.args, dict(case.constructor_input.kwargs)
                theirs = information.module_cls(*arguments, **options)
                if hgt._why_not(theirs):
                    continue
                ours = copy.deepcopy(theirs)
                ours.__class__ = kinds[information.module_cls]
                x, *rest = case.forward_input.args
                batch = x if x.ndim == 4 else x.unsqueeze(0)
                variants = [x, batch.to(memory_format=torch.channels_last), batch[:0],
                            torch.stack([batch, batch], -1)[..., 0]]
                for variant in variants:
                    results = []
                    for layer in ours, theirs:
                        leaf = variant.detach().requires_grad_()
                        y = layer(leaf, *rest, **case.forward_input.kwargs)
                        y = y[0] if isinstance(y, tuple) else y  # without the indices
                        dy = torch.linspace(-1, 1, y.numel()).view(y.shape)
                        results.append((y.detach(), *torch.autograd.grad(y, [leaf, *layer.parameters()], dy)))
                    for got, wanted in zip(*results):
                        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)
                    tried += 1
        self.assertGreater(tried, 30)


if __name__ == "__main__":
    unittest.main()
