# SPDX-License-Identifier: Apache-2.0
"""Quantisers move above max pools, reshapes and concatenations, which then handle bits: a 32nd of the memory."""

from __future__ import annotations

import numpy as np

from harness import abi
from harness.model.graph import Graph, Node
from harness.model.passes.rewrite import Rewrite
from harness.model.passes.threshold import constants, hoist, move

WORD = 32


def pool_bits(graph: Graph) -> Graph:
    """quantize(max_pool2d(x)) becomes bmaxpool2d(quantize(x)), and quantize(reshape(x)) reshape(quantize(x)).

    A maximum lies below a threshold where all of its inputs do: AND. Where the bit means "not below": OR. The planes of
    a k-bit number are no thresholds, so such a number is pooled before it is quantised.
    """
    changed = True
    while changed:
        work = Rewrite(graph)
        changed = False
        for node in graph.nodes:
            changed |= node.op == "quantize" and _move(work, node)
        graph = hoist(work.graph()) if changed else graph
    return graph


def _move(work: Rewrite, node: Node) -> bool:
    source = work.producer.get(str(node.inputs[0]))
    if source is None or work.only_reader(source.output) is not node:
        return False
    limits, invert = constants(work, node)
    before, after = work.tensors[str(source.inputs[0])], work.tensors[node.output]
    uniform = bool(invert.all() or not invert.any())
    if source.op == "max_pool2d" and uniform:
        if after.planes > 1 and node.params.get("code", 0) == abi.constant("BNN_CODE_BINARY"):
            return False
        params = {"window": source.params["window"], "any": int(invert.all())}
    elif source.op == "reshape" and uniform and np.all(limits == limits[:, :1]):
        whole = before.shape[-1] % WORD == 0 and after.shape[-1] % WORD == 0 and after.planes == 1
        if not before.shape or (before.shape[-1] != after.shape[-1] and not whole):
            return False
        limits, invert, params = limits[:, :1], invert[:1], {}
    else:
        return False
    work.remove(node)
    inner = move(work, node, before.name, limits, invert)
    op = "bmaxpool2d" if source.op == "max_pool2d" else "reshape"
    work.node(op, source.name, (inner,), "bits", after.shape, node.output, planes=after.planes, **params)
    return True
