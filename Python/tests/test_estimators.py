"""What the estimators promise."""
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import hourglass as hg
from conftest import shapes


def test_scores_are_named_as_pyod_names_them(images, fitted):
    scores = fitted.decision_function(images)
    assert scores.shape == (96,) and scores.dtype == np.float64
    np.testing.assert_array_equal(scores, fitted.decision_scores_)
    assert fitted.threshold_ == np.quantile(scores, 0.9)
    assert fitted.labels_.sum() == 10 and set(fitted.labels_) == {0, 1}
    np.testing.assert_array_equal(fitted.predict(images), fitted.labels_)
    assert len(fitted.history_) == 3 and fitted.history_[-1]["loss"] < fitted.history_[0]["loss"]


def test_squares_among_discs_are_found(images):
    ae = hg.ConvAutoencoder(epochs=40, batch_size=16, latent=6, learning_rate=0.003, score_by="error").fit(images)
    scores = ae.decision_function(shapes(60, squares=20, seed=5))
    better = (scores[:20, None] > scores[None, 20:]).mean()
    assert better > 0.8, better


def test_shapes_follow_the_images(images, fitted):
    codes = fitted.transform(images)
    assert codes.shape == (96, 8) and codes.dtype == np.float32
    again = fitted.reconstruct(images)
    assert again.shape == images.shape
    np.testing.assert_array_equal(fitted.inverse_transform(codes), again)
    maps = fitted.error_map(images)
    np.testing.assert_allclose(maps, (images / np.float32(255) - again) ** 2, atol=1e-6)
    assert fitted.error_map(images[:2], kind="ssim", smooth=1).shape == (2, 12, 12)
    coloured = np.repeat(images[:8, :, :, None], 3, 3)
    ae = hg.ConvAutoencoder(epochs=1).fit(coloured)
    assert ae.reconstruct(coloured).shape == coloured.shape
    np.testing.assert_array_equal(ae.transform(coloured.transpose(0, 3, 1, 2)), ae.transform(coloured))


@pytest.mark.parametrize("form", ["fortran", "sliced", "reversed", "float64", "float32", "list", "swapped", "readonly"])
def test_no_form_of_an_array_changes_a_bit(images, form):
    wanted = hg.ConvAutoencoder(epochs=1, batch_size=16).fit(images / np.float64(256))
    X = images / np.float64(256)
    if form == "fortran":
        X = np.asfortranarray(X)
    elif form == "sliced":
        wide = np.full((192, 14, 24), np.nan)
        wide[::2, 1:-1, ::2] = X
        X = wide[::2, 1:-1, ::2]
    elif form == "reversed":
        X = X[::-1].copy()[::-1]
    elif form == "list":
        X = X.tolist()
    elif form == "swapped":
        X = X.astype(">f8")
    elif form == "readonly":
        X.setflags(write=False)
    else:
        X = X.astype(form)
    assert hg.ConvAutoencoder(epochs=1, batch_size=16).fit(X).weights_hash_ == wanted.weights_hash_


def test_whole_numbers_stand_for_parts_of_one(images):
    words = images.astype(np.uint16) * 257
    hashes = {hg.ConvAutoencoder("conv-ae@12x12x1", epochs=1).fit(X).weights_hash_
              for X in (images, words, images / np.float32(255))}
    assert len(hashes) == 1


def test_workers_change_no_bit(images):
    hashes = {hg.ConvAutoencoder(epochs=1, workers=workers).fit(images).weights_hash_ for workers in (1, 2, 3)}
    assert len(hashes) == 1


def test_the_program_trains_to_the_same_bits(images, program, tmp_path):
    np.save(tmp_path / "images.npy", images)
    command = [program, "train", "--model", "conv-vae@12x12x1", "--data", tmp_path / "images.npy", "--epochs", "2",
               "--batch-size", "32", "--seed", "5", "--run", tmp_path / "run", "--quiet", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for X in (images, tmp_path / "images.npy"):
        vae = hg.ConvVAE("conv-vae@12x12x1", epochs=2, batch_size=32, seed=5).fit(X)
        assert f'"{vae.weights_hash_}"' in done.stdout.splitlines()[-1]
        loaded = hg.load(tmp_path / "run")
        assert loaded.weights_hash_ == vae.weights_hash_ and isinstance(loaded, hg.ConvVAE)
        np.testing.assert_array_equal(loaded.decision_function(images), vae.decision_function(images))
        assert [row["loss"] for row in loaded.history_] == [row["loss"] for row in vae.history_]
    scored = subprocess.run([program, "score", "--run", tmp_path / "run", "--data", tmp_path / "images.npy", "--split", "train",
                             "--output", tmp_path / "scores.npy"], capture_output=True, text=True)
    assert scored.returncode == 0, scored.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), vae.decision_scores_.astype(np.float32))


def test_runs_go_both_ways(images, fitted, program, tmp_path):
    fitted.save(tmp_path / "run")
    again = hg.load(tmp_path / "run")
    assert again.weights_hash_ == fitted.weights_hash_ and again.threshold_ == fitted.threshold_
    np.testing.assert_array_equal(again.predict(images), fitted.labels_)
    np.save(tmp_path / "images.npy", images)
    scored = subprocess.run([program, "score", "--run", tmp_path / "run", "--data", tmp_path / "images.npy", "--split", "train",
                             "--json"], capture_output=True, text=True)
    assert scored.returncode == 0, scored.stderr
    assert f'"anomalies":{fitted.labels_.sum()}' in scored.stdout
    with pytest.raises(FileExistsError, match="found files in it"):
        fitted.save(tmp_path / "run")
    with pytest.raises(FileNotFoundError, match="found nothing there"):
        hg.load(tmp_path / "none")


def test_a_run_is_written_meanwhile(images, program, tmp_path):
    ae = hg.ConvAutoencoder(epochs=2).fit(images, validation=images[:16], run=tmp_path / "run")
    assert (tmp_path / "run/report.html").exists()
    assert ae.history_[0]["validationLoss"] > 0
    told = subprocess.run([program, "report", "--run", tmp_path / "run"], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr


def test_progress_is_told_and_may_end_the_training(images, capsys):
    rows = []
    ae = hg.ConvAutoencoder(epochs=3).fit(images, progress=rows.append)
    assert [row["epoch"] for row in rows] == [1, 2, 3] and rows == ae.history_

    class Enough(Exception):
        pass

    def stop(row):
        if row["epoch"] == 2:
            raise Enough
    ae = hg.ConvAutoencoder(epochs=50)
    with pytest.raises(Enough):
        ae.fit(images, progress=stop)
    assert len(ae.history_) == 2 and ae.transform(images).shape[0] == 96
    hg.ConvAutoencoder(epochs=1).fit(images, progress=True)
    assert "loss" in capsys.readouterr().err


def test_ctrl_c_keeps_the_best(images):
    # A shell starts what runs in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ae = hg.ConvAutoencoder(epochs=1_000_000)
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        ae.fit(images)
    best = min(row["loss"] for row in ae.history_)
    assert ae.end_ == "interrupted" and best < ae.history_[0]["loss"]
    # The weights are those after the best epoch, so a run of as many epochs ends with them.
    epoch = next(row["epoch"] for row in ae.history_ if row["loss"] == best)
    assert hg.ConvAutoencoder(epochs=epoch).fit(images).weights_hash_ == ae.weights_hash_
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_run_meanwhile(images):
    counted, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1
            time.sleep(0.001)
    thread = threading.Thread(target=count)
    thread.start()
    hg.ConvAutoencoder(epochs=30).fit(images)
    seen = counted[0]
    done.set()
    thread.join()
    assert seen > 1


def test_threads_share_an_estimator(images, fitted):
    wanted, found = fitted.transform(images), []
    threads = [threading.Thread(target=lambda: found.append(fitted.transform(images))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and all((codes == wanted).all() for codes in found)


def test_threads_fit_side_by_side(images):
    wanted, found = hg.ConvAutoencoder(epochs=2).fit(images).weights_hash_, []
    threads = [threading.Thread(target=lambda: found.append(hg.ConvAutoencoder(epochs=2).fit(images).weights_hash_))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_behind_the_first_model_is_refused(images, fitted):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            hg.ConvAutoencoder(epochs=1).fit(images)
            answer = "no error"
        except hg.ForkError as error:
            answer = str(error)
        except BaseException as error:
            answer = repr(error)
        os.write(writer, answer.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert "spawn" in os.read(reader, 10_000).decode()
    assert fitted.transform(images).shape == (96, 8)


def test_a_fork_before_the_first_model_works():
    code = ("import os, numpy, hourglass\n"
            "child = os.fork()\n"
            "X = numpy.zeros((8, 8, 8), numpy.uint8)\n"
            "hourglass.ConvAutoencoder(epochs=1).fit(X)\n"
            "assert child == 0 or os.waitpid(child, 0)[1] == 0\n")
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(hg.__file__))}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env=environment)


def test_pickles_hold_the_weights(images, fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.decision_function(images), fitted.decision_scores_)
    assert again.weights_hash_ == fitted.weights_hash_ and again.history_ == fitted.history_
    np.testing.assert_array_equal(again.predict(images), fitted.labels_)
    fresh = pickle.loads(pickle.dumps(hg.ConvVAE(latent=3)))
    assert fresh.latent == 3 and not hasattr(fresh, "history_")


def test_weights_come_and_go_by_name(images, fitted):
    state = fitted.state_dict()
    assert state["latent.weight"].shape[0] == 8
    other = hg.ConvAutoencoder("conv-ae@12x12x1", latent=8)
    other.load_state_dict({f"module._orig_mod.{name}": value for name, value in state.items()})
    np.testing.assert_array_equal(other.transform(images), fitted.transform(images))
    with pytest.raises(ValueError, match="missing are latent.bias"):
        other.load_state_dict({name: value for name, value in state.items() if name != "latent.bias"})
    with pytest.raises(ValueError, match="latent.bias: wanted the shape"):
        other.load_state_dict({**state, "latent.bias": np.zeros(3)})
    with pytest.raises(ValueError, match="finite"):
        other.load_state_dict({**state, "latent.bias": np.full(8, np.nan)})
    assert other.weights_hash_ == fitted.weights_hash_


def test_a_warm_start_goes_on(images):
    ae = hg.ConvAutoencoder(epochs=2, warm_start=True).fit(images)
    first = ae.history_[-1]["loss"]
    assert ae.fit(images).history_[0]["loss"] < first


def test_samples_follow_the_seed(images):
    vae = hg.ConvVAE(epochs=1, latent=3).fit(images)
    assert vae.sample(4).shape == (4, 12, 12)
    np.testing.assert_array_equal(vae.sample(4, seed=9), vae.sample(9, seed=9)[:4])
    assert not (vae.sample(4, seed=9) == vae.sample(4, seed=8)).all()


def test_classes_are_read_where_a_model_wants_them(images):
    labels = np.arange(96) % 3
    model = hg.ConvAutoencoder("12x12x1-16-3,categorical", epochs=2).fit(images, labels)
    assert model.reconstruct(images, labels).shape[0] == 96
    with pytest.raises(ValueError, match="wanted a label for each image"):
        hg.ConvAutoencoder("12x12x1-16-3,categorical", epochs=2).fit(images)


def test_folders_of_pictures_are_brought_to_size(images, tmp_path):
    for n, image in enumerate(images):
        (tmp_path / f"{n:02}.pgm").write_bytes(b"P5 12 12 255\n" + image.tobytes())
    vae = hg.ConvVAE(latent=4, image=(8, 8, 3), epochs=1).fit(tmp_path)
    assert vae.sample(2).shape == (2, 8, 8, 3) and vae.decision_scores_.shape == (96,)
    assert vae.transform(tmp_path).shape[1] == 4


@pytest.mark.parametrize("arguments, sentence", [
    ({"epochs": 0}, "epochs: wanted at least 1"), ({"contamination": 0}, "contamination"), ({"score_by": "x"}, "score_by"),
    ({"model": "none"}, "found none"), ({"optimizer": "adagard"}, "adagrad"), ({"batch_size": -1}, "batchSize"),
    ({"learning_rate": 0}, "learningRate"), ({"settings": {"epoch": 3}}, "the nearest is epochs"),
    ({"latent": 0}, "latent"), ({"workers": -3}, "workers"), ({"loss": "mse"}, "mse"),
])
def test_what_cannot_be_is_a_value_error(images, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        hg.ConvAutoencoder(**arguments).fit(images)


def test_images_that_no_model_takes(images, fitted):
    for X, error in [(images[:, :5], ValueError), (np.zeros((3, 2, 2, 2, 2)), ValueError), (np.zeros(3), ValueError),
                     (images[:0], ValueError), (np.full((2, 12, 12), np.nan), ValueError),
                     (np.array([["a"]]), ValueError), (images[:2] * 1j, ValueError)]:
        with pytest.raises(error):
            fitted.transform(X)
    with pytest.raises(ValueError, match="plain autoencoder, which has no prior"):
        fitted.sample()
    with pytest.raises(ValueError, match="not fitted"):
        hg.ConvAutoencoder().transform(images)
    with pytest.raises(FileNotFoundError):
        fitted.transform("/no/folder")
    with pytest.raises(FileNotFoundError):
        hg.ConvAutoencoder("conv-ae-28").fit("/no/folder")


def test_missing_pixels_have_no_part_in_scores_and_are_filled_in(images, tmp_path):
    X = np.float32(images) / 255
    X[:, 3:5, 4:7] = np.nan
    ae = hg.ConvAutoencoder(missing=0.5, latent=8).fit(X)
    assert np.isfinite(ae.decision_scores_).all() and np.isfinite(ae.transform(X)).all()
    filled = np.where(np.isnan(X), np.float32(0.5), X)
    np.testing.assert_array_equal(ae.transform(X), ae.transform(filled))
    errors = (np.float64(ae.reconstruct(X)) - X) ** 2
    ae.score_by = "error"
    np.testing.assert_allclose(ae.decision_function(X), np.nanmean(errors, axis=(1, 2)), rtol=1e-5)
    ae.save(tmp_path / "run")
    again = hg.load(tmp_path / "run")
    assert again.missing == 0.5
    np.testing.assert_array_equal(again.transform(X), ae.transform(X))
    flat = X.reshape(len(X), -1)
    assert np.isfinite(hg.ConvAutoencoder(missing=0, latent=3, epochs=1).fit(flat).decision_scores_).all()
    with pytest.raises(ValueError, match="NaN"):
        hg.ConvAutoencoder(latent=3).fit(flat)
    with pytest.raises(ValueError, match="missing"):
        hg.ConvAutoencoder(latent=3).fit(X)
    with pytest.raises(ValueError, match="infinity"):
        hg.ConvAutoencoder(missing=0, latent=3).fit(np.where(np.isnan(flat), np.inf, flat))


def test_divergence_has_an_error_of_its_own(images):
    with pytest.raises(FloatingPointError, match="is not finite"):
        hg.ConvAutoencoder("12x12x1-8,linear", epochs=80, optimizer="sgd", learning_rate=1e30).fit(images)


def test_more_memory_than_there_is():
    with pytest.raises(MemoryError):
        hg.ConvAutoencoder("conv-ae@4000x4000x1").load_state_dict({})


def test_notebooks_show_what_is_known(fitted):
    assert "threshold" in fitted._repr_html_() and "not fitted" in hg.ConvVAE()._repr_html_()
    assert repr(hg.ConvVAE(latent=3)) == "ConvVAE(latent=3)"


def test_onnx(fitted, images, tmp_path):
    fitted.export_onnx(tmp_path)
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(os.fspath(tmp_path / "encoder.onnx"))
    codes = session.run(None, {"image": images[:, None] / np.float32(255)})[0]
    np.testing.assert_allclose(codes, fitted.transform(images), rtol=1e-3, atol=1e-4)


def test_importing_is_quick_to_name_its_needs():
    """Neither scikit-learn nor torch nor the library are loaded before they are wanted."""
    code = ("import sys, hourglass\n"
            "assert not {'sklearn', 'torch', 'tqdm', 'pandas'} & set(sys.modules)\n"
            "assert 'libhourglass' not in open('/proc/self/maps').read()\n")
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(hg.__file__))}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
