"""Steps of PyTorch's DistributedDataParallel over gloo: processes of one thread, each with its share of a minibatch.

  python train_torch_ddp.py --processes 1 2 4

answers `bench scaling --peer torch`, which starts it: a JSON line with model file, batch size, processes and seconds comes in,
one with the seconds of each step in both memory layouts goes out, again and again. This process is rank 0; the others
wait for it on pipes, so that whoever does not take part sleeps.
"""
import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from train_torch import ALLOCATOR, FRAMEWORK, ISA, LAYOUTS, make_step

WARM_UP = 5


def join(rank, sizes, store):
    """Meets the other ranks; answers a group of ranks for each of the sizes."""
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=max(sizes))
    return {size: dist.new_group(list(range(size))) for size in sizes}


def measure(question, rank, groups):
    """Seconds of the steps in each layout. Every rank of the group is here at the same time."""
    return {layout: measure_layout(layout, question, rank, groups[question["processes"]]) for layout in LAYOUTS}


def measure_layout(layout, question, rank, group):
    size, batch_size = question["processes"], question["batchSize"]
    share = batch_size * (rank + 1) // size - batch_size * rank // size
    step = make_step(question["model"], share, layout, lambda loss: DistributedDataParallel(
        loss, process_group=group, gradient_as_bucket_view=True))

    def timed(count):
        times = []
        for number in range(count):
            begin = time.perf_counter()
            step(number)
            times.append(time.perf_counter() - begin)
        return times

    # As many steps for all as rank 0 thinks fit.
    warm = statistics.median(timed(WARM_UP))
    count = torch.tensor(max(2, round(question["seconds"] / warm)))
    dist.broadcast(count, 0, group=group)
    return timed(int(count))


def follow(rank, sizes, store, questions):
    groups = join(rank, sizes, store)
    try:
        while True:
            measure(questions.recv(), rank, groups)
    except EOFError:
        pass  # rank 0 has ended


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--processes", type=int, nargs="+", required=True, help="numbers of them to be asked for")
    sizes = arguments.parse_args().processes
    if not (dist.is_available() and dist.is_gloo_available()):
        sys.exit("this PyTorch was built without gloo: install the package torch from PyPI")

    with tempfile.TemporaryDirectory() as folder:
        store = os.path.join(folder, "store")
        context = multiprocessing.get_context("spawn")
        pipes = []
        for rank in range(1, max(sizes)):
            theirs, ours = context.Pipe(duplex=False)
            context.Process(target=follow, args=(rank, sizes, store, theirs), daemon=True).start()
            theirs.close()
            pipes.append(ours)
        groups = join(0, sizes, store)
        print(json.dumps(dict(framework=FRAMEWORK, allocator=ALLOCATOR, isa=ISA)), flush=True)
        for line in sys.stdin:
            question = json.loads(line)
            for pipe in pipes[:question["processes"] - 1]:
                pipe.send(question)
            print(json.dumps(measure(question, 0, groups)), flush=True)


if __name__ == "__main__":
    main()
