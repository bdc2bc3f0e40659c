"""The settings of a model by an estimator's parameters, under the names of recipe.json."""
import os
import pathlib

import numpy as np

from ._arrays import is_unit
from ._engine import Model


def settings_of(estimator, X, validation):
    """What the engine makes a model of, for images or a path X."""
    settings = {"epochs": estimator.epochs, "batchSize": estimator.batch_size, "seed": int(estimator.seed)}
    optimizer = {"kind": estimator.optimizer} if isinstance(estimator.optimizer, str) else dict(estimator.optimizer)
    if estimator.learning_rate is not None:
        optimizer["learningRate"] = estimator.learning_rate
    settings["optimizer"] = optimizer
    for name in ("patience", "workers", "threads"):
        if getattr(estimator, name) is not None:
            settings[name] = getattr(estimator, name)
    preparation = {"standardizes": True} if estimator.standardize else {}
    if estimator.missing is not None:
        preparation["missing"] = float(estimator.missing)
    if isinstance(X, (str, os.PathLike)):
        shape = tuple(estimator.image) if estimator.image is not None else None
        if shape is not None and pathlib.Path(X).is_dir():
            preparation["resize"] = list(shape[:2])
            preparation["color"] = "grey" if len(shape) == 2 or shape[2] == 1 else "rgb"
        settings["data"] = {"path": os.fspath(X)}
        if preparation:
            settings["data"]["preparation"] = preparation
        ends_in_unit = not estimator.standardize
    else:
        shape = tuple(estimator.image) if estimator.image is not None else None if X is None else X.shape[1:]
        if preparation:
            settings["data"] = {"preparation": preparation}
        ends_in_unit = not estimator.standardize and is_unit(X)
    if isinstance(validation, (str, os.PathLike)):
        settings["validation"] = os.fspath(validation)
    settings["model"] = _model(estimator, shape, ends_in_unit)
    settings.update(estimator._more_settings())
    settings.update(estimator.settings or {})
    return settings


def _model(estimator, shape, ends_in_unit):
    """The name or description of the model for samples of a shape; a convolutional one ends in a sigmoid or linear."""
    model = estimator.model
    if model is None:
        if shape is None:
            raise ValueError("image: wanted (H, W, C) where neither an array nor a model's name tells it, found None")
        if len(shape) == 1 or tuple(shape[:2]) == (1, 1):
            return _dense_model(estimator, int(np.prod(shape)))
        height, width, channels = (tuple(shape) + (1,))[:3]
        if len(shape) == 3 and shape[0] in (1, 3) and channels not in (1, 3):
            height, width, channels = shape[1], shape[2], shape[0]
        words = [f"{estimator._family}@{height}x{width}x{channels}"] + ([] if ends_in_unit else ["linear"])
        model = ",".join(words + ([estimator.loss] if estimator.loss else []))
    if estimator.latent is None:
        return model
    if isinstance(model, str):
        model = Model.make({"model": model}).describe()["recipe"]["model"]
    if "units" not in model["latent"]:
        raise ValueError(f"latent: wanted a model whose latent has units, found {model['latent']['layer']}")
    latent = {**model["latent"], "units": int(estimator.latent)}
    return {**model, "name": f"{model['name']}-{estimator.latent}", "latent": latent}


def _dense_model(estimator, count):
    """A model of vectors with a hidden layer on each side and a linear output, which takes any numbers."""
    units, hidden = int(estimator.latent or 16), {"layer": "Dense", "units": 64, "activation": "relu"}
    return {"name": f"{estimator._family.replace('conv', 'dense')}-{count}-{units}", "input": [1, 1, count],
            "likelihood": estimator.loss or "squaredError", "encoder": [hidden],
            "latent": {"layer": estimator._latent, "units": units},
            "decoder": [hidden, {"layer": "Dense", "units": count}]}
