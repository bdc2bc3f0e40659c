"""The page Docs/python.md and the notebook run as they stand, on images of this test."""
import json
import pathlib
import re

import numpy as np
import pytest

from conftest import shapes

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("normal.npy", shapes(96))
    np.save("new.npy", shapes(40, squares=10, seed=3))
    return tmp_path


def test_the_page_runs(folder):
    page = (ROOT / "Docs/python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) >= 4
    first = [line for line in blocks[0].splitlines() if line.strip()]
    assert len(first) <= 10
    names = {}
    for block in blocks:
        exec(compile(re.sub(r"epochs=\d+", "epochs=2", block), "Docs/python.md", "exec"), names)
    assert names["maps"].shape == (40, 12, 12)


def test_the_notebook_runs(folder):
    notebook = json.loads((ROOT / "examples/notebook/anomaly_maps.ipynb").read_text(encoding="utf-8"))
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(re.sub(r"epochs=\d+", "epochs=2", "".join(cell["source"])), names)
    assert names["maps"].ndim == 3
