"""Denoising and reconstruction, with skips of all kinds, and light networks."""
from parts import *


@architecture("dncnn", "SaoYan/DnCNN-PyTorch, models.py, 17 layers", (24, 24, 1))
def _():
    middle = [layer for _ in range(15) for layer in (C(64, 64, 3, 1, 1, bias=False), BN(64), R())]
    return AE([C(1, 64, 3, 1, 1, bias=False), R(), *middle[:-3]], nn.Sequential(*middle[-3:]),
              [C(64, 1, 3, 1, 1, bias=False)])


RED = "yjn870/REDNet-pytorch, model.py: "


def red_net(depth):
    """Every second layer of the first half is added to its mirror."""
    convs = [[C(3, 64, 3, 2, 1), R()]] + [[C(64, 64, 3, 1, 1), R()] for _ in range(depth - 1)]
    backs = [[CT(64, 64, 3, 1, 1), R()] for _ in range(depth - 1)] + [[CT(64, 3, 3, 2, 1, 1)]]
    kept, down, back, most = [], [], [], -(-depth // 2) - 1
    for i, layers in enumerate(convs):
        down += layers
        if (i + 1) % 2 == 0 and len(kept) < most:
            kept.append(Keep())
            down.append(kept[-1])
    for i, layers in enumerate(backs):
        back += layers
        if (i + 1 + depth) % 2 == 0 and kept:
            back.append(Add(kept.pop(), R()))
    return down, back


def red(depth):
    down, back = red_net(depth)
    if depth == 5:
        down = [layer for layer in down if not isinstance(layer, Keep)]
        back = [layer for layer in back if not isinstance(layer, Add)]
    image = Keep()
    return AE([image, *down[:-2]], nn.Sequential(*down[-2:]), [*back, Add(image, R())])


@architecture("red-net-10", f"{RED}REDNet10", (32, 32, 3))
def _():
    return red(5)


@architecture("red-net-20", f"{RED}REDNet20", (32, 32, 3))
def _():
    return red(10)


@architecture("red-net-30", f"{RED}REDNet30", (32, 32, 3))
def _():
    return red(15)


absent("noise2noise", "joeylitalien/noise2noise-pytorch, src/unet.py", "blocks that share their weights")


@architecture("fastmri-unet",
              "facebookresearch/fastMRI, fastmri/models/unet.py, 32 filters, 4 pools, of 64 x 64", (64, 64, 1),
              "absoluteError")
def _():
    def conv(i, o):
        return [C(i, o, 3, 1, 1, bias=False), nn.InstanceNorm2d(o), LR(0.2), C(o, o, 3, 1, 1, bias=False),
                nn.InstanceNorm2d(o), LR(0.2)]

    def grow(i, o):
        return [CT(i, o, 2, 2, bias=False), nn.InstanceNorm2d(o), LR(0.2)]
    sizes, kept, down, last, back = [32, 64, 128, 256], [], [], 1, []
    for o in sizes:
        kept.append(Keep())
        down, last = down + conv(last, o) + [kept[-1], AP(2, 2)], o
    for o in sizes[::-1]:
        back += grow(2 * o, o) + [Cat(kept.pop())] + conv(2 * o, o)
    middle = conv(256, 512)
    return AE(down + middle[:3], nn.Sequential(*middle[3:]), back + [C(32, 1, 1)])


@architecture("care-unet", "CSBDeep/CSBDeep, csbdeep/internals/nets.py: common_unet, depth 2, 32 filters", (32, 32, 1))
def _():
    def conv(i, o):
        return [KerasConv(i, o, 3), R()]
    image, first, second = Keep(), Keep(), Keep()
    return AE([image, *conv(1, 32), *conv(32, 32), first, MP(2), *conv(32, 64), *conv(64, 64), second, MP(2),
               *conv(64, 128)], nn.Sequential(*conv(128, 64)),
              [up(), Cat(second), *conv(128, 64), *conv(64, 32), up(), Cat(first), *conv(64, 32), *conv(32, 32),
               C(32, 1, 1), Add(image)])


@architecture("milesial-unet", "milesial/Pytorch-UNet, unet/: bilinear, put out as many channels as go in, at 32 x 32",
              (32, 32, 3))
def _():
    def double(i, o, middle=None):
        m = middle or o
        return [C(i, m, 3, 1, 1, bias=False), BN(m), R(), C(m, o, 3, 1, 1, bias=False), BN(o), R()]
    kept = [Keep() for _ in range(4)]
    down = [*double(3, 64), kept[0], MP(2), *double(64, 128), kept[1], MP(2), *double(128, 256), kept[2], MP(2),
            *double(256, 512), kept[3], MP(2)]
    middle, back = double(512, 512), []
    for i, o in [(1024, 256), (512, 128), (256, 64), (128, 64)]:
        back += [up(mode="bilinear", align_corners=True), Cat(kept.pop(), first=True), *double(i, o, i // 2)]
    return AE(down + middle[:3], nn.Sequential(*middle[3:]), back + [C(64, 3, 1)])


absent("deep-image-prior",
       "DmitryUlyanov/deep-image-prior, models/skip.py", "weights fitted to a single image from noise")


def monai(i, o, s, transposed=False):
    """Convolution, instance normalisation, PReLU with one slope."""
    conv = CT(i, o, 3, s, 1, s - 1) if transposed else C(i, o, 3, s, 1)
    return [conv, nn.InstanceNorm2d(o), nn.PReLU()]


@architecture("monai-ae",
              "Project-MONAI/MONAI, networks/nets/autoencoder.py, channels 4, 8, 16, strides 2", (32, 32, 1))
def _():
    return AE([*monai(1, 4, 2), *monai(4, 8, 2)], nn.Sequential(*monai(8, 16, 2)),
              [*monai(16, 8, 2, True), *monai(8, 4, 2, True), CT(4, 1, 3, 2, 1, 1)])


@architecture("monai-var-ae",
              "Project-MONAI/MONAI, networks/nets/varautoencoder.py, channels 4, 8, strides 2", (32, 32, 1),
              "bernoulli")
def _():
    return AE([*monai(1, 4, 2), *monai(4, 8, 2), FL()], Gaussian(512, 10),
              [L(10, 512), R(), view(8, 8, 8), *monai(8, 4, 2, True), CT(4, 1, 3, 2, 1, 1), S()])


@architecture("sac-ae", "denisyarats/pytorch_sac_ae, encoder.py and decoder.py, 4 layers, 50 units", (84, 84, 9))
def _():
    return AE([C(9, 32, 3, 2), R(), C(32, 32, 3), R(), C(32, 32, 3), R(), C(32, 32, 3), R(), FL(), L(32 * 35 * 35, 50)],
              nn.Sequential(nn.LayerNorm(50), T()),
              [L(50, 32 * 35 * 35), R(), view(32, 35, 35), CT(32, 32, 3), R(), CT(32, 32, 3), R(), CT(32, 32, 3), R(),
               CT(32, 9, 3, 2, 0, 1)])


@architecture("csinet", "sydney222/Python_CsiNet, CsiNet_train.py, codes of 512", (32, 32, 2))
def _():
    def conv(i, o):
        return [KerasConv(i, o, 3), keras_norm(o)]

    def refine():
        return Residual([*conv(2, 8), LR(0.3), *conv(8, 16), LR(0.3), *conv(16, 2)], activation=LR(0.3))
    return AE([*conv(2, 2), LR(0.3), FL()], L(2048, 512),
              [L(512, 2048), view(2, 32, 32), refine(), refine(), KerasConv(2, 2, 3), S()])


def inverted(i, o, s, expansion):
    """An inverted residual of MobileNetV2 whose shape changes, so that nothing is added."""
    h = i * expansion
    wide = [C(i, h, 1, bias=False), BN(h), nn.ReLU6()] if expansion > 1 else []
    return [*wide, C(h, h, 3, s, 1, groups=h, bias=False), BN(h), nn.ReLU6(), C(h, o, 1, bias=False), BN(o)]


@architecture("mobilenet-v2-ae",
              "a MobileNetV2 autoencoder of inverted residuals and copied pixels, at 128 x 128", (128, 128, 3))
def _():
    last = inverted(256, 512, 2, 6)
    return AE([C(3, 16, 3, 2, 1, bias=False), BN(16), nn.ReLU6(), *inverted(16, 32, 2, 1), *inverted(32, 64, 2, 1),
               *inverted(64, 128, 2, 1), *inverted(128, 256, 2, 6), *last[:-1]], last[-1],
              [up(), *inverted(512, 256, 1, 6), up(), *inverted(256, 128, 1, 6), up(), *inverted(128, 64, 1, 1), up(),
               *inverted(64, 32, 1, 1), up(), *inverted(32, 16, 1, 1), up(), C(16, 3, 3, 2, 1, bias=False), BN(3),
               nn.ReLU6(), up(), C(3, 3, 3, 1, 1, bias=False), S()])


absent("diffusers-kl", "huggingface/diffusers, AutoencoderKL", "attention, and a Gaussian latent of images")
absent("compressai-factorized",
       "InterDigitalInc/CompressAI, bmshj2018-factorized", "generalised divisive normalisation")
absent("scvi", "scverse/scvi-tools, scvi/module/_vae.py", "a size of each cell beside the counts, and rates made of it")
absent("mult-vae", "dawenl/vae_cf, MultiVAE", "rows that are brought to length 1 before the first layer")
absent("pixel-cnn", "keras-team/keras-io, examples/generative/pixelcnn.py", "masked convolutions")
