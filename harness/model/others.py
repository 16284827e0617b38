# SPDX-License-Identifier: Apache-2.0
"""What other tools make of the same net: the differences that users stumble over.

Larq Compute Engine's converter binarises what matches its patterns (`larq_compute_engine/mlir/transforms/
prepare_patterns_common.td`): a dense or grouped Conv2D whose input is exactly ±1 and whose filters are ±s. It knows no
{0, 1}, no dense, depthwise or transposed layers. Its pattern Sign(Sign(x) + c) accepts any c, so a ternary quantiser
becomes a binary one, and the outputs are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from harness import abi
from harness.model.analyse import LAYERS, ON_BITS, WORD, Verdict, depthwise
from harness.model.graph import FLOAT_BITS, Graph, Node

Outcome = Literal["binary", "float", "wrong"]


def lce(graph: Graph, verdicts: Mapping[str, Verdict]) -> dict[str, Outcome]:
    """What the LCE converter does with each layer, by name; for one of its own files, what it did."""
    if any(node.layer.startswith("Lce") for node in graph.nodes):
        return {name: "binary" if verdict.node.layer == "LceBconv2d" else "float" for name, verdict in verdicts.items()}
    return {name: _lce(graph, verdict) for name, verdict in verdicts.items() if verdict.node.op in LAYERS}


def _lce(graph: Graph, verdict: Verdict) -> Outcome:
    node, grid = verdict.node, verdict.arriving.grid
    if node.op != "conv2d" or depthwise(graph, node) or not verdict.spread.symmetric or verdict.spread.count != 2:
        return "float"
    groups = node.params.get("groups", 1)
    if groups > 1 and graph.tensors[str(node.inputs[1])].shape[-1] % WORD:
        return "float"
    if grid is None or grid.lo != -1 or grid.hi != 1 or _reshaped(graph, node):
        return "float"
    if grid.count == 2:
        return "binary"
    return "wrong" if grid.count == 3 and _sign_of_signs(graph, node) else "float"


def _reshaped(graph: Graph, node: Node) -> bool:
    """Whether a reshape stands between the quantiser and the layer, as in a convolution of one dimension."""
    producer = graph.producers().get(str(node.inputs[0]))
    return producer is not None and producer.op == "reshape"


def _sign_of_signs(graph: Graph, node: Node) -> bool:
    """Whether a layer's input is Sign(Sign(x) + c)."""
    producers = graph.producers()

    def made_by(name: str | None, op: str, kind: str) -> Node | None:
        producer = producers.get(name or "")
        fits = producer is not None and producer.op == op and producer.params["kind"] == abi.constant(f"BNN_{kind}")
        return producer if fits else None

    outer = made_by(node.inputs[0], "unary", "SIGN")
    total = made_by(outer.inputs[0], "arith", "ADD") if outer else None
    return total is not None and any(made_by(name, "unary", "SIGN") for name in total.inputs)


def sentence(outcomes: Mapping[str, Outcome], verdicts: Mapping[str, Verdict]) -> str:
    """The difference in one line; empty where there is none."""
    ours = [name for name, verdict in verdicts.items() if verdict.kind in ON_BITS and name in outcomes]
    theirs = [name for name, outcome in outcomes.items() if outcome == "binary"]
    wrong = [name for name, outcome in outcomes.items() if outcome == "wrong"]
    if len(theirs) + len(wrong) >= len(ours) and not wrong:
        return ""
    missed = [name for name in ours if outcomes[name] == "float"]
    several = f"would make {len(theirs) or 'none'} of these {len(ours)} layers binary"
    told = several if len(ours) > 1 else f"would not make {ours[0]!r} binary"
    parts = [f"LCE's converter {told}" + (" without changing what comes out" if wrong else "")]
    if missed:
        parts.append(f"it knows no {' and no '.join(sorted({_missed(verdicts[name]) for name in missed}))}")
    if wrong:
        whose = "the ternary input" if len(ours) == 1 else f"the ternary inputs of {len(wrong)}"
        parts.append(f"it would take {whose} for ±1, and the outputs would be wrong")
    return "; ".join(parts) + "."


def larq(graph: Graph, layers: Mapping[str, tuple[int, int]], taken: int, share: float) -> str:
    """What larq's summary says of a net, and what is true, in one line; empty where the file names no quantisers.

    It multiplies each kernel by the precision of its quantiser, counts two numbers a channel for a batch norm and one
    for a PReLU, and calls the MACs of a layer binary where both of its quantisers say one bit (`larq/models.py`).

    Args:
        layers: (MACs, weights of the kernel) by layer.
        taken, share: the bytes that their parameters take, and how much of their MACs runs on bits.
    """
    if not graph.claims:
        return ""
    bits = size = binary = total = 0
    for name, (macs, weights) in layers.items():
        claim = graph.claims.get(name) or graph.claims.get(name.rpartition("/")[0], (FLOAT_BITS, FLOAT_BITS))
        bits += weights * claim[1]
        total += macs
        binary += macs if claim == (1, 1) else 0
    for node in graph.nodes:
        counted = node.layer == "BatchNormalization" or node.op == "prelu"
        others = node.inputs[2:] if node.name in layers else node.inputs if counted else ()
        size += sum(
            graph.tensors[name].elements * 4 for name in others if name and graph.tensors[name].data is not None
        )
    said = f"larq's summary says {bits // 8 + size:,} bytes and {binary / max(total, 1):.1%} binary MACs"
    return f"{said}; here it is {taken:,} bytes, and {share:.1%} of the MACs run on bits."


def _missed(verdict: Verdict) -> str:
    """What about a layer LCE does not know."""
    if verdict.node.op == "dense":
        return "dense layers"
    if verdict.node.op == "conv2d_transpose":
        return "transposed convolutions"
    if verdict.kind in ("kbit", "ternary"):
        return f"{verdict.activation} activations with weights {verdict.weight}"
    if verdict.kind == "binary01" or verdict.activation != "±1":
        return f"{verdict.activation} activations"
    return (
        "depthwise layers and no narrow groups"
        if verdict.node.params.get("groups", 1) > 1
        else "one-dimensional convolutions"
    )
