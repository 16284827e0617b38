# SPDX-License-Identifier: Apache-2.0
"""What hangs on rounding: a number so near the threshold of its quantiser that another order of adding may cross it.

Element by element IEEE arithmetic is the same everywhere, and so are sums of bits. Only sums of floats differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np

from harness import abi
from harness.model import reference
from harness.model.analyse import LAYERS
from harness.model.graph import Array, Graph, Node
from harness.model.passes.chain import ELEMENTWISE
from harness.model.reference import integer
from harness.model.rounding import Magnitudes

_ORDERED = LAYERS | {"avg_pool2d", "mean", "softmax"}
"""Operations whose result depends on the order in which they add."""


def near(graph: Graph, values: Mapping[str, Array]) -> tuple[int, int]:
    """(how many signs of a graph hang on rounding, of how many).

    Args:
        values: of every tensor, bits unpacked.
    """
    doubts, producers, found, signs = Doubts(graph, values, _settled(graph)), graph.producers(), 0, 0
    for node in graph.nodes:
        if _limits(graph, node) is not None:
            signs += values[str(node.inputs[0])].size
            doubtful = doubts.of(node.output)
            if doubtful is not None and doubtful.any():
                found += int(np.count_nonzero(doubtful & ~_added_nothing(graph, values, producers, node)))
    return found, signs


class Doubts:
    """Which results of a graph's quantisers hang on rounding.

    Args:
        values: of every tensor, bits unpacked.
        given: tensors that are the same for whoever computes on.
    """

    def __init__(self, graph: Graph, values: Mapping[str, Array], given: Set[str]) -> None:
        self._graph = graph
        self._values = values
        self._given = given
        self._producers = graph.producers()
        self.magnitudes = Magnitudes(graph, values, given)

    def of(self, tensor: str, unit: float = 0.0) -> Array | None:
        """For each element of a tensor whether its number lies within rounding of a threshold; None where no quantiser
        makes the tensor.

        Args:
            unit: to how much the number was rounded already where the tensor is of codes.
        """
        node = self._producers.get(tensor)
        if node is None:
            return None
        limits, codes = _limits(self._graph, node), node.op == "convert" and self._graph.tensors[tensor].dtype == "i8"
        if limits is None and not codes:
            return None
        x = str(node.inputs[0])
        if x in self._given and not unit:
            return np.zeros(self._values[x].shape, bool)
        free, bound = _free(self._graph, self._values, self._producers, x), self.magnitudes.operand(x).bound
        if limits is None:
            steps = free.value / np.float32(self._graph.tensors[tensor].scale)
            apart: Array = np.abs(steps - np.floor(steps) - 0.5) * self._graph.tensors[tensor].scale
            return np.asarray(apart <= bound + unit)
        close = [free.crosses(limit) & (np.abs(free.value - limit) <= bound) for limit in limits]
        return np.asarray(np.any(close, axis=0))

    def unit(self, tensor: str) -> float:
        """To how much a number is rounded before it becomes a code: one more in the sum of a layer of int8."""
        node = self._producers.get(tensor)
        if node is None or len(node.inputs) < 4 or self._graph.tensors[str(node.inputs[0])].dtype != "i8":
            return 0.0
        scales = self._graph.tensors[str(node.inputs[3])].data
        assert scales is not None
        return float(self._graph.tensors[str(node.inputs[0])].scale * np.max(scales))


def _added_nothing(graph: Graph, values: Mapping[str, Array], producers: Mapping[str, Node], sign: Node) -> Array:
    """Where the number behind a sign is a sum of zeros, as of spikes that did not come: the same in every order."""
    layer = producers.get(str(sign.inputs[0]))
    while layer is not None and layer.op in ELEMENTWISE:
        varying = [name for name in layer.inputs if name is not None and graph.tensors[name].data is None]
        layer = producers.get(varying[0]) if len(varying) == 1 else None
    if layer is None or layer.op not in LAYERS or graph.tensors[str(layer.inputs[0])].dtype != "f32":
        return np.zeros(1, bool)
    operands: list[Array | None] = [
        np.abs(reference.operand(graph.tensors[str(name)], values)) for name in layer.inputs[:2]
    ]
    params = {**layer.params, "lo": -np.inf, "hi": np.inf, "pad_value": abs(layer.params.get("pad_value", 0.0))}
    sizes = reference.apply(layer.op, operands, params, graph.tensors[layer.output], inputs=graph.operands(layer))
    return np.asarray(sizes == 0)


def _settled(graph: Graph) -> set[str]:
    """The tensors that are the same on every machine; bits count as such, for a doubt is told where it arises."""
    settled = {name for name, tensor in graph.tensors.items() if tensor.dtype == "bits" or tensor.data is not None}
    settled.update(graph.inputs)
    for node in graph.nodes:
        floats = node.op in _ORDERED and graph.tensors[str(node.inputs[0])].dtype == "f32"
        if not floats and all(name is None or name in settled for name in node.inputs):
            settled.add(node.output)
    return settled


def _limits(graph: Graph, node: Node) -> Array | None:
    """The thresholds [T, C] or [T, 1] of a node that makes signs of numbers."""
    if node.op == "quantize":
        data = graph.tensors[str(node.inputs[1])].data
        return None if data is None else data.reshape(-1, data.shape[-1])
    if node.op == "step":
        return np.full((1, 1), node.params["threshold"], np.float32)
    sign = node.op == "unary" and node.params["kind"] == abi.constant("BNN_SIGN")
    return np.zeros((1, 1), np.float32) if sign else None


@dataclass(frozen=True, eq=False)
class _Free:
    """A tensor without the clamps behind it: what a relu holds at 0 may lie far from a threshold of 0."""

    value: Array
    lo: float = -np.inf
    hi: float = np.inf

    def crosses(self, limit: Array) -> Array:
        """Whether the clamps let a threshold decide anything."""
        return (limit > self.lo) & (limit <= self.hi)


def _free(graph: Graph, values: Mapping[str, Array], producers: Mapping[str, Node], tensor: str) -> _Free:
    node = producers.get(tensor)
    if graph.tensors[tensor].dtype == "i8":
        return _Free(integer.decode(values[tensor], graph.tensors[tensor]))
    if node is None:
        return _Free(values[tensor])
    if node.op in ("clamp", "max_pool2d", "reshape"):
        behind = _free(graph, values, producers, str(node.inputs[0]))
        if node.op == "clamp":
            return _Free(behind.value, max(behind.lo, node.params["lo"]), min(behind.hi, node.params["hi"]))
        moved = reference.apply(
            node.op, [behind.value], node.params, graph.tensors[tensor], inputs=graph.operands(node)
        )
        return _Free(moved, behind.lo, behind.hi)
    lo, hi = (float(node.params.get(end, default)) for end, default in (("lo", -np.inf), ("hi", np.inf)))
    if np.isinf(lo) and np.isinf(hi):
        return _Free(values[tensor])
    operands = [None if name is None else reference.operand(graph.tensors[name], values) for name in node.inputs]
    params = {**node.params, "lo": -np.inf, "hi": np.inf}
    value = reference.apply(node.op, operands, params, graph.tensors[tensor], inputs=graph.operands(node))
    return _Free(value, lo, hi)
