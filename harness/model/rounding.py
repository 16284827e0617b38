# SPDX-License-Identifier: Apache-2.0
"""How far two float32 computations of one number may lie apart when both are right.

A sum of n terms is off by at most n units of rounding of the sum of their magnitudes, in whatever order they are added,
and by lambda * sqrt(n) of them in all but one of e^(lambda^2 / 2) cases (Higham & Mary, SIAM Journal on Scientific
Computing 41(5), 2019). It is the magnitudes that count: a result near zero, whose terms cancelled, carries the rounding
of these terms. Here what reaches a sum counts as exact: where that was off, it is told there, and not at every layer
after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np

from harness import abi
from harness.model.graph import Array, Graph, Node
from harness.model.passes.threshold import worth
from harness.model.reference import COMPARISONS, INTEGER_KINDS, SUMS

UNIT = 2.0**-24
"""Largest relative error of one float32 operation."""
LAMBDA = 8.0
"""One sum in e^32 is off by more."""


@dataclass(frozen=True, eq=False)
class Magnitude:
    """What was added up to make a tensor.

    Attributes:
        size: the largest sum of magnitudes in each channel [C], or one for all [].
        terms: how many numbers were added or multiplied, one after the other, at most.
    """

    size: Array
    terms: int = 0

    @property
    def bound(self) -> Array:
        return np.asarray(LAMBDA * sqrt(self.terms) * UNIT * self.size)


class Magnitudes:
    """The magnitudes behind the tensors of a graph.

    Args:
        values: of all tensors.
        given: tensors that are the same for whoever computes on; what made them does not count.
    """

    def __init__(self, graph: Graph, values: Mapping[str, Array], given: Set[str]) -> None:
        self.graph = graph
        self.values = values
        self._given = given
        self._producers = graph.producers()
        self._found: dict[str, Magnitude] = {}

    def of(self, tensor: str) -> Magnitude:
        """What was added up to make a tensor from those that are given."""
        if tensor not in self._found:
            node = self._producers[tensor]
            self._found[tensor] = _RULES.get(node.op, _moved)(self, node)
        return self._found[tensor]

    def operand(self, tensor: str) -> Magnitude:
        """The same of one that is computed with: it may be given."""
        if tensor in self._producers and tensor not in self._given:
            return self.of(tensor)
        return self.own(tensor)

    def own(self, tensor: str) -> Magnitude:
        """The largest values that a tensor has."""
        kind = self.graph.tensors[tensor]
        value = np.atleast_1d(self.values[tensor] if kind.data is None else kind.data)
        if kind.dtype == "i8":
            value = kind.scale * (value.astype(np.float32) - kind.zero_point)
        value = np.abs(value)
        return Magnitude(value.reshape(-1, value.shape[-1]).max(axis=0, initial=0.0))

    def constant(self, node: Node, position: int) -> Array | None:
        """The magnitudes of a constant operand, if there is one."""
        name = node.inputs[position] if position < len(node.inputs) else None
        data = None if name is None else self.graph.tensors[name].data
        return None if data is None else np.abs(data)


Rule = Callable[[Magnitudes, Node], Magnitude]


def _exact(known: Magnitudes, node: Node) -> Magnitude:
    """One of a few values, which none of the computation before shows in."""
    return known.own(node.output)


def _pass_through(known: Magnitudes, node: Node) -> Magnitude:
    """Channel by channel a function that is nowhere steeper than 1: its error is its operand's."""
    parts = [known.operand(name) for name in node.inputs if name is not None]
    parts.append(known.own(node.output))
    return Magnitude(_together(np.maximum, [part.size for part in parts]), max(part.terms for part in parts) + 1)


def _moved(known: Magnitudes, node: Node) -> Magnitude:
    """Elements of any channel may have gone to any other."""
    through = _pass_through(known, node)
    return Magnitude(through.size.max(initial=0.0), through.terms)


def _pool(known: Magnitudes, node: Node) -> Magnitude:
    """A mean, or a sum."""
    window = node.params["window"]
    taps = window["kernel_h"] * window["kernel_w"]
    size = known.own(str(node.inputs[0])).size
    return Magnitude(size * taps if node.params.get("sum") else size, taps)


def _mean(known: Magnitudes, node: Node) -> Magnitude:
    before, after = (known.graph.tensors[str(name)] for name in (node.inputs[0], node.output))
    return Magnitude(known.own(before.name).size.max(initial=0.0), before.elements // max(after.elements, 1))


def _unary(known: Magnitudes, node: Node) -> Magnitude:
    return (_exact if node.params["kind"] in INTEGER_KINDS else _pass_through)(known, node)


def _arith(known: Magnitudes, node: Node) -> Magnitude:
    kind = node.params["kind"]
    if kind in COMPARISONS:
        return _exact(known, node)
    parts = [known.operand(str(name)) for name in node.inputs]
    terms = sum(part.terms for part in parts) + 1
    if kind in SUMS:
        return Magnitude(_together(np.add, [part.size for part in parts]), terms)
    if kind == abi.constant("BNN_MUL"):
        return Magnitude(_together(np.multiply, [part.size for part in parts]), terms)
    divisor = known.graph.tensors[str(node.inputs[1])].data
    if kind == abi.constant("BNN_DIV"):
        by = np.abs(known.values[str(node.inputs[1])] if divisor is None else divisor).min(initial=np.inf)
        if by > 0:
            return Magnitude(parts[0].size.max() / by + known.own(node.output).size.max(), terms)
    return _pass_through(known, node)


def _affine(known: Magnitudes, node: Node) -> Magnitude:
    x, scale, offset = known.operand(str(node.inputs[0])), known.constant(node, 1), known.constant(node, 2)
    size = _together(np.multiply, [x.size, np.asarray(1.0 if scale is None else scale)])
    return Magnitude(size if offset is None else _together(np.add, [size, offset]), x.terms + 2)


def _sum(known: Magnitudes, node: Node) -> Magnitude:
    """A convolution or a dense layer: |w| by |x|, tap by tap."""
    x, kernel, bias = known.own(str(node.inputs[0])), known.own(str(node.inputs[1])), known.constant(node, 2)
    shape = known.graph.tensors[str(node.inputs[1])].shape
    weight = known.constant(node, 1)
    taps = prod(shape[1:])
    if weight is None:
        size = np.asarray(taps * kernel.size.max() * x.size.max())
    else:
        groups, rows = node.params.get("groups", 1), weight.reshape(shape[0], -1, shape[-1]).sum(axis=1)
        channels = np.broadcast_to(x.size, (groups * shape[-1],)).reshape(groups, shape[-1])
        size = np.sum(rows * np.repeat(channels, shape[0] // groups, axis=0), axis=1)
    return Magnitude(size if bias is None else size + bias, taps + 1)


def _bits(known: Magnitudes, node: Node) -> Magnitude:
    """A convolution of bits: its sum is an integer, and exact."""
    x, kernel = (known.graph.tensors[str(name)] for name in node.inputs[:2])
    multiplier, bias = known.constant(node, 2), known.constant(node, 3)
    most = kernel.elements // known.graph.tensors[node.output].shape[-1]
    most *= worth(x.planes, node.params.get("x_code", 0)) * worth(kernel.planes, node.params.get("w_code", 0))
    size = most * np.asarray(1.0 if multiplier is None else multiplier)
    return Magnitude(size if bias is None else size + bias, 2)


def _together(combine: Callable[[Array, Array], Array], sizes: list[Array]) -> Array:
    """Sizes of several operands channel by channel; over all channels where these are not the same ones."""
    channels = {size.shape[-1] for size in sizes if size.ndim and size.shape[-1] > 1}
    flat = [size.reshape(-1, size.shape[-1]).max(axis=0) if size.ndim else size for size in sizes]
    if len(channels) > 1:
        flat = [np.asarray(size.max()) for size in flat]
    result = flat[0]
    for size in flat[1:]:
        result = combine(result, size)
    return np.asarray(result)


_RULES: Mapping[str, Rule] = {
    "conv2d": _sum,
    "conv2d_transpose": _sum,
    "dense": _sum,
    "bconv2d": _bits,
    "bdepthwise2d": _bits,
    "avg_pool2d": _pool,
    "mean": _mean,
    "max_pool2d": _pass_through,
    "clamp": _pass_through,
    "prelu": _pass_through,
    "affine": _affine,
    "arith": _arith,
    "unary": _unary,
    "step": _exact,
    "quantize": _exact,
    "dequantize": _exact,
}
