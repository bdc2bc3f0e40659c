"""All-reduce of vectors of floats by gloo, as PyTorch calls it: the peer of `bench exchange`.

  mpirun -n 4 python allreduce_torch.py --store FILE ROUNDS FLOATS...

or under torchrun, without --store; prints one line of JSON: for each number of floats the seconds of each round at rank 0.
"""
import json
import os
import sys
import time

import torch
import torch.distributed as dist

from group import flags, join, launched


def seconds(floats):
    x = torch.rand(floats)
    dist.barrier()
    start = time.perf_counter()
    dist.all_reduce(x)
    return time.perf_counter() - start


def main():
    arguments = flags()
    arguments.add_argument("rounds", type=int)
    arguments.add_argument("floats", type=int, nargs="+")
    arguments = arguments.parse_args()
    if not launched():
        sys.exit("wanted processes that mpirun, srun or torchrun has started, found one alone")
    rank, size = launched()
    torch.set_num_threads(1)
    join(rank, size, arguments.store)
    # Two rounds open the connections.
    times = [[seconds(floats) for _ in range(arguments.rounds + 2)][2:] for floats in arguments.floats]
    if rank == 0:
        print(json.dumps(times), flush=True)
    dist.barrier()
    # gloo's threads, where one still runs, end the process with a signal.
    os._exit(0)


if __name__ == "__main__":
    main()
