#!/usr/bin/env python3
"""Runs the node tests of the `onnx` package through the C library: all tests of operators that the library has calls for.
Prints how many gave the expected numbers, and what the library cannot express of the others, with the reason.
  onnx_nodes.py libhourglass_kernels.so
"""
import sys
import warnings
from collections import defaultdict

import numpy as np

import kernels as k
import node_resampling as r
import node_values as v
import node_windows as w
from nodes import Inexpressible, need

warnings.filterwarnings("ignore")

OPERATORS = {
    "Relu": v.fixed(k.RELU), "Sigmoid": v.fixed(k.SIGMOID), "Tanh": v.fixed(k.TANH), "Softplus": v.fixed(k.SOFTPLUS),
    "Elu": v.fixed(k.ELU, alpha=1.0), "Selu": v.fixed(k.SELU, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875),
    "Gelu": v.fixed(k.GELU, approximate="none"), "Mish": v.fixed(k.MISH), "Swish": v.fixed(k.SILU, alpha=1.0),
    "HardSigmoid": v.fixed(k.HARD_SIGMOID, alpha=(1 / 6, 0.2), beta=0.5), "HardSwish": v.fixed(k.HARD_SWISH),
    "LeakyRelu": v.leaky, "Clip": v.clip, "PRelu": v.prelu, "Softmax": v.softmax, "Conv": w.convolution, "ConvTranspose": w.transposed,
    "MaxPool": w.max_pool, "MaxUnpool": w.max_unpool, "AveragePool": r.average_pool, "GlobalAveragePool": r.global_average_pool,
    "GlobalMaxPool": r.global_max_pool, "Pad": r.pad, "Resize": r.resize, "Upsample": r.upsample, "Transpose": v.transpose,
    "DepthToSpace": v.depth_to_space, "SpaceToDepth": v.space_to_depth, "GroupNormalization": v.group_norm,
    "InstanceNormalization": v.instance_norm, "BatchNormalization": v.batch_norm, "LayerNormalization": v.layer_norm,
    "Gemm": v.gemm, "MatMul": v.matmul, "Add": v.add, "Sum": v.add, "Concat": v.concat, "Split": v.split,
    "SoftmaxCrossEntropyLoss": v.cross_entropy, "Adam": v.optimiser(v.adam), "Adagrad": v.optimiser(v.adagrad),
    "Momentum": v.optimiser(v.momentum), "ArgMin": v.argmin, "ReduceSumSquare": v.sum_of_squares, "Dropout": v.dropout,
}


def main():
    from onnx import helper
    from onnx.backend.test.case.node import collect_testcases
    k.library = k.Library(sys.argv[1])
    right, wrong, reasons = 0, [], defaultdict(list)
    for case in collect_testcases(None):
        nodes = case.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in OPERATORS or nodes[0].domain not in ("", "ai.onnx.preview.training"):
            continue
        node = nodes[0]
        attributes = {"num_outputs": len(node.output)}
        attributes |= {a.name: helper.get_attribute_value(a) for a in node.attribute}
        attributes = {name: a.decode() if isinstance(a, bytes) else a for name, a in attributes.items()}
        for given, expected in case.data_sets:
            given = iter([np.asarray(g) if not isinstance(g, list) else g for g in given])
            inputs = [next(given) if name else None for name in node.input]
            try:
                found = OPERATORS[node.op_type](inputs, attributes)
                need(len(found) >= len(node.output), "an output that the library does not write")
                found = [f for f, name in zip(found, node.output) if name]
                for f, e in zip(found, expected, strict=True):
                    np.testing.assert_allclose(f, e, case.rtol, max(case.atol, 1e-7))
                right += 1
            except (Inexpressible, k.Refused) as reason:
                reasons[f"{node.op_type}: {reason}"].append(case.name)
            except Exception as error:
                wrong.append(f"{case.name}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    others = sum(map(len, reasons.values()))
    for reason in sorted(reasons):
        print(f"  {len(reasons[reason]):3} {reason}")
    for line in wrong:
        print(f"WRONG {line}")
    print(f"onnx node tests: {right} of {right + len(wrong)} right; {others} that the library cannot express, for the"
          " reasons above")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
