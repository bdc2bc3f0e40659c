"""Series: of hearts, machines, sounds."""
from parts import *

AEON = "aeon-toolkit/aeon, aeon/networks/"


@architecture("ecg-strided", "A-M213/ECG_Project, models/autoencoder.py, of 256 steps", (256, 12))
def _():
    return AE([C1(12, 32, 7, 2, 3), R(), C1(32, 64, 5, 2, 2), R()], nn.Sequential(C1(64, 128, 3, 2, 1), R()),
              [CT1(128, 64, 3, 2, 1, 1), R(), CT1(64, 32, 5, 2, 2, 1), R(), CT1(32, 12, 7, 2, 3, 1)])


@architecture("ecg-pooled", "okovalchuk98/ecg_processing_research, AutoencoderModels.py, of 256 steps", (256, 1))
def _():
    sizes = [1, 32, 64, 128, 256]
    down = [layer for i, o in zip(sizes, sizes[1:]) for layer in (C1(i, o, 3, 1, 1), R(), MP1(2, 2))]
    back = [layer for i, o in zip(sizes[:0:-1], sizes[-2::-1]) for layer in (up(), C1(i, o, 3, 1, 1), R())]
    return AE(down[:-1], down[-1], back[:-1] + [S()])


@architecture("vibration", "aprameyap/vibratiq, model/model.py, of 256 steps", (256, 1))
def _():
    return AE([C1(1, 16, 7, 2, 3), R(), C1(16, 32, 7, 2, 3), R()], nn.Sequential(C1(32, 64, 3, 2, 1), R()),
              [CT1(64, 32, 3, 2, 1, 1), R(), CT1(32, 16, 7, 2, 3, 1), R(), CT1(16, 1, 7, 2, 3, 1)])


@architecture("audio-denoising", "dharvpat/Denoising-AutoEncoder, models/autoencoder.py, of 256 steps", (256, 1))
def _():
    return AE([C1(1, 16, 15, 2, 7), R(), C1(16, 32, 15, 2, 7), R()], nn.Sequential(C1(32, 64, 15, 2, 7), R()),
              [CT1(64, 32, 15, 2, 7, 1), R(), CT1(32, 16, 15, 2, 7, 1), R(), CT1(16, 1, 15, 2, 7, 1), T()])


@architecture("beatgan-generator", "hi-bingo/BeatGAN, experiments/ecg/network.py, of 32 filters and 50 units", (320, 1))
def _():
    def down(i, o):
        return [C1(i, o, 4, 2, 1, bias=False), BN1(o), LR(0.2)]

    def back(i, o):
        return [CT1(i, o, 4, 2, 1, bias=False), BN1(o), R()]
    return AE([C1(1, 32, 4, 2, 1, bias=False), LR(0.2), *down(32, 64), *down(64, 128), *down(128, 256),
               *down(256, 512)], C1(512, 50, 10, bias=False),
              [CT1(50, 512, 10, bias=False), BN1(512), R(), *back(512, 256), *back(256, 128), *back(128, 64),
               *back(64, 32), CT1(32, 1, 4, 2, 1, bias=False), T()])


@architecture("aeon-fcn", f"{AEON}_ae_fcn.py, of 64 steps", (64, 1))
def _():
    def conv(i, o, k):
        return [KerasConv1(i, o, k), keras_norm(o, BN1), R()]

    def back(i, o, k):
        return [KerasConvT1(i, o, k), keras_norm(o, BN1), R()]
    return AE([*conv(1, 128, 8), *conv(128, 256, 5), *conv(256, 128, 3), FL()], L(8192, 128),
              [L(128, 8192), view(128, 64), *back(128, 128, 3), *back(128, 256, 5), *back(256, 128, 8),
               KerasConvT1(128, 1, 1)])


@architecture("aeon-resnet", f"{AEON}_ae_resnet.py, of 64 steps", (64, 1))
def _():
    def conv(kind, i, o, k):
        return [kind(i, o, k), keras_norm(o, BN1), R()]

    def down(i, o):
        layers = conv(KerasConv1, i, o, 8) + conv(KerasConv1, o, o, 5) + conv(KerasConv1, o, o, 3)
        return Residual(layers[:-1], conv(KerasConv1, i, o, 1)[:-1], R())

    def back(i, o):
        """The source adds the shortcut behind the first of three layers there."""
        return [Residual(conv(KerasConvT1, i, o, 3)[:-1], conv(KerasConv1, i, o, 1)[:-1], R()),
                *conv(KerasConvT1, o, o, 5), *conv(KerasConvT1, o, o, 8)]
    return AE([down(1, 64), down(64, 128), down(128, 128), FL()], L(8192, 128),
              [L(128, 8192), view(128, 64), *back(128, 64), *back(64, 128), *back(128, 128), KerasConvT1(128, 1, 1)])


@architecture("aeon-dcnn", f"{AEON}_ae_dcnn.py, of 64 steps", (64, 1))
def _():
    def block(kind, side, i, o, d):
        return Residual([kind(i, o, 3, dilation=d), R(), kind(o, o, 3, dilation=d), R()], [side(i, o, 1)])
    sizes, rates = [1, 32, 64, 96, 128], [2, 4, 8, 16]
    down = [block(CausalConv1, C1, *size) for size in zip(sizes, sizes[1:], rates)]
    back = [block(KerasConvT1, CT1, *size) for size in zip([128, 128, 96, 64], sizes[:0:-1], rates[::-1])]
    return AE([*down, FL()], L(8192, 128), [L(128, 8192), view(128, 64), *back, C1(32, 1, 1)])


@architecture("dilated-cnn", "a dilated CNN autoencoder with residual blocks, 32 units, of 64 steps", (64, 1))
def _():
    def block(channels, d):
        return Residual([C1(channels, channels, 3, 1, d, d), R()])
    return AE([C1(1, 64, 3, 1, 1), R(), block(64, 1), block(64, 2), C1(64, 128, 3, 2, 1), R(), block(128, 2),
               block(128, 4), C1(128, 128, 3, 2, 1), R(), block(128, 4), block(128, 8), C1(128, 128, 3, 2, 1), R(),
               block(128, 8), FL()], L(1024, 32),
              [L(32, 1024), view(128, 8), CT1(128, 128, 4, 2, 1), R(), C1(128, 128, 3, 1, 1), R(),
               CT1(128, 128, 4, 2, 1), R(), C1(128, 64, 3, 1, 1), R(), CT1(64, 32, 4, 2, 1), R(), C1(32, 1, 3, 1, 1)])


@architecture("tcn-ae", "MarkusThill/bioma-tcn-ae, src/tcnae.py with philipperemy/keras-tcn, of 84 steps", (84, 1),
              "logCosh")
def _():
    def tcn(i):
        """Five residual blocks, and the sum of what each has before it adds its input."""
        layers, kept = [], []
        for d in [1, 2, 4, 8, 16]:
            block = [KerasConv1(i, 20, 20, dilation=d), R(), KerasConv1(20, 20, 20, dilation=d), R()]
            if d == 16:
                return layers + block + [Add(keep) for keep in kept]
            kept.append(Keep())
            layers.append(Residual(block + kept[-1:], [C1(i, 20, 1)] if i != 20 else [], R()))
            i = 20
    return AE([*tcn(1), C1(20, 8, 1)], AP1(42), [up(42), *tcn(8), C1(20, 1, 1)])


absent("lstm-ae",
       "curiousily/Getting-Things-Done-with-Pytorch, 06.time-series-anomaly-detection-ecg", "recurrent layers")
absent("omni-anomaly", "NetManAIOps/OmniAnomaly", "recurrent layers and flows")
