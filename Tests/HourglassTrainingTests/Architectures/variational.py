"""Variational autoencoders: of PyTorch-VAE, for disentangled factors, of world models, and with codebooks."""
from parts import *

ANTIXK = "AntixK/PyTorch-VAE, models/"
SIZES = [32, 64, 128, 256, 512]


def antixk_encoder():
    return [layer for i, o in zip([3] + SIZES, SIZES) for layer in (C(i, o, 3, 2, 1), BN(o), LR())]


def antixk_decoder():
    back = SIZES[::-1] + [32]
    return [layer for i, o in zip(back, back[1:]) for layer in (CT(i, o, 3, 2, 1, 1), BN(o), LR())] + [
        C(32, 3, 3, 1, 1), T()]


def antixk(units=128, penalty=None):
    return AE(antixk_encoder() + [FL()], Gaussian(2048, units), [L(units, 2048), view(512, 2, 2), *antixk_decoder()],
              penalty)


@architecture("antixk-vanilla-vae", f"{ANTIXK}vanilla_vae.py", (64, 64, 3))
def _():
    return antixk()


@architecture("antixk-wae-mmd", f"{ANTIXK}wae_mmd.py", (64, 64, 3))
def _():
    return AE(antixk_encoder() + [FL()], L(2048, 128), [L(128, 2048), view(512, 2, 2), *antixk_decoder()], mmd(100.0))


@architecture("antixk-logcosh-vae", f"{ANTIXK}logcosh_vae.py", (64, 64, 3), "logCosh")
def _():
    return antixk()


@architecture("antixk-mssim-vae", f"{ANTIXK}mssim_vae.py", (64, 64, 3),
              lacks="the sizes of its structural similarity: windows of 11 pixels at 5 scales of 64")
def _():
    return antixk()


@architecture("antixk-beta-tc-vae", f"{ANTIXK}betatc_vae.py", (64, 64, 3))
def _():
    return antixk(penalty=total_correlation(5.0))


@architecture("antixk-dip-vae", f"{ANTIXK}dip_vae.py", (64, 64, 3))
def _():
    return antixk(penalty=dip_ii(5.0, 10.0))


@architecture("antixk-info-vae", f"{ANTIXK}info_vae.py", (64, 64, 3))
def _():
    return antixk(penalty=mmd(100.0))


def antixk_residual(channels):
    """The source's ReLU is not in place, so the sum has x as it came."""
    return Residual([C(channels, channels, 3, 1, 1, bias=False), R(), C(channels, channels, 1, bias=False)])


@architecture("antixk-vq-vae", f"{ANTIXK}vq_vae.py", (64, 64, 3))
def _():
    return AE(antixk_encoder() + [antixk_residual(512), C(512, 64, 3, 2, 1), BN(64), LR()], Quantizer(512, 64),
              [CT(64, 512, 3, 2, 1, 1), BN(512), LR(), antixk_residual(512), *antixk_decoder()])


absent("antixk-cat-vae", f"{ANTIXK}cat_vae.py", "a categorical latent (Gumbel softmax)")
absent("antixk-swae", f"{ANTIXK}swae.py", "the sliced Wasserstein distance")
absent("antixk-lvae", f"{ANTIXK}lvae.py", "several stochastic layers")
absent("antixk-vamp-vae", f"{ANTIXK}vampvae.py", "a prior of pseudo-inputs")


@architecture("beta-vae-h", "1Konny/Beta-VAE, model.py: BetaVAE_H", (64, 64, 3), "bernoulli")
def _():
    return AE([C(3, 32, 4, 2, 1), R(), C(32, 32, 4, 2, 1), R(), C(32, 64, 4, 2, 1), R(), C(64, 64, 4, 2, 1), R(),
               C(64, 256, 4), R()], Gaussian(256, 10),
              [L(10, 256), R(), view(256, 1, 1), CT(256, 64, 4), R(), CT(64, 64, 4, 2, 1), R(), CT(64, 32, 4, 2, 1),
               R(), CT(32, 32, 4, 2, 1), R(), CT(32, 3, 4, 2, 1), S()])


@architecture("beta-vae-b", "1Konny/Beta-VAE, model.py: BetaVAE_B, of Burgess et al.", (64, 64, 1), "bernoulli")
def _():
    return AE([C(1, 32, 4, 2, 1), R(), C(32, 32, 4, 2, 1), R(), C(32, 32, 4, 2, 1), R(), C(32, 32, 4, 2, 1), R(), FL(),
               L(512, 256), R(), L(256, 256), R()], Gaussian(256, 10),
              [L(10, 256), R(), L(256, 256), R(), L(256, 512), R(), view(32, 4, 4), CT(32, 32, 4, 2, 1), R(),
               CT(32, 32, 4, 2, 1), R(), CT(32, 32, 4, 2, 1), R(), CT(32, 1, 4, 2, 1), S()])


DISENTANGLEMENT = "google-research/disentanglement_lib, methods/shared/architectures.py"


@architecture("disentanglement-conv", f"{DISENTANGLEMENT}: conv_encoder, deconv_decoder", (64, 64, 3), "bernoulli")
def _():
    return AE([KerasConv(3, 32, 4, 2), R(), KerasConv(32, 32, 4, 2), R(), KerasConv(32, 64, 2, 2), R(),
               KerasConv(64, 64, 2, 2), R(), FL(), L(1024, 256), R()], Gaussian(256, 10),
              [L(10, 256), R(), L(256, 1024), R(), view(64, 4, 4), KerasConvT(64, 64, 4, 2), R(),
               KerasConvT(64, 32, 4, 2), R(), KerasConvT(32, 32, 4, 2), R(), KerasConvT(32, 3, 4, 2), S()])


@architecture("disentanglement-dense", f"{DISENTANGLEMENT}: fc_encoder, fc_decoder", (64, 64, 1), "bernoulli")
def _():
    return AE([FL(), L(4096, 1200), R(), L(1200, 1200), R()], Gaussian(1200, 10),
              [L(10, 1200), T(), L(1200, 1200), T(), L(1200, 1200), T(), L(1200, 4096), S(), view(1, 64, 64)])


@architecture("world-models-vae", "hardmaru/WorldModelsExperiments, carracing/vae/vae.py", (64, 64, 3))
def _():
    return AE([C(3, 32, 4, 2), R(), C(32, 64, 4, 2), R(), C(64, 128, 4, 2), R(), C(128, 256, 4, 2), R(), FL()],
              Gaussian(1024, 32),
              [L(32, 1024), view(1024, 1, 1), CT(1024, 128, 5, 2), R(), CT(128, 64, 5, 2), R(), CT(64, 32, 6, 2), R(),
               CT(32, 3, 6, 2), S()])


def zalando_stack():
    """The first ReLU of each block is in place, so that the sum has the rectified x."""
    return [layer for _ in range(2) for layer in (
        R(), Residual([C(128, 32, 3, 1, 1, bias=False), R(), C(32, 128, 1, bias=False)]))] + [R()]


@architecture("zalando-vq-vae", "zalandoresearch/pytorch-vq-vae, vq-vae.ipynb", (32, 32, 3))
def _():
    return AE([C(3, 64, 4, 2, 1), R(), C(64, 128, 4, 2, 1), R(), C(128, 128, 3, 1, 1), *zalando_stack(), C(128, 64, 1)],
              Quantizer(512, 64),
              [C(64, 128, 3, 1, 1), *zalando_stack(), CT(128, 64, 4, 2, 1), R(), CT(64, 3, 4, 2, 1)])


absent("laskin-vq-vae", "MishaLaskin/vqvae, models/", "residual blocks that share their weights")


@architecture("lucidrains-vq-ae", "lucidrains/vector-quantize-pytorch, examples/autoencoder.py", (28, 28, 1),
              "absoluteError")
def _():
    return AE([C(1, 16, 3, 1, 1), MP(2), GELU(), C(16, 32, 3, 1, 1), MP(2)], Quantizer(256, 32),
              [up(), C(32, 16, 3, 1, 1), GELU(), up(), C(16, 1, 3, 1, 1)])


absent("vq-vae-2", "rosinality/vq-vae-2-pytorch, vqvae.py", "two quantised latents one above the other")
