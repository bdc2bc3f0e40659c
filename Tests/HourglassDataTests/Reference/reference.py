"""Values that HourglassDataTests compare with: NumPy's NPY bytes, safetensors' bytes, SSIM by its definition.

    pip install numpy safetensors && python reference.py
"""
import base64, io
import numpy as np
from safetensors.numpy import save


def show(name, data):
    print(f"{name}:\n{base64.b64encode(data).decode()}")


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


show("|u1 2x2x3", npy(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)))
show("<f4 2x3", npy(np.array([[0, 0.25, 0.5], [0.75, 1, -2]], dtype=np.float32)))
show("<f8 1x1x2x3", npy(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 1 / 3]).reshape(1, 1, 2, 3)))
show("<f4 Fortran 2x2", npy(np.asfortranarray(np.array([[1, 2], [3, 4]], dtype=np.float32))))
show(">f4 2", npy(np.array([1, 2], dtype=">f4")))
tensors = {
    "encoder.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
    "encoder.0.bias": np.array([-1.5], dtype=np.float32),
}
show("safetensors", save(tensors, metadata={"step": '12 "so far"'}))


def ssim(x, y, size=11, sigma=1.5):
    """Wang et al. 2004, each window by itself: x, y of H x W x C in double."""
    size = min(size, min(x.shape[:2]) - (1 - min(x.shape[:2]) % 2))
    t = np.arange(size) - size // 2
    w = np.exp(-(t[:, None] ** 2 + t[None, :] ** 2) / (2 * sigma**2))
    w /= w.sum()
    c1, c2, values = 0.01**2, 0.03**2, []
    for c in range(x.shape[2]):
        for i in range(x.shape[0] - size + 1):
            for j in range(x.shape[1] - size + 1):
                a, b = x[i : i + size, j : j + size, c], y[i : i + size, j : j + size, c]
                ma, mb = (w * a).sum(), (w * b).sum()
                va, vb, cov = (w * (a - ma) ** 2).sum(), (w * (b - mb) ** 2).sum(), (w * (a - ma) * (b - mb)).sum()
                values.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return np.mean(values)


for shape in [(28, 28, 1), (32, 24, 3), (11, 11, 1), (10, 13, 1), (7, 7, 3), (1, 1, 1), (12, 40, 1)]:
    h, w, c = np.meshgrid(*map(np.arange, shape), indexing="ij")
    x = ((37 * h + 11 * w + 17 * c + 3 * h * w) % 256).astype(np.float32) / np.float32(255)
    noise = ((101 * h + 53 * w + 29 * c + h * h * w) % 64).astype(np.float32) / np.float32(255)
    y = x * np.float32(0.75) + noise
    print(f"SSIM {shape}: {ssim(x.astype(np.float64), y.astype(np.float64))!r}")
