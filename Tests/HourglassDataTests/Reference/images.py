"""Values that HourglassDataTests compare with: NumPy's NPZ archives, Pillow's scaling, grey and JPEG pixels.

    pip install numpy pillow && HOURGLASS_DATA=... python images.py
"""
import base64, io, os
from pathlib import Path
import numpy as np
from PIL import Image, ImageOps


def show(name, data):
    print(f"{name}:\n{base64.b64encode(data).decode()}")


def archive(save, **arrays):
    out = io.BytesIO()
    save(out, **arrays)
    return out.getvalue()


x = np.arange(24, dtype=np.uint8)
show("savez", archive(
    np.savez, x_train=x.reshape(4, 3, 2), y_train=np.array([2, 0, 1, 2]), x_test=x[:12].reshape(2, 3, 2) + 100,
    y_test=np.array([[1], [0]], dtype=np.uint8)))
show("savez_compressed", archive(
    np.savez_compressed, pictures=np.repeat(x, 8).reshape(2, 3, 4, 8), notes=np.array([1.0, 2.0])))


def pattern(width, height):
    """Bytes that no filter leaves alone: pixel (h, w), channel c."""
    h, w, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return Image.fromarray(((37 * h + 91 * w + 53 * c + 7 * h * w) % 256).astype(np.uint8))


for (w, h), (new_w, new_h), method in [
    ((12, 10), (4, 5), Image.BOX), ((6, 6), (1, 1), Image.BOX), ((5, 4), (11, 9), Image.BILINEAR),
    ((3, 1), (8, 2), Image.BILINEAR),
]:
    show(f"{w}x{h} to {new_w}x{new_h}", pattern(w, h).resize((new_w, new_h), method).tobytes())
show("grey 12x10", pattern(12, 10).convert("L").tobytes())

folder = Path(os.environ["HOURGLASS_DATA"]) / "awkward-files"
for path in sorted([*folder.glob("jpeg/*"), *folder.glob("png/*.png")]):
    try:
        image = ImageOps.exif_transpose(Image.open(path))
        if image.mode == "CMYK":
            image = image.convert("RGB")
        pixels = np.asarray(image)
    except Exception:
        continue
    pixels = pixels.reshape(pixels.shape[0], pixels.shape[1], -1)
    h, w, c = pixels.shape
    means = " ".join(f"{m:.3f}" for m in pixels.mean((0, 1)))
    some = [int(pixels[h * k // 5, w * ((3 * k) % 5) // 5, k % c]) for k in range(5)]
    print(f"{path.name} {w} {h} {c} mean {means} pixels {' '.join(map(str, some))}")
