"""The estimators."""
import copy
import html
import json
import os
import pathlib

import numpy as np

from . import _engine
from ._arrays import labels, numbers, samples
from ._progress import observer
from ._settings import settings_of
from ._sklearn import Parameters, not_fitted
from ._torch import named_arrays


class _Autoencoder(Parameters):
    """What both estimators have in common."""

    _family = "conv-ae"
    _latent = "Dense"

    def __init__(self, model=None, *, latent=None, image=None, loss=None, epochs=5, batch_size=128, optimizer="adam",
                 learning_rate=None, patience=None, contamination=0.1, score_by="likelihood", standardize=False, missing=None,
                 seed=1, warm_start=False, workers=None, threads=None, settings=None):
        self.model = model
        self.latent = latent
        self.image = image
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.patience = patience
        self.contamination = contamination
        self.score_by = score_by
        self.standardize = standardize
        self.missing = missing
        self.seed = seed
        self.warm_start = warm_start
        self.workers = workers
        self.threads = threads
        self.settings = settings

    # Fitting

    def fit(self, X, y=None, *, validation=None, run=None, progress=False):
        """Trains on images.

        Parameters
        ----------
        X : array (N, H, W), (N, H, W, C), (N, C, H, W) or (N, D), or a path
            uint8 and uint16 stand for numbers in [0, 1], floats for themselves. Arrays of uint8, uint16, float32 and
            float64 are read in place, whatever their strides. A path is a file or folder as ``hourglass --data`` takes.
        y : array (N,), optional
            Classes from 0 on, for models that read labels; ignored by others.
        validation : array or path, optional
            Images that are evaluated after every epoch.
        run : path, optional
            The folder of a new run of the program, which is written meanwhile.
        progress : bool or function
            True shows a bar; a function is told the row of each epoch, a dict.

        Returns
        -------
        self
            Ctrl-C ends the training with the weights of the best epoch, and then raises KeyboardInterrupt: the
            estimator is fitted.
        """
        if not 0 < self.contamination <= 0.5:
            raise ValueError(f"contamination: wanted a part above 0 and at most 0.5, found {self.contamination}")
        if self.score_by not in ("likelihood", "error"):
            raise ValueError(f"score_by: wanted likelihood or error, found {self.score_by!r}")
        is_path = isinstance(X, (str, os.PathLike))
        X = X if is_path else samples(X, takes_missing=self.missing is not None)
        weights = self.state_dict() if self.warm_start and hasattr(self, "history_") else None
        engine = self._made(X, validation)
        if weights is not None:
            engine.write(weights)
        images = None if is_path else engine.lend(X, labels(engine.describe(), y, len(X)))
        other = None
        if validation is not None and not isinstance(validation, (str, os.PathLike)):
            other = engine.lend(numbers(validation))
        observe = observer(progress)
        try:
            end, stopped = engine.train(images, other, run, weights is not None, observe)
        finally:
            if hasattr(observe, "close"):
                observe.close()
        self._trained(engine, X, end)
        scored = images if images is not None else engine.open_images(X, "train")
        self.decision_scores_ = engine.numbers("score", scored.count, scored.handle, self.score_by.encode(), dtype=np.float64)
        self.threshold_ = float(np.quantile(self.decision_scores_, 1 - self.contamination))
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        if stopped:
            raise stopped[0] if isinstance(stopped, list) else KeyboardInterrupt
        return self

    def _trained(self, engine, X, end=None):
        """Takes over a trained model of the engine."""
        self._engine, self._facts = engine, engine.describe()
        self.history_, self.end_ = self._facts["epochs"], end
        self.weights_hash_ = self._facts["weightsHash"]
        self._axes = getattr(X, "ndim", None) or (2 if self._shape[:2] == (1, 1) else 3 if self._shape[2] == 1 else 4)
        if self._axes == 2:
            self.n_features_in_ = int(np.prod(self._shape))

    def _made(self, X, validation):
        """A new model of the engine by the parameters."""
        return _engine.Model.make(settings_of(self, X, validation))

    def _more_settings(self):
        return {}

    @property
    def _shape(self):
        return tuple(self._facts["input"])

    def _images(self, X, y=None):
        engine = self._fitted()
        if isinstance(X, (str, os.PathLike)):
            return engine.open_images(X)
        X = samples(X, self, self.missing is not None)
        return engine.lend(X, labels(self._facts, y, len(X)))

    def _fitted(self):
        """The model of the engine, made anew after the estimator was unpickled."""
        if not hasattr(self, "history_"):
            raise not_fitted(self)
        if getattr(self, "_engine", None) is None:
            recipe, weights = self._kept
            self._engine = _engine.Model.make({**recipe, **{
                name: value for name, value in (("workers", self.workers), ("threads", self.threads))
                if value is not None}})
            self._engine.write(weights)
        return self._engine

    def _formed(self, values):
        """Images with as many axes as those fitted on."""
        shape = tuple(self._facts["output"])
        if self._axes == 2:
            return values.reshape(len(values), -1)
        return values.reshape(len(values), *(shape[:2] if self._axes == 3 and shape[2] == 1 else shape))

    # Scores

    def decision_function(self, X, y=None):
        """How unusual each image is, (N,) float64: the greater, the more unusual."""
        images = self._images(X, y)
        return self._engine.numbers("score", images.count, images.handle, self.score_by.encode(), dtype=np.float64)

    def predict(self, X, y=None):
        """1 for an anomaly, a score above ``threshold_``, else 0: (N,) int."""
        scores = self.decision_function(X, y)
        if not hasattr(self, "threshold_"):
            raise ValueError("threshold_: wanted one, of fit or of the run that was loaded, found none; set threshold_")
        return (scores > self.threshold_).astype(int)

    def fit_predict(self, X, y=None, **options):
        """Fits, and returns ``labels_``."""
        return self.fit(X, y, **options).labels_

    def error_map(self, X, y=None, *, kind="error", smooth=0.0):
        """Where images are unlike what the model expects, (N, H, W) float32.

        ``kind`` is "error", the squared error as the mean over channels, or "ssim", 1 less the structural similarity;
        ``smooth`` is the deviation in pixels of a Gaussian.
        """
        images = self._images(X, y)
        return self._engine.numbers("map_errors", (images.count, *self._shape[:2]), images.handle, kind.encode(),
                                    float(smooth))

    # Codes and images

    def transform(self, X, y=None):
        """The codes of images, (N, Z) float32; of a variational model the means."""
        images = self._images(X, y)
        return self._engine.numbers("encode", (images.count, int(np.prod(self._facts["code"]))), images.handle)

    def fit_transform(self, X, y=None, **options):
        """Fits, and returns the codes of the images."""
        return self.fit(X, y, **options).transform(X)

    def inverse_transform(self, Z, y=None):
        """The expected images of codes (N, Z), with as many axes as those fitted on."""
        engine, units = self._fitted(), int(np.prod(self._facts["code"]))
        Z = np.ascontiguousarray(Z, np.float32)
        if Z.ndim != 2 or Z.shape[1] != units:
            raise ValueError(f"Z: wanted codes (N, {units}), found the shape {Z.shape}")
        classes = labels(self._facts, y, len(Z))
        shape = (len(Z), *self._facts["output"])
        return self._formed(engine.numbers("decode", shape, Z.ctypes.data, len(Z),
                                           None if classes is None else classes.ctypes.data))

    def reconstruct(self, X, y=None):
        """What the model expects images to be, with as many axes as those fitted on."""
        images = self._images(X, y)
        return self._formed(self._engine.numbers("reconstruct", (images.count, *self._facts["output"]), images.handle))

    def sample(self, n=16, seed=None):
        """Images of codes drawn from the prior of a variational model, with as many axes as those fitted on."""
        engine = self._fitted()
        return self._formed(engine.numbers("sample", (n, *self._facts["output"]), n,
                                           int(self.seed if seed is None else seed)))

    # Weights and files

    def state_dict(self):
        """The weights by PyTorch's names, as arrays of PyTorch's shapes."""
        engine = self._fitted()
        return {one["name"]: engine.parameter(one["name"], one["shape"]) for one in self._facts["parameters"]}

    def load_state_dict(self, state):
        """Takes weights by PyTorch's names, arrays or tensors; an estimator that was never fitted needs ``model`` or
        ``image``. ``module.`` and ``_orig_mod.`` in front of names are left out. Returns the estimator."""
        if not hasattr(self, "history_"):
            self._trained(self._made(None, None), None)
        engine = self._fitted()
        found = named_arrays(state)
        wanted = {one["name"]: tuple(one["shape"]) for one in self._facts["parameters"]}
        missing, others = [name for name in wanted if name not in found], [name for name in found if name not in wanted]
        if missing or others:
            raise ValueError(f"state_dict: wanted the parameters of {self._facts['recipe']['model']['name']}, missing are "
                             f"{', '.join(missing) or 'none'}; not of the model are {', '.join(others) or 'none'}")
        for name, shape in wanted.items():
            if found[name].shape != shape:
                raise ValueError(f"{name}: wanted the shape {shape}, found {found[name].shape}")
        engine.write(found)
        self._facts = engine.describe()
        self.weights_hash_ = self._facts["weightsHash"]
        return self

    def save(self, path):
        """Writes the folder of a run, which must not be there yet; ``load`` and the program read it."""
        self._fitted().save(path)
        if hasattr(self, "threshold_"):
            threshold = {"value": self.threshold_, "by": self.score_by, "weightsHash": self.weights_hash_,
                         "chosen": f"contamination {self.contamination}"}
            pathlib.Path(path, "threshold.json").write_text(json.dumps(threshold, indent=2) + "\n")

    def export_onnx(self, path):
        """Writes encoder.onnx, decoder.onnx and autoencoder.onnx into a folder."""
        self._fitted().export("onnx", path)

    def __getstate__(self):
        state = {name: value for name, value in self.__dict__.items() if name != "_engine"}
        if hasattr(self, "history_"):
            state["_kept"] = (self._facts["recipe"], self.state_dict())
        return state

    def __sklearn_clone__(self):
        return type(self)(**{name: copy.deepcopy(value) for name, value in self.get_params().items()})

    def _repr_html_(self):
        rows = [("model", self._facts["recipe"]["model"]["name"]), ("epochs", len(self.history_)),
                ("loss", f"{self.history_[-1]['loss']:.5g}" if self.history_ else "-"),
                ("weights", self.weights_hash_)] if hasattr(self, "history_") else [("", "not fitted yet")]
        if hasattr(self, "threshold_"):
            rows.append(("threshold", f"{self.threshold_:.5g}"))
        cells = "".join(f"<tr><th style='text-align:left'>{name}</th><td>{_escaped(value)}</td></tr>" for name, value in rows)
        return f"<table><caption>{_escaped(repr(self))}</caption>{cells}</table>"


def _escaped(value):
    return html.escape(str(value))


class ConvAutoencoder(_Autoencoder):
    """A convolutional autoencoder that finds anomalies and makes codes.

    Parameters
    ----------
    model : str or dict, optional
        A name ("conv-ae-28"), a name and size ("conv-ae@64x64x3"), sizes of a dense model ("784-256-32"), a model file, or
        its contents. By default a convolutional model of the images' size, of vectors a dense one.
    latent : int, optional
        The units of the code, in place of the model's.
    image : (H, W) or (H, W, C), optional
        The size of the images, where no array tells it; pictures in a folder are brought to it.
    loss : str, optional
        The likelihood of a model that is named by size, such as "absoluteError" or "ssim".
    epochs, batch_size, seed : int
        Passes over the images, images of a step, the seed of all random numbers.
    optimizer : str or dict
        "adam", "adamw", "sgd", ... or an object of a recipe; ``learning_rate`` is the optimiser's own by default.
    patience : int, optional
        Training ends when the loss (of ``validation`` where there is one) has not fallen for so many epochs.
    contamination : float
        The part of the training images that counts as unusual, above 0 and at most 0.5: it sets ``threshold_``.
    score_by : "likelihood" or "error"
        What ``decision_function`` gives: the loss of an image, or its squared error per pixel.
    standardize : bool
        Whether the model sees each channel less its mean and over its deviation.
    missing : float, optional
        Takes NaN for a missing element, which is no part of losses and scores; the network sees this number in its place.
    warm_start : bool
        Whether fit goes on from the weights of the estimator.
    workers, threads : int, optional
        How the work is divided; no result depends on it.
    settings : dict, optional
        Further settings by the names of recipe.json, such as {"corruption": "mask:0.25"}.

    Attributes
    ----------
    decision_scores_, labels_, threshold_
        Scores of the training images, 1 for those above the threshold, and the threshold.
    history_ : list of dict
        A row for each epoch.
    weights_hash_ : str
        The identity of the weights, as the program prints it.

    Examples
    --------
    >>> import numpy as np, hourglass as hg
    >>> X = np.random.default_rng(1).integers(0, 256, (64, 8, 8), np.uint8)
    >>> ae = hg.ConvAutoencoder(epochs=1, latent=4).fit(X)
    >>> ae.transform(X).shape, ae.reconstruct(X).shape, ae.error_map(X[:2]).shape
    ((64, 4), (64, 8, 8), (2, 8, 8))
    """


class ConvVAE(_Autoencoder):
    """A convolutional variational autoencoder: as ``ConvAutoencoder``, and new images by ``sample``.

    Parameters are those of ConvAutoencoder, and ``beta``, the weight of the KL divergence.

    Examples
    --------
    >>> import numpy as np, hourglass as hg
    >>> X = np.random.default_rng(1).random((64, 8, 8), np.float32)
    >>> hg.ConvVAE(epochs=1, latent=4).fit(X).sample(3).shape
    (3, 8, 8)
    """

    _family = "conv-vae"
    _latent = "GaussianLatent"

    def __init__(self, model=None, *, latent=None, image=None, loss=None, epochs=5, batch_size=128, optimizer="adam",
                 learning_rate=None, patience=None, contamination=0.1, score_by="likelihood", standardize=False, missing=None,
                 seed=1, warm_start=False, workers=None, threads=None, settings=None, beta=1.0):
        super().__init__(model, latent=latent, image=image, loss=loss, epochs=epochs, batch_size=batch_size,
                         optimizer=optimizer, learning_rate=learning_rate, patience=patience,
                         contamination=contamination, score_by=score_by, standardize=standardize, missing=missing,
                         seed=seed, warm_start=warm_start, workers=workers, threads=threads, settings=settings)
        self.beta = beta

    def _more_settings(self):
        return {"beta": self.beta}


def load(path, checkpoint="last"):
    """The estimator of a run's folder, which ``save``, ``fit(run=...)`` or the program wrote.

    ``checkpoint`` is "last", "best" or "previous".
    """
    engine = _engine.Model.open(path, checkpoint)
    facts = engine.describe()
    recipe = facts["recipe"]
    estimator = (ConvVAE if facts["isVariational"] else ConvAutoencoder)(
        recipe["model"], epochs=recipe.get("epochs"), batch_size=recipe["batchSize"], seed=recipe["seed"],
        optimizer=recipe["optimizer"], patience=recipe.get("patience"),
        missing=recipe.get("data", {}).get("preparation", {}).get("missing"))
    if facts["isVariational"]:
        estimator.beta = recipe["beta"]
    estimator._trained(engine, None)
    threshold = pathlib.Path(path, "threshold.json")
    if threshold.exists():
        kept = json.loads(threshold.read_text())
        if kept.get("samples") is None and kept["weightsHash"] == facts["weightsHash"]:
            estimator.threshold_, estimator.score_by = kept["value"], kept["by"]
    return estimator
