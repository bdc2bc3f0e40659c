"""Hourglass: convolutional autoencoders on the cores of this machine, from NumPy arrays and folders of pictures.

    import hourglass as hg
    ae = hg.ConvAutoencoder(epochs=20, contamination=0.05, seed=1).fit(X)
    ae.decision_function(Xt)   # the greater, the more unusual
    ae.error_map(Xt)           # where

The same recipe gives the same weights, to the bit, on every machine and with the program ``hourglass``.
"""
from ._engine import EngineError, ForkError, version
from ._estimators import ConvAutoencoder, ConvVAE, load
from ._torch import from_torch

__all__ = ["ConvAutoencoder", "ConvVAE", "EngineError", "ForkError", "from_torch", "load", "version"]


def __getattr__(name):
    if name == "__version__":
        return version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
