# SPDX-License-Identifier: Apache-2.0
"""A function of one tensor, made of several nodes, and where it crosses a level.

Between a convolution and the quantiser of the next layer stand batch norm, activations, clips, roundings, comparisons.
Together they are one function of one number, and a monotone one: it crosses the quantiser's threshold once. Where, is
found by bisection over the float32 numbers (or the integers of an accumulator), evaluating the very nodes. So the
threshold is exact, and ties are decided as the original decides them, whatever the nodes are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness import abi
from harness.model import reference
from harness.model.graph import Array, Node, Tensor
from harness.model.passes.rewrite import Rewrite
from harness.model.reference import integer

ELEMENTWISE = frozenset({"clamp", "affine", "unary", "step", "arith", "prelu", "select", "convert", "lookup"})


@dataclass(frozen=True, eq=False)
class Chain:
    """Elementwise nodes that compute `result` from `root` and constants.

    Attributes:
        nodes: in an order in which they can run; empty where root is result.
        direction: +1 for each channel in which the function never falls, -1 where it never rises, [C].
    """

    work: Rewrite
    root: str
    result: str
    nodes: tuple[Node, ...]
    direction: Array

    def evaluate(self, samples: Array) -> Array:
        """The function at samples [n, C], each channel with its own constants."""
        rank = len(self.work.tensors[self.root].shape)
        shape = (samples.shape[0], *[1] * (rank - 2), samples.shape[1]) if rank > 1 else samples.shape
        found: dict[str, Array] = {self.root: samples.astype(np.float32).reshape(shape)}
        for node in self.nodes:
            operands = [None if name is None else found.get(name, self._constant(name)) for name in node.inputs]
            varying = operands[:1] if node.op == "lookup" else operands
            output = np.broadcast_shapes(*(o.shape for o in varying if o is not None))
            inputs = [None if name is None else self.work.tensors[name] for name in node.inputs]
            tensor = replace(self.work.tensors[node.output], shape=output)
            found[node.output] = reference.real(node.op, operands, node.params, inputs, tensor)
        return found[self.result].reshape(samples.shape)

    def _constant(self, name: str) -> Array | None:
        data = self.work.tensors[name].data
        return None if data is None else per_channel(data)


def per_channel(data: Array) -> Array | None:
    """A constant as it meets one pixel: [1, .., 1, C] or [1, .., 1]; None where it differs from pixel to pixel."""
    if data.ndim < 2:
        return data
    flat = data.reshape(-1, data.shape[-1])
    if not np.all(flat == flat[0]):
        return None
    return np.asarray(flat[0].reshape(*[1] * (data.ndim - 1), -1))


def behind(work: Rewrite, result: str) -> Chain:
    """The longest monotone chain that ends in a tensor. Its root is the first tensor that everything comes from."""
    best = Chain(work, result, result, (), np.ones(work.tensors[result].shape[-1]))
    region: list[Node] = []
    frontier = {result}
    while True:
        expandable = [name for name in frontier if _is_elementwise(work, name)]
        if not expandable or len(region) > 64:
            return best
        latest = max(expandable, key=lambda name: _depth(work, name))
        node = work.producer[latest]
        frontier.discard(latest)
        frontier.update(work.varying(node))
        region.append(node)
        if len(frontier) == 1 and not frontier <= {n.output for n in region}:
            (root,) = frontier
            direction = _direction(work, root, result, region[::-1])
            if direction is None:
                return best
            if not all(_codes_pass(work, n, region) for n in region):
                continue
            if work.tensors[root].shape == work.tensors[result].shape:
                best = Chain(work, root, result, tuple(region[::-1]), direction)


def _codes_pass(work: Rewrite, node: Node, region: list[Node]) -> bool:
    """Whether a chain may go on above a rounding to int8: the codes are there anyway where something else reads them,
    and take a quarter of the room of what they came from."""
    if work.tensors[node.output].dtype != "i8":
        return True
    later = region[: region.index(node) + 1]
    readers = [reader for part in later for reader in work.readers(part.output)]
    kept = any(part.output in work.source.outputs for part in later)
    return not kept and all(reader in later or reader.op == "quantize" for reader in readers)


def _is_elementwise(work: Rewrite, name: str) -> bool:
    node = work.producer.get(name)
    if node is None or node.op not in ELEMENTWISE or not work.varying(node):
        return False
    constants = [work.tensors[i].data for i in node.inputs if i is not None]
    return all(data is None or per_channel(data) is not None for data in constants)


def _depth(work: Rewrite, name: str) -> int:
    """Longest way from an input of the graph, for an order in which a node comes after all it reads."""
    depths = work.__dict__.setdefault("_depths", {})
    pending = [name]
    while pending:
        current = pending[-1]
        node = work.producer.get(current)
        sources = [] if node is None else work.varying(node)
        missing = [source for source in sources if source not in depths]
        if missing:
            pending.extend(missing)
            continue
        depths[current] = 1 + max((depths[source] for source in sources), default=-1)
        pending.pop()
    return int(depths[name])


def _direction(work: Rewrite, root: str, result: str, nodes: list[Node]) -> Array | None:
    """+1 or -1 for each channel of `result` as a function of `root`; None where it may turn."""
    channels = work.tensors[result].shape[-1]
    known: dict[str, Array] = {root: np.ones(channels)}
    for node in nodes:
        operands = [None if name is None else known.get(name) for name in node.inputs]
        constants = [None if name is None or name in known else _number(work.tensors[name]) for name in node.inputs]
        direction = _STEPS[node.op](node, operands, constants)
        if direction is None:
            return None
        known[node.output] = np.broadcast_to(np.asarray(direction, np.float64).reshape(-1), (channels,))
    return known[result]


def _number(tensor: Tensor) -> Array | None:
    """A constant's real values as they meet one pixel: the sign of a code is not that of its number."""
    data = tensor.data if tensor.data is None or tensor.dtype != "i8" else integer.decode(tensor.data, tensor)
    return None if data is None else per_channel(data)


Operands = list[Array | None]


def _as_is(node: Node, varying: Operands, constants: Operands) -> Array | None:
    return varying[0]


def _affine(node: Node, varying: Operands, constants: Operands) -> Array | None:
    scale = constants[1]
    return None if scale is None or varying[0] is None else varying[0] * np.where(scale < 0, -1, 1).reshape(-1)


def _unary(node: Node, varying: Operands, constants: Operands) -> Array | None:
    sign = _UNARY.get(node.params["kind"])
    return None if sign is None or varying[0] is None else varying[0] * sign


def _step(node: Node, varying: Operands, constants: Operands) -> Array | None:
    return None if varying[0] is None else varying[0] * (1 if node.params["high"] >= node.params["low"] else -1)


def _arith(node: Node, varying: Operands, constants: Operands) -> Array | None:
    kind = node.params["kind"]
    (a, b), (ca, cb) = varying[:2], constants[:2]
    if kind in (_MUL, _DIV):
        if a is not None and cb is not None and (kind == _MUL or np.all(cb != 0)):
            return a * np.where(cb < 0, -1, 1).reshape(-1)
        if kind == _MUL and b is not None and ca is not None:
            return b * np.where(ca < 0, -1, 1).reshape(-1)
        return None
    signs = _ARITH.get(kind)
    if signs is None:
        return None
    parts = [part * sign for part, sign in ((a, signs[0]), (b, signs[1])) if part is not None]
    return parts[0] if parts and all(np.array_equal(part, parts[0]) for part in parts) else None


def _prelu(node: Node, varying: Operands, constants: Operands) -> Array | None:
    return varying[0] if constants[1] is not None and np.all(constants[1] >= 0) else None


def _lookup(node: Node, varying: Operands, constants: Operands) -> Array | None:
    steps = np.diff(np.asarray(constants[1]).astype(np.int64))
    if varying[0] is None or not (np.all(steps >= 0) or np.all(steps <= 0)):
        return None
    return varying[0] * (1 if np.all(steps >= 0) else -1)


def _select(node: Node, varying: Operands, constants: Operands) -> Array | None:
    condition, (a, b) = varying[0], constants[1:3]
    if condition is None or a is None or b is None:
        return None
    return condition * np.where(np.asarray(a - b).reshape(-1) < 0, -1, 1)


def _code(name: str) -> int:
    return abi.constant(f"BNN_{name}")


_MUL, _DIV = _code("MUL"), _code("DIV")
_RISING = ("SIGN", "ROUND", "FLOOR", "CEIL", "SQRT", "EXP", "LOG", "TANH", "SIGMOID", "ELU", "SOFTPLUS", "ERF")
_UNARY = {**{_code(name): 1 for name in _RISING}, _code("NEG"): -1}
_ARITH = {
    **{_code(name): (1, 1) for name in ("ADD", "MIN", "MAX")},
    **{_code(name): (1, -1) for name in ("SUB", "GREATER", "GREATER_EQUAL")},
    **{_code(name): (-1, 1) for name in ("LESS", "LESS_EQUAL")},
}
_STEPS: dict[str, Callable[[Node, Operands, Operands], Array | None]] = {
    "clamp": _as_is,
    "affine": _affine,
    "unary": _unary,
    "step": _step,
    "arith": _arith,
    "prelu": _prelu,
    "select": _select,
    "convert": _as_is,
    "lookup": _lookup,
}


def first_true(
    predicate: Callable[[NDArray[np.int64]], Array], low: int, high: int, channels: int
) -> NDArray[np.int64]:
    """For each channel the smallest integer in [low, high] at which a predicate that turns true once is true.

    Args:
        predicate: takes integers [1, C] and returns truth values [1, C]; once true in a channel it stays true.

    Returns:
        [C]; high + 1 where it never becomes true.
    """
    below = np.full(channels, low - 1, np.int64)
    reached = np.full(channels, high + 1, np.int64)
    while np.any(reached - below > 1):
        middle = below + (reached - below) // 2
        probe = np.clip(middle, low, high)
        true = predicate(probe[None])[0] & (middle <= high)
        inside = reached - below > 1
        reached = np.where(inside & true, middle, reached)
        below = np.where(inside & ~true, middle, below)
    return reached


def ordered_to_float(keys: NDArray[np.int64]) -> Array:
    """float32 numbers from integers that stand in the same order: 0 is +0, -1 is -0."""
    bits = np.where(keys >= 0, keys, -1 - keys).astype(np.uint32) | np.where(keys < 0, np.uint32(1 << 31), np.uint32(0))
    return bits.view(np.float32)


LARGEST_KEY = int(np.float32(np.inf).view(np.int32))
"""The key of +infinity; that of -infinity is -1 - LARGEST_KEY."""
