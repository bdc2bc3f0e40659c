"""The estimators among scikit-learn's and PyOD's."""
import numpy as np
import pytest

import hourglass as hg

sklearn = pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

# Checks that an estimator of images cannot pass, with the reason.
EXPECTED = {}


@parametrize_with_checks([hg.ConvAutoencoder(epochs=1, standardize=True), hg.ConvVAE(epochs=1, standardize=True)],
                         expected_failed_checks=lambda estimator: EXPECTED)
def test_estimator(estimator, check):
    check(estimator)


def test_clone_and_parameters():
    ae = hg.ConvAutoencoder(epochs=3, settings={"ema": 0.9})
    again = clone(ae)
    assert again.get_params() == ae.get_params() and again.settings is not ae.settings
    assert ae.set_params(epochs=4).epochs == 4
    with pytest.raises(ValueError, match="epoch: wanted one of"):
        ae.set_params(epoch=4)


def test_pipeline_and_grid():
    X = np.random.default_rng(0).normal(size=(60, 10))
    pipe = make_pipeline(MinMaxScaler(), hg.ConvAutoencoder(epochs=2, latent=2))
    assert pipe.fit_transform(X).shape == (60, 2)

    def negative_error(estimator, X, y=None):
        return -np.mean((estimator.reconstruct(X) - X) ** 2)
    search = GridSearchCV(hg.ConvAutoencoder(epochs=2), {"latent": [1, 8]}, scoring=negative_error, cv=2)
    search.fit(MinMaxScaler().fit_transform(X))
    assert search.best_params_["latent"] in (1, 8)


def test_joblib_sends_estimators_to_processes():
    from joblib import Parallel, delayed
    X = np.random.default_rng(0).integers(0, 256, (32, 8, 8), np.uint8)
    ae = hg.ConvAutoencoder(epochs=1).fit(X)
    found = Parallel(n_jobs=2)(delayed(ae.transform)(X) for _ in range(2))
    for codes in found:
        np.testing.assert_array_equal(codes, ae.transform(X))


def test_pyods_loop():
    pyod = pytest.importorskip("pyod.models.pca")
    X = np.random.default_rng(0).random((80, 6))
    for detector in (pyod.PCA(), hg.ConvAutoencoder(epochs=2, contamination=0.1)):
        detector.fit(X)
        assert detector.decision_scores_.shape == detector.decision_function(X).shape == detector.predict(X).shape
        assert detector.labels_.sum() == 8 and detector.threshold_ > 0
