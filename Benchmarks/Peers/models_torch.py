"""Twins of models in PyTorch: modules with the parameter names and shapes that Hourglass writes.

    model = twin(description("conv-vae-28"))     # a preset, by .build/release/hourglass inspect, or a model file

Indices of encoder and decoder are places in the list: a fused activation does not count and there is no flatten,
because a dense layer flattens what it reads, in the order C, H, W. Whatever a twin lacks raises Unsupported.
"""
import json
import math
import os
import pathlib
import subprocess

from torch import nn

from autoencoder_torch import Autoencoder
from codes_torch import Codebook, GaussianLatent, penalty
from layers_torch import (SLOPES, Activation, Add, Concat, Conv1D, Conv2D, ConvTranspose1D, ConvTranspose2D, Dense,
                          GaussianNoise, GlobalAveragePool2D, Images, MaxPool2D, MaxUnpool2D, Pad2D,
                          PaddedAveragePool2D, PaddedMaxPool2D, Reshape, Residual, Skip, TiedConvTranspose2D,
                          TiedDense, Unsupported, VectorNorm, ending, padding, pair)


def description(model):
    """The JSON object of a model file, or of a preset."""
    if model.endswith(".json"):
        return json.loads(pathlib.Path(model).read_text())
    root = pathlib.Path(__file__).resolve().parents[2]
    program = os.environ.get("HOURGLASS_PROGRAM", str(root / ".build" / "release" / "hourglass"))
    return json.loads(subprocess.run([program, "inspect", model, "--json"], check=True, capture_output=True).stdout)


def extent(layer):
    """Height and width from the first tap of a kernel to its last one."""
    kernel, dilation = pair(layer["kernel"]), pair(layer.get("dilation", 1))
    return tuple((kernel[i] - 1) * dilation[i] + 1 for i in (0, 1))


class Builder:
    """Makes modules of a model file. Shapes are (height, width, channels)."""

    def __init__(self, model, exact):
        self.exact = exact
        shape = tuple(model["input"])
        # The module of a name, with the shapes that it reads and puts out.
        self.made = {"image": (nn.Identity(), shape, shape)}
        self.unpooled = {layer["of"] for layer in self.leaves(model) if layer["layer"] == "MaxUnpool2D"}

    def leaves(self, part):
        """All layers of a model or a block."""
        lists = [part.get(key, []) for key in ("encoder", "decoder", "layers", "shortcut")]
        for layer in sum(lists, [part["latent"]] if "latent" in part else []):
            yield layer
            yield from self.leaves(layer)

    def chain(self, layers, shape, within):
        """The modules of a list and the shape that the last one puts out."""
        modules = []
        for number, layer in enumerate(layers):
            module, shape = self.module(layer, shape, f"{within}.{number}")
            modules.append(module)
        return modules, shape

    def module(self, layer, shape, name):
        make = getattr(self, "make_" + layer["layer"], None)
        if not make:
            raise Unsupported(f"the layer {layer['layer']}")
        if layer.get("padding") == "valid":
            layer = {**layer, "padding": 0}
        module, output = make(layer, shape, name)
        self.made[name] = module, shape, output
        return module, output

    def window(self, layer, shape, transposed=False):
        """Kernel, stride, the other size, and `padding` for both extents, of a layer that has such."""
        kernel, given = pair(layer["kernel"]), layer.get("padding", "same")
        stride = pair(layer.get("stride", 1))
        sizes, pads = [], []
        for axis in (0, 1):
            size, r, u = shape[axis], extent(layer)[axis], stride[axis]
            if given == "same":
                other = size * u if transposed else -(-size // u)
            else:
                pad = pair(given)[axis]
                other = (size - 1) * u + r - 2 * pad if transposed else (size + 2 * pad - r) // u + 1
            if transposed and layer.get("outputSize"):
                other = pair(layer["outputSize"])[axis]
            large, small = (other, size) if transposed else (size, other)
            before = max(0, (small - 1) * u + r - large) // 2 if given == "same" else pad
            sizes.append(other)
            pads.append(padding(large, small, r, u, before, self.exact))
        both, rest, far = zip(*pads)
        return kernel, stride, tuple(sizes), both, rest, far

    def sides(self, layer, shape, kernel, stride):
        """(top, left, bottom, right) of what a layer says of its padding."""
        given = layer["padding"]
        if isinstance(given, list) and len(given) == 4:
            return tuple(given)
        if given != "same":
            return pair(given) * 2
        total = [max(0, (-(-shape[i] // stride[i]) - 1) * stride[i] + kernel[i] - shape[i]) for i in (0, 1)]
        return total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2

    def make_Conv2D(self, layer, shape, name):
        written = {"padding": "same", "stride": 1, **layer}
        kernel, stride, mode = pair(layer["kernel"]), pair(written["stride"]), layer.get("paddingMode", "zeros")
        if mode == "zeros" and not (isinstance(written["padding"], list) and len(written["padding"]) == 4):
            kernel, stride, size, both, _, far = self.window(written, shape)
            sides = (0, 0, *far)
        else:
            both, sides = 0, self.sides(written, shape, extent(layer), stride)
            size = [(shape[i] + sides[i] + sides[i + 2] - extent(layer)[i]) // stride[i] + 1 for i in (0, 1)]
        module = Conv2D(shape[2], layer["filters"], kernel, stride, layer.get("activation", "linear"), both, sides, mode,
                        layer.get("bias", True), pair(layer.get("dilation", 1)), layer.get("groups", 1))
        module.written = layer
        return module, (*size, layer["filters"])

    def transposed(self, layer, shape):
        """Size, kernel, stride, padding on all sides, output padding, and rows to cut off at the far side and the near."""
        given, near = layer.get("padding", "same"), (0, 0)
        if not (isinstance(given, list) and len(given) == 4):
            kernel, stride, size, both, rest, far = self.window(layer, shape, transposed=True)
            return size, kernel, stride, both, rest, far, near
        kernel, stride = pair(layer["kernel"]), pair(layer.get("stride", 1))
        whole = [(shape[i] - 1) * stride[i] + extent(layer)[i] for i in (0, 1)]
        size = pair(layer.get("outputSize") or [whole[i] - given[i] - given[i + 2] for i in (0, 1)])
        near = given[:2]
        rest = [max(0, near[i] + size[i] - whole[i]) for i in (0, 1)]
        far = [max(0, whole[i] - near[i] - size[i]) for i in (0, 1)]
        return size, kernel, stride, (0, 0), rest, far, near

    def make_ConvTranspose2D(self, layer, shape, name):
        size, kernel, stride, both, rest, far, near = self.transposed(layer, shape)
        return ConvTranspose2D(shape[2], layer["filters"], kernel, stride, layer.get("activation", "linear"), both, rest,
                               far, near, layer.get("bias", True), pair(layer.get("dilation", 1)),
                               layer.get("groups", 1)), (*size, layer["filters"])

    def make_TiedConvTranspose2D(self, layer, shape, name):
        lender, output, _ = self.made[layer["to"]]
        written = {**lender.written, "outputSize": list(output[:2])}
        _, _, _, both, rest, far = self.window(written, shape, transposed=True)
        activation = layer.get("activation", "linear")
        return TiedConvTranspose2D(lender, output[2], activation, both, rest, far), output

    def line(self, layer):
        """What a layer of sequences says, as one of images of height 1."""
        written = dict(layer)
        for key in ("kernel", "stride", "outputSize", "factor", "dilation"):
            if isinstance(layer.get(key), int):
                written[key] = [1, layer[key]]
        if isinstance(layer.get("padding"), int):
            written["padding"] = [0, layer["padding"]]
        if layer.get("mode") == "linear":
            written["mode"] = "bilinear"
        return written

    def make_Conv1D(self, layer, shape, name):
        written = self.line({"padding": "same", "stride": 1, **layer})
        stride, mode = layer.get("stride", 1), layer.get("paddingMode", "zeros")
        _, left, _, right = self.sides(written, shape, extent(written), (1, stride))
        module = Conv1D(shape[2], layer["filters"], layer["kernel"], stride, layer.get("activation", "linear"),
                        (left, right), mode, layer.get("bias", True), layer.get("dilation", 1), layer.get("groups", 1))
        return module, (1, (shape[1] + left + right - extent(written)[1]) // stride + 1, layer["filters"])

    def make_ConvTranspose1D(self, layer, shape, name):
        written = self.line({"padding": "same", "stride": 1, **layer})
        size, kernel, stride, both, rest, far, near = self.transposed(written, shape)
        module = ConvTranspose1D(shape[2], layer["filters"], kernel[1], stride[1], layer.get("activation", "linear"),
                                 both[1], rest[1], far[1], near[1], layer.get("bias", True), layer.get("dilation", 1),
                                 layer.get("groups", 1))
        return module, (*size, layer["filters"])

    def make_MaxPool1D(self, layer, shape, name):
        return self.make_MaxPool2D(self.line(layer), shape, name)

    def make_AveragePool1D(self, layer, shape, name):
        return self.make_AveragePool2D(self.line(layer), shape, name)

    def make_Upsample1D(self, layer, shape, name):
        return self.make_Upsample2D(self.line(layer), shape, name)

    def make_Dense(self, layer, shape, name):
        activation = layer.get("activation", "linear")
        module = Dense(math.prod(shape), layer["units"], activation, layer.get("bias", True))
        module.slope = SLOPES.get(activation)
        return module, (1, 1, layer["units"])

    def make_TiedDense(self, layer, shape, name):
        lender, output, _ = self.made[layer["to"]]
        return TiedDense(lender, output, layer.get("activation", "linear")), output

    def make_Reshape(self, layer, shape, name):
        return Reshape(*layer["shape"]), tuple(layer["shape"])

    def pool(self, layer, shape):
        """Kernel, stride, padding on all sides, whether both sides of each axis have as much, and the size."""
        written = {"padding": 0, **layer}
        kernel, stride = pair(layer["kernel"]), pair(layer.get("stride") or layer["kernel"])
        sides, size = self.sides(written, shape, kernel, stride), []
        for i in (0, 1):
            steps = shape[i] + sides[i] + sides[i + 2] - kernel[i]
            more = layer.get("ceiling") and steps % stride[i] and (steps // stride[i] + 1) * stride[i] < shape[i] + sides[i]
            size.append(steps // stride[i] + (2 if more else 1))
        alike = sides[:2] == sides[2:] and all(2 * pad <= r for pad, r in zip(sides, kernel))
        return kernel, stride, sides, alike, (*size, shape[2])

    def make_MaxPool2D(self, layer, shape, name):
        kernel, stride, sides, alike, size = self.pool(layer, shape)
        if name in self.unpooled and any(r > u for r, u in zip(kernel, stride)):
            raise Unsupported("sums of windows that overlap in a max-unpooling")
        if name in self.unpooled:
            return MaxPool2D(kernel, stride, sides[:2]), size
        if not alike:
            return PaddedMaxPool2D(kernel, stride, sides, layer.get("ceiling", False)), size
        return nn.MaxPool2d(kernel, stride, sides[:2], ceil_mode=layer.get("ceiling", False)), size

    def make_MaxUnpool2D(self, layer, shape, name):
        pool, output, _ = self.made[layer["of"]]
        return MaxUnpool2D(pool, output[:2]), output

    def make_AveragePool2D(self, layer, shape, name):
        kernel, stride, sides, alike, size = self.pool(layer, shape)
        ceiling, counts = layer.get("ceiling", False), layer.get("countsPadding", True)
        if not alike:
            return PaddedAveragePool2D(kernel, stride, sides, ceiling, counts), size
        return nn.AvgPool2d(kernel, stride, sides[:2], ceiling, counts), size

    def make_GlobalAveragePool2D(self, layer, shape, name):
        return GlobalAveragePool2D(), (1, 1, shape[2])

    def make_AdaptiveAveragePool2D(self, layer, shape, name):
        size = pair(layer["outputSize"])
        return Images(nn.AdaptiveAvgPool2d(size)), (*size, shape[2])

    def make_Pad2D(self, layer, shape, name):
        sides = self.sides(layer, shape, None, None)
        size = shape[0] + sides[0] + sides[2], shape[1] + sides[1] + sides[3]
        return Pad2D(sides, layer.get("mode", "zeros")), (*size, shape[2])

    def make_PixelShuffle2D(self, layer, shape, name):
        r = layer["factor"]
        return Images(nn.PixelShuffle(r)), (shape[0] * r, shape[1] * r, shape[2] // r**2)

    def make_PixelUnshuffle2D(self, layer, shape, name):
        r = layer["factor"]
        return nn.PixelUnshuffle(r), (shape[0] // r, shape[1] // r, shape[2] * r**2)

    def make_Upsample2D(self, layer, shape, name):
        factor, mode = pair(layer["factor"]), layer.get("mode", "nearest")
        corners = layer.get("alignCorners", False) if mode == "bilinear" else None
        module = Images(nn.Upsample(scale_factor=factor, mode=mode, align_corners=corners))
        return module, (shape[0] * factor[0], shape[1] * factor[1], shape[2])

    def make_Dropout(self, layer, shape, name):
        return nn.Dropout(layer["rate"]), shape

    def make_GaussianNoise(self, layer, shape, name):
        return GaussianNoise(layer["deviation"]), shape

    def make_GELU(self, layer, shape, name):
        return nn.GELU(), shape

    def make_Activation(self, layer, shape, name):
        return Activation(layer["activation"]), shape

    def make_PReLU(self, layer, shape, name):
        return nn.PReLU(1 if layer.get("shared") else shape[2]), shape

    def norm(self, kind, layer, *arguments, affine=True):
        ended = ending(kind, layer.get("activation", "linear"))
        return ended(*arguments, eps=layer.get("epsilon", 1e-5), affine=layer.get("affine", affine))

    def make_GroupNorm(self, layer, shape, name):
        return self.norm(nn.GroupNorm, layer, layer["groups"], shape[2]), shape

    def make_LayerNorm(self, layer, shape, name):
        return self.norm(nn.GroupNorm, layer, 1, shape[2]), shape

    def make_InstanceNorm(self, layer, shape, name):
        return self.norm(nn.GroupNorm, layer, shape[2], shape[2], affine=False), shape

    def make_BatchNorm(self, layer, shape, name):
        module = self.norm(VectorNorm if shape[:2] == (1, 1) else nn.BatchNorm2d, layer, shape[2])
        module.momentum = layer.get("momentum", 0.1)
        return module, shape

    def make_GaussianLatent(self, layer, shape, name):
        return GaussianLatent(math.prod(shape), layer["units"]), (1, 1, layer["units"])

    def make_VectorQuantizer(self, layer, shape, name):
        count = layer.get("codebooks", 1)
        books = [Codebook(layer["codes"], shape[2] // count, layer.get("commitment", 0.25), layer.get("decay"))
                 for _ in range(count)]
        return books[0] if count == 1 else nn.ModuleList(books), shape

    def make_Residual(self, layer, shape, name):
        layers, output = self.chain(layer["layers"], shape, name)
        shortcut, _ = self.chain(layer.get("shortcut", []), shape, name + ".shortcut")
        return Residual(*layers, shortcut=shortcut, activation=layer.get("activation", "linear")), output

    def make_Skip(self, layer, shape, name):
        layers, output = self.chain(layer["layers"], shape, name)
        shortcut, other = self.chain(layer.get("shortcut", []), shape, name + ".shortcut")
        return Skip(*layers, shortcut=shortcut), (*output[:2], output[2] + other[2])

    def make_Concat(self, layer, shape, name):
        source, _, output = self.made[layer["from"]]
        return Concat(source, layer.get("first", False)), (*shape[:2], shape[2] + output[2])

    def make_Add(self, layer, shape, name):
        source, _, _ = self.made[layer["from"]]
        return Add(source, layer.get("activation", "linear")), shape


def twin(model, exact=False):
    """The module of a model file. `exact` pads as Hourglass does where padding differs from side to side; else as one
    would in PyTorch, see `padding`."""
    likelihood, shape = model["likelihood"], tuple(model["input"])
    if model.get("objective"):
        raise Unsupported("contrastive divergence")
    if likelihood == "ssim":
        raise Unsupported("the structural similarity")
    builder = Builder(model, exact)
    encoder, shape = builder.chain(model["encoder"], shape, "encoder")
    latent, shape = builder.module(model["latent"], shape, "latent")
    decoder, shape = builder.chain(model["decoder"], shape, "decoder")
    written = model.get("penalty", [])
    penalties = [penalty(one, encoder, latent) for one in (written if isinstance(written, list) else [written])]
    image, *_ = builder.made["image"]
    return Autoencoder(tuple(model["input"]), math.prod(shape), likelihood, encoder, latent, decoder, penalties, image)
