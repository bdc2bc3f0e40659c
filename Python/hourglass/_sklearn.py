"""What scikit-learn wants of an estimator, without importing it."""
import inspect
import sys


class NotFittedError(ValueError, AttributeError):
    """The estimator was used before it was fitted."""


def not_fitted(estimator):
    """scikit-learn's own error where it is loaded, which its users catch."""
    loaded = sys.modules.get("sklearn.exceptions")
    return (loaded.NotFittedError if loaded else NotFittedError)(
        f"This {type(estimator).__name__} is not fitted yet; call fit, load or load_state_dict before it is used")


class Parameters:
    """get_params and set_params by the names of __init__, as scikit-learn's BaseEstimator has them."""

    @classmethod
    def _names(cls):
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep=True):
        """The parameters by name."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **parameters):
        """Sets parameters by name, and returns the estimator."""
        for name, value in parameters.items():
            if name not in self._names():
                raise ValueError(f"{name}: wanted one of {', '.join(self._names())} for {type(self).__name__}")
            setattr(self, name, value)
        return self

    def __repr__(self):
        defaults = inspect.signature(type(self).__init__).parameters
        said = [f"{name}={value!r}" for name, value in self.get_params().items()
                if not _equal(value, defaults[name].default)]
        return f"{type(self).__name__}({', '.join(said)})"

    def __sklearn_is_fitted__(self):
        return hasattr(self, "history_")

    def __sklearn_tags__(self):
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags
        return Tags(estimator_type=None, target_tags=TargetTags(required=False),
                    transformer_tags=TransformerTags(preserves_dtype=["float32"]),
                    input_tags=InputTags(two_d_array=True, three_d_array=True, allow_nan=self.missing is not None),
                    non_deterministic=False)


def _equal(one, other):
    return one is other or (isinstance(one, (str, int, float, tuple, bool)) and type(one) is type(other) and one == other)
