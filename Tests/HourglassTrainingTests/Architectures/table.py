"""Draws Docs/architectures.md of what ArchitectureTests found.

  python table.py FINDINGS.json > Docs/architectures.md
"""
import json
import pathlib
import sys

import originals  # noqa: F401
from parts import ARCHITECTURES

MODELS = pathlib.Path(__file__).resolve().parents[3] / "examples" / "models"

# What needs no mention.
PLAIN = {"Conv2D", "ConvTranspose2D", "Dense", "Reshape", "MaxPool2D", "linear", "relu", "sigmoid", "tanh"}

HEAD = """# Architectures

Autoencoders that people train, from their own code: tutorials, libraries, papers. Each that can be written is a model file in
[examples/models](../examples/models), to train as it is or to begin from:

    hourglass train --model examples/models/keras-io-denoiser.json --data $HOURGLASS_DATA/mnist --run runs/denoiser

`make architectures` draws this page. It compares every file with the original in PyTorch (Tests/HourglassTrainingTests/Architectures
has the originals' layers in a compact form): the same number of parameters; with the original's weights, tensor by tensor in the
order of their definition, the same reconstructions and (with ELUs in place of rectifiers, whose kink makes gradients jump with a
rounding) the same gradients of the loss; the same reconstructions in onnxruntime; the same bits for one worker and for two.
Losses are Hourglass's, sums over the elements of an image. A penalty that a source adds to its loss is part of the comparison
where the model file has it.

{written} of {all} can be written. Differences are those of the largest element over the largest magnitude, of reconstructions
(at least 1) and of the gradient of each tensor; the page has the largest. Gradients of {near} agree to 1e-4; the others are deep
nets with a normalisation over the samples of a small shard, which magnifies rounding in PyTorch's own float too.

| name | source | parameters | needs | difference: images | gradients | onnxruntime | written |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


def needs(layers):
    """The layers and fields of model files that an architecture needs, but for the plainest."""
    found = set()
    for layer in layers:
        kind = layer["layer"]
        found |= {kind, layer.get("activation", "linear").split(":")[0]}
        found |= {"no bias"} if layer.get("bias") is False else set()
        found |= {field for field in ("dilation", "groups", "paddingMode", "outputSize") if field in layer}
        found |= needs(layer.get("layers", []) + layer.get("shortcut", []))
    return found


def row(architecture, finding):
    if not finding:
        parameters = f"{count(architecture):,}" if architecture.make else ""
        return f"| {architecture.name} | {architecture.source} | {parameters} | | | | | no: {architecture.lacks} |"
    model = json.loads((MODELS / f"{architecture.name}.json").read_text())
    wanted = needs(model["encoder"] + [model["latent"]] + model["decoder"]) - PLAIN
    if architecture.likelihood not in ("squaredError", "bernoulli"):
        wanted.add(architecture.likelihood)
    penalties = model.get("penalty", [])
    wanted |= {penalty["layer"] for penalty in (penalties if isinstance(penalties, list) else [penalties])}
    assert count(architecture) == finding["parameters"], architecture.name
    cells = [f"[{architecture.name}](../examples/models/{architecture.name}.json)", architecture.source,
             f"{finding['parameters']:,}", ", ".join(sorted(wanted, key=str.lower))]
    cells += [f"{finding[key]:.0e}" for key in ("reconstruction", "gradient", "onnx")]
    return "| " + " | ".join(cells) + " | yes |"


def count(architecture):
    return sum(parameter.numel() for parameter in architecture.make().parameters())


findings = json.loads(pathlib.Path(sys.argv[1]).read_text())
near = sum(finding["gradient"] < 1e-4 for finding in findings.values())
print(HEAD.format(written=len(findings), all=len(ARCHITECTURES), near=near), end="")
for architecture in ARCHITECTURES.values():
    print(row(architecture, findings.get(architecture.name)))
