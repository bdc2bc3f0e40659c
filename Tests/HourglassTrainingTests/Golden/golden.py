"""Four training steps of four tiny models of awkward shapes, in NumPy float64 and independent of every other
implementation: losses, all parameters and a reconstruction.

  python golden.py            writes golden.json beside this file
  python golden.py --check    compares with finite differences and, where torch is installed, with torch in float64
"""
import argparse
import json
import pathlib

import numpy as np

import starting_point
from layers import (Conv2D, ConvTranspose2D, Dense, Dropout, GaussianLatent, GaussianNoise, MaxPool2D, Reshape,
                    bernoulli, sigmoid, squared_error)

SEED = 2**32 + 11  # both halves of the generator's key differ from zero
BATCH_SIZES = [5, 5, 5, 3]  # the last batch is partial


class Model:
    def __init__(self, input, encoder, latent, decoder, likelihood, beta=0.0):
        self.input, self.encoder, self.latent, self.decoder = input, encoder, latent, decoder
        self.likelihood, self.beta = likelihood, beta
        self.gaussian = isinstance(latent, GaussianLatent)
        self.names, self.owners, self.drawing = [], [], []
        layers = [(f"encoder.{i}", layer) for i, layer in enumerate(encoder)]
        layers += [("latent", latent)] + [(f"decoder.{i}", layer) for i, layer in enumerate(decoder)]
        number = 0  # among the layers that run: a Reshape does not, a latent is its heads and what draws from them
        for prefix, layer in layers:
            if hasattr(layer, "draws"):
                self.drawing.append((layer, number))
            number += {Reshape: 0, GaussianLatent: 2}.get(type(layer), 1)
            layer.parameters = []
            for name, shape in zip(getattr(layer, "names", ["weight", "bias"]), layer.shapes):
                weight_shape = shape if name.endswith("weight") else weight_shape
                value = starting_point.initial_parameter(SEED, len(self.names), shape,
                                                         starting_point.fan_in(weight_shape))
                layer.parameters.append(value.astype(np.float64))
                self.names.append(f"{prefix}.{name}")
                self.owners.append((layer, len(layer.parameters) - 1))

    def parameters(self):
        return [layer.parameters[i] for layer, i in self.owners]

    def gradients(self):
        return [layer.gradients[i] for layer, i in self.owners]

    def images(self, step):
        return starting_point.images(step, BATCH_SIZES[step], *self.input).astype(np.float64)

    def noise(self, step):
        """None where the latent needs none."""
        if not self.gaussian:
            return None
        return starting_point.latent_noise(SEED, step, BATCH_SIZES[step], self.latent.units).astype(np.float64)

    def draw(self, step):
        """Lets the layers that draw while training do so for this step; None: no longer."""
        for layer, number in self.drawing:
            layer.draws = None if step is None else (SEED, number, step)

    def decode(self, x, noise):
        """What the likelihood reads, and the KL divergence of each sample."""
        for layer in self.encoder:
            x = layer.forward(x)
        x, kl = self.latent.forward(x, noise) if self.gaussian else (self.latent.forward(x), 0)
        for layer in self.decoder:
            x = layer.forward(x)
        return x, kl

    def loss(self, x, noise):
        """The mean over samples; afterwards backward() may follow."""
        y, kl = self.decode(x, noise)
        error, self.dy = self.likelihood(y, x)
        return np.mean(error + self.beta * kl)

    def backward(self):
        samples = len(self.dy)
        error = self.dy / samples
        for layer in reversed(self.decoder):
            error = layer.backward(error)
        error = self.latent.backward(error, self.beta / samples) if self.gaussian else self.latent.backward(error)
        for layer in reversed(self.encoder):
            error = layer.backward(error)

    def reconstruct(self, x):
        """The image, from the mean of the latent."""
        self.draw(None)
        y, _ = self.decode(x, np.zeros((len(x), self.latent.units)) if self.gaussian else None)
        return sigmoid(y) if self.likelihood is bernoulli else y


def tiny_ae():
    return Model((9, 7, 3), [
        Conv2D(3, 5, (9, 7), kernel=4, stride=2, padding="same", activation="relu"),  # 5 x 4 x 5, odd total padding
        MaxPool2D(),                                                                  # 2 x 2 x 5, a row is left out
    ], Dense(2 * 2 * 5, 6), [
        Dense(6, 3 * 2 * 5, "relu"),
        Reshape(3, 2, 5),                                                             # 3 x 2 x 5
        ConvTranspose2D(5, 4, (3, 2), (5, 4), kernel=3, stride=2, padding=1, activation="relu"),     # 5 x 4 x 4
        ConvTranspose2D(4, 3, (5, 4), (9, 7), kernel=3, stride=2, padding=1, activation="sigmoid"),  # 9 x 7 x 3
    ], squared_error)


def tiny_vae():
    return Model((8, 8, 1), [
        Conv2D(1, 4, (8, 8), kernel=4, stride=2, padding=1, activation="relu"),       # 4 x 4 x 4
        Dense(4 * 4 * 4, 10, "relu"),
    ], GaussianLatent(10, 3), [
        Dense(3, 10, "relu"),
        Dense(10, 4 * 4 * 4, "relu"),
        Reshape(4, 4, 4),                                                             # 4 x 4 x 4
        ConvTranspose2D(4, 1, (4, 4), (8, 8), kernel=4, stride=2, padding=1, activation="linear"),  # logits
    ], bernoulli, beta=0.7)


def tiny_dvae():
    return Model((8, 8, 1), [
        GaussianNoise(0.3),
        Conv2D(1, 4, (8, 8), kernel=4, stride=2, padding=1, activation="relu"),       # 4 x 4 x 4
        Dropout(0.25),
        Dense(4 * 4 * 4, 10, "relu"),
        Dropout(0.5),
    ], GaussianLatent(10, 3), [
        Dense(3, 10, "sigmoid"),
        Dropout(0.2),
        Dense(10, 4 * 4 * 4, "relu"),
        Reshape(4, 4, 4),                                                             # 4 x 4 x 4
        GaussianNoise(0.1),
        ConvTranspose2D(4, 1, (4, 4), (8, 8), kernel=4, stride=2, padding=1, activation="linear"),  # logits
    ], bernoulli, beta=0.7)


def tiny_smooth():
    return Model((8, 8, 1), [
        Conv2D(1, 4, (8, 8), kernel=4, stride=2, padding=1, activation="tanh"),       # 4 x 4 x 4
        MaxPool2D(),                                                                  # 2 x 2 x 4
        Dense(2 * 2 * 4, 10, "elu"),
    ], Dense(10, 6), [
        Dense(6, 10, "softplus"),
        Dropout(0.2),
        Dense(10, 4 * 4 * 4, "leakyRelu"),
        Reshape(4, 4, 4),                                                             # 4 x 4 x 4
        ConvTranspose2D(4, 1, (4, 4), (8, 8), kernel=4, stride=2, padding=1, activation="sigmoid"),  # 8 x 8 x 1
    ], squared_error)


MODELS = {"tiny-ae": tiny_ae, "tiny-vae": tiny_vae, "tiny-dvae": tiny_dvae, "tiny-smooth": tiny_smooth}


def sgd(learning_rate, momentum):
    """m = momentum m + g;  w -= learning_rate m"""
    def update(w, g, state, _):
        state["m"] = momentum * state.get("m", 0) + g
        w -= learning_rate * state["m"]
    return update


def adam(learning_rate, beta1, beta2, epsilon, weight_decay):
    """Kingma & Ba (2015) with the decoupled weight decay of Loshchilov & Hutter (2019); t = 1, 2, ..."""
    def update(w, g, state, t):
        w -= learning_rate * weight_decay * w
        state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
        state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g * g
        w -= learning_rate * (state["m"] / (1 - beta1**t)) / (np.sqrt(state["v"] / (1 - beta2**t)) + epsilon)
    return update


ADAM = dict(learningRate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, momentum=0.0)
RUNS = [
    dict(model="tiny-ae", optimizer=dict(name="sgd", learningRate=0.01, beta1=0.0, beta2=0.0, epsilon=0.0,
                                         momentum=0.9, weightDecay=0.0)),
    dict(model="tiny-vae", optimizer=dict(name="adam", **ADAM, weightDecay=0.0)),
    dict(model="tiny-ae", optimizer=dict(name="adamw", **ADAM, weightDecay=0.01)),
    dict(model="tiny-dvae", optimizer=dict(name="adam", **ADAM, weightDecay=0.0)),
    dict(model="tiny-smooth", optimizer=dict(name="sgd", learningRate=0.01, beta1=0.0, beta2=0.0, epsilon=0.0,
                                             momentum=0.9, weightDecay=0.0)),
]


def optimizer(options):
    if options["name"] == "sgd":
        return sgd(options["learningRate"], options["momentum"])
    return adam(*(options[key] for key in ("learningRate", "beta1", "beta2", "epsilon", "weightDecay")))


def train(name, options):
    """The trained model and the loss before each update."""
    model, update, losses = MODELS[name](), optimizer(options), []
    states = [{} for _ in model.names]
    for step in range(len(BATCH_SIZES)):
        model.draw(step)
        losses.append(model.loss(model.images(step), model.noise(step)))
        model.backward()
        for parameter, gradient, state in zip(model.parameters(), model.gradients(), states):
            update(parameter, gradient, state, step + 1)
    return model, losses


def rounded(values):
    return [float(f"{value:.8g}") for value in np.asarray(values).reshape(-1)]


def draws():
    """What a dropout and a noise draw for two samples: 77 values each, so that no run of 4 or 32 is whole at the end."""
    address = dict(seed=SEED, number=11, step=70_000)
    kept = starting_point.dropout_mask(0.3, **address, batch=2, shape=(77,))
    noise = starting_point.layer_noise(**address, batch=2, shape=(77,))
    return dict(**address, rate=0.3, kept=kept.astype(int).tolist(), noise=[rounded(row) for row in noise])


def main():
    runs = []
    for run in RUNS:
        model, losses = train(run["model"], run["optimizer"])
        parameters = {name: dict(shape=list(value.shape), values=rounded(value))
                      for name, value in zip(model.names, model.parameters())}
        first = model.reconstruct(model.images(0)[:1])[0].transpose(1, 2, 0)
        runs.append(dict(model=run["model"], beta=model.beta, optimizer=run["optimizer"], losses=rounded(losses),
                         parameters=parameters, reconstruction=rounded(first)))
    report = dict(numpy=np.__version__, seed=SEED, batchSizes=BATCH_SIZES, draws=draws(), runs=runs)
    # One tensor to a line.
    text = json.dumps(report).replace("}, ", "},\n")
    (pathlib.Path(__file__).resolve().parent / "golden.json").write_text(text + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        import golden_check
        golden_check.main()
    else:
        main()
