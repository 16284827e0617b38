# SPDX-License-Identifier: Apache-2.0
"""Straight-through estimators leave (a - b) + b in an exported graph. Their gradient is gone; a is what is computed."""

from __future__ import annotations

import numpy as np

from harness import abi
from harness.model.graph import Graph, Node
from harness.model.passes.rewrite import Rewrite


def straighten(graph: Graph) -> Graph:
    """Replaces (a - b) + b and (a + b) - b by a, which they equal up to rounding."""
    work = Rewrite(graph)
    add, sub = abi.constant("BNN_ADD"), abi.constant("BNN_SUB")
    for node in graph.nodes:
        if node.op != "arith" or node.output in graph.outputs:
            continue
        source = None
        if _is(node, add):
            source = _undone(work, node.inputs, sub) or _undone(work, node.inputs[::-1], sub)
        elif _is(node, sub):
            source = _undone(work, node.inputs, add)
        if source is not None and work.tensors[source].shape == work.tensors[node.output].shape:
            work.remove(node)
            work.redirect(node.output, source)
    return work.graph()


def _is(node: Node, kind: int) -> bool:
    clamps = any(np.isfinite(node.params.get(end, np.inf)) for end in ("lo", "hi"))
    return node.op == "arith" and node.params["kind"] == kind and not clamps


def _undone(work: Rewrite, inputs: tuple[str | None, ...], kind: int) -> str | None:
    """`a` where the first input is a combined with the second one by an operation that the node takes back."""
    inner, outer = work.producer.get(str(inputs[0])), inputs[1]
    if inner is None or not _is(inner, kind):
        return None
    if inner.inputs[1] == outer:
        return inner.inputs[0]
    if kind == abi.constant("BNN_ADD") and inner.inputs[0] == outer:
        return inner.inputs[1]
    return None
