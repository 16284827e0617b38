# SPDX-License-Identifier: Apache-2.0
"""The verdict on every layer with weights: which kind of kernel can run it, and why not a better one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness import abi
from harness.model import transfer, values
from harness.model.graph import Array, Graph, Node
from harness.model.reasons import REASONS
from harness.model.reference import integer
from harness.model.spread import Spread, spread_of
from harness.model.values import Grid, Values

Kind = Literal["binary", "binary01", "kbit", "ternary", "int8", "float"]
ON_BITS: frozenset[Kind] = frozenset({"binary", "binary01", "kbit", "ternary"})
_KINDS: dict[str, Kind] = {**{kind: kind for kind in ON_BITS}, "ternary-sign": "ternary"}
PACKED = frozenset({"bconv2d", "bdepthwise2d"})
LAYERS = frozenset({"conv2d", "conv2d_transpose", "dense"})
WORD = 32
MAX_PLANE_PAIRS = 8
"""More passes of the bit kernel than this are no faster than float."""
MIN_GROUP = 8
"""A group of fewer channels wastes more than three quarters of each word."""


@dataclass(frozen=True)
class Verdict:
    """What was found about one layer of the float graph.

    Attributes:
        kind: the kernels that will run it.
        bits: bits an activation takes there; 8 for int8, 32 for float.
        reason: a code of reasons.py.
        reason_text, remedy: the sentences, filled in.
        activation: the values that arrive, in words.
        weight: how the weights are spread, in words.
        arriving, spread: the same, for the passes.
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
    spread: Spread


def verdicts(graph: Graph) -> dict[str, Verdict]:
    """The verdict on every convolution and dense layer, by node name, in the order of the graph."""
    known = transfer.analyse(graph)
    found = {}
    for node in graph.nodes:
        if node.op in LAYERS:
            found[node.name] = _verdict(graph, node, known)
        elif node.op in PACKED:
            found[node.name] = _packed(graph, node)
    return found


def _packed(graph: Graph, node: Node) -> Verdict:
    """A layer of a `.bnn` file, which is what it is. Whether its bits meant ±1 or {0, 1} is in its multiplier now."""
    planes = [graph.tensors[str(name)].planes for name in node.inputs[:2]]
    kind: Kind = "binary" if planes == [1, 1] else "kbit"
    text = REASONS["packed"].sentence
    words = [f"{count} bit plane{'s' if count > 1 else ''}" for count in planes]
    nothing = Spread(0, np.zeros(1), np.ones(1))
    return Verdict(node, kind, planes[0], "packed", text, "", words[0], words[1], values.REAL, nothing)


def _verdict(graph: Graph, node: Node, known: Mapping[str, Values]) -> Verdict:
    x, weight = node.inputs[0], node.inputs[1]
    assert x is not None
    assert weight is not None
    arriving = known[x]
    data = integer.weights(graph.tensors, node)
    spread = spread_of(graph.tensors[weight]) if data is not None else Spread(0, np.zeros(1), np.ones(1))
    grid = arriving.grid
    if grid is None and data is not None and spread.count and _few_by_chance(spread, data):
        spread = Spread(0, spread.centre, spread.scale)
    planes = (grid.planes if grid else 1) * (spread.grid.planes if spread.count else 1)
    words: dict[str, Any] = {
        "activation": str(arriving),
        "source": repr(arriving.source),
        "weight": str(spread) if data is not None else "computed",
        "channels": graph.tensors[weight].shape[-1],
        "planes": planes,
    }
    code = "weight-computed" if data is None else _code(graph, node, known, arriving, spread, words)
    coded = graph.tensors[x].dtype == "i8"
    if coded and code in ("first-layer", "float-layer"):
        code = "int8"
    kind = _KINDS.get(code, "int8" if coded else "float")
    reason = REASONS[code]
    return Verdict(
        node,
        kind,
        grid.planes if grid and kind in ON_BITS else 8 if coded else 32,
        code,
        reason.sentence.format(**words),
        reason.remedy.format(**words),
        words["activation"],
        words["weight"],
        arriving,
        spread,
    )


def _few_by_chance(spread: Spread, kernel: Array) -> bool:
    """Whether filters have two values each because they have no more than two weights, and not the same two."""
    return kernel[0].size <= 2 and not all(np.all(part == part[0]) for part in (spread.scale, spread.centre))


def _code(
    graph: Graph, node: Node, known: Mapping[str, Values], arriving: Values, spread: Spread, words: dict[str, Any]
) -> str:
    grid = arriving.grid
    if grid is None or words["planes"] > MAX_PLANE_PAIRS:
        if _reads_input(graph, node):
            return "first-layer"
        if arriving.levels is not None:
            if not spread.count:
                return "weight-real"
            return "activation-levels" if len(arriving.levels) > 1 else "activation-constant"
        if not spread.count:
            return "float-layer"
        blocked = _quantiser_behind(graph, node, known)
        if blocked is not None:
            words["quantiser"], words["between"] = blocked
            return "op-between"
        return "activation-real"
    if not spread.count:
        return "weight-real"
    blocked_by = _misfit(graph, node, arriving, grid, spread, words["channels"])
    if blocked_by is not None:
        return blocked_by
    counts = {grid.count, spread.count}
    if counts == {2}:
        return "binary" if grid.lo == -grid.hi and spread.symmetric else "binary01"
    if max(counts) > 3:
        return "kbit"
    sign = _sign_behind(graph, node, known) if grid.count == 3 else None
    words["quantiser"] = repr(sign)
    return "ternary" if sign is None else "ternary-sign"


def _misfit(graph: Graph, node: Node, arriving: Values, grid: Grid, spread: Spread, channels: int) -> str | None:
    """Why a layer whose values fit the bit kernels cannot run on them, if it cannot."""
    outside = padded(node) or node.op == "conv2d_transpose"
    if outside and border(node) not in (grid.lo, grid.hi) and not masked(node, grid) and not filled(node, arriving):
        return "padding"
    if node.op == "conv2d_transpose":
        return None if phases(node) and spread.symmetric else "transposed"
    groups = node.params.get("groups", 1)
    if depthwise(graph, node) and grid.planes * spread.grid.planes == 1 and spread.symmetric:
        return None
    if groups > 1 and channels % WORD and (channels % 2 or channels < MIN_GROUP or not spread.symmetric):
        return "groups"
    return None


def depthwise(graph: Graph, node: Node) -> bool:
    """Whether each channel has filters of its own: one, or several."""
    filters, channels = graph.tensors[node.output].shape[-1], graph.tensors[str(node.inputs[0])].shape[-1]
    most = channels * abi.ops()["concat"].max_inputs
    return node.op == "conv2d" and node.params.get("groups", 1) == channels > 1 and filters <= most


def masked(node: Node, grid: Grid) -> bool:
    """Whether the padding of a layer is left out of its sums: zeros between two values that lie around zero."""
    return border(node) == 0 and grid.lo == -grid.hi and (grid.unary or grid.count == 1 << grid.planes)


def filled(node: Node, arriving: Values) -> bool:
    """Whether the padding of a layer is a value amid its levels, which has bits like any other."""
    return node.op == "conv2d" and border(node) in (arriving.levels or ())


def phases(node: Node) -> bool:
    """Whether a transposed convolution is a set of plain ones, one for each place between the strides."""
    window = node.params["window"]
    splits = all(
        window[f"dilation_{axis}"] == 1 and window[f"kernel_{axis}"] >= window[f"stride_{axis}"] for axis in "hw"
    )
    return splits and node.params.get("groups", 1) == 1


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


def _called(node: Node) -> str:
    """The name of a node; with its class where the name alone says nothing of what it is."""
    plain = not node.layer or node.layer.lower() in node.name.lower().replace("_", "")
    return repr(node.name) if plain else f"{node.name!r} ({node.layer})"


def _sign_behind(graph: Graph, node: Node, known: Mapping[str, Values]) -> str | None:
    """The sign of real numbers that gives a layer three values, if one does."""
    producers = graph.producers()
    producer = producers.get(str(node.inputs[0]))
    while producer is not None and producer.op not in LAYERS:
        sources = [name for name in producer.inputs if name is not None and graph.tensors[name].data is None]
        if len(sources) != 1:
            return None
        if transfer.is_sign(producer) and known[sources[0]].levels is None:
            return producer.name
        producer = producers.get(sources[0])
    return None


def _quantiser_behind(graph: Graph, node: Node, known: Mapping[str, Values]) -> tuple[str, str] | None:
    """(the quantiser, the first node after it that undoes it), as a sentence calls them, between a layer and the one
    before."""
    producers = graph.producers()
    name = node.inputs[0]
    while name is not None and name in producers:
        producer = producers[name]
        if producer.op in LAYERS:
            return None
        for source in producer.inputs:
            if source is not None and graph.tensors[source].data is None and known[source].two_valued:
                return repr(known[source].source), _called(producer)
        name = next((i for i in producer.inputs if i is not None and graph.tensors[i].data is None), None)
    return None
