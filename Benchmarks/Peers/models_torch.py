"""The models that have a name in PyTorch, with the parameter names and shapes that Hourglass writes.

Indices of encoder and decoder are places in the list: a fused activation does not count and there is no flatten,
because a dense layer flattens what it reads, in the order C, H, W.
"""
import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS = {"linear": lambda x: x, "relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}

# The range to which Hourglass clamps a log-variance; outside it the gradient is zero.
LOG_VARIANCE_RANGE = (-30.0, 20.0)


class Conv2D(nn.Conv2d):
    def __init__(self, inputs, outputs, kernel, stride, activation):
        super().__init__(inputs, outputs, kernel, stride, padding=1)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x):
        return self.activation(super().forward(x))


class ConvTranspose2D(nn.ConvTranspose2d):
    def __init__(self, inputs, outputs, kernel, stride, activation):
        super().__init__(inputs, outputs, kernel, stride, padding=1)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x):
        return self.activation(super().forward(x))


class Dense(nn.Linear):
    def __init__(self, inputs, outputs, activation="linear"):
        super().__init__(inputs, outputs)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x):
        return self.activation(super().forward(x.flatten(1)))


class GaussianNoise(nn.Module):
    """x + deviation e while training; e is `noise` where somebody set it."""

    def __init__(self, deviation):
        super().__init__()
        self.deviation, self.noise = deviation, None

    def forward(self, x):
        if not self.training:
            return x
        return x + self.deviation * (torch.randn_like(x) if self.noise is None else self.noise)


class GaussianLatent(nn.Module):
    def __init__(self, inputs, units):
        super().__init__()
        self.mean = Dense(inputs, units)
        self.logVariance = Dense(inputs, units)

    def forward(self, x, noise):
        """z and the KL divergence of each sample; without noise z is the mean."""
        mean, log_variance = self.mean(x), self.logVariance(x).clamp(*LOG_VARIANCE_RANGE)
        z = mean if noise is None else mean + torch.exp(0.5 * log_variance) * noise
        return z, 0.5 * (mean * mean + torch.exp(log_variance) - 1 - log_variance).sum(1)


class Autoencoder(nn.Module):
    """A chain of encoder, latent, decoder. input is (height, width, channels)."""

    def __init__(self, input, likelihood, encoder, latent, decoder):
        super().__init__()
        self.input, self.likelihood = input, likelihood
        self.encoder, self.latent, self.decoder = nn.Sequential(*encoder), latent, nn.Sequential(*decoder)

    @property
    def latent_units(self):
        """Units that need noise: 0 for a plain autoencoder."""
        return self.latent.mean.out_features if isinstance(self.latent, GaussianLatent) else 0

    def forward(self, x, noise=None):
        """What the likelihood reads (the image, or its logits) and the KL divergence of each sample."""
        code = self.encoder(x)
        z, kl = self.latent(code, noise) if self.latent_units else (self.latent(code), x.new_zeros(len(x)))
        return self.decoder(z), kl

    def loss(self, x, noise=None, beta=1.0):
        """Summed over pixels and latent units, averaged over samples."""
        y, kl = self(x, noise)
        if self.likelihood == "bernoulli":
            error = F.binary_cross_entropy_with_logits(y, x, reduction="sum")
        else:
            error = F.mse_loss(y, x, reduction="sum")
        return (error + beta * kl.sum()) / len(x)

    def reconstruct(self, x):
        """The image, from the mean of the latent."""
        y, _ = self(x)
        return torch.sigmoid(y) if self.likelihood == "bernoulli" else y


def reshape(height, width, channels):
    return nn.Unflatten(1, (channels, height, width))


def conv_ae_28(noise=()):
    return Autoencoder((28, 28, 1), "squaredError", [
        *noise,
        Conv2D(1, 32, 3, 1, "relu"), nn.MaxPool2d(2),       # 14 x 14 x 32
        Conv2D(32, 64, 3, 1, "relu"), nn.MaxPool2d(2),      #  7 x  7 x 64
    ], Dense(3136, 64), [
        Dense(64, 3136, "relu"), reshape(7, 7, 64),         #  7 x  7 x 64
        ConvTranspose2D(64, 32, 4, 2, "relu"),              # 14 x 14 x 32
        ConvTranspose2D(32, 1, 4, 2, "sigmoid"),            # 28 x 28 x  1
    ])


def conv_dae_28():
    return conv_ae_28(noise=[GaussianNoise(0.3)])


class MaxPool2D(nn.MaxPool2d):
    """Keeps its switches for a MaxUnpool2D."""

    def __init__(self, kernel):
        super().__init__(kernel, return_indices=True)

    def forward(self, x):
        y, self.switches = super().forward(x)
        return y


class MaxUnpool2D(nn.Module):
    """Of a pool, which is held in a list so that it is no part of this module."""

    def __init__(self, pool):
        super().__init__()
        self.pool, self.unpool = [pool], nn.MaxUnpool2d(pool.kernel_size)

    def forward(self, x):
        return self.unpool(x, self.pool[0].switches)


def conv_ae_unpool_28():
    pools = [MaxPool2D(2), MaxPool2D(2)]
    return Autoencoder((28, 28, 1), "squaredError", [
        Conv2D(1, 32, 3, 1, "relu"), pools[0],              # 14 x 14 x 32
        Conv2D(32, 64, 3, 1, "relu"), pools[1],             #  7 x  7 x 64
    ], Dense(3136, 64), [
        Dense(64, 3136, "relu"), reshape(7, 7, 64),         #  7 x  7 x 64
        MaxUnpool2D(pools[1]),                              # 14 x 14 x 64
        Conv2D(64, 32, 3, 1, "relu"),                       # 14 x 14 x 32
        MaxUnpool2D(pools[0]),                              # 28 x 28 x 32
        Conv2D(32, 1, 3, 1, "sigmoid"),                     # 28 x 28 x  1
    ])


def conv_vae_28():
    return Autoencoder((28, 28, 1), "bernoulli", [
        Conv2D(1, 32, 4, 2, "relu"),                        # 14 x 14 x 32
        Conv2D(32, 64, 4, 2, "relu"),                       #  7 x  7 x 64
        Dense(3136, 256, "relu"),
    ], GaussianLatent(256, 20), [
        Dense(20, 256, "relu"),
        Dense(256, 3136, "relu"), reshape(7, 7, 64),        #  7 x  7 x 64
        ConvTranspose2D(64, 32, 4, 2, "relu"),              # 14 x 14 x 32
        ConvTranspose2D(32, 1, 4, 2, "linear"),             # 28 x 28 x  1   logits
    ])


def conv_ae_32():
    return Autoencoder((32, 32, 3), "squaredError", [
        Conv2D(3, 32, 3, 1, "relu"), nn.MaxPool2d(2),       # 16 x 16 x  32
        Conv2D(32, 64, 3, 1, "relu"), nn.MaxPool2d(2),      #  8 x  8 x  64
        Conv2D(64, 128, 3, 1, "relu"), nn.MaxPool2d(2),     #  4 x  4 x 128
    ], Dense(2048, 128), [
        Dense(128, 2048, "relu"), reshape(4, 4, 128),       #  4 x  4 x 128
        ConvTranspose2D(128, 64, 4, 2, "relu"),             #  8 x  8 x  64
        ConvTranspose2D(64, 32, 4, 2, "relu"),              # 16 x 16 x  32
        ConvTranspose2D(32, 3, 4, 2, "sigmoid"),            # 32 x 32 x   3
    ])


class Residual(nn.Sequential):
    """The activation of what the layers put out and the shortcut, which is the identity where it is empty."""

    def __init__(self, *layers, shortcut=(), activation="linear"):
        super().__init__(*layers)
        self.count, self.activation = len(layers), ACTIVATIONS[activation]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x):
        y = x
        for layer in list(self)[:self.count]:
            y = layer(y)
        return self.activation(y + self.shortcut(x))


class Concat(nn.Module):
    """What reaches it and what an earlier layer put out, along the channels."""

    def __init__(self, source):
        super().__init__()
        source.register_forward_hook(self.keep)

    def keep(self, source, inputs, output):
        self.skip = output

    def forward(self, x):
        return torch.cat([x, self.skip], 1)


def residual(filters):
    return Residual(Conv2D(filters, filters, 3, 1, "relu"), Conv2D(filters, filters, 3, 1, "linear"), activation="relu")


def res_ae_32():
    return Autoencoder((32, 32, 3), "squaredError", [
        Conv2D(3, 32, 4, 2, "relu"), residual(32),          # 16 x 16 x  32
        Conv2D(32, 64, 4, 2, "relu"), residual(64),         #  8 x  8 x  64
        Conv2D(64, 128, 4, 2, "relu"),                      #  4 x  4 x 128
    ], Dense(2048, 128), [
        Dense(128, 2048, "relu"), reshape(4, 4, 128),       #  4 x  4 x 128
        ConvTranspose2D(128, 64, 4, 2, "relu"),             #  8 x  8 x  64
        residual(64),
        ConvTranspose2D(64, 32, 4, 2, "relu"),              # 16 x 16 x  32
        residual(32),
        ConvTranspose2D(32, 3, 4, 2, "sigmoid"),            # 32 x 32 x   3
    ])


def conv_vae_64():
    return Autoencoder((64, 64, 3), "squaredError", [
        Conv2D(3, 32, 4, 2, "relu"),                        # 32 x 32 x  32
        Conv2D(32, 64, 4, 2, "relu"),                       # 16 x 16 x  64
        Conv2D(64, 128, 4, 2, "relu"),                      #  8 x  8 x 128
        Conv2D(128, 256, 4, 2, "relu"),                     #  4 x  4 x 256
    ], GaussianLatent(4096, 128), [
        Dense(128, 4096, "relu"), reshape(4, 4, 256),       #  4 x  4 x 256
        ConvTranspose2D(256, 128, 4, 2, "relu"),            #  8 x  8 x 128
        ConvTranspose2D(128, 64, 4, 2, "relu"),             # 16 x 16 x  64
        ConvTranspose2D(64, 32, 4, 2, "relu"),              # 32 x 32 x  32
        ConvTranspose2D(32, 3, 4, 2, "sigmoid"),            # 64 x 64 x   3
    ])


def unet_dae_64():
    encoder = [
        GaussianNoise(0.3),
        Conv2D(3, 16, 3, 1, "relu"),                        # 64 x 64 x  16
        Conv2D(16, 32, 4, 2, "relu"),                       # 32 x 32 x  32
        Conv2D(32, 64, 4, 2, "relu"),                       # 16 x 16 x  64
    ]
    return Autoencoder((64, 64, 3), "squaredError", encoder, Conv2D(64, 128, 4, 2, "relu"), [
        ConvTranspose2D(128, 64, 4, 2, "relu"),             # 16 x 16 x  64
        Concat(encoder[3]),                                 # 16 x 16 x 128
        ConvTranspose2D(128, 32, 4, 2, "relu"),             # 32 x 32 x  32
        Concat(encoder[2]),                                 # 32 x 32 x  64
        ConvTranspose2D(64, 16, 4, 2, "relu"),              # 64 x 64 x  16
        Concat(encoder[1]),                                 # 64 x 64 x  32
        Conv2D(32, 3, 3, 1, "sigmoid"),                     # 64 x 64 x   3
    ])


def conv_dae_64():
    return Autoencoder((64, 64, 3), "squaredError", [
        GaussianNoise(0.3),
        Conv2D(3, 32, 3, 1, "relu"), nn.MaxPool2d(2),       # 32 x 32 x  32
        Conv2D(32, 64, 3, 1, "relu"), nn.MaxPool2d(2),      # 16 x 16 x  64
        Conv2D(64, 128, 3, 1, "relu"), nn.MaxPool2d(2),     #  8 x  8 x 128
        Conv2D(128, 256, 3, 1, "relu"), nn.MaxPool2d(2),    #  4 x  4 x 256
    ], Dense(4096, 128), [
        Dense(128, 4096, "relu"), reshape(4, 4, 256),       #  4 x  4 x 256
        ConvTranspose2D(256, 128, 4, 2, "relu"),            #  8 x  8 x 128
        ConvTranspose2D(128, 64, 4, 2, "relu"),             # 16 x 16 x  64
        ConvTranspose2D(64, 32, 4, 2, "relu"),              # 32 x 32 x  32
        ConvTranspose2D(32, 3, 4, 2, "sigmoid"),            # 64 x 64 x   3
    ])


MODELS = {"conv-ae-28": conv_ae_28, "conv-dae-28": conv_dae_28, "conv-ae-unpool-28": conv_ae_unpool_28,
          "conv-vae-28": conv_vae_28, "conv-ae-32": conv_ae_32, "conv-vae-64": conv_vae_64,
          "res-ae-32": res_ae_32, "unet-dae-64": unet_dae_64, "conv-dae@64x64x3": conv_dae_64}
