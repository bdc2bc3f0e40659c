"""Anomaly detection: of images, of tables, of sounds."""
from parts import *

MVTEC = "AdneneBoumessouer/MVTec-Anomaly-Detection, autoencoder/models/"


def leaky(i, o, k=3, s=1):
    return [KerasConv(i, o, k, s), LR(0.2)]


def leaky_back(i, o):
    return [KerasConvT(i, o, 4, 2), LR(0.2)]


@architecture("ssim-ae",
              "plutoyuxie/AutoEncoder-SSIM-for-unsupervised-anomaly-detection-, network.py, of Bergmann et al.",
              (128, 128, 1), "ssim")
def _():
    return AE([*leaky(1, 32, 4, 2), *leaky(32, 32, 4, 2), *leaky(32, 32), *leaky(32, 64, 4, 2), *leaky(64, 64),
               *leaky(64, 128, 4, 2), *leaky(128, 64), *leaky(64, 32)], C(32, 100, 8),
              [CT(100, 32, 8), LR(0.2), *leaky(32, 64), *leaky(64, 128), *leaky_back(128, 64), *leaky(64, 64),
               *leaky_back(64, 32), *leaky(32, 32), *leaky_back(32, 32), KerasConvT(32, 1, 4, 2), S()])


@architecture("mvtec-cae", f"{MVTEC}mvtecCAE.py", (256, 256, 1), "ssim")
def _():
    def conv(i, o, k=3, s=1):
        return [KerasConv(i, o, k, s), R()]
    return AE([*conv(1, 32, 4, 2), *conv(32, 32, 4, 2), *conv(32, 32, 4, 2), *conv(32, 32), *conv(32, 64, 4, 2),
               *conv(64, 64), *conv(64, 128, 4, 2), *conv(128, 64), *conv(64, 32)], KerasConv(32, 1, 8),
              [*conv(1, 32), *conv(32, 64), up(), *conv(64, 128, 4, 2), up(), *conv(128, 64), up(), *conv(64, 64, 4, 2),
               up(), *conv(64, 32), up(), *conv(32, 32, 4, 2), up(4), *conv(32, 32, 4, 2), up(), *conv(32, 32, 8), up(),
               KerasConv(32, 1, 8), S()])


def normal(i, o, k=5):
    return [KerasConv(i, o, k), keras_norm(o), LR(0.1)]


@architecture("mvtec-baseline-cae", f"{MVTEC}baselineCAE.py", (256, 256, 1))
def _():
    sizes = [32, 32, 64, 64, 128, 128]
    down = [layer for i, o in zip([1] + sizes, sizes) for layer in normal(i, o) + [KerasPool(2)]]
    back = [layer for i, o in zip([4] + sizes[::-1], sizes[::-1]) for layer in normal(i, o) + [up()]]
    return AE(down + [FL()], nn.Sequential(L(2048, 64), LR(0.1)),
              [view(4, 4, 4), *back, KerasConv(32, 1, 5), keras_norm(1), S()])


@architecture("mvtec-inception-cae", f"{MVTEC}inceptionCAE.py", (256, 256, 1))
def _():
    def inception(i, o):
        return Branches(normal(i, o, 1), normal(i, o, 3), normal(i, o, 5), [MP(3, 1, 1), *normal(i, o, 1)])
    down, back, last = [], [], 1
    for o in [32, 32, 64, 64, 128, 128]:
        down, last = down + [inception(last, o), KerasPool(2)], 4 * o
    for o in [128, 128, 64, 64, 32, 32]:
        back, last = back + [inception(last, o), up()], 4 * o
    return AE(down[:-1], down[-1], back + [KerasConv(128, 1, 3), keras_norm(1), S()])


@architecture("mvtec-skip-cae", f"{MVTEC}skipCAE.py", (256, 256, 1))
def _():
    y1, y2 = Keep(), Keep()

    def conv(i, o):
        return KerasConv(i, o, 3, 2)

    def back(i, o, s=2):
        return KerasConvT(i, o, 3, s)
    return AE([conv(1, 32), LR(0.3), conv(32, 64), LR(0.3), conv(64, 64), y1, LR(0.3), conv(64, 128), LR(0.3),
               conv(128, 128), y2, LR(0.3), conv(128, 256), LR(0.3), conv(256, 256), LR(0.3), FL()],
              nn.Sequential(L(1024, 64), R()),
              [L(64, 1024), R(), view(256, 2, 2), back(256, 256, 1), LR(0.3), back(256, 256), LR(0.3), back(256, 128),
               Add(y2, LR(0.3)), keras_norm(128), back(128, 128), LR(0.3), back(128, 64), Add(y1, LR(0.3)),
               keras_norm(64), back(64, 64), LR(0.3), back(64, 32), LR(0.3), back(32, 1), S()])


absent("mvtec-resnet-cae", f"{MVTEC}resnetCAE.py", "pretrained weights and one normalisation that two layers read")


@architecture("ganomaly-ae",
              "openvinotoolkit/anomalib, models/ganomaly/torch_model.py: first encoder and decoder, of 64 x 64",
              (64, 64, 3))
def _():
    def down(i, o):
        return [C(i, o, 4, 2, 1, bias=False), BN(o), LR(0.2)]

    def back(i, o):
        return [CT(i, o, 4, 2, 1, bias=False), BN(o), R()]
    return AE([C(3, 64, 4, 2, 4, bias=False), LR(0.2), *down(64, 128), *down(128, 256), *down(256, 512)],
              C(512, 100, 4, bias=False),
              [CT(100, 512, 4, bias=False), BN(512), R(), *back(512, 256), *back(256, 128), *back(128, 64),
               CT(64, 3, 4, 2, 1, bias=False), T()])


absent("ganomaly", "openvinotoolkit/anomalib, models/ganomaly/torch_model.py: whole",
       "an adversary, and a second encoder behind the decoder")


@architecture("draem-reconstructive",
              "openvinotoolkit/anomalib, models/draem/torch_model.py: ReconstructiveSubNetwork, "
              "a width of 32 instead of 128, at 64 x 64", (64, 64, 3))
def _():
    def conv(i, o):
        return [C(i, o, 3, 1, 1), BN(o), R()]

    def grow(i, o):
        return [up(mode="bilinear", align_corners=True), *conv(i, o)]
    w = 32
    down, last = [], 3
    for o in [w, 2 * w, 4 * w, 8 * w]:
        down, last = down + conv(last, o) + conv(o, o) + [MP(2)], o
    last = conv(8 * w, 8 * w)
    return AE(down + conv(8 * w, 8 * w) + last[:1], nn.Sequential(*last[1:]),
              [*grow(8 * w, 8 * w), *conv(8 * w, 8 * w), *conv(8 * w, 4 * w), *grow(4 * w, 4 * w), *conv(4 * w, 4 * w),
               *conv(4 * w, 2 * w), *grow(2 * w, 2 * w), *conv(2 * w, 2 * w), *conv(2 * w, w), *grow(w, w), *conv(w, w),
               *conv(w, w), C(w, 3, 3, 1, 1)])


absent("memae", "donggong1/memae-anomaly-detection", "a memory that is addressed by attention")
absent("dagmm", "danieltan07/dagmm", "a mixture estimated of codes and errors together")

SVDD = "lukasruff/Deep-SVDD-PyTorch, src/networks/"


@architecture("deep-svdd-mnist", f"{SVDD}mnist_LeNet.py", (28, 28, 1))
def _():
    return AE([C(1, 8, 5, 1, 2, bias=False), BN(8), LR(), MP(2, 2), C(8, 4, 5, 1, 2, bias=False), BN(4), LR(), MP(2, 2),
               FL()], L(196, 32, bias=False),
              [view(2, 4, 4), LR(), up(), C(2, 4, 5, 1, 2, bias=False), BN(4), LR(), up(), C(4, 8, 5, 1, 1, bias=False),
               BN(8), LR(), up(), C(8, 1, 5, 1, 2, bias=False), S()])


@architecture("deep-svdd-cifar-elu", f"{SVDD}cifar10_LeNet_elu.py", (32, 32, 3))
def _():
    def norm(channels, kind=BN):
        return [kind(channels, eps=1e-4, affine=False), ELU()]

    def down(i, o):
        return [C(i, o, 5, 1, 2, bias=False), *norm(o), MP(2, 2)]

    def back(i, o):
        return [CT(i, o, 5, 1, 2, bias=False), *norm(o), up()]
    return AE([*down(3, 32), *down(32, 64), *down(64, 128), FL(), L(2048, 128, bias=False)],
              BN1(128, eps=1e-4, affine=False),
              [view(8, 4, 4), ELU(), *back(8, 128), *back(128, 64), *back(64, 32), CT(32, 3, 5, 1, 2, bias=False), S()])


@architecture("deep-sad-mlp", "lukasruff/Deep-SAD-PyTorch, src/networks/mlp.py, of 274 elements", (274,))
def _():
    def block(i, o):
        return [L(i, o, bias=False), BN1(o, eps=1e-4, affine=False), LR()]
    return AE(block(274, 128) + block(128, 64), L(64, 32, bias=False),
              block(32, 64) + block(64, 128) + [L(128, 274, bias=False), S()])


@architecture("pyod-ae", "yzhao062/pyod, pyod/models/auto_encoder.py, of 30 elements", (30,))
def _():
    def block(i, o):
        return [L(i, o), BN1(o), R(), DO(0.2)]
    return AE(block(30, 64), nn.Sequential(*block(64, 32)), block(32, 64) + [L(64, 30)])


@architecture("pyod-vae", "yzhao062/pyod 0.8, pyod/models/vae.py, of 30 elements", (30,))
def _():
    def block(i, o):
        return [L(i, o), R(), DO(0.2)]
    return AE([L(30, 30), R(), *block(30, 128), *block(128, 64), *block(64, 32)], Gaussian(32, 2),
              [L(2, 2), R(), *block(2, 32), *block(32, 64), *block(64, 128), L(128, 30), S()])


@architecture("usad-ae", "manigalati/usad, usad.py: AutoencoderModel, windows of 12 x 51", (612,))
def _():
    return AE([L(612, 306), R(), L(306, 153), R()], nn.Sequential(L(153, 40), R()),
              [L(40, 153), R(), L(153, 306), R(), L(306, 612), S()])


absent("usad", "manigalati/usad, usad.py: UsadModel", "two decoders that are trained against one another")


def dcase(i, o):
    return [L(i, o), BN1(o, momentum=0.01, eps=1e-3), R()]


@architecture("dcase2020", "y-kawagu/dcase2020_task2_baseline, keras_model.py, a first version", (320,))
def _():
    return AE([L(320, 64), R(), L(64, 64), R()], nn.Sequential(L(64, 8), R()),
              [L(8, 64), R(), L(64, 64), R(), L(64, 320)])


@architecture("dcase2023",
              "nttcslab/dcase2023_task2_baseline_ae, networks/dcase2023t2_ae/network.py, as in 2020 to 2022",
              (640,))
def _():
    return AE([*dcase(640, 128), *dcase(128, 128), *dcase(128, 128), *dcase(128, 128)], nn.Sequential(*dcase(128, 8)),
              [*dcase(8, 128), *dcase(128, 128), *dcase(128, 128), *dcase(128, 128), L(128, 640)])


@architecture("kitsune", "ymirsky/Kitsune-py, KitNET/dA.py, of 10 elements", (10,))
def _():
    code = L(10, 8)
    return AE([], nn.Sequential(code, S()), [Tied(code), S()])
