"""Learning rates, and momenta where they are cycled, of PyTorch's schedulers, a step or an epoch after the other.

  python torch_schedules.py     writes torch_schedules.json beside this file
"""
import json
import pathlib

import torch
from torch.optim import lr_scheduler

RATE, STEPS_PER_EPOCH, EPOCHS = 0.5, 3, 20


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE, momentum=0.9)


def by_epoch(make):
    """The rate of each step, where the scheduler is asked after each epoch."""
    sgd = optimizer()
    scheduler = make(sgd)
    rates = []
    for _ in range(EPOCHS):
        for _ in range(STEPS_PER_EPOCH):
            rates.append(sgd.param_groups[0]["lr"])
            sgd.step()
        scheduler.step()
    return dict(rates=rates)


def by_step(make):
    """Rate and momentum of each step, where the scheduler is asked after each step."""
    sgd = optimizer()
    scheduler = make(sgd)
    rates, momenta = [], []
    for step in range(EPOCHS * STEPS_PER_EPOCH):
        rates.append(sgd.param_groups[0]["lr"])
        momenta.append(sgd.param_groups[0]["momentum"])
        sgd.step()
        if step + 1 < EPOCHS * STEPS_PER_EPOCH:
            scheduler.step()
    return dict(rates=rates, momenta=momenta)


# Falls, rises, falls by less and by more than a part of 1e-4, and stands still.
LOSSES = [
    5.0, 4.0, 4.1, 4.0, 3.9997, 3.9, 3.9, 3.9, 3.89995, 3.95, 3.9, 3.9, 2.0, 2.5, 2.5, 1.99985, 1.9997, 1.9997, 3.0, 1.9,
    1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9,
]


def by_loss(make):
    """The rate after each epoch of a loss."""
    sgd = optimizer()
    scheduler = make(sgd)
    rates = []
    for loss in LOSSES:
        scheduler.step(loss)
        rates.append(sgd.param_groups[0]["lr"])
    return dict(losses=LOSSES, rates=rates)


SCHEDULES = {
    "step:4epochs": by_epoch(lambda o: lr_scheduler.StepLR(o, 4)),
    "step:3epochs:0.5": by_epoch(lambda o: lr_scheduler.StepLR(o, 3, gamma=0.5)),
    "step:7:0.8": {"rates": by_step(lambda o: lr_scheduler.StepLR(o, 7, gamma=0.8))["rates"]},
    "exponential:0.9": by_epoch(lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    "oneCycle": by_step(lambda o: lr_scheduler.OneCycleLR(o, RATE, total_steps=EPOCHS * STEPS_PER_EPOCH)),
    "oneCycle:0.45": by_step(
        lambda o: lr_scheduler.OneCycleLR(o, RATE, total_steps=EPOCHS * STEPS_PER_EPOCH, pct_start=0.45)),
    "plateau": by_loss(lambda o: lr_scheduler.ReduceLROnPlateau(o)),
    "plateau:0.5:1": by_loss(lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=1)),
    "plateau:0.2:0": by_loss(lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.2, patience=0)),
}

if __name__ == "__main__":
    golden = dict(learningRate=RATE, stepsPerEpoch=STEPS_PER_EPOCH, epochs=EPOCHS,
                  schedules=[dict(schedule=name, **values) for name, values in SCHEDULES.items()])
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden) + "\n")
    print(f"wrote {path}")
