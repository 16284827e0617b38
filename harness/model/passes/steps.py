# SPDX-License-Identifier: Apache-2.0
"""Quantisers that branch: `y[x >= 0] = 1; y[x < 0] = -1`, or `s = sign(x); s[s == 0] = 1`.

Their nodes read one tensor on several ways, and looked at one by one they give more values than they do together. So
the numbers are taken apart where the nodes branch; where each part gives one value, and the values change once, the
nodes are a step.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness import abi
from harness.model import reference, transfer
from harness.model.graph import Graph, Node
from harness.model.passes.chain import ELEMENTWISE
from harness.model.passes.rewrite import Rewrite
from harness.model.values import REAL, Values, of_levels

MAX_NODES = 16
MAX_PARTS = 64
TINY = float(np.finfo(np.float32).tiny)
"""The smallest number that the runtime tells from 0."""


@dataclass(frozen=True)
class Step:
    """`high` where the tensor `root` reaches the threshold, `low` elsewhere."""

    root: str
    threshold: float
    low: float
    high: float


def recognise(graph: Graph) -> Graph:
    """Replaces nodes that branch and join again by the step of one tensor that they are, where they are one."""
    work = Rewrite(graph)
    joins = [node for node in graph.nodes if node.op in ("arith", "select") and len(set(work.varying(node))) > 1]
    if not joins:
        return graph
    known = transfer.analyse(graph)
    places = {node.output: at for at, node in enumerate(graph.nodes)}
    for node in joins:
        found = _step(work, known, places, node)
        if found is not None:
            work.remove(node)
            work.node(
                "step",
                node.name,
                (found.root,),
                output=node.output,
                layer=node.layer,
                threshold=found.threshold,
                low=found.low,
                high=found.high,
            )
    return work.graph()


def _step(work: Rewrite, known: Mapping[str, Values], places: Mapping[str, int], node: Node) -> Step | None:
    """The step that ends in a node: of the nearest tensor that everything comes from, or of one before that."""
    region, frontier = [node], set(work.varying(node))
    while len(region) <= MAX_NODES:
        if len(frontier) == 1:
            (root,) = frontier
            same = work.tensors[root].shape == work.tensors[node.output].shape and work.tensors[root].dtype == "f32"
            found = _switch(_parts(work, known, region, root), region[::-1], known, work, root) if same else None
            if found is not None:
                return found
        latest = max(frontier, key=lambda name: places.get(name, -1))
        producer = work.producer.get(latest)
        if producer is None or producer.op not in ELEMENTWISE or work.tensors[latest].dtype != "f32":
            return None
        frontier.remove(latest)
        frontier.update(work.varying(producer))
        region.append(producer)
    return None


def _parts(work: Rewrite, known: Mapping[str, Values], region: list[Node], root: str) -> list[Values]:
    """The numbers that a tensor can hold, in pieces in each of which the nodes that read it do not branch."""
    held = known[root]
    if held.levels is not None:
        return [of_levels([level], root) for level in sorted({*held.levels, *held.rare})]
    points = sorted({point for node in region if root in node.inputs for point in _branches(work, node, root)})
    parts, lo = [], np.float32(held.lo)
    for point in map(np.float32, points):
        if held.lo <= point <= held.hi:
            parts += [Values(float(lo), _beside(point, -np.inf), None, root)] if lo < point else []
            parts.append(of_levels([float(point)], root))
            lo = np.float32(_beside(point, np.inf))
    return [*parts, Values(float(lo), held.hi, None, root)] if parts and lo <= held.hi else parts


def _beside(point: np.float32, end: float) -> float:
    """The next number, where denormal ones count as 0."""
    beside = TINY * np.sign(end) if point == 0 else reference.flush(np.nextafter(point, np.float32(end)))
    return float(beside)


def _branches(work: Rewrite, node: Node, root: str) -> list[float]:
    """Where a function of a tensor jumps."""
    if node.op == "step":
        return [float(node.params["threshold"])]
    if node.op == "unary" and node.params["kind"] == abi.constant("BNN_SIGN"):
        return [0.0]
    if node.op == "arith" and node.params["kind"] in reference.COMPARISONS:
        others = [work.tensors[str(name)].data for name in node.inputs if name != root]
        return [float(data.flat[0]) for data in others if data is not None and np.all(data == data.flat[0])]
    return []


def _switch(
    parts: list[Values], region: list[Node], known: Mapping[str, Values], work: Rewrite, root: str
) -> Step | None:
    """What the nodes make of each part, if that is one value for all up to a part, and another from there on."""
    if not 1 < len(parts) <= MAX_PARTS:
        return None
    results, before = [], dict(known)
    for part in parts:
        found = ChainMap({root: part}, before)
        for node in region:
            operands = [found.get(name, REAL) for name in node.inputs if name is not None]
            found[node.output] = transfer.RULES[node.op](node, operands, transfer.Scene(work.source, found))
        result = found[region[-1].output]
        if result.levels is None or len(result.levels) != 1 or result.rare:
            return None
        results.append(result.levels[0])
    changes = [at for at in range(1, len(results)) if results[at] != results[at - 1]]
    if len(changes) != 1:
        return None
    return Step(root, _threshold(parts[changes[0] - 1], parts[changes[0]]), results[0], results[-1])


def _threshold(below: Values, above: Values) -> float:
    """A number that parts two neighbours: `above` begins there."""
    if below.levels is not None and above.levels is not None:
        return float((np.float32(below.hi) + np.float32(above.lo)) / 2)
    return above.lo
