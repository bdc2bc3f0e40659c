"""Tutorials and examples of PyTorch, and the classics of other frameworks in its words."""
from parts import *


@architecture("pytorch-vae", "pytorch/examples, vae/main.py", (784,), "bernoulli")
def _():
    return AE([L(784, 400), R()], Gaussian(400, 20), [L(20, 400), R(), L(400, 784), S()])


@architecture("lightning-ae", "Lightning-AI/pytorch-lightning, README", (784,))
def _():
    return AE([L(784, 64), R()], L(64, 3), [L(3, 64), R(), L(64, 784)])


@architecture("uva-ae", "phlippe/uvadlc_notebooks, tutorial 9, 32 channels and 128 units", (32, 32, 3))
def _():
    return AE([C(3, 32, 3, 2, 1), GELU(), C(32, 32, 3, 1, 1), GELU(), C(32, 64, 3, 2, 1), GELU(), C(64, 64, 3, 1, 1),
               GELU(), C(64, 64, 3, 2, 1), GELU(), FL()], L(1024, 128),
              [L(128, 1024), GELU(), view(64, 4, 4), CT(64, 64, 3, 2, 1, 1), GELU(), C(64, 64, 3, 1, 1), GELU(),
               CT(64, 32, 3, 2, 1, 1), GELU(), C(32, 32, 3, 1, 1), GELU(), CT(32, 3, 3, 2, 1, 1), T()])


@architecture("pytorch-beginner-dense", "L1aoXingyu/pytorch-beginner, 08-AutoEncoder/simple_autoencoder.py", (784,))
def _():
    return AE([L(784, 128), R(), L(128, 64), R(), L(64, 12), R()], L(12, 3),
              [L(3, 12), R(), L(12, 64), R(), L(64, 128), R(), L(128, 784), T()])


@architecture("pytorch-beginner-conv", "L1aoXingyu/pytorch-beginner, 08-AutoEncoder/conv_autoencoder.py", (28, 28, 1))
def _():
    return AE([C(1, 16, 3, 3, 1), R(), MP(2, 2), C(16, 8, 3, 2, 1), R()], MP(2, 1),
              [CT(8, 16, 3, 2), R(), CT(16, 8, 5, 3, 1), R(), CT(8, 1, 2, 2, 1), T()])


@architecture("udacity-conv", "udacity/deep-learning-v2-pytorch, autoencoder/convolutional-autoencoder", (28, 28, 1))
def _():
    return AE([C(1, 16, 3, 1, 1), R(), MP(2, 2), C(16, 4, 3, 1, 1), R()], MP(2, 2),
              [CT(4, 16, 2, 2), R(), CT(16, 1, 2, 2), S()])


@architecture("udacity-denoising", "udacity/deep-learning-v2-pytorch, autoencoder/denoising-autoencoder", (28, 28, 1))
def _():
    return AE([C(1, 32, 3, 1, 1), R(), MP(2, 2), C(32, 16, 3, 1, 1), R(), MP(2, 2), C(16, 8, 3, 1, 1), R()], MP(2, 2),
              [CT(8, 8, 3, 2), R(), CT(8, 16, 2, 2), R(), CT(16, 32, 2, 2), R(), C(32, 1, 3, 1, 1), S()])


@architecture("kaixhin-conv", "Kaixhin/Autoencoders, models/ConvAE.lua", (28, 28, 1), "bernoulli")
def _():
    return AE([C(1, 16, 3, 1, 1), R(), MP(2, 2, 1), C(16, 8, 3, 1, 1), R(), MP(2, 2, 1), C(8, 8, 3, 1, 1), R()],
              MP(2, 2),
              [C(8, 8, 3, 1, 1), R(), up(), C(8, 8, 3, 1, 1), R(), up(), C(8, 16, 3), R(), up(), C(16, 1, 3, 1, 1),
               S()])


@architecture("average-pool-conv",
              "a port of Kaixhin's ConvAE to PyTorch with nn.AvgPool2d(2, 2, padding=1)", (28, 28, 1))
def _():
    return AE([C(1, 32, 3, 1, 1), LR(0.2), AP(2, 2, 1), C(32, 32, 3, 1, 1), LR(0.2)], AP(2, 2),
              [C(32, 32, 3, 1, 1), LR(0.2), up(), C(32, 32, 3, 1, 1), LR(0.2), up(), C(32, 1, 3, 1, 1)])


@architecture("fastai-course-ae", "fastai/course22p2, nbs/08_autoencoder.ipynb", (28, 28, 1))
def _():
    return AE([nn.ZeroPad2d(2), C(1, 2, 3, 2, 1), R()], nn.Sequential(C(2, 4, 3, 2, 1), R()),
              [up(), C(4, 2, 3, 1, 1), R(), up(), C(2, 1, 3, 1, 1), nn.ZeroPad2d(-2), S()])


@architecture("pixel-shuffle-ae", "an autoencoder whose decoder shuffles pixels, of 28 x 28 and 64 units", (28, 28, 1))
def _():
    return AE([C(1, 64, 3, 2, 1), LR(0.2), C(64, 128, 3, 2, 1), BN(128), LR(0.2)], C(128, 64, 7),
              [CT(64, 128, 7), C(128, 256, 3, 1, 1), nn.PixelShuffle(2), BN(64), LR(0.2), C(64, 4, 3, 1, 1),
               nn.PixelShuffle(2)])


@architecture("tf-examples-ae", "aymericdamien/TensorFlow-Examples, autoencoder.py", (784,))
def _():
    return AE([L(784, 256), S()], nn.Sequential(L(256, 128), S()), [L(128, 256), S(), L(256, 784), S()])


@architecture("caffe-mnist", "BVLC/caffe, examples/mnist/mnist_autoencoder.prototxt", (784,), "bernoulli")
def _():
    return AE([L(784, 1000), S(), L(1000, 500), S(), L(500, 250), S()], L(250, 30),
              [L(30, 250), S(), L(250, 500), S(), L(500, 1000), S(), L(1000, 784), S()])


@architecture("theano-dae", "lisa-lab/DeepLearningTutorials, code/dA.py", (784,), "bernoulli")
def _():
    code = L(784, 500)
    return AE([], nn.Sequential(code, S()), [Tied(code), S()])


@architecture("deep-recommender", "NVIDIA/DeepRecommender, 512-512-1024 with SELU, of 1000 items", (1000,))
def _():
    return AE([L(1000, 512), SELU(), L(512, 512), SELU()], nn.Sequential(L(512, 1024), SELU(), DO(0.8)),
              [L(1024, 512), SELU(), L(512, 512), SELU(), L(512, 1000), SELU()])


def basic_block(i, stride):
    """A block of ResNet-18, as the encoder has it."""
    o = i * stride
    shortcut = [C(i, o, 1, stride, bias=False), BN(o)] if stride > 1 else []
    return Residual([C(i, o, 3, stride, 1, bias=False), BN(o), R(), C(o, o, 3, 1, 1, bias=False), BN(o)], shortcut, R())


def back_block(i, stride):
    """Its mirror, which grows by copying pixels before a convolution."""
    o = i // stride
    def grown():
        return [up(2), C(i, o, 3, 1, 1)] if stride > 1 else [C(i, o, 3, 1, 1, bias=False)]
    shortcut = grown() + [BN(o)] if stride > 1 else []
    return Residual([C(i, i, 3, 1, 1, bias=False), BN(i), R()] + grown() + [BN(o)], shortcut, R())


@architecture("resnet18-vae", "julianstastny/VAE-ResNet18-PyTorch, model.py", (64, 64, 3))
def _():
    sizes = [(64, 1), (64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1)]
    down = [basic_block(*size) for size in sizes]
    sizes = [(512, 1), (512, 2), (256, 1), (256, 2), (128, 1), (128, 2), (64, 1), (64, 1)]
    back = [back_block(*size) for size in sizes]
    return AE([C(3, 64, 3, 2, 1, bias=False), BN(64), R(), *down, nn.AdaptiveAvgPool2d(1), FL()], Gaussian(512, 10),
              [L(10, 512), view(512, 1, 1), up(4), *back, up(2), C(64, 3, 3, 1, 1), S()])


@architecture("taesd", "madebyollin/taesd, taesd.py", (64, 64, 3), lacks="3 tanh(x / 3) between encoder and decoder: "
              "an activation of a scaled value")
def _():
    def block():
        return Residual([C(64, 64, 3, 1, 1), R(), C(64, 64, 3, 1, 1), R(), C(64, 64, 3, 1, 1)], activation=R())

    class Clamp(nn.Module):
        def forward(self, x):
            return torch.tanh(x / 3) * 3
    down = [C(3, 64, 3, 1, 1), block()]
    back = [C(4, 64, 3, 1, 1), R()]
    for _ in range(3):
        down += [C(64, 64, 3, 2, 1, bias=False), block(), block(), block()]
        back += [block(), block(), block(), up(), C(64, 64, 3, 1, 1, bias=False)]
    return AE(down + [C(64, 4, 3, 1, 1)], Clamp(), back + [block(), C(64, 3, 3, 1, 1)])
