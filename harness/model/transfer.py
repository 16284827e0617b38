# SPDX-License-Identifier: Apache-2.0
"""Which values each tensor can take: the abstract interpretation behind every "binary" and every "why not".

One transfer rule an operation carries `values` from the inputs of the graph to its outputs. No rule looks at names or
at what stands around a node: a sign is two-valued because of what it computes, and so is round(clip(x, 0, 1)), and so
is anything else that somebody writes tomorrow. Constants are exact, so quantised weights need no rule of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from harness import abi
from harness.model import exact, reference, ties
from harness.model.graph import Graph, Node, Tensor
from harness.model.pointwise import Pointwise
from harness.model.reference import integer
from harness.model.values import MAX_LEVELS, REAL, Values, of_constant, of_levels, union


@dataclass(frozen=True)
class Scene:
    """What a rule may look at: the graph, and what is known of every tensor before its node."""

    graph: Graph
    known: Mapping[str, Values]

    @cached_property
    def producers(self) -> Mapping[str, Node]:
        return self.graph.producers()

    @cached_property
    def signs(self) -> bool:
        """Whether a sign of the graph asks what numbers are met exactly."""
        return any(is_sign(node) for node in self.graph.nodes)


Rule = Callable[[Node, list[Values], Scene], Values]


def analyse(graph: Graph) -> dict[str, Values]:
    """What every tensor of a graph can hold, by tensor name."""
    found: dict[str, Values] = {}
    scene = Scene(graph, found)
    weights = {node.inputs[1] for node in graph.nodes if RULES[node.op] in (_layer, _real)}
    for name, tensor in graph.tensors.items():
        if tensor.data is not None and tensor.dtype in ("f32", "i8") and name not in weights:
            found[name] = of_constant(tensor)
    for name in graph.inputs:
        found[name] = of_levels(graph.levels[name], name) if name in graph.levels else Values(source=name)
    for node in graph.nodes:
        operands = [found.get(name, REAL) for name in node.inputs if name is not None]
        result = _on_grid(RULES[node.op](node, operands, scene), graph.tensors[node.output])
        found[node.output] = result if result.source else replace(result, source=node.name)
    return found


def _on_grid(found: Values, tensor: Tensor) -> Values:
    """What is left of values that are rounded to the codes of int8. Each code is met more than by chance."""
    if tensor.dtype != "i8":
        return found
    lowest, highest = integer.ends(tensor)
    if found.levels is None:
        lo, hi = max(found.lo, lowest), min(found.hi, highest)
        if not (hi - lo) / tensor.scale < MAX_LEVELS - 1:
            return replace(found, lo=lo, hi=hi, exact=None, whole=False)
        levels = np.arange(np.floor(lo / tensor.scale), np.ceil(hi / tensor.scale) + 1) * tensor.scale
        found = replace(found, levels=tuple(np.clip(levels, lo, hi)))
    held = [integer.decode(integer.encode(np.asarray(each), tensor), tensor) for each in (found.levels, found.rare)]
    return of_levels(held[0], found.source, held[1])


def _layer(node: Node, operands: list[Values], scene: Scene) -> Values:
    lo, hi = float(node.params.get("lo", -np.inf)), float(node.params.get("hi", np.inf))
    return Values(
        lo, hi, None, node.name, exact=exact.of_layer(node, operands[0], scene.graph) if scene.signs else None
    )


def _lookup(node: Node, operands: list[Values], scene: Scene) -> Values:
    x, results = (tensor for tensor in scene.graph.operands(node) if tensor is not None)
    assert results.data is not None
    first, last = (int(integer.encode(np.float32(end), x)) for end in (operands[0].lo, operands[0].hi))
    output = scene.graph.tensors[node.output]
    return of_levels(
        integer.decode(results.data[first - integer.LOWEST : last - integer.LOWEST + 1], output), node.name
    )


def _real(node: Node, operands: list[Values], scene: Scene) -> Values:
    return Values(source=node.name)


def _same(node: Node, operands: list[Values], scene: Scene) -> Values:
    return operands[0]


def _join(node: Node, operands: list[Values], scene: Scene) -> Values:
    return union(operands, node.name)


def _pad(node: Node, operands: list[Values], scene: Scene) -> Values:
    fill = float(node.params.get("value", 0.0))
    return union([operands[0], Values(fill, fill, (fill,), operands[0].source)], node.name)


def _select(node: Node, operands: list[Values], scene: Scene) -> Values:
    condition, a, b = operands
    if condition.levels is not None and 0.0 not in condition.levels:
        return a
    if condition.levels == (0.0,):
        return b
    return union([a, b], node.name)


def _bounded(lo: float, hi: float) -> Rule:
    return lambda node, operands, scene: Values(lo, hi, None, node.name)


def _average(node: Node, operands: list[Values], scene: Scene) -> Values:
    """A mean of real numbers meets by more than chance only the 0 that all of them may be, as after a relu."""
    x = operands[0]
    most = node.params["window"]["kernel_h"] * node.params["window"]["kernel_w"] if node.params.get("sum") else 1
    lo, hi = x.lo, x.hi
    if most > 1 or node.params.get("count_pads"):  # a window may reach over the edge, where nothing is added
        lo, hi = min(lo, lo * most, 0.0), max(hi, hi * most, 0.0)
    return Values(lo, hi, None, node.name, exact=x.exact if x.exact in ((), (0.0,)) else None)


def _dequantize(node: Node, operands: list[Values], scene: Scene) -> Values:
    return of_levels([node.params["zero"], node.params["one"]], node.name)


def _lif(node: Node, operands: list[Values], scene: Scene) -> Values:
    if node.params["emit"] == abi.constant("BNN_EMIT_SPIKE"):
        return of_levels((0.0, 1.0), node.name)
    if node.params["emit"] == abi.constant("BNN_EMIT_COUNT"):
        return Values(0.0, source=node.name, whole=True)
    return Values(source=node.name)


def _map(node: Node, operands: list[Values], scene: Scene) -> Values:
    """Any function of single elements: levels are mapped one by one, an interval by its ends where the function is
    monotone, and then a function with few results (a rounding, a comparison) turns an interval into levels."""
    source, each = node.name, Pointwise(node, scene.graph, operands)
    if all(operands[at].levels is not None for at in each.varying):
        sets = [operands[at].levels or () for at in each.varying]
        if np.prod([len(levels) for levels in sets], dtype=np.int64) <= MAX_LEVELS:
            beyond = [(*(operands[at].levels or ()), *operands[at].rare) for at in each.varying]
            return of_levels(each.evaluate(sets), source, each.evaluate(beyond))
    ends = each.ends()
    if node.op == "step" or each.compares:
        if ends is not None and ends.lo == ends.hi:
            return of_levels([ends.lo], source)
        return of_levels((0.0, 1.0) if node.op == "arith" else (node.params["low"], node.params["high"]), source)
    if ends is None:
        return Values(source=source)
    whole = node.op == "unary" and node.params["kind"] in reference.INTEGER_KINDS
    whole = whole or (node.op == "clamp" and operands[0].whole)
    if whole and ends.hi - ends.lo < MAX_LEVELS:
        levels = np.unique([ends.lo, *np.arange(np.ceil(ends.lo), np.floor(ends.hi) + 1), ends.hi])
        if is_sign(node) and not _may_be_zero(node, operands[0], scene):
            return of_levels(levels[levels != 0], source, [0.0])
        return of_levels(levels, source)
    asked = scene.signs and not whole
    return replace(ends, source=source, exact=exact.of_pointwise(each, scene.producers) if asked else None, whole=whole)


def is_sign(node: Node) -> bool:
    """Whether a node is a sign of three values."""
    return node.op == "unary" and node.params["kind"] == abi.constant("BNN_SIGN")


def _may_be_zero(node: Node, operand: Values, scene: Scene) -> bool:
    """Whether a sign meets 0 more often than by chance."""
    lands = ties.lands_on_zero(scene.graph, node, scene.known)
    return lands if lands is not None else operand.exact is None or 0.0 in operand.exact


RULES: Mapping[str, Rule] = {
    "conv2d": _layer,
    "conv2d_transpose": _layer,
    "dense": _layer,
    "bconv2d": _real,
    "bdepthwise2d": _real,
    "quantize": _real,
    "arith": _map,
    "unary": _map,
    "clamp": _map,
    "affine": _map,
    "step": _map,
    "prelu": _map,
    "select": _select,
    "reshape": _same,
    "transpose": _same,
    "slice": _same,
    "max_pool2d": _same,
    "bmaxpool2d": _same,
    "concat": _join,
    "pad": _pad,
    "avg_pool2d": _average,
    "mean": _average,
    "softmax": _bounded(0.0, 1.0),
    "dequantize": _dequantize,
    "lif": _lif,
    "convert": _same,
    "lookup": _lookup,
}
