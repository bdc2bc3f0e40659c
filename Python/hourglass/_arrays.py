"""Arrays as the engine reads them."""
import numpy as np

from ._engine import TYPES


def numbers(X):
    """An array of one of the types that the engine reads; others are made float64 or float32."""
    if type(X).__module__.startswith("scipy.sparse"):
        raise TypeError("X: wanted a dense array, found a sparse one; a sparse matrix has X.toarray()")
    if hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    X = np.asarray(X)
    if X.dtype.kind == "c":
        raise ValueError("X: wanted real numbers, found complex ones. Complex data not supported")
    if X.dtype.kind == "O":
        X = X.astype(np.float64)
    if X.dtype.kind not in "biuf":
        raise ValueError(f"X: wanted numbers, found {X.dtype}")
    if X.dtype.name in TYPES and X.dtype.isnative:
        return X
    return X.astype(np.float32 if X.dtype.kind == "b" or X.dtype == np.float16 else np.float64)


def is_unit(X):
    """Whether the numbers of images that are not NaN are within [0, 1]; so are integers, and what nobody has seen."""
    return X is None or X.dtype.kind == "u" or not ((X < 0) | (X > 1)).any()


def samples(X, estimator=None, takes_missing=False):
    """An array of numbers with samples along its first axis, as many features each as a fitted estimator has seen."""
    X = numbers(X)
    if X.ndim < 2:
        raise ValueError(f"X: wanted an array (N, H, W), (N, H, W, C) or (N, D), found {X.ndim} axes. Reshape your data "
                         "either using array.reshape(-1, 1) if your data has a single feature or "
                         "array.reshape(1, -1) if it contains a single sample.")
    if len(X) == 0:
        raise ValueError(f"X: wanted samples, found 0 sample(s) (shape={X.shape}) while a minimum of 1 is required.")
    if X.ndim == 2 and X.shape[1] == 0:
        raise ValueError(f"X: found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")
    if X.dtype.kind == "f" and X.ndim == 2:
        if not takes_missing and not np.isfinite(X).all():
            raise ValueError("X: wanted finite numbers, found NaN or infinity; missing=0 takes NaN for what is missing")
        if np.isinf(X).any():
            raise ValueError("X: wanted finite numbers or NaN, found infinity")
    wanted = getattr(estimator, "n_features_in_", None)
    if wanted is not None and X.ndim == 2 and X.shape[1] != wanted:
        raise ValueError(f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting {wanted} features as "
                         "input")
    return X


def labels(facts, y, count):
    """Labels for a model that reads them, by what the engine says of it; None for others."""
    if y is None or not facts["readsLabels"]:
        return None
    found = np.ascontiguousarray(y, np.int64)
    if found.shape != (count,):
        raise ValueError(f"y: wanted one label for each of {count} images, found the shape {found.shape}")
    return found
