"""Images that tests share: discs, and squares among them."""
import os
import pathlib
import sys

import numpy as np
import pytest

sys.path.insert(0, os.fspath(pathlib.Path(__file__).resolve().parents[1]))


def shapes(count, squares=0, side=12, seed=0):
    """Grey images of bytes: discs, the first of them squares."""
    random = np.random.default_rng(seed)
    grid = np.arange(side)
    images = np.empty((count, side, side), np.uint8)
    for n in range(count):
        (y, x), size = random.uniform(4, side - 5, 2), random.uniform(1.5, 3)
        down, across = np.abs(grid - y)[:, None], np.abs(grid - x)[None]
        far = np.maximum(down, across) if n < squares else np.hypot(down, across)
        images[n] = 255 * np.clip(size - far + 0.5, 0, 1)
    return images


@pytest.fixture(scope="session")
def images():
    return shapes(96)


@pytest.fixture(scope="session")
def fitted(images):
    import hourglass
    return hourglass.ConvAutoencoder(epochs=3, batch_size=16, latent=8, contamination=0.1).fit(images)


@pytest.fixture(scope="session")
def program():
    path = os.environ.get("HOURGLASS_PROGRAM")
    if not path or not os.path.exists(path):
        pytest.skip("no program hourglass here (HOURGLASS_PROGRAM)")
    return path
