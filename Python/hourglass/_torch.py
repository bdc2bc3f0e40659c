"""Models and weights of PyTorch, which is imported only by whoever hands them over."""
import numpy as np

PREFIXES = ("module.", "_orig_mod.")


def array(value):
    """The float32 array of an array or a tensor; float16 and bfloat16 are widened."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().float().numpy()
    return np.ascontiguousarray(value, np.float32)


def named_arrays(state):
    """The arrays of a state_dict, without the prefixes that wrappers put in front of names."""
    found = {}
    for name, value in state.items():
        while name.startswith(PREFIXES):
            name = name.split(".", 1)[1]
        if not name.endswith("num_batches_tracked"):
            found[name] = array(value)
    return found


def _pair(value):
    return list(value) if isinstance(value, (tuple, list)) else [value, value]


def _activation(module):
    """The name of an activation; None for another module."""
    kind = type(module).__name__
    if kind == "LeakyReLU":
        return "leakyRelu" if module.negative_slope == 0.01 else f"leakyRelu:{module.negative_slope}"
    if kind == "GELU" and module.approximate != "none" or kind == "ELU" and module.alpha != 1:
        return None
    return {"ReLU": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "ELU": "elu", "SELU": "selu", "GELU": "gelu",
            "SiLU": "silu", "Mish": "mish", "Softplus": "softplus", "ReLU6": "relu6", "Hardtanh": "hardTanh"}.get(kind)


class _Translation:
    """A chain of modules as layers, with the shape of an image on the way, (C, H, W) or (D,)."""

    def __init__(self, place, shape):
        self.place, self.shape, self.layers, self.weights = place, shape, [], {}

    def refuse(self, number, module, why):
        raise ValueError(f"{self.place}.{number}: wanted {why}, found {module}")

    def add(self, layer, module, shape, names=("weight", "bias")):
        at = self.place if self.place == "latent" else f"{self.place}.{len(self.layers)}"
        for name in names:
            value = getattr(module, name, None)
            if value is not None:
                self.weights[f"{at}.{name}"] = array(value)
        self.layers.append(layer)
        self.shape = shape

    def translate(self, modules):
        for number, module in enumerate(modules):
            self.one(number, module)
        return self

    def one(self, number, module):
        kind = type(module).__name__
        activation = _activation(module)
        if activation:
            self.add({"layer": "Activation", "activation": activation}, module, self.shape, names=())
        elif kind in ("Flatten", "Identity"):
            self.shape = (int(np.prod(self.shape)),) if kind == "Flatten" else self.shape
        elif kind == "Unflatten":
            size = tuple(module.unflattened_size)
            if len(size) != 3 or int(np.prod(size)) != int(np.prod(self.shape)):
                self.refuse(number, module, f"an image (C, H, W) of {int(np.prod(self.shape))} elements")
            self.add({"layer": "Reshape", "shape": [size[1], size[2], size[0]]}, module, size, names=())
        elif kind == "Linear":
            if int(np.prod(self.shape)) != module.in_features:
                self.refuse(number, module, f"{int(np.prod(self.shape))} inputs")
            self.add({"layer": "Dense", "units": module.out_features, "bias": module.bias is not None}, module,
                     (module.out_features,))
        elif kind in ("Conv2d", "ConvTranspose2d"):
            self.convolution(number, module, kind == "ConvTranspose2d")
        elif kind in ("MaxPool2d", "AvgPool2d"):
            self.pool(number, module, kind == "MaxPool2d")
        elif kind == "BatchNorm2d":
            self.add({"layer": "BatchNorm", "momentum": module.momentum, "epsilon": module.eps, "affine": module.affine},
                     module, self.shape, names=("weight", "bias", "running_mean", "running_var"))
        elif kind in ("Dropout",):
            self.add({"layer": "Dropout", "rate": module.p}, module, self.shape, names=())
        else:
            self.refuse(number, module, "Conv2d, ConvTranspose2d, Linear, MaxPool2d, AvgPool2d, BatchNorm2d, Flatten, Unflatten, "
                                        "Dropout, Identity or an activation; other layers are written as a model file")

    def convolution(self, number, module, transposed):
        if len(self.shape) != 3 or self.shape[0] != module.in_channels:
            self.refuse(number, module, f"{self.shape[0]} channels of an image, found {module.in_channels}")
        if module.padding_mode != "zeros" or isinstance(module.padding, str):
            self.refuse(number, module, "padding by numbers, of zeros")
        (kernel, stride, padding, dilation) = (_pair(value) for value in (
            module.kernel_size, module.stride, module.padding, module.dilation))
        extents = []
        for axis in (0, 1):
            reach, extent = dilation[axis] * (kernel[axis] - 1) + 1, self.shape[axis + 1]
            if transposed:
                extents.append((extent - 1) * stride[axis] - 2 * padding[axis] + reach + _pair(module.output_padding)[axis])
            else:
                extents.append((extent + 2 * padding[axis] - reach) // stride[axis] + 1)
        if min(extents) < 1:
            self.refuse(number, module, f"an image that the filter fits into, found {self.shape}")
        layer = {"layer": "ConvTranspose2D" if transposed else "Conv2D", "filters": module.out_channels, "kernel": kernel,
                 "stride": stride, "padding": padding, "dilation": dilation, "groups": module.groups,
                 "bias": module.bias is not None}
        if transposed:
            layer["outputSize"] = extents
        self.add(layer, module, (module.out_channels, *extents))

    def pool(self, number, module, is_max):
        kernel, stride, padding = (_pair(value) for value in (module.kernel_size, module.stride, module.padding))
        if len(self.shape) != 3 or module.ceil_mode or getattr(module, "dilation", 1) not in (1, (1, 1)):
            self.refuse(number, module, "a pool of an image without ceil_mode and dilation")
        if not is_max and (not module.count_include_pad or module.divisor_override) and padding != [0, 0]:
            self.refuse(number, module, "an average that counts its padding")
        extents = [(self.shape[axis + 1] + 2 * padding[axis] - kernel[axis]) // stride[axis] + 1 for axis in (0, 1)]
        self.add({"layer": "MaxPool2D" if is_max else "AveragePool2D", "kernel": kernel, "stride": stride, "padding": padding},
                 module, (self.shape[0], *extents), names=())


def from_torch(encoder, *, latent, decoder, image=None, loss="squaredError", name="from-torch", **parameters):
    """An estimator of a PyTorch model, weights included.

    Parameters
    ----------
    encoder, decoder : torch.nn.Sequential
        Modules from the image to the latent, and from the code to the image. A module that cannot be expressed is named.
    latent : torch.nn.Linear
        The module that makes the code.
    image : (H, W) or (H, W, C), optional
        The size of an image, by default that of what the decoder puts out.
    loss : str
        The likelihood: "squaredError", "bernoulli" (for a decoder that puts out logits), ...
    parameters
        Further parameters of ConvAutoencoder.
    """
    from ._estimators import ConvAutoencoder
    if type(latent).__name__ != "Linear":
        raise ValueError(f"latent: wanted a torch.nn.Linear, found {latent}")
    channels = next((module.in_channels for module in encoder if hasattr(module, "in_channels")), None)
    back = _Translation("decoder", (latent.out_features,)).translate(decoder)
    if image is not None:
        height, width, channels = (tuple(image) + (channels or 1,))[:3]
    elif channels is None:
        height, width, channels = 1, 1, int(np.prod(back.shape))
    else:
        # What the decoder puts out is what the encoder takes.
        height = width = round((int(np.prod(back.shape)) / channels) ** 0.5)
        if len(back.shape) == 3:
            height, width = back.shape[1:]
    wanted = (channels, height, width)
    if int(np.prod(back.shape)) != int(np.prod(wanted)) or len(back.shape) == 3 and back.shape != wanted:
        raise ValueError(f"decoder: wanted images (C, H, W) of {wanted}, found {back.shape}")
    chain = _Translation("encoder", wanted).translate(encoder)
    middle = _Translation("latent", chain.shape).translate([latent])
    if len(back.shape) == 1 and (height, width) != (1, 1):
        back.layers.append({"layer": "Reshape", "shape": [height, width, channels]})
    model = {"name": name, "input": [height, width, channels], "likelihood": loss, "encoder": chain.layers,
             "latent": middle.layers[0], "decoder": back.layers}
    return ConvAutoencoder(model, **parameters).load_state_dict({**chain.weights, **middle.weights, **back.weights})
