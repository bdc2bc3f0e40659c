"""Runs checkpoints in PyTorch.

  python torch_twin.py FOLDER...

Each folder holds model.json, a model file; checkpoint.safetensors; and images.npy, float32, N D for vectors and else
N H W C. out.npy receives the reconstructions, of a VAE from the mean of the latent. Names and shapes in the checkpoint
must be exactly those of the twin (Benchmarks/Peers/models_torch.py); tensors named optimizer.* are left out. twin.json
receives the number of parameters, and the loss of the images as a step of training has it before its update; or what the
twin lacks.
"""
import json
import pathlib
import struct
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "Benchmarks" / "Peers"))
from layers_torch import Unsupported  # noqa: E402
from models_torch import description, twin  # noqa: E402


def read_parameters(path):
    """A safetensors file: length of the header (64 bits), header in JSON, then the tensors' bytes."""
    data = path.read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    parameters = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__" or name.startswith("optimizer."):
            continue
        assert entry["dtype"] == "F32", f"{name}: wanted F32, found {entry['dtype']}"
        first, end = (start + offset for offset in entry["data_offsets"])
        parameters[name] = torch.from_numpy(np.frombuffer(data[first:end], "<f4").reshape(entry["shape"]).copy())
    return parameters


def run(folder):
    try:
        model = twin(description(str(folder / "model.json")), exact=True)
    except Unsupported as lack:
        return dict(lacks=str(lack))
    model.load_state_dict(read_parameters(folder / "checkpoint.safetensors"), strict=True)
    images = np.load(folder / "images.npy")
    assert images.dtype == np.float32, f"{folder}: wanted float32, found {images.dtype}"
    shape = (len(images), *model.input)
    x = torch.from_numpy(images.reshape(shape).transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        found = model.eval().reconstruct(x)
        loss = model.train().loss(x, labels=torch.arange(len(x)) % model.outputs).item()
    if found.dim() == 2 and found.shape[1] == x[0].numel():
        found = found.reshape(x.shape)
    found = found.numpy().transpose(0, 2, 3, 1) if found.dim() == 4 else found.numpy()
    np.save(folder / "out.npy", np.ascontiguousarray(found))
    return dict(parameters=sum(parameter.numel() for parameter in model.parameters()), loss=loss)


torch.set_num_threads(1)
for path in map(pathlib.Path, sys.argv[1:]):
    try:
        (path / "twin.json").write_text(json.dumps(run(path)))
    except Exception as error:
        sys.exit(f"{path}: {type(error).__name__}: {error}")
