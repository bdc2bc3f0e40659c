"""Tutorials of Keras and TensorFlow, and of the books beside them."""
from parts import *

BLOG = "blog.keras.io, Building autoencoders in Keras"
KERAS_IO = "keras-team/keras-io, examples/"
TENSORFLOW = "tensorflow/docs, site/en/tutorials/generative/"
GERON = "ageron/handson-ml2, 17_autoencoders_and_gans.ipynb"


@architecture("keras-blog-simple", f"{BLOG}: simple", (784,), "bernoulli")
def _():
    return AE([], nn.Sequential(L(784, 32), R()), [L(32, 784), S()])


@architecture("keras-blog-sparse", f"{BLOG}: sparse, L1 of 10e-5 a mean over 784 pixels", (784,), "bernoulli")
def _():
    return AE([], nn.Sequential(L(784, 32), R()), [L(32, 784), S()], lambda z, *_: 0.0784 * z.abs().sum(1).mean())


@architecture("keras-blog-deep", f"{BLOG}: deep", (784,), "bernoulli")
def _():
    return AE([L(784, 128), R(), L(128, 64), R()], nn.Sequential(L(64, 32), R()),
              [L(32, 64), R(), L(64, 128), R(), L(128, 784), S()])


@architecture("keras-blog-conv", f"{BLOG}: convolutional", (28, 28, 1), "bernoulli")
def _():
    return AE([KerasConv(1, 16, 3), R(), KerasPool(2), KerasConv(16, 8, 3), R(), KerasPool(2),
               KerasConv(8, 8, 3), R()], KerasPool(2),
              [KerasConv(8, 8, 3), R(), up(), KerasConv(8, 8, 3), R(), up(), C(8, 16, 3), R(), up(),
               KerasConv(16, 1, 3), S()])


@architecture("keras-blog-denoising", f"{BLOG}: denoising", (28, 28, 1), "bernoulli")
def _():
    return AE([KerasConv(1, 32, 3), R(), KerasPool(2), KerasConv(32, 32, 3), R()], KerasPool(2),
              [KerasConv(32, 32, 3), R(), up(), KerasConv(32, 32, 3), R(), up(), KerasConv(32, 1, 3), S()])


@architecture("keras-blog-vae", f"{BLOG}: variational", (784,), "bernoulli")
def _():
    return AE([L(784, 64), R()], Gaussian(64, 2), [L(2, 64), R(), L(64, 784), S()])


absent("keras-blog-lstm", f"{BLOG}: sequence to sequence", "recurrent layers")


@architecture("keras-io-denoiser", f"{KERAS_IO}vision/autoencoder.py", (28, 28, 1), "bernoulli")
def _():
    return AE([KerasConv(1, 32, 3), R(), KerasPool(2), KerasConv(32, 32, 3), R()], KerasPool(2),
              [KerasConvT(32, 32, 3, 2), R(), KerasConvT(32, 32, 3, 2), R(), KerasConv(32, 1, 3), S()])


@architecture("keras-io-vae", f"{KERAS_IO}generative/vae.py", (28, 28, 1), "bernoulli")
def _():
    return AE([KerasConv(1, 32, 3, 2), R(), KerasConv(32, 64, 3, 2), R(), FL(), L(3136, 16), R()], Gaussian(16, 2),
              [L(2, 3136), R(), view(64, 7, 7), KerasConvT(64, 64, 3, 2), R(), KerasConvT(64, 32, 3, 2), R(),
               KerasConvT(32, 1, 3), S()])


@architecture("keras-io-vq-vae", f"{KERAS_IO}generative/vq_vae.py", (28, 28, 1))
def _():
    return AE([KerasConv(1, 32, 3, 2), R(), KerasConv(32, 64, 3, 2), R(), KerasConv(64, 16, 1)], Quantizer(128, 16),
              [KerasConvT(16, 64, 3, 2), R(), KerasConvT(64, 32, 3, 2), R(), KerasConvT(32, 1, 3)])


@architecture("keras-io-timeseries", f"{KERAS_IO}timeseries/timeseries_anomaly_detection.py", (288, 1))
def _():
    return AE([KerasConv1(1, 32, 7, 2), R(), DO(0.2)], nn.Sequential(KerasConv1(32, 16, 7, 2), R()),
              [KerasConvT1(16, 16, 7, 2), R(), DO(0.2), KerasConvT1(16, 32, 7, 2), R(), KerasConvT1(32, 1, 7)])


@architecture("keras-vae-deconv", "keras-team/keras 2, examples/variational_autoencoder_deconv.py", (28, 28, 1),
              "bernoulli")
def _():
    return AE([KerasConv(1, 1, 2), R(), KerasConv(1, 64, 2, 2), R(), KerasConv(64, 64, 3), R(), KerasConv(64, 64, 3),
               R(), FL(), L(14 * 14 * 64, 128), R()], Gaussian(128, 2),
              [L(2, 128), R(), L(128, 14 * 14 * 64), R(), view(64, 14, 14), KerasConvT(64, 64, 3), R(),
               KerasConvT(64, 64, 3), R(), CT(64, 64, 3, 2), R(), C(64, 1, 2), S()])


@architecture("keras-swwae", "keras-team/keras 2, examples/mnist_swwae.py", (32, 32, 1),
              lacks="the hard sigmoid of Keras 2, whose slope is 1/5 and not 1/6")
def _():
    def block(i, o):
        return [KerasConv(i, o, 3),
                Residual([layer for _ in range(2) for layer in (keras_norm(o), R(), KerasConv(o, o, 3))])]
    pools, sizes = [SwitchPool(2) for _ in range(5)], [1, 8, 16, 32, 64, 128]
    down = [layer for n in range(5) for layer in block(sizes[n], sizes[n + 1]) + [pools[n]]]
    back = [layer for n in reversed(range(5)) for layer in [Unpool(pools[n])] + block(sizes[n + 1], sizes[n])]
    return AE(down[:-1], down[-1], back + [nn.Hardsigmoid()])


@architecture("keras-tied-dae", "keras-team/keras 0.1, examples/mnist_denoising_autoencoder.py, first layer", (784,))
def _():
    code = L(784, 450)
    return AE([], nn.Sequential(code, S()), [Tied(code), S()])


@architecture("tf-basic", f"{TENSORFLOW}autoencoder.ipynb: basic", (28, 28, 1))
def _():
    return AE([], nn.Sequential(FL(), L(784, 64), R()), [L(64, 784), S(), view(1, 28, 28)])


@architecture("tf-denoise", f"{TENSORFLOW}autoencoder.ipynb: denoising", (28, 28, 1))
def _():
    return AE([KerasConv(1, 16, 3, 2), R()], nn.Sequential(KerasConv(16, 8, 3, 2), R()),
              [KerasConvT(8, 8, 3, 2), R(), KerasConvT(8, 16, 3, 2), R(), KerasConv(16, 1, 3), S()])


@architecture("tf-ecg", f"{TENSORFLOW}autoencoder.ipynb: anomaly detection", (140,), "absoluteError")
def _():
    return AE([L(140, 32), R(), L(32, 16), R()], nn.Sequential(L(16, 8), R()),
              [L(8, 16), R(), L(16, 32), R(), L(32, 140), S()])


@architecture("tf-cvae", f"{TENSORFLOW}cvae.ipynb", (28, 28, 1), "bernoulli")
def _():
    return AE([C(1, 32, 3, 2), R(), C(32, 64, 3, 2), R(), FL()], Gaussian(2304, 2),
              [L(2, 1568), R(), view(32, 7, 7), KerasConvT(32, 64, 3, 2), R(), KerasConvT(64, 32, 3, 2), R(),
               KerasConvT(32, 1, 3), S()])


absent("tfp-vae", "tensorflow/probability, Probabilistic_Layers_VAE.ipynb", "a latent of full covariance")


@architecture("geron-stacked", f"{GERON}: stacked", (28, 28, 1), "bernoulli")
def _():
    return AE([FL(), L(784, 100), SELU()], nn.Sequential(L(100, 30), SELU()),
              [L(30, 100), SELU(), L(100, 784), S(), view(1, 28, 28)])


@architecture("geron-conv", f"{GERON}: convolutional", (28, 28, 1), "bernoulli")
def _():
    return AE([KerasConv(1, 16, 3), SELU(), MP(2), KerasConv(16, 32, 3), SELU(), MP(2), KerasConv(32, 64, 3), SELU()],
              MP(2), [CT(64, 32, 3, 2), SELU(), KerasConvT(32, 16, 3, 2), SELU(), KerasConvT(16, 1, 3, 2), S()])


@architecture("alibi-vae-cifar", "SeldonIO/alibi-detect, od_vae_cifar10.ipynb", (32, 32, 3))
def _():
    return AE([KerasConv(3, 64, 4, 2), R(), KerasConv(64, 128, 4, 2), R(), KerasConv(128, 512, 4, 2), R(), FL()],
              Gaussian(8192, 1024),
              [L(1024, 2048), view(128, 4, 4), KerasConvT(128, 256, 4, 2), R(), KerasConvT(256, 64, 4, 2), R(),
               KerasConvT(64, 3, 4, 2), S()])
