"""Times single passes in PyTorch for `bench kernels --peer torch`, which starts it.

Each line of standard input is a problem as JSON, with the letters of `bench kernels --help` and the seconds to measure;
each line of standard output the seconds of a call in both memory layouts, again and again. A pass is the one call that
autograd would make for it, with one gradient wanted: no activation, no layout changed on the way in or out.
"""
import argparse
import json
import os
import sys
import time

import torch

LAYOUTS = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}


def convolution(p, layout):
    transposed = p["operation"] == "convt"
    x = torch.rand(p["n"], p["c"], p["h"], p["w"]).contiguous(memory_format=layout)
    shape = (p["c"], p["k"]) if transposed else (p["k"], p["c"])
    weight = (torch.rand(*shape, p["r"], p["s"]) - 0.5).contiguous(memory_format=layout)
    bias = torch.rand(p["k"])
    geometry = [p["u"], p["v"]], [p["padHeight"], p["padWidth"]], [1, 1], transposed, [0, 0], 1

    def forward():
        return torch.ops.aten.convolution(x, weight, bias, *geometry)
    dy = torch.rand_like(forward()).contiguous(memory_format=layout)

    def backward(data, filter):
        return torch.ops.aten.convolution_backward(dy, x, weight, [p["k"]], *geometry, [data, filter, filter])
    return {"forward": forward, "backward-data": lambda: backward(True, False),
            "backward-filter": lambda: backward(False, True)}[p["pass"]]


def dense(p):
    x, weight, bias = torch.rand(p["n"], p["c"]), torch.rand(p["k"], p["c"]) - 0.5, torch.rand(p["k"])
    dy = torch.rand(p["n"], p["k"])
    return {"forward": lambda: torch.addmm(bias, x, weight.t()), "backward-data": lambda: dy.mm(weight),
            "backward-weight": lambda: (dy.t().mm(x), dy.sum(0))}[p["pass"]]


def pool(p, layout):
    x = torch.rand(p["n"], p["c"], p["h"], p["w"]).contiguous(memory_format=layout)
    geometry = [p["r"], p["s"]], [p["u"], p["v"]], [p["padHeight"], p["padWidth"]]

    def forward():
        return torch.ops.aten.max_pool2d_with_indices(x, *geometry)
    y, indices = forward()
    dy = torch.rand_like(y).contiguous(memory_format=layout)
    return {"forward": forward, "backward": lambda: torch.ops.aten.max_pool2d_with_indices_backward(
        dy, x, *geometry, [1, 1], False, indices)}[p["pass"]]


def calls(p):
    """The call in each layout."""
    if p["operation"] == "dense":
        return {"rows": dense(p)}
    make = pool if p["operation"] == "pool" else convolution
    return {name: make(p, layout) for name, layout in LAYOUTS.items()}


def measure(call, seconds, shortest=1e-3):
    """Seconds of a call for so many seconds; calls shorter than a millisecond are averaged over one."""
    times, start = [], time.perf_counter()
    while not times or time.perf_counter() - start < seconds:
        begin, count = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - begin) < shortest or not count:
            call()
            count += 1
        times.append(elapsed / count)
    return times


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(arguments.parse_args().threads)
    allocator = os.path.basename(os.environ.get("LD_PRELOAD", "").split(":")[0]) or "glibc"
    print(json.dumps(dict(framework=f"torch-{torch.__version__}", allocator=allocator)), flush=True)
    last, made = None, {}
    for line in sys.stdin:
        problem = json.loads(line)
        seconds = problem.pop("seconds")
        try:
            if problem != last:
                last, made = problem, calls(problem)
                for call in made.values():
                    call()
            answer = {layout: measure(call, seconds) for layout, call in made.items()}
        except (RuntimeError, KeyError) as error:
            last, answer = None, dict(error=str(error).splitlines()[0])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    with torch.no_grad():
        main()
