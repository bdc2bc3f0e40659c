"""Training throughput of PyTorch on a model: forward, loss, backward and fused Adam, in float32.

  [LD_PRELOAD=libtcmalloc_minimal.so.4] python train_torch.py --model conv-vae-28 --threads 2 --channels-last

Prints one JSON line. The time is cut into slices; samplesPerSecond is the median of the slices' rates. Name the
allocator with every figure: under glibc's malloc large activations are mapped afresh in every step.

With --serve it answers `bench step --peer torch` and `bench scaling --peer torch`, which start it: a JSON line with a
model file's object, batch size, seconds and perhaps threads comes in, one with the seconds of each step in both memory
layouts goes out, again and again. A line with a model alone is answered by the number of its twin's parameters, or by
what the twin lacks.
"""
import argparse
import json
import os
import statistics
import sys
import time

import torch
from torch import nn

from layers_torch import Unsupported
from models_torch import description, twin

SLICES = 7
ISA = torch.backends.cpu.get_cpu_capability().lower()
LAYOUTS = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}
FRAMEWORK = f"torch-{torch.__version__}"
ALLOCATOR = os.path.basename(os.environ.get("LD_PRELOAD", "").split(":")[0]) or "glibc"


class Loss(nn.Module):
    """A model's loss as a module: what DistributedDataParallel can wrap."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, noise, labels):
        return self.model.loss(x, noise, labels=labels)


def make_step(description, batch_size, layout, wrap=lambda loss: loss):
    """A function that trains one step on random images, four batches in turn."""
    torch.manual_seed(0)
    memory_format = LAYOUTS[layout]
    model = twin(description).to(memory_format=memory_format)
    height, width, channels = model.input
    batches = [torch.rand(batch_size, channels, height, width).contiguous(memory_format=memory_format)
               for _ in range(4)]
    labels = torch.randint(model.outputs, (batch_size,))
    loss = wrap(Loss(model))
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step(number):
        noise = torch.randn(batch_size, model.latent_units) if model.latent_units else None
        adam.zero_grad(set_to_none=True)
        loss(batches[number % 4], noise, labels).backward()
        adam.step()
    return step


def run(step, seconds):
    """Steps for at least so many seconds, at least two; answers their number and the seconds taken."""
    start, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - start < seconds:
        step(count)
        count += 1
    return count, time.perf_counter() - start


def examine(description):
    try:
        return dict(parameters=sum(parameter.numel() for parameter in twin(description).parameters()))
    except Unsupported as lack:
        return dict(lacks=str(lack))


def serve():
    print(json.dumps(dict(framework=FRAMEWORK, allocator=ALLOCATOR, isa=ISA)), flush=True)
    last, steps = None, {}
    for line in sys.stdin:
        question = json.loads(line)
        if "batchSize" not in question:
            print(json.dumps(examine(question["model"])), flush=True)
            continue
        model = question["model"], question["batchSize"]
        threads = question.get("threads", torch.get_num_threads())
        if model != last:
            steps = {}  # the old model's memory goes before the new one's comes
            steps = {layout: make_step(*model, layout) for layout in LAYOUTS}
        if model != last or threads != torch.get_num_threads():
            last = model
            torch.set_num_threads(threads)
            for step in steps.values():
                run(step, 0.2)
        answer = {}
        for name, step in steps.items():
            times, start = [], time.perf_counter()
            while not times or time.perf_counter() - start < question["seconds"]:
                begin = time.perf_counter()
                step(len(times))
                times.append(time.perf_counter() - begin)
            answer[name] = times
        print(json.dumps(answer), flush=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--serve", action="store_true", help="answer bench")
    arguments.add_argument("--model", default="conv-vae-28", help="a model file, or the name of a preset")
    arguments.add_argument("--batch-size", type=int, default=128)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--seconds", type=float, default=5, help="measured time, without the warm-up")
    arguments.add_argument("--channels-last", action="store_true")
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.serve:
        return serve()

    step = make_step(description(arguments.model), arguments.batch_size, "channels_last" if arguments.channels_last else "nchw")
    run(step, 0.5)
    slices = [run(step, arguments.seconds / SLICES) for _ in range(SLICES)]
    rates = [count * arguments.batch_size / seconds for count, seconds in slices]
    print(json.dumps(dict(
        framework=FRAMEWORK, model=arguments.model, batchSize=arguments.batch_size,
        threads=arguments.threads, channelsLast=arguments.channels_last, allocator=ALLOCATOR,
        samplesPerSecond=round(statistics.median(rates), 1), slowestSlice=round(min(rates), 1),
        fastestSlice=round(max(rates), 1), steps=sum(count for count, _ in slices))))


if __name__ == "__main__":
    main()
