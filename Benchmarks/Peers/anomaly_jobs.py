"""Whole jobs of finding anomalies among images: the package hourglass, PyOD's AutoEncoder and an autoencoder in Keras, in turn.

  python anomaly_jobs.py [--rounds 3] [--images 4000] [--epochs 10]

A job is a process: it starts, imports its package, trains on images of 28 x 28 and scores as many new ones. Networks are the same on
both sides of a comparison: 784-64-32-64-784 with batches of 32 (PyOD's defaults) and a convolutional one with batches of
128. PyOD adds batch norm and dropout, which are its defaults too. Wall and processor time are medians of the rounds; a ratio is the median
of those of each round. Peers that are not installed are left out (pip install pyod tqdm keras torch). Keras runs on the backend that KERAS_BACKEND names, else on PyTorch.
"""
import argparse
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import time

CONVOLUTIONAL = {
    "name": "conv", "input": [28, 28, 1], "likelihood": "squaredError",
    "encoder": [{"layer": "Conv2D", "filters": 32, "kernel": 3, "stride": 2, "activation": "relu"},
                {"layer": "Conv2D", "filters": 64, "kernel": 3, "stride": 2, "activation": "relu"}],
    "latent": {"layer": "Dense", "units": 16},
    "decoder": [{"layer": "Dense", "units": 3136, "activation": "relu"}, {"layer": "Reshape", "shape": [7, 7, 64]},
                {"layer": "ConvTranspose2D", "filters": 32, "kernel": 3, "stride": 2, "activation": "relu"},
                {"layer": "ConvTranspose2D", "filters": 1, "kernel": 3, "stride": 2, "activation": "sigmoid"}]}


def images(count, seed):
    """Squares at drawn places on noise, as bytes."""
    import numpy as np
    draw = np.random.default_rng(seed)
    x = draw.integers(0, 60, (count, 28, 28), np.uint8)
    for image, (top, left) in zip(x, draw.integers(0, 18, (count, 2))):
        image[top:top + 10, left:left + 10] += 150
    return x


def hourglass_dense(x, new, epochs):
    import hourglass as hg
    dense = hg.ConvAutoencoder("784-64-32,gaussian", epochs=epochs, batch_size=32, standardize=True)
    return dense.fit(x.reshape(len(x), -1)).decision_function(new.reshape(len(new), -1))


def pyod_dense(x, new, epochs):
    from pyod.models.auto_encoder import AutoEncoder
    dense = AutoEncoder(epoch_num=epochs, batch_size=32, verbose=0)
    return dense.fit(x.reshape(len(x), -1).astype("f")).decision_function(new.reshape(len(new), -1).astype("f"))


def hourglass_conv(x, new, epochs):
    import hourglass as hg
    return hg.ConvAutoencoder(CONVOLUTIONAL, epochs=epochs, batch_size=128).fit(x).decision_function(new)


def keras_conv(x, new, epochs):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import keras
    from keras import layers as L
    model = keras.Sequential([
        L.Input((28, 28, 1)),
        L.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
        L.Conv2D(64, 3, strides=2, padding="same", activation="relu"),
        L.Flatten(), L.Dense(16), L.Dense(3136, activation="relu"), L.Reshape((7, 7, 64)),
        L.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),
        L.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid")])
    model.compile("adam", "mse")
    x, new = (array[..., None].astype("f") / 255 for array in (x, new))
    model.fit(x, x, batch_size=128, epochs=epochs, verbose=0)
    return ((model.predict(new, batch_size=256, verbose=0) - new) ** 2).mean((1, 2, 3))


JOBS = {job.__name__: job for job in (hourglass_dense, pyod_dense, hourglass_conv, keras_conv)}


def measure(name, options):
    """Wall and processor time of a job, in seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, __file__, "--job", name, *options], check=True)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--images", type=int, default=4000)
    arguments.add_argument("--epochs", type=int, default=10)
    arguments.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.job:
        scores = JOBS[given.job](images(given.images, 1), images(given.images, 2), given.epochs)
        assert scores.shape == (given.images,), scores.shape
        return
    options = ["--images", str(given.images), "--epochs", str(given.epochs)]
    print(f"{given.images} images trained on and as many scored, {given.epochs} epochs, {given.rounds} rounds, medians")
    for ours, theirs, package in (("hourglass_dense", "pyod_dense", "pyod"), ("hourglass_conv", "keras_conv", "keras")):
        if importlib.util.find_spec(package) is None:
            print(f"{theirs}: {package} is not installed")
            continue
        rounds = [(measure(ours, options), measure(theirs, options)) for _ in range(given.rounds)]
        for side, name in enumerate((ours, theirs)):
            wall, processor = (statistics.median(pair[side][k] for pair in rounds) for k in (0, 1))
            print(f"{name:16} wall {wall:6.2f} s   processor {processor:6.2f} s")
        wall, processor = (statistics.median(pair[0][k] / pair[1][k] for pair in rounds) for k in (0, 1))
        print(f"{'ratio':16} wall {wall:6.2f}     processor {processor:6.2f}")


if __name__ == "__main__":
    main()
