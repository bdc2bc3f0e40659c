"""Training steps of Keras 3 on TensorFlow for `bench step --peer keras`, which starts it.

The protocol of train_torch.py --serve; models are known by name, and there are the flagships and conv-dae-28. A step is a tf.function around forward, loss, backward and Adam, which is what model.fit runs without
callbacks; images are NHWC, the only layout of Keras on CPUs.
"""
import argparse
import json
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from keras import layers as L

RELU = dict(activation="relu")


def conv(filters, kernel, stride):
    return L.Conv2D(filters, kernel, strides=stride, padding="same", **RELU)


def transpose(filters, activation="relu"):
    return L.Conv2DTranspose(filters, 4, strides=2, padding="same", activation=activation)


def pooled(*filters):
    return [layer for count in filters for layer in (conv(count, 3, 1), L.MaxPooling2D(2))]


# input, encoder, latent units, whether they are Gaussian, decoder
MODELS = {
    "conv-ae-28": lambda: ((28, 28, 1), pooled(32, 64), 64, False, [
        L.Dense(3136, **RELU), L.Reshape((7, 7, 64)), transpose(32), transpose(1, "sigmoid")]),
    "conv-dae-28": lambda: ((28, 28, 1), [L.GaussianNoise(0.3), *pooled(32, 64)], 64, False, [
        L.Dense(3136, **RELU), L.Reshape((7, 7, 64)), transpose(32), transpose(1, "sigmoid")]),
    "conv-vae-28": lambda: ((28, 28, 1), [conv(32, 4, 2), conv(64, 4, 2), L.Flatten(), L.Dense(256, **RELU)], 20, True, [
        L.Dense(256, **RELU), L.Dense(3136, **RELU), L.Reshape((7, 7, 64)), transpose(32), transpose(1, "linear")]),
    "conv-ae-32": lambda: ((32, 32, 3), pooled(32, 64, 128), 128, False, [
        L.Dense(2048, **RELU), L.Reshape((4, 4, 128)), transpose(64), transpose(32), transpose(3, "sigmoid")]),
    "conv-vae-64": lambda: ((64, 64, 3), [conv(n, 4, 2) for n in (32, 64, 128, 256)], 128, True, [
        L.Dense(4096, **RELU), L.Reshape((4, 4, 256)), transpose(128), transpose(64), transpose(32),
        transpose(3, "sigmoid")]),
}


def make_model(name):
    """The shape of an image, the encoder and the decoder."""
    shape, encoder, units, gaussian, decoder = MODELS[name]()
    image = x = keras.Input(shape)
    for layer in [*encoder, L.Flatten()]:
        x = layer(x)
    heads = [L.Dense(units)(x), L.Dense(units)(x)] if gaussian else L.Dense(units)(x)
    code = y = keras.Input((units,))
    for layer in decoder:
        y = layer(y)
    return shape, keras.Model(image, heads), keras.Model(code, y)


def examine(name):
    if name not in MODELS:
        return dict(lacks=f"a model called {name}")
    return dict(parameters=sum(model.count_params() for model in make_model(name)[1:]))


def make_step(name, batch_size):
    """A function that trains one step on random images, four batches in turn."""
    keras.utils.set_random_seed(0)
    shape, encode, decode = make_model(name)
    gaussian = isinstance(encode.output, list)
    variables = encode.trainable_variables + decode.trainable_variables
    adam = keras.optimizers.Adam(1e-3)
    adam.build(variables)

    @tf.function
    def train(images):
        with tf.GradientTape() as tape:
            loss = 0.0
            if gaussian:
                mean, log_variance = encode(images, training=True)
                z = mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))
                loss = 0.5 * tf.reduce_sum(mean * mean + tf.exp(log_variance) - 1 - log_variance)
            else:
                z = encode(images, training=True)
            y = decode(z, training=True)
            if name == "conv-vae-28":
                loss += tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=y))
            else:
                loss += tf.reduce_sum((y - images) ** 2)
            loss /= batch_size
        adam.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss

    batches = [tf.random.uniform((batch_size, *shape)) for _ in range(4)]
    return lambda number: float(train(batches[number % 4]))


def measure(step, seconds):
    """The seconds of each step, for so many seconds."""
    times, start = [], time.perf_counter()
    while not times or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        step(len(times))
        times.append(time.perf_counter() - begin)
    return times


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, default=1)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.parse_args().threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    framework = f"keras-{keras.__version__} on tensorflow-{tf.__version__}"
    print(json.dumps(dict(framework=framework)), flush=True)
    last, step = None, None
    for line in sys.stdin:
        question = json.loads(line)
        name = question["model"]["name"]
        if "batchSize" not in question:
            print(json.dumps(examine(name)), flush=True)
            continue
        model = name, question["batchSize"]
        if model != last:
            last, step = model, None  # the old model's memory goes before the new one's comes
            step = make_step(*model)
            measure(step, 0.5)
        print(json.dumps({"nhwc": measure(step, question["seconds"])}), flush=True)


if __name__ == "__main__":
    main()
