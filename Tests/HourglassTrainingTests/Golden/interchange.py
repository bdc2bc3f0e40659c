"""Runs exported models in onnxruntime and their weights in PyTorch.

  python interchange.py FOLDER...

Each folder holds what `hourglass export` writes in all formats, and images.npy and codes.npy: float32, N D for vectors
and else N H W C. Beside them come what the ONNX files make of them, in the same order: code.npy or mean.npy and
log_variance.npy, decoded.npy, reconstructed.npy. A graph that reads labels gets 0, 1, 2, 0, ... Where the folder holds model.json, a model file,
of which PyTorch has a twin,
twin.npy is what that makes of the images with weights.safetensors, and
torch.safetensors, torch.npz and torch.npy are other weights, made there, and what that model makes of the images.
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import safetensors.numpy
import safetensors.torch
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "Benchmarks" / "Peers"))
from layers_torch import Unsupported  # noqa: E402
from models_torch import description, twin  # noqa: E402


def channels_first(x):
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x


def channels_last(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def check(path, tensors):
    """The file is a model by ONNX's own rules, and its parameters are those of the other files."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    assert model.opset_import[0].version >= 17 and model.producer_name == "hourglass" and model.producer_version
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert set(metadata) == {"model", "preprocess", "weightsHash"}, metadata
    for tensor in model.graph.initializer:
        if tensor.name in tensors:
            found = onnx.numpy_helper.to_array(tensor)
            assert found.dtype == np.float32 and np.array_equal(found, tensors[tensor.name]), f"{path}: {tensor.name}"
    return {tensor.name for tensor in model.graph.initializer}


def run(path, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    port, *rest = session.get_inputs()
    assert [other.name for other in rest] in ([], ["label"]), rest
    names = [output.name for output in session.get_outputs()]

    def feed(x):
        return {port.name: channels_first(x), **{label.name: np.arange(len(x)) % 3 for label in rest}}
    results = session.run(names, feed(x))
    # Any number of samples will do.
    for one, all in zip(session.run(names, feed(x[:1])), results):
        np.testing.assert_allclose(one, all[:1], rtol=1e-6, atol=1e-6)
    return port.name, {name: channels_last(result) for name, result in zip(names, results)}


def main(folder):
    tensors = safetensors.numpy.load_file(folder / "weights.safetensors")
    arrays = np.load(folder / "weights.npz")
    assert list(arrays) and set(arrays) == set(tensors), "names differ"
    assert all(np.array_equal(arrays[name], tensors[name]) for name in tensors), "arrays differ"

    parts = {part: folder / f"{part}.onnx" for part in ("encoder", "decoder", "autoencoder")}
    # Max-unpooling needs the switches of the encoder.
    parts = {part: path for part, path in parts.items() if part != "decoder" or path.exists()}
    found = {part: check(path, tensors) for part, path in parts.items()}
    # Running means of a codebook make its codes while training.
    used = {name for name in tensors if not name.rsplit(".", 1)[-1].startswith("ema_")}
    assert used <= set.union(*found.values()), "a parameter is nowhere"
    images, codes = np.load(folder / "images.npy"), np.load(folder / "codes.npy")
    port, results = run(parts["encoder"], images)
    assert port == "image" and set(results) in ({"code"}, {"mean", "log_variance"}), results
    for name, result in results.items():
        np.save(folder / f"{name}.npy", result)
    for part, x, wanted, output in (("decoder", codes, "code", "decoded"),
                                    ("autoencoder", images, "image", "reconstructed")):
        if part not in parts:
            continue
        port, results = run(parts[part], x)
        assert port == wanted, port
        (result,) = results.values()
        np.save(folder / f"{output}.npy", result)

    if (folder / "model.json").exists():
        written = description(str(folder / "model.json"))
        try:
            model = twin(written, exact=True).eval()
        except Unsupported:
            return
        model.load_state_dict(safetensors.torch.load_file(folder / "weights.safetensors"), strict=True)
        x = torch.from_numpy(channels_first(images))
        with torch.no_grad():
            np.save(folder / "twin.npy", channels_last(model.reconstruct(x).numpy()))
            torch.manual_seed(5)
            model = twin(written, exact=True).eval()
            np.save(folder / "torch.npy", channels_last(model.reconstruct(x).numpy()))
        safetensors.torch.save_file(model.state_dict(), folder / "torch.safetensors")
        np.savez(folder / "torch.npz", **{name: tensor.numpy() for name, tensor in model.state_dict().items()})


torch.set_num_threads(1)
for path in sys.argv[1:]:
    try:
        main(pathlib.Path(path))
    except Exception as error:
        sys.exit(f"{path}: {type(error).__name__}: {error}")
