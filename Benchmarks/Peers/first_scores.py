"""From nothing to anomaly scores: an empty environment, pip install of a wheel, and the first lines of Docs/python.md.

  python first_scores.py .build/wheel/hourglass-*.whl [--images 4000]

The lines are read from the page and train on as many made-up images of 28 x 28 as they score. Printed are wall and processor time of each
part, and the median of ten imports in processes of their own, less an empty process.
"""
import argparse
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

PAGE = pathlib.Path(__file__).resolve().parents[2] / "Docs" / "python.md"
IMAGES = """
import sys
import numpy as np
for seed, name in (1, "normal.npy"), (2, "new.npy"):
    draw = np.random.default_rng(seed)
    x = draw.integers(0, 60, (int(sys.argv[1]), 28, 28), np.uint8)
    for image, (top, left) in zip(x, draw.integers(0, 18, (len(x), 2))):
        image[top:top + 10, left:left + 10] += 150
    np.save(name, x)
"""


def timed(what, *command, **options):
    """Runs a command, prints its wall and processor time, and answers the second."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, **options)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what:24} wall {wall:6.2f} s   processor {processor:6.2f} s")
    return processor


def seconds(*command):
    start = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - start


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("wheel", type=pathlib.Path)
    arguments.add_argument("--images", type=int, default=4000)
    given = arguments.parse_args()
    lines = re.search(r"```python\n(import numpy.*?)```", PAGE.read_text(), re.DOTALL)[1]
    with tempfile.TemporaryDirectory() as folder:
        python = f"{folder}/empty/bin/python"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HOURGLASS"))}
        options = {"cwd": folder, "env": clean}
        timed("python -m venv", sys.executable, "-m", "venv", f"{folder}/empty")
        total = timed("pip install", python, "-m", "pip", "install", "--quiet", str(given.wheel.resolve()), **options)
        subprocess.run([python, "-c", IMAGES, str(given.images)], check=True, **options)
        check = "\nassert scores.shape == found.shape == (len(new),) and maps.shape == new.shape\n"
        total += timed("the lines of python.md", python, "-c", lines + check, **options)
        print(f"from pip install to scores and maps of {given.images} images: {total:.1f} s of processor time")
        imports = [seconds(python, "-c", "import hourglass") - seconds(python, "-c", "pass") for _ in range(10)]
        print(f"import hourglass: {1000 * statistics.median(imports):.0f} ms")


if __name__ == "__main__":
    main()
