"""How processes that a launcher has started find each other: torchrun, mpirun of Open MPI or MPICH, or srun."""
import argparse
import datetime
import os
import sys

import torch.distributed as dist

# The variables with the number of a process and how many there are.
LAUNCHERS = [("RANK", "WORLD_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"),
             ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")]


def launched():
    """Rank and number of processes, or None for a process that was started alone."""
    return next(((int(os.environ[rank]), int(os.environ[size])) for rank, size in LAUNCHERS
                 if rank in os.environ and size in os.environ), None)


def join(rank, size, store):
    """Joins the other processes by gloo: where MASTER_ADDR says so (torchrun), else by a file that all can write and that is
    not yet there. GLOO_SOCKET_IFNAME names the network where a host has several."""
    if not (dist.is_available() and dist.is_gloo_available()):
        sys.exit("this PyTorch was built without gloo: install the package torch from PyPI")
    if store is None and "MASTER_ADDR" not in os.environ:
        sys.exit("wanted --store FILE on a disk that all processes share, or MASTER_ADDR and MASTER_PORT as torchrun sets them")
    dist.init_process_group("gloo", init_method=f"file://{store}" if store else "env://", rank=rank, world_size=size,
                            timeout=datetime.timedelta(days=1))


def flags():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--store", help="a file through which the processes meet, on a disk that all of them share")
    return arguments
