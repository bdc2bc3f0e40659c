"""Picture files that HourglassDataTests read, made by Pillow, tifffile and h5py, and PngSuite's 16-bit pixels by pypng.

    pip install numpy pillow tifffile imagecodecs h5py pypng && HOURGLASS_DATA=... python pictures.py > pictures.txt

A line for each: its name, and base64 or SHA-256.
"""
import base64, hashlib, io, os, tempfile
from pathlib import Path
import h5py, numpy as np, png, tifffile
from PIL import Image


def pattern(width, height, channels, most):
    """Numbers that no filter leaves alone: pixel (h, w), channel c."""
    h, w, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    factors = (37, 91, 53, 7) if most == 255 else (9973, 7919, 10472, 31)
    return (factors[0] * h + factors[1] * w + factors[2] * c + factors[3] * h * w) % (most + 1)


def bytes8(width, height, channels):
    return pattern(width, height, channels, 255).astype(np.uint8)


def words(width, height, channels):
    return pattern(width, height, channels, 65535).astype(np.uint16)


def show(name, data):
    print(name, base64.b64encode(data).decode())


def tiff(name, array, **options):
    out = io.BytesIO()
    order = options.pop("byteorder", "<")
    big = options.pop("bigtiff", False)
    with tifffile.TiffWriter(out, byteorder=order, bigtiff=big) as writer:
        writer.write(array, metadata=None, software="", **options)
    show(name, out.getvalue())


def pillow(name, image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    show(name, out.getvalue())


def planes(array):
    return np.moveaxis(array, 2, 0)


tiff("grey8", bytes8(7, 5, 1)[..., 0], photometric="minisblack", rowsperstrip=2, compression="zlib")
tiff("white8", 255 - bytes8(7, 5, 1)[..., 0], photometric="miniswhite", compression="lzw")
tiff("rgb8-tiles", bytes8(20, 18, 3), photometric="rgb", tile=(16, 16), compression="zlib", predictor=True)
tiff("rgb16-planes", planes(words(7, 5, 3)), photometric="rgb", planarconfig="separate", rowsperstrip=2)
tiff("grey16-big-endian", words(7, 5, 1)[..., 0], photometric="minisblack", byteorder=">", compression="zstd")
tiff("five16", words(7, 5, 5), photometric="minisblack", planarconfig="contig", bigtiff=True)
tiff("five8-planes-tiles", planes(bytes8(18, 17, 5)), photometric="minisblack", planarconfig="separate", tile=(16, 16),
     compression="packbits")
tiff("float32", (words(7, 5, 1)[..., 0] / 65535).astype(np.float32), photometric="minisblack", compression="zlib",
     predictor=3)
tiff("float64", words(7, 5, 3) / 65535, photometric="rgb")
tiff("opacity8", bytes8(7, 5, 4), photometric="rgb", extrasamples=["unassalpha"])
tiff("opacity16", words(7, 5, 2), photometric="minisblack", planarconfig="contig", extrasamples=["assocalpha"])
tiff("lying8", bytes8(7, 5, 3), photometric="rgb", extratags=[(274, "H", 1, 6, True)])
tiff("bits", bytes8(13, 5, 1)[..., 0] > 127, photometric="minisblack")
palette = Image.fromarray(bytes8(7, 5, 1)[..., 0] % 4, "P")
palette.putpalette([1, 2, 3, 40, 50, 60, 70, 80, 90, 255, 254, 253])
pillow("palette8", palette, "TIFF")
pillow("ink8", Image.fromarray(bytes8(7, 5, 4), "CMYK"), "TIFF", compression="tiff_lzw")
smooth = Image.fromarray(np.add.outer(np.arange(16) * 5, np.arange(24) * 3).astype(np.uint8)).convert("RGB")
pillow("jpeg8", smooth, "TIFF", compression="jpeg", quality=90)
out = io.BytesIO()
with tifffile.TiffWriter(out) as writer:
    for page in range(3):
        writer.write(bytes8(7, 5, 1)[..., 0] + page, metadata=None, software="")
        writer.write(bytes8(3, 2, 1)[..., 0], subfiletype=1, metadata=None, software="")
show("pages", out.getvalue())
tiff("int16", words(7, 5, 1)[..., 0].astype(np.int16), photometric="minisblack")

pillow("webp", Image.fromarray(bytes8(7, 5, 3)), "WEBP", lossless=True)
pillow("webp-opacity", Image.fromarray(bytes8(7, 5, 4)), "WEBP", lossless=True, exact=True)
exif = Image.Exif()
exif[274] = 6
pillow("webp-lying", Image.fromarray(bytes8(7, 5, 3)), "WEBP", lossless=True, exif=exif)
pillow("webp-lossy", smooth, "WEBP", quality=90)
frames = [Image.fromarray(bytes8(7, 5, 3)), Image.fromarray(255 - bytes8(7, 5, 3))]
pillow("webp-moving", frames[0], "WEBP", save_all=True, append_images=frames[1:])

pillow("bmp1", Image.fromarray(bytes8(13, 5, 1)[..., 0] > 127), "BMP")
pillow("bmp8-grey", Image.fromarray(bytes8(7, 5, 1)[..., 0]), "BMP")
pillow("bmp8-palette", palette, "BMP")
pillow("bmp24", Image.fromarray(bytes8(7, 5, 3)), "BMP")
pillow("bmp32-opacity", Image.fromarray(bytes8(7, 5, 4)), "BMP")

pillow("png16-grey", Image.fromarray(words(7, 5, 1)[..., 0]), "PNG")
pillow("png-lying", Image.fromarray(bytes8(7, 5, 3)), "PNG", exif=exif)

# Of PngSuite: R, G, B or grey without opacity, little-endian.
for path in sorted((Path(os.environ["HOURGLASS_DATA"]) / "pngsuite").glob("*16.png")):
    if path.name.startswith("x"):
        continue
    width, height, rows, info = png.Reader(filename=str(path)).read()
    pixels = np.array([list(row) for row in rows]).reshape(height, width, info["planes"])
    if info["bitdepth"] == 16:
        colors = pixels[..., : info["planes"] - (1 if info["alpha"] else 0)].astype("<u2")
        print(f"{path.stem} {hashlib.sha256(colors.tobytes()).hexdigest()}")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "a.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file["images"] = np.stack([bytes8(3, 2, 1)[..., 0] + n for n in range(4)])
        file["labels"] = np.array([2, 0, 1, 2], dtype=np.int64)
        group = file.create_group("deep")
        group.create_dataset("words", data=np.stack([words(3, 2, 3)] * 2), chunks=(1, 2, 3, 3), compression="gzip")
        group["planes"] = np.stack([planes(bytes8(3, 2, 3))] * 2).astype(">f8") / 255
        group["floats"] = (words(6, 4, 1)[..., 0] / 65535).astype(np.float32)
        group["text"] = np.array([b"a", b"b"])
    show("hdf5", path.read_bytes())
