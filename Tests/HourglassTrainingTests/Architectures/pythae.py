"""Pythae (clementchadebec/benchmark_VAE): the networks of its benchmark, with codes of 16 units, of 64 for CelebA, and
codebooks of 512."""
from parts import *

NN = "clementchadebec/benchmark_VAE, models/nn/"


def down(i, o):
    return [C(i, o, 4, 2, 1), BN(o), R()]


def conv_encoder(channels):
    return [layer for i, o in zip([channels, 128, 256, 512], [128, 256, 512, 1024]) for layer in down(i, o)] + [FL()]


def mnist_decoder():
    return [L(16, 1024 * 4 * 4), view(1024, 4, 4), CT(1024, 512, 3, 2, 1), BN(512), R(), CT(512, 256, 3, 2, 1, 1),
            BN(256), R(), CT(256, 1, 3, 2, 1, 1), S()]


def cifar_decoder():
    return [L(16, 1024 * 8 * 8), view(1024, 8, 8), CT(1024, 512, 4, 2, 1), BN(512), R(), CT(512, 256, 4, 2, 1, 1),
            BN(256), R(), CT(256, 3, 4, 1, 2), S()]


def celeba_decoder():
    return [L(64, 1024 * 8 * 8), view(1024, 8, 8), CT(1024, 512, 5, 2, 2), BN(512), R(), CT(512, 256, 5, 2, 1), BN(256),
            R(), CT(256, 128, 5, 2, 2, 1), BN(128), R(), CT(128, 3, 5, 1, 1), S()]


def res_block():
    return Residual([R(), C(128, 32, 3, 1, 1), R(), C(32, 128, 1)])


def mnist_res_encoder():
    return [C(1, 64, 4, 2, 1), C(64, 128, 4, 2, 1), C(128, 128, 3, 2, 1), res_block(), res_block()]


def mnist_res_decoder(start):
    return start + [CT(128, 128, 3, 2, 1), res_block(), res_block(), R(), CT(128, 64, 3, 2, 1, 1), R(),
                    CT(64, 1, 3, 2, 1, 1), S()]


def cifar_res_encoder():
    return [C(3, 64, 4, 2, 1), C(64, 128, 4, 2, 1), C(128, 128, 3, 1, 1), res_block(), res_block()]


def cifar_res_decoder(start):
    return start + [res_block(), res_block(), CT(128, 64, 4, 2, 1), CT(64, 3, 4, 2, 1), S()]


def celeba_res_encoder(blocks):
    return [C(3, 64, 4, 2, 1), C(64, 128, 4, 2, 1), C(128, 128, 3, 2, 1), C(128, 128, 3, 2, 1)] + [
        res_block() for _ in range(blocks)]


def celeba_res_decoder():
    return [L(16, 2048), view(128, 4, 4), CT(128, 128, 3, 2, 1), res_block(), res_block(), CT(128, 128, 5, 2, 1), S(),
            CT(128, 64, 5, 2, 1, 1), CT(64, 3, 4, 2, 1), S()]


@architecture("pythae-mlp-ae", f"{NN}default_architectures.py", (28, 28, 1))
def _():
    return AE([FL(), L(784, 512), R()], L(512, 16), [L(16, 512), R(), L(512, 784), S(), view(1, 28, 28)])


@architecture("pythae-mlp-vae", f"{NN}default_architectures.py", (28, 28, 1))
def _():
    return AE([FL(), L(784, 512), R()], Gaussian(512, 16), [L(16, 512), R(), L(512, 784), S(), view(1, 28, 28)])


absent("pythae-mlp-svae", f"{NN}default_architectures.py", "a latent on the sphere (von Mises-Fisher)")


@architecture("pythae-mnist-conv-ae", f"{NN}benchmarks/mnist/convnets.py", (28, 28, 1))
def _():
    return AE(conv_encoder(1), L(1024, 16), mnist_decoder())


@architecture("pythae-mnist-conv-vae", f"{NN}benchmarks/mnist/convnets.py", (28, 28, 1))
def _():
    return AE(conv_encoder(1), Gaussian(1024, 16), mnist_decoder())


@architecture("pythae-mnist-rae", f"{NN}benchmarks/mnist/convnets.py with models/rae_l2", (28, 28, 1))
def _():
    return AE(conv_encoder(1), L(1024, 16), mnist_decoder(), lambda z, *_: 0.5 * z.square().sum(1).mean())


@architecture("pythae-cifar-conv-ae", f"{NN}benchmarks/cifar/convnets.py", (32, 32, 3))
def _():
    return AE(conv_encoder(3), L(4096, 16), cifar_decoder())


@architecture("pythae-cifar-conv-vae", f"{NN}benchmarks/cifar/convnets.py", (32, 32, 3))
def _():
    return AE(conv_encoder(3), Gaussian(4096, 16), cifar_decoder())


@architecture("pythae-celeba-conv-ae", f"{NN}benchmarks/celeba/convnets.py", (64, 64, 3))
def _():
    return AE(conv_encoder(3), L(16384, 64), celeba_decoder())


@architecture("pythae-celeba-conv-vae", f"{NN}benchmarks/celeba/convnets.py", (64, 64, 3))
def _():
    return AE(conv_encoder(3), Gaussian(16384, 64), celeba_decoder())


@architecture("pythae-mnist-resnet-ae", f"{NN}benchmarks/mnist/resnets.py", (28, 28, 1))
def _():
    return AE(mnist_res_encoder() + [FL()], L(2048, 16), mnist_res_decoder([L(16, 2048), view(128, 4, 4)]))


@architecture("pythae-mnist-resnet-vae", f"{NN}benchmarks/mnist/resnets.py", (28, 28, 1))
def _():
    return AE(mnist_res_encoder() + [FL()], Gaussian(2048, 16), mnist_res_decoder([L(16, 2048), view(128, 4, 4)]))


@architecture("pythae-mnist-resnet-vqvae", f"{NN}benchmarks/mnist/resnets.py", (28, 28, 1))
def _():
    return AE(mnist_res_encoder() + [C(128, 16, 1)], Quantizer(512, 16), mnist_res_decoder([CT(16, 128, 1)]))


@architecture("pythae-cifar-resnet-ae", f"{NN}benchmarks/cifar/resnets.py", (32, 32, 3))
def _():
    return AE(cifar_res_encoder() + [FL()], L(8192, 16),
              cifar_res_decoder([L(16, 8192), view(128, 8, 8), CT(128, 128, 3, 1, 1)]))


@architecture("pythae-cifar-resnet-vae", f"{NN}benchmarks/cifar/resnets.py", (32, 32, 3))
def _():
    return AE(cifar_res_encoder() + [FL()], Gaussian(8192, 16),
              cifar_res_decoder([L(16, 8192), view(128, 8, 8), CT(128, 128, 3, 1, 1)]))


@architecture("pythae-cifar-resnet-vqvae", f"{NN}benchmarks/cifar/resnets.py", (32, 32, 3))
def _():
    return AE(cifar_res_encoder() + [C(128, 16, 1)], Quantizer(512, 16), cifar_res_decoder([C(16, 128, 3, 1, 1)]))


@architecture("pythae-celeba-resnet-ae", f"{NN}benchmarks/celeba/resnets.py", (64, 64, 3))
def _():
    return AE(celeba_res_encoder(2) + [FL()], L(2048, 16), celeba_res_decoder())


@architecture("pythae-celeba-resnet-vae", f"{NN}benchmarks/celeba/resnets.py", (64, 64, 3))
def _():
    return AE(celeba_res_encoder(2) + [FL()], Gaussian(2048, 16), celeba_res_decoder())
