"""Quality of public architectures (examples/models) in Hourglass and in PyTorch, some seeds each, as a table.

  python quality.py --data FOLDER [--seeds 3] [--json FILE] [NAME...]

FOLDER holds mnist, with the IDX files, and fruits-360, with rgb32 and jpeg100. Both sides see the same images with Adam
1e-3, the same batch and as many epochs, from other starts and in another order, and are measured on the test images: the
negative ELBO of a variational model, else the MSE per pixel. With --json each run is a line of FILE, and runs that are
there already are not repeated. The program is .build/release/hourglass, or what HOURGLASS_PROGRAM names.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("HOURGLASS_PROGRAM", str(ROOT / ".build" / "release" / "hourglass"))

# Data (a folder, and how images are made of it), epochs, and the batch of the original.
MNIST, RECORDS, PHOTOS = ("mnist", []), ("fruits-360/rgb32", []), ("fruits-360/jpeg100", ["--resize", "64x64"])
MODELS = {
    "keras-blog-conv": (MNIST, 3, 128), "keras-io-denoiser": (MNIST, 1, 128), "keras-io-vae": (MNIST, 1, 128),
    "tf-cvae": (MNIST, 1, 32), "pytorch-vae": (MNIST, 3, 128), "keras-io-vq-vae": (MNIST, 1, 128),
    "geron-conv": (MNIST, 3, 32), "pythae-cifar-resnet-vqvae": (RECORDS, 5, 100),
    "antixk-vanilla-vae": (PHOTOS, 10, 64), "world-models-vae": (PHOTOS, 10, 100),
}


def last_object(*command):
    """The last line that a command prints, as JSON."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def in_hourglass(model, data, options, epochs, batch, seed, folder):
    run = f"{folder}/{pathlib.Path(model).stem}-{seed}"
    subprocess.run([PROGRAM, "train", "--model", model, "--data", data, *options, "--epochs", str(epochs), "--batch-size",
                    str(batch), "--seed", str(seed), "--run", run, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return last_object(PROGRAM, "evaluate", "--run", run, "--json")


def in_torch(model, data, options, epochs, batch, seed, folder):
    if options or "rgb32" in data:
        exported, folder = data, f"{folder}/{'-'.join(pathlib.Path(data).parts[-2:])}"
        for split in ("train", "test"):
            if not pathlib.Path(f"{folder}/{split}.npy").exists():
                pathlib.Path(folder).mkdir(exist_ok=True)
                subprocess.run([PROGRAM, "data", exported, *options, "--split", split, "--export",
                                f"{folder}/{split}.npy"], check=True, stdout=subprocess.DEVNULL)
        data = folder
    script = str(pathlib.Path(__file__).with_name("quality_torch.py"))
    return last_object(sys.executable, script, "--data", data, "--model", model, "--epochs", str(epochs),
                       "--batch-size", str(batch), "--seed", str(seed))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("names", nargs="*", default=list(MODELS))
    arguments = parser.parse_args()
    done = {}
    if arguments.json and arguments.json.exists():
        for line in arguments.json.read_text().splitlines():
            row = json.loads(line)
            done[row["model"], row["side"], row["seed"]] = row
    print("| model, images | epochs, batch | figure | Hourglass, by seed | PyTorch, by seed |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.names:
            (data, options), epochs, batch = MODELS[name]
            model = str(ROOT / "examples" / "models" / f"{name}.json")
            cells = []
            for side in (in_hourglass, in_torch):
                found = []
                for seed in range(1, arguments.seeds + 1):
                    key = name, side.__name__, seed
                    if key not in done:
                        figures = side(model, f"{arguments.data}/{data}", options, epochs, batch, seed, folder)
                        figure = next(figure for figure in ("negativeELBO", "mse") if figure in figures)
                        done[key] = dict(zip(("model", "side", "seed"), key), figure=figure, value=figures[figure])
                        if arguments.json:
                            with arguments.json.open("a") as file:
                                file.write(json.dumps(done[key]) + "\n")
                    found.append(done[key])
                cells.append(", ".join(f"{row['value']:.5g}" for row in found))
            figure = {"mse": "MSE", "negativeELBO": "negative ELBO"}[found[0]["figure"]]
            print(f"| {name}, {data} | {epochs}, {batch} | {figure} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
