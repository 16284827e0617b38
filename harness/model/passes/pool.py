# SPDX-License-Identifier: Apache-2.0
"""Quantisers move above max pools, reshapes and concatenations, which then handle bits: a 32nd of the memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.model.graph import Graph, Node
from harness.model.passes.binarise import quantize
from harness.model.passes.rewrite import Rewrite
from harness.model.passes.threshold import constants, hoist

WORD = 32


def pool_bits(graph: Graph) -> Graph:
    """quantize(max_pool2d(x)) becomes bmaxpool2d(quantize(x)), and quantize(reshape(x)) reshape(quantize(x)).

    A maximum lies below a threshold where all of its inputs do: AND. Where the bit means "not below": OR.
    """
    changed = True
    while changed:
        work = Rewrite(graph)
        changed = any([_move(work, node) for node in graph.nodes if node.op == "quantize"])
        graph = hoist(work.graph()) if changed else graph
    return graph


def _move(work: Rewrite, node: Node) -> bool:
    source = work.producer.get(str(node.inputs[0]))
    if source is None or work.only_reader(source.output) is not node:
        return False
    limit, invert = constants(work, node)
    if source.op == "max_pool2d" and (invert.all() or not invert.any()):
        work.remove(node)
        inner = quantize(work, str(source.inputs[0]), limit, invert, node.name)
        params = {"window": source.params["window"], "any": int(invert.all())}
        work.tensors[node.output] = replace(work.tensors[node.output], dtype="bits")
        work.node("bmaxpool2d", source.name, (inner,), "bits", output=node.output, **params)
        return True
    if source.op == "reshape" and np.all(limit == limit[0]) and (invert.all() or not invert.any()):
        x = work.tensors[str(source.inputs[0])]
        if x.shape[-1] != work.tensors[node.output].shape[-1] and (
            x.shape[-1] % WORD or work.tensors[node.output].shape[-1] % WORD
        ):
            return False
        work.remove(node)
        inner = quantize(work, x.name, limit[:1], invert[:1], node.name)
        work.node(
            "reshape", source.name, (inner,), "bits", shape=work.tensors[node.output].shape, output=node.output
        )
        return True
    return False
