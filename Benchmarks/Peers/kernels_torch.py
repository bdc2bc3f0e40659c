"""Times single passes in PyTorch for `bench kernels --peer torch`, which starts it.

Each line of standard input is a problem as JSON, with the letters of `bench kernels --help` and the seconds to measure;
each line of standard output the seconds of a call in both memory layouts, again and again. A pass is the one call that
autograd would make for it, with one gradient wanted: no activation, no layout changed on the way in or out.

Padding that differs from side to side is given as a person would write it in PyTorch, see `padding` in layers_torch.py.
Only an even kernel that keeps the size of an image needs rows that are added or cut off, and the time of that counts.
"""
import argparse
import json
import os
import sys
import time

import torch
import torch.nn.functional as F

from layers_torch import Unsupported, padding

LAYOUTS = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}


def convolution(p, layout):
    transposed = p["operation"] == "convt"
    sizes = (p["p"], p["h"], p["q"], p["w"]) if transposed else (p["h"], p["p"], p["w"], p["q"])
    dilation, groups = [p["downDilation"], p["rightDilation"]], p["groups"]
    vertical = padding(sizes[0], sizes[1], (p["r"] - 1) * dilation[0] + 1, p["u"], p["padHeight"])
    horizontal = padding(sizes[2], sizes[3], (p["s"] - 1) * dilation[1] + 1, p["v"], p["padWidth"])
    pad, rest, more = zip(vertical, horizontal)
    outer = [0, more[1], 0, more[0]]
    x = torch.rand(p["n"], p["c"], p["h"], p["w"]).contiguous(memory_format=layout)
    shape = (p["c"], p["k"] // groups) if transposed else (p["k"], p["c"] // groups)
    weight = (torch.rand(*shape, p["r"], p["s"]) - 0.5).contiguous(memory_format=layout)
    bias = torch.rand(p["k"])
    geometry = [p["u"], p["v"]], list(pad), dilation, transposed, list(rest) if transposed else [0, 0], groups

    def pad_far(image, sides=outer):
        return F.pad(image, sides) if any(sides) else image

    def forward():
        y = torch.ops.aten.convolution(x if transposed else pad_far(x), weight, bias, *geometry)
        return y[:, :, :p["p"], :p["q"]]
    y = forward()
    assert y.shape[2:] == (p["p"], p["q"]), f"PyTorch makes {tuple(y.shape[2:])}"
    dy = torch.rand_like(y).contiguous(memory_format=layout)
    padded, padded_dy = (x, pad_far(dy)) if transposed else (pad_far(x), dy)

    def backward(dy, data, filter):
        return torch.ops.aten.convolution_backward(dy, padded, weight, [p["k"]], *geometry, [data, filter, filter])

    def backward_data():
        if transposed:
            return backward(pad_far(dy), True, False)[0]
        return pad_far(backward(dy, True, False)[0], [-side for side in outer])
    # Forward and the data gradient leave behind what the filter gradient reads.
    return {"forward": forward, "backward-data": backward_data,
            "backward-filter": lambda: backward(padded_dy, False, True)}[p["pass"]]


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
    isa = torch.backends.cpu.get_cpu_capability().lower()
    print(json.dumps(dict(framework=f"torch-{torch.__version__}", allocator=allocator, isa=isa)), flush=True)
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
        except (RuntimeError, KeyError, AssertionError, Unsupported) as error:
            last, answer = None, dict(error=str(error).splitlines()[0])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    with torch.no_grad():
        main()
