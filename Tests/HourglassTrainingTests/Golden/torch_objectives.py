"""Four training steps of one small chain under each likelihood and each optimiser, in PyTorch float64: losses before each
update and all parameters after the last. Weights and images from starting_point.py; item i of a step has the label
(3 i + step) mod 5.

  python torch_objectives.py     writes torch_objectives.json beside this file
"""
import json
import pathlib

import torch
import torch.nn.functional as F

import starting_point

SEED, BATCH_SIZES, CLASSES = 11, [6, 6, 6, 4], 5
HEIGHT, WIDTH, CHANNELS = 5, 4, 2
IMAGE = HEIGHT * WIDTH * CHANNELS


def chain(outputs):
    return torch.nn.ModuleDict({
        "encoder0": torch.nn.Conv2d(CHANNELS, 3, 3, padding=1),
        "latent": torch.nn.Linear(3 * HEIGHT * WIDTH, 6),
        "decoder0": torch.nn.Linear(6, outputs),
    }).double()


def forward(model, x):
    x = torch.relu(model["encoder0"](x)).flatten(1)
    return model["decoder0"](torch.tanh(model["latent"](x)))


def image(y, channels=CHANNELS):
    return y.unflatten(1, (channels, HEIGHT, WIDTH))


def gaussian(y, x, _):
    mean, log_variance = image(y, 2 * CHANNELS).chunk(2, dim=1)
    return F.gaussian_nll_loss(mean, x, log_variance.exp(), full=True, reduction="sum")


def negative_binomial(y, x, _):
    log_mean, log_dispersion = image(y, 2 * CHANNELS).chunk(2, dim=1)
    # torch's logits are those of a success, whose odds are mean over dispersion.
    distribution = torch.distributions.NegativeBinomial(log_dispersion.exp(), logits=log_mean - log_dispersion,
                                                        validate_args=False)
    return -distribution.log_prob(x).sum()


def multinomial(y, x, _):
    y, x = y.flatten(1), x.flatten(1)
    coefficient = torch.lgamma(x.sum(1) + 1) - torch.lgamma(x + 1).sum(1)
    return -(coefficient + (x * F.log_softmax(y, dim=1)).sum(1)).sum()


def discretized_logistic(y, x, _):
    mean, log_scale = image(y, 2 * CHANNELS).chunk(2, dim=1)
    above = torch.sigmoid((x + 0.5 / 255 - mean) * (-log_scale).exp())
    below = torch.sigmoid((x - 0.5 / 255 - mean) * (-log_scale).exp())
    above = torch.where(x > 1 - 0.5 / 255, torch.ones_like(above), above)
    below = torch.where(x < 0.5 / 255, torch.zeros_like(below), below)
    return -(above - below).log().sum()


# Outputs of the chain, and the loss summed over the samples of a batch.
LIKELIHOODS = {
    "bernoulli": (IMAGE, lambda y, x, _: F.binary_cross_entropy_with_logits(image(y), x, reduction="sum")),
    "squaredError": (IMAGE, lambda y, x, _: F.mse_loss(image(y), x, reduction="sum")),
    "absoluteError": (IMAGE, lambda y, x, _: F.l1_loss(image(y), x, reduction="sum")),
    "logCosh": (IMAGE, lambda y, x, _: (image(y) - x).cosh().log().sum()),
    "poisson": (IMAGE, lambda y, x, _: (F.poisson_nll_loss(image(y), x, reduction="sum") + torch.lgamma(x + 1).sum())),
    "negativeBinomial": (2 * IMAGE, negative_binomial),
    "multinomial": (IMAGE, multinomial),
    "discretizedLogistic": (2 * IMAGE, discretized_logistic),
    "huber": (IMAGE, lambda y, x, _: F.huber_loss(image(y), x, reduction="sum")),
    "gaussian 0.25": (IMAGE, lambda y, x, _: F.gaussian_nll_loss(image(y), x, torch.full_like(x, 0.25), full=True,
                                                                 reduction="sum")),
    "gaussian": (2 * IMAGE, gaussian),
    "categorical": (CLASSES, lambda y, _, labels: F.cross_entropy(y, labels, reduction="sum")),
    "labelSquaredError": (1, lambda y, _, labels: F.mse_loss(y[:, 0], labels.double(), reduction="sum")),
}

# Of torch.optim; `l1` is the weight of the sum of absolute parameters, whose subgradient joins the gradient, `clip` the
# largest magnitude of an element of the gradient, `rise` that of OneCycleLR, whose greatest rate is lr.
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, dict(lr=0.01, momentum=0.9)),
    "sgd, decay": (torch.optim.SGD, dict(lr=0.01, momentum=0.9, weight_decay=0.1)),
    "sgd, l1": (torch.optim.SGD, dict(lr=0.01, momentum=0.9, l1=0.1)),
    "sgd, clip": (torch.optim.SGD, dict(lr=0.01, momentum=0.9, clip=0.05)),
    "sgd, cycle": (torch.optim.SGD, dict(lr=0.02, momentum=0.9, rise=0.5)),
    "nesterov": (torch.optim.SGD, dict(lr=0.01, momentum=0.9, nesterov=True)),
    "adam": (torch.optim.Adam, dict(lr=0.001)),
    "adam, decay": (torch.optim.Adam, dict(lr=0.001, weight_decay=0.1)),
    "adam, l1": (torch.optim.Adam, dict(lr=0.001, l1=0.1)),
    "adam, betas, epsilon": (torch.optim.Adam, dict(lr=0.001, betas=(0.8, 0.95), eps=1e-3)),
    "adam, clip": (torch.optim.Adam, dict(lr=0.001, clip=0.05)),
    "adam, cycle": (torch.optim.Adam, dict(lr=0.002, rise=0.5)),
    "adamw": (torch.optim.AdamW, dict(lr=0.001)),
    "rmsprop": (torch.optim.RMSprop, dict(lr=0.01)),
    "rmsprop, momentum, decay": (torch.optim.RMSprop, dict(lr=0.01, momentum=0.9, weight_decay=0.1)),
    "adagrad": (torch.optim.Adagrad, dict(lr=0.01)),
    "adagrad, decay": (torch.optim.Adagrad, dict(lr=0.01, weight_decay=0.1)),
    "adadelta": (torch.optim.Adadelta, dict(lr=1.0)),
    "adadelta, decay": (torch.optim.Adadelta, dict(lr=1.0, weight_decay=0.1)),
}


def train(likelihood, optimizer):
    outputs, loss = LIKELIHOODS[likelihood]
    model = chain(outputs)
    shape = None
    for number, (name, parameter) in enumerate(model.named_parameters()):
        shape = parameter.shape if name.endswith("weight") else shape
        values = starting_point.initial_parameter(SEED, number, tuple(parameter.shape), starting_point.fan_in(shape))
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(values))
    kind, options = OPTIMIZERS[optimizer]
    l1 = options.get("l1", 0)
    update = kind(model.parameters(), **{key: value for key, value in options.items() if key not in ("l1", "clip", "rise")})
    cycle = None
    if "rise" in options:
        cycle = torch.optim.lr_scheduler.OneCycleLR(update, options["lr"], total_steps=len(BATCH_SIZES),
                                                    pct_start=options["rise"])
    losses = []
    for step, count in enumerate(BATCH_SIZES):
        x = torch.from_numpy(starting_point.images(step, count, HEIGHT, WIDTH, CHANNELS)).double()
        labels = torch.tensor([(3 * i + step) % CLASSES for i in range(count)])
        mean = loss(forward(model, x), x, labels) / count
        losses.append(mean.item())
        (mean + l1 * sum(parameter.abs().sum() for parameter in model.parameters())).backward()
        if "clip" in options:
            torch.nn.utils.clip_grad_value_(model.parameters(), options["clip"])
        update.step()
        update.zero_grad()
        if cycle and step + 1 < len(BATCH_SIZES):
            cycle.step()
    parameters = [[float(f"{v:.8g}") for v in parameter.detach().reshape(-1).tolist()]
                  for parameter in model.parameters()]
    return dict(likelihood=likelihood, optimizer=optimizer, losses=losses, parameters=parameters)


def main():
    runs = [train(likelihood, "sgd") for likelihood in LIKELIHOODS]
    runs += [train("squaredError", optimizer) for optimizer in OPTIMIZERS if optimizer != "sgd"]
    report = dict(torch=torch.__version__, seed=SEED, batchSizes=BATCH_SIZES, runs=runs)
    text = json.dumps(report).replace("}, ", "},\n")
    (pathlib.Path(__file__).resolve().parent / "torch_objectives.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
