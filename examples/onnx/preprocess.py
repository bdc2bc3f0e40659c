"""Pictures as an exported model reads them, and their codes: what `hourglass encode` gives, by onnxruntime.

    python preprocess.py runs/photos/export/encoder.onnx photo.jpg another.png

prints a line of numbers for each picture: the code, of a variational model its mean. It wants numpy, onnxruntime, pillow
and simplejpeg, and agrees with `hourglass encode` to 1e-5 for pictures of 8 bits a channel without transparency.
"""
import io
import json
import sys

import numpy as np
import onnxruntime
import simplejpeg
from PIL import Image

# What a picture needs to stand upright, by its Exif orientation: turns by 90 degrees against the clock after a mirror.
UPRIGHT = {1: (False, 0), 2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1)}


def preprocess(path, session):
    """A picture as a session's model reads it, (1, C, H, W) float32, by the metadata `preprocess` of the model."""
    steps = json.loads(session.get_modelmeta().custom_metadata_map["preprocess"])
    for name in {"crop", "resize", "fit"} & steps.keys():           # [height, width], or one number for both
        steps[name] = [steps[name]] * 2 if isinstance(steps[name], int) else steps[name]
    pixels = upright(path, steps)
    if steps.get("range", "0:255") != "0:255":                      # the numbers that become 0 and 1
        low, high = map(float, steps["range"].split(":"))
        pixels = np.float32((pixels - low) / (high - low))
    if steps.get("color") == "grey" and pixels.shape[2] == 3:
        pixels = grey(pixels)
    if steps.get("color") == "rgb" and pixels.shape[2] == 1:
        pixels = pixels.repeat(3, axis=2)
    if "crop" in steps:
        height, width = steps["crop"]
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        pixels = pixels[top:top + height, left:left + width]
    if "resize" in steps:
        pixels = resized(pixels, steps["resize"])
    if "fit" in steps:
        pixels = framed(resized(pixels, fitted(pixels.shape, steps["fit"])), steps["fit"], steps.get("background"))
    if pixels.dtype == np.uint8:
        pixels = np.float32(pixels) / np.float32(255)
    if steps.get("inverts"):
        pixels = 1 - pixels
    return pixels.transpose(2, 0, 1)[None]


def upright(path, steps):
    """The pixels of a file, H x W x C of uint8, as the Exif orientation turns them."""
    with open(path, "rb") as file:
        data = file.read()
    picture = Image.open(io.BytesIO(data))
    mirrored, turns = UPRIGHT.get(picture.getexif().get(0x0112, 1), (False, 0))
    if picture.mode not in ("1", "L", "P", "RGB", "RGBA"):
        raise ValueError(f"{path}: wanted a grey or RGB picture of 8 bits a channel, found the mode {picture.mode}")
    if picture.format == "JPEG":
        # A decoder makes a much smaller picture, by eighths, as long as four of its pixels make a new one along each axis.
        width, height = picture.size if turns % 2 == 0 else picture.size[::-1]
        size = steps.get("resize") or ("fit" in steps and fitted((height, width), steps["fit"]))
        shrinks = size and "crop" not in steps and "range" not in steps
        rows, columns = [4 * n for n in (size if turns % 2 == 0 else size[::-1])] if shrinks else picture.size[::-1]
        if rows > picture.height or columns > picture.width:
            rows, columns = picture.height, picture.width
        pixels = simplejpeg.decode_jpeg(data, "GRAY" if picture.mode == "L" else "RGB", min_height=rows,
                                        min_width=columns)
    else:
        pixels = np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))
        pixels = pixels.reshape(*pixels.shape[:2], -1)
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, turns)


def grey(pixels):
    """The luma of ITU-R BT.601 of RGB along the last axis; of bytes in units of 2^-16."""
    if pixels.dtype == np.uint8:
        return (pixels @ np.array([[19595], [38470], [7471]]) + 32768 >> 16).astype(np.uint8)
    return pixels @ np.float32([[0.299], [0.587], [0.114]])


def fitted(shape, size):
    """The largest height and width with a picture's proportions within a size."""
    scale = min(size[0] / shape[0], size[1] / shape[1])
    return [min(most, max(1, int(old * scale + 0.5))) for old, most in zip(shape, size)]


def framed(pixels, size, background):
    """A picture in the middle of a larger one of zeros, or of a colour such as #ffffff."""
    color = np.uint8([int((background or "#000000")[i:i + 2], 16) for i in (1, 3, 5)])
    if pixels.shape[2] == 1:
        color = grey(color)
    frame = np.empty((*size, pixels.shape[2]), pixels.dtype)
    frame[:] = color if pixels.dtype == np.uint8 else np.float32(color) / np.float32(255)
    top, left = (size[0] - pixels.shape[0]) // 2, (size[1] - pixels.shape[1]) // 2
    frame[top:top + pixels.shape[0], left:left + pixels.shape[1]] = pixels
    return frame


def resized(pixels, size):
    """The mean over areas along an axis that shrinks, linear interpolation along one that grows; bytes are rounded."""
    if tuple(size) == pixels.shape[:2]:
        return pixels
    values = filtered(filtered(np.float32(pixels), size[1], axis=1), size[0], axis=0)
    if pixels.dtype == np.uint8:
        return (values.clip(0, 255) + np.float32(0.5)).astype(np.uint8)
    return values.clip(min(0, pixels.min()), max(1, pixels.max()))


def filtered(values, new, axis):
    """Along an axis, sums of float32 in the order of the old pixels, so that they have the bits of the program."""
    old = values.shape[axis]
    if old >= new:      # new pixel i covers [i old, (i + 1) old) in units of 1 / new
        starts, ends = np.arange(new) * old, np.arange(1, new + 1) * old
        firsts = starts // new
        count = ((ends - 1) // new - firsts).max() + 1
        places = firsts[:, None] + np.arange(count)
        covered = np.minimum(ends[:, None], (places + 1) * new) - np.maximum(starts[:, None], places * new)
        weights = np.float32(covered.clip(0)) / np.float32(old)
    else:               # new pixel i lies at (i + 1/2) old / new - 1/2 between two old ones
        place = ((np.arange(new) + 0.5) * old / new - 0.5).clip(0, old - 1)
        firsts = np.minimum(place.astype(int), max(0, old - 2))
        part = np.float32(place - firsts)
        places = firsts[:, None] + np.arange(2)
        weights = np.stack([1 - part, part], axis=1)
    shape = [new if i == axis else 1 for i in range(values.ndim)]
    total = np.zeros_like(values, shape=[new if i == axis else length for i, length in enumerate(values.shape)])
    for k in range(places.shape[1]):
        total += weights[:, k].reshape(shape) * values.take(places[:, k].clip(0, old - 1), axis)
    return total


if __name__ == "__main__":
    encoder = onnxruntime.InferenceSession(sys.argv[1])
    for path in sys.argv[2:]:
        code = encoder.run(None, {"image": preprocess(path, encoder)})[0]
        print(" ".join(f"{number:.9g}" for number in code.ravel()))
