"""Steps of PyTorch's DistributedDataParallel over gloo: processes with a few threads, each with its share of a minibatch.

  torchrun --nproc-per-node 4 train_torch_ddp.py --model conv-vae-28 --batch-size 128 --seconds 5
  mpirun -n 4 python train_torch_ddp.py --store FILE --model conv-vae-28

prints one line of JSON: the seconds of each step in both memory layouts, and the samples a second of the faster one.

  python train_torch_ddp.py --processes 1 2 4

answers `bench scaling --peer torch`, which starts it, alone or by mpirun: a JSON line with model file, batch size, processes
and seconds comes in, one with the seconds of each step in both memory layouts goes out, again and again. Rank 0 reads and
answers; alone it starts the other ranks itself. They wait asleep.
"""
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

from group import flags, join, launched
from models_torch import description
from train_torch import ALLOCATOR, FRAMEWORK, ISA, LAYOUTS, make_step

WARM_UP = 5


def measure(question, rank, group):
    """Seconds of the steps in each layout. Every rank of the group is here at the same time."""
    return {layout: measure_layout(layout, question, rank, group) for layout in LAYOUTS}


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


def serve(rank, size, store, sizes, threads):
    """Takes part in what rank 0 reads."""
    torch.set_num_threads(threads)
    join(rank, size, store)
    groups = {size: dist.new_group(list(range(size))) for size in sizes}
    if rank == 0:
        print(json.dumps(dict(framework=FRAMEWORK, allocator=ALLOCATOR, isa=ISA)), flush=True)
    while True:
        line = [sys.stdin.readline() if rank == 0 else None]
        dist.broadcast_object_list(line, 0)
        if not line[0]:
            return
        question = json.loads(line[0])
        if rank < question["processes"]:
            answer = measure(question, rank, groups[question["processes"]])
            if rank == 0:
                print(json.dumps(answer), flush=True)


def serve_alone(sizes, threads):
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with tempfile.TemporaryDirectory() as folder:
        store = os.path.join(folder, "store")
        context = multiprocessing.get_context("spawn")
        others = [context.Process(target=serve, args=(rank, max(sizes), store, sizes, threads), daemon=True)
                  for rank in range(1, max(sizes))]
        for process in others:
            process.start()
        serve(0, max(sizes), store, sizes, threads)
        for process in others:
            process.join()


def main():
    arguments = flags()
    arguments.add_argument("--processes", type=int, nargs="+", help="answer bench, for these numbers of processes")
    arguments.add_argument("--model", default="conv-vae-28", help="a model file, or the name of a preset")
    arguments.add_argument("--batch-size", type=int, default=128, help="samples of a minibatch over all processes")
    arguments.add_argument("--threads", type=int, default=1, help="of each process")
    arguments.add_argument("--seconds", type=float, default=5, help="measured time in each layout, without the warm-up")
    arguments = arguments.parse_args()
    if arguments.processes and not launched():
        return serve_alone(arguments.processes, arguments.threads)
    if not launched():
        sys.exit("wanted processes that mpirun, srun or torchrun has started, found one alone")
    rank, size = launched()
    if arguments.processes:
        return serve(rank, size, arguments.store, arguments.processes, arguments.threads)
    torch.set_num_threads(arguments.threads)
    join(rank, size, arguments.store)
    question = dict(model=description(arguments.model), batchSize=arguments.batch_size, processes=size, seconds=arguments.seconds)
    times = measure(question, rank, dist.group.WORLD)
    if rank == 0:
        best = min(statistics.median(seconds) for seconds in times.values())
        print(json.dumps(dict(
            framework=FRAMEWORK, model=arguments.model, batchSize=arguments.batch_size, processes=size, threads=arguments.threads,
            allocator=ALLOCATOR, samplesPerSecond=round(arguments.batch_size / best, 1), seconds=times)), flush=True)


if __name__ == "__main__":
    main()
