"""Runs a checkpoint of a model that has a name in PyTorch.

  python torch_twin.py --model conv-vae-28 --checkpoint FILE.safetensors --images IN.npy --output OUT.npy

IN.npy holds float32 images, N H W C (or N H W where C is 1). OUT.npy receives the reconstructions, N H W C, of a VAE
from the mean of the latent. Prints one JSON line with the mean squared error per pixel. Names and shapes in the file
must be exactly those of the PyTorch model; tensors named optimizer.* are left out.
"""
import argparse
import json
import pathlib
import struct
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "Benchmarks" / "Peers"))
from models_torch import MODELS  # noqa: E402


def read_parameters(path):
    """A safetensors file: length of the header (64 bits), header in JSON, then the tensors' bytes."""
    data = pathlib.Path(path).read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    parameters = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__" or name.startswith("optimizer."):
            continue
        assert entry["dtype"] == "F32", f"{name}: wanted F32, found {entry['dtype']}"
        first, end = (start + offset for offset in entry["data_offsets"])
        parameters[name] = torch.from_numpy(np.frombuffer(data[first:end], "<f4").reshape(entry["shape"]).copy())
    return parameters


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--model", required=True, choices=list(MODELS))
    arguments.add_argument("--checkpoint", required=True)
    arguments.add_argument("--images", required=True)
    arguments.add_argument("--output", required=True)
    arguments = arguments.parse_args()
    torch.set_num_threads(1)

    model = MODELS[arguments.model]()
    model.load_state_dict(read_parameters(arguments.checkpoint), strict=True)
    model.eval()
    images = np.load(arguments.images)
    assert images.dtype == np.float32, f"{arguments.images}: wanted float32, found {images.dtype}"
    images = images.reshape(len(images), *model.input)
    with torch.no_grad():
        parts = [model.reconstruct(part) for part in torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).split(256)]
    found = torch.cat(parts).numpy().transpose(0, 2, 3, 1)
    np.save(arguments.output, np.ascontiguousarray(found))
    error = float(np.mean((found.astype(np.float64) - images)**2))
    print(json.dumps(dict(model=arguments.model, samples=len(images), mse=error)))


if __name__ == "__main__":
    main()
