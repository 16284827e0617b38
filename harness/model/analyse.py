# SPDX-License-Identifier: Apache-2.0
"""The verdict on every layer with weights: which kind of kernel can run it, and why not a better one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.model import values
from harness.model.graph import Array, Graph, Node
from harness.model.reasons import REASONS
from harness.model.values import Values

Kind = Literal["binary", "binary01", "kbit", "ternary", "int8", "float"]
ON_BITS: frozenset[Kind] = frozenset({"binary", "binary01", "kbit", "ternary"})
LAYERS = frozenset({"conv2d", "conv2d_transpose", "dense"})
WORD = 32


@dataclass(frozen=True)
class Verdict:
    """What was found about one layer of the float graph.

    Attributes:
        kind: the kernels that will run it.
        bits: bits an activation takes there; 32 for float.
        reason: a code of reasons.py.
        reason_text, remedy: the sentences, filled in.
        activation: the values that arrive, in words.
        weight: how the weights are spread, in words.
        scale: magnitude of the weights of each filter, [O].
    """

    node: Node
    kind: Kind
    bits: int
    reason: str
    reason_text: str
    remedy: str
    activation: str
    weight: str
    arriving: Values
    scale: Array


def verdicts(graph: Graph) -> dict[str, Verdict]:
    """The verdict on every convolution and dense layer, by node name, in the order of the graph."""
    known = values.analyse(graph)
    return {node.name: _verdict(graph, node, known) for node in graph.nodes if node.op in LAYERS}


def _verdict(graph: Graph, node: Node, known: Mapping[str, Values]) -> Verdict:
    x, weight = node.inputs[0], node.inputs[1]
    assert x is not None and weight is not None
    arriving = known[x]
    data = graph.tensors[weight].data
    if data is None:
        spread, scale = "computed", np.zeros(1)
    else:
        spread, scale = values.levels_per_filter(data)
    words = {
        "activation": str(arriving),
        "source": repr(arriving.source),
        "weight": values.as_text(spread, scale),
        "channels": graph.tensors[weight].shape[-1],
    }
    code = _code(graph, node, known, arriving, spread, words)
    kind: Kind = code if code in ("binary", "binary01") else "float"  # type: ignore[assignment]
    reason = REASONS[code]
    return Verdict(
        node,
        kind,
        1 if kind in ON_BITS else 32,
        code,
        reason.sentence.format(**words),
        reason.remedy.format(**words),
        words["activation"],
        words["weight"],
        arriving,
        scale,
    )


def _code(
    graph: Graph, node: Node, known: Mapping[str, Values], arriving: Values, spread: str, words: dict[str, Any]
) -> str:
    if spread == "computed":
        return "weight-computed"
    if not arriving.two_valued:
        if _reads_input(graph, node):
            return "first-layer"
        if spread == "float":
            return "float-layer" if arriving.levels is None else "weight-real"
        if arriving.levels is not None:
            return "activation-levels" if len(arriving.levels) > 1 else "activation-constant"
        blocked = _quantiser_behind(graph, node, known)
        if blocked is not None:
            words["quantiser"], words["between"] = repr(blocked[0]), repr(blocked[1])
            return "op-between"
        return "activation-real"
    if spread != "binary":
        return "weight-real"
    if node.op == "conv2d_transpose":
        return "transposed"
    groups = node.params.get("groups", 1)
    if groups > 1 and words["channels"] % WORD:
        return "depthwise"
    low, high = arriving.levels or (0.0, 0.0)
    if padded(node) and node.params.get("pad_value", 0.0) not in (low, high) and not (low == -high and border(node) == 0):
        return "padding"
    return "binary" if low == -high else "binary01"


def padded(node: Node) -> bool:
    """Whether a window of the layer ever reaches over the edge."""
    window = node.params.get("window", {})
    return any(window.get(f"pad_{side}", 0) for side in ("top", "left", "bottom", "right"))


def border(node: Node) -> float:
    """The value that a window reads outside the image."""
    return float(node.params.get("pad_value", 0.0))


def _reads_input(graph: Graph, node: Node) -> bool:
    """Whether nothing that learns stands between the model's input and this layer."""
    producers = graph.producers()
    pending = [name for name in node.inputs[:1] if name is not None]
    while pending:
        name = pending.pop()
        if name in graph.inputs:
            return True
        producer = producers.get(name)
        if producer is not None and producer.op not in LAYERS:
            pending.extend(name for name in producer.inputs if name is not None)
    return False


def _quantiser_behind(graph: Graph, node: Node, known: Mapping[str, Values]) -> tuple[str, str] | None:
    """(the quantiser, the first node after it that undoes it) on the way back from a layer to the layer before."""
    producers = graph.producers()
    name = node.inputs[0]
    while name is not None and name in producers:
        producer = producers[name]
        if producer.op in LAYERS:
            return None
        for source in producer.inputs:
            if source is not None and graph.tensors[source].data is None and known[source].two_valued:
                return known[source].source, producer.name
        name = next((i for i in producer.inputs if i is not None and graph.tensors[i].data is None), None)
    return None
