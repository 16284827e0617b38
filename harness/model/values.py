# SPDX-License-Identifier: Apache-2.0
"""Which values each tensor can take: the abstract interpretation behind every "binary" and every "why not".

The lattice has two floors. A tensor is *real* within an interval [lo, hi], or it takes one of a finite set of *levels*.
One transfer rule an operation carries this from the inputs of the graph to its outputs. No rule looks at names or at
what stands around a node: a sign is two-valued because of what it computes, and so is round(clip(x, 0, 1)), and so is
anything else that somebody writes tomorrow. Constants are exact, so quantised weights need no rule of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness import abi
from harness.model import reference
from harness.model.graph import Array, Graph, Node, Tensor

MAX_LEVELS = 64
"""A set larger than this is treated as real: six bits are more than any bit kernel takes."""


@dataclass(frozen=True)
class Grid:
    """`count` evenly spaced numbers from lo to hi."""

    lo: float
    hi: float
    count: int

    @property
    def unary(self) -> bool:
        """Whether planes of equal worth carry it: ternary values. Other counts are numbers of log2(count) bits."""
        return self.count == 3

    @property
    def planes(self) -> int:
        return 2 if self.unary else (self.count - 1).bit_length()

    @property
    def step(self) -> float:
        return (self.hi - self.lo) / (self.count - 1)


@dataclass(frozen=True)
class Values:
    """What a tensor can hold.

    Attributes:
        lo, hi: bounds; infinite where nothing is known.
        levels: every value it can take, ascending; None for a real tensor.
        rare: values beyond the levels that it takes only where a real number is exactly some other number, such as
            the 0 of a sign. No bit stands for them.
        exact: of a real tensor, the values that it takes more often than by chance, such as the 0 of a relu; None where
            nothing is known, as of an image or of a sum of a few integers.
        whole: it holds whole numbers only, though too many of them to list.
        source: the node that made it so, which is where a reader has to look.
    """

    lo: float = -np.inf
    hi: float = np.inf
    levels: tuple[float, ...] | None = None
    source: str = ""
    rare: tuple[float, ...] = ()
    exact: tuple[float, ...] | None = None
    whole: bool = False

    @property
    def two_valued(self) -> bool:
        return self.levels is not None and len(self.levels) == 2

    @property
    def grid(self) -> Grid | None:
        """The levels as evenly spaced numbers, if they are; float rounding of an exporter is forgiven."""
        if self.levels is None or len(self.levels) < 2:
            return None
        gaps = np.diff(self.levels)
        even = bool(np.all(np.abs(gaps - gaps.mean()) <= 1e-5 * abs(gaps.mean())))
        return Grid(self.levels[0], self.levels[-1], len(self.levels)) if even else None

    def __str__(self) -> str:
        if self.levels is None:
            if np.isinf(self.lo) and np.isinf(self.hi):
                return "real"
            return f"real in [{_number(self.lo)}, {_number(self.hi)}]"
        if len(self.levels) == 2 and self.levels[0] == -self.levels[1]:
            return f"±{_number(self.levels[1])}"
        if len(self.levels) > 8:
            return f"{len(self.levels)} levels from {_number(self.lo)} to {_number(self.hi)}"
        return "{" + ", ".join(_number(level) for level in self.levels) + "}"


def _number(value: float) -> str:
    return f"{value:.6g}".replace("inf", "∞")


REAL = Values()


def of_levels(levels: Array | Sequence[float], source: str, rare: Array | Sequence[float] = ()) -> Values:
    """A finite set, or the interval around it where the set is too large or holds a NaN."""
    unique = np.unique(np.asarray(levels, np.float32)) + np.float32(0)  # -0 and 0 are one value
    unique = np.unique(unique)
    if not unique.size or np.isnan(unique).any():
        return Values(source=source)
    lo, hi = float(unique[0]), float(unique[-1])
    if len(unique) > MAX_LEVELS:
        return Values(lo, hi, None, source)
    found = tuple(float(level) for level in unique)
    beyond = {float(level) for level in np.asarray(rare, np.float32).reshape(-1)} - set(found)
    return Values(lo, hi, found, source, tuple(sorted(beyond)))


def analyse(graph: Graph) -> dict[str, Values]:
    """What every tensor of a graph can hold, by tensor name."""
    found: dict[str, Values] = {}
    weights = {node.inputs[1] for node in graph.nodes if _RULES[node.op] in (_layer, _real)}
    for name, tensor in graph.tensors.items():
        if tensor.data is not None and tensor.dtype == "f32" and name not in weights:
            found[name] = of_constant(tensor)
    for name in graph.inputs:
        found[name] = of_levels(graph.levels[name], name) if name in graph.levels else Values(source=name)
    for node in graph.nodes:
        operands = [found.get(name, REAL) for name in node.inputs if name is not None]
        result = _RULES[node.op](node, operands, graph)
        found[node.output] = result if result.source else replace(result, source=node.name)
    return found


def of_constant(tensor: Tensor) -> Values:
    data = tensor.data
    assert data is not None
    head = np.unique(data.reshape(-1)[:4096])
    if len(head) > MAX_LEVELS:  # spares sorting millions of real weights
        return Values(float(data.min()), float(data.max()), None, tensor.name)
    return of_levels(data, tensor.name)


# --- the transfer rules ---------------------------------------------------------------------------------------------


def _layer(node: Node, operands: list[Values], graph: Graph) -> Values:
    """A sum of many products is real. Sums of integers are few enough to meet a threshold exactly; others are not."""
    lo, hi = float(node.params.get("lo", -np.inf)), float(node.params.get("hi", np.inf))
    exact: tuple[float, ...] | None = tuple(end for end in (lo, hi) if np.isfinite(end))
    kernel = graph.tensors[str(node.inputs[1])].data
    if operands[0].levels is not None and (kernel is None or spread(kernel).count):
        exact = None
    return Values(lo, hi, None, node.name, exact=exact)


def _real(node: Node, operands: list[Values], graph: Graph) -> Values:
    return Values(source=node.name)


def _same(node: Node, operands: list[Values], graph: Graph) -> Values:
    return operands[0]


def _union(values: Sequence[Values], source: str) -> Values:
    distinct = {value.source for value in values}
    origin = values[0].source if len(distinct) == 1 else source
    if all(value.levels is not None for value in values):
        levels = [level for value in values for level in value.levels or ()]
        return of_levels(levels, origin, [level for value in values for level in value.rare])
    lo, hi = min(value.lo for value in values), max(value.hi for value in values)
    known = [value.levels if value.exact is None else value.exact for value in values]
    exact = None if any(part is None for part in known) else tuple({at for part in known for at in part or ()})
    return Values(lo, hi, None, origin, exact=exact)


def _join(node: Node, operands: list[Values], graph: Graph) -> Values:
    return _union(operands, node.name)


def _pad(node: Node, operands: list[Values], graph: Graph) -> Values:
    fill = float(node.params.get("value", 0.0))
    return _union([operands[0], Values(fill, fill, (fill,), operands[0].source)], node.name)


def _select(node: Node, operands: list[Values], graph: Graph) -> Values:
    condition, a, b = operands
    if condition.levels is not None and 0.0 not in condition.levels:
        return a
    if condition.levels == (0.0,):
        return b
    return _union([a, b], node.name)


def _bounded(lo: float, hi: float) -> Callable[[Node, list[Values], Graph], Values]:
    return lambda node, operands, graph: Values(lo, hi, None, node.name)


def _average(node: Node, operands: list[Values], graph: Graph) -> Values:
    return Values(operands[0].lo, operands[0].hi, None, node.name)


def _dequantize(node: Node, operands: list[Values], graph: Graph) -> Values:
    return of_levels([node.params["zero"], node.params["one"]], node.name)


def _lif(node: Node, operands: list[Values], graph: Graph) -> Values:
    if node.params["emit"] == abi.constant("BNN_EMIT_SPIKE"):
        return of_levels((0.0, 1.0), node.name)
    if node.params["emit"] == abi.constant("BNN_EMIT_COUNT"):
        return Values(0.0, source=node.name, whole=True)
    return Values(source=node.name)


def _map(node: Node, operands: list[Values], graph: Graph) -> Values:
    """Any function of single elements: levels are mapped one by one, an interval by its ends where the function is
    monotone, and then a function with few results (a rounding, a comparison) turns an interval into levels."""
    source = node.name
    tensors = [graph.tensors[name] for name in node.inputs if name is not None]
    varying = [at for at, tensor in enumerate(tensors) if tensor.data is None]
    if all(operands[at].levels is not None for at in varying):
        sets = [operands[at].levels or () for at in varying]
        if np.prod([len(levels) for levels in sets], dtype=np.int64) <= MAX_LEVELS:
            beyond = [(*(operands[at].levels or ()), *operands[at].rare) for at in varying]
            return of_levels(_evaluate(node, tensors, varying, sets), source, _evaluate(node, tensors, varying, beyond))
    ends = _ends(node, tensors, varying, operands)
    if node.op == "step" or _comparison(node):
        if ends is not None and ends.lo == ends.hi:
            return of_levels([ends.lo], source)
        return of_levels((0.0, 1.0) if node.op == "arith" else (node.params["low"], node.params["high"]), source)
    if ends is None:
        return Values(source=source)
    whole = node.op == "unary" and node.params["kind"] in reference.INTEGER_KINDS
    whole = whole or (node.op == "clamp" and operands[0].whole)
    if whole and ends.hi - ends.lo < MAX_LEVELS:
        levels = np.unique([ends.lo, *np.arange(np.ceil(ends.lo), np.floor(ends.hi) + 1), ends.hi])
        if node.op == "clamp":
            return of_levels(levels, source)
        if node.params["kind"] == abi.constant("BNN_SIGN") and not _may_be_zero(node, operands[0], graph):
            return of_levels(levels[levels != 0], source, [0.0])
        return of_levels(levels, source)
    return replace(ends, source=source, exact=_exact(node, tensors, varying, operands), whole=whole)


def _may_be_zero(node: Node, operand: Values, graph: Graph) -> bool:
    """Whether a sign meets 0 more often than by chance."""
    if operand.exact is not None:
        return 0.0 in operand.exact
    from harness.model import ties

    return ties.lands_on_zero(graph, node)


def _exact(
    node: Node, tensors: Sequence[Tensor], varying: Sequence[int], operands: Sequence[Values]
) -> tuple[float, ...] | None:
    """The values that a function of real numbers takes more often than by chance."""
    known = [operands[at].levels if operands[at].levels is not None else operands[at].exact for at in varying]
    adds = node.op == "arith" and node.params["kind"] in reference.SUMS
    if len(varying) > 1 and adds and () in known:
        return ()
    if any(part is None for part in known):
        return None
    ends = tuple(float(node.params[end]) for end in ("lo", "hi") if np.isfinite(node.params.get(end, np.inf)))
    if all(known):
        ends = (
            *ends,
            *(float(value) for value in np.unique(_evaluate(node, tensors, varying, [k or () for k in known]))),
        )
    return ends if len(ends) <= MAX_LEVELS else None


def _comparison(node: Node) -> bool:
    return node.op == "arith" and node.params["kind"] in reference.COMPARISONS


def _evaluate(node: Node, tensors: Sequence[Tensor], varying: Sequence[int], sets: Sequence[Sequence[float]]) -> Array:
    """The results of a node over every combination of its inputs' levels and every channel of its constants."""
    grids = np.meshgrid(*[np.asarray(levels, np.float32) for levels in sets], indexing="ij")
    rank = max(len(tensor.shape) for tensor in tensors)
    arrays: list[Array | None] = [tensor.data for tensor in tensors]
    for at, grid in zip(varying, grids, strict=True):
        arrays[at] = grid.reshape(-1, *[1] * rank)
    shape = np.broadcast_shapes(*(array.shape for array in arrays if array is not None))
    return reference.apply(node.op, arrays, node.params, Tensor("", shape))


def _ends(node: Node, tensors: Sequence[Tensor], varying: Sequence[int], operands: Sequence[Values]) -> Values | None:
    """The range of a node's results from the ends of its operands' ranges; None where it says nothing.

    Exact for what is monotone in each operand by itself (comparisons, sums, products, clamps and the others);
    |x| and x^2 turn at zero, so zero joins their ends.
    """
    sets = []
    divides = node.op == "arith" and node.params["kind"] == abi.constant("BNN_DIV")
    if divides and 1 in varying and operands[1].lo <= 0 <= operands[1].hi:
        return None
    for at in varying:
        ends = [operands[at].lo, operands[at].hi]
        if operands[at].lo < 0 < operands[at].hi:
            ends.append(0.0)
        sets.append(ends)
    results = _evaluate(node, tensors, varying, sets)
    results = results[~np.isnan(results)]  # inf - inf and 0 * inf lie between ends that other combinations give
    return Values(float(results.min()), float(results.max())) if results.size else None


_RULES: Mapping[str, Callable[[Node, list[Values], Graph], Values]] = {
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
}


@dataclass(frozen=True, eq=False)
class Spread:
    """How the weights of each output channel are spread: the kernel side of every verdict.

    Attributes:
        count: of evenly spaced values that every filter keeps to; 0 where there are none, or too many.
        centre, scale: filter o takes values between centre[o] - scale[o] and centre[o] + scale[o], both [O].
    """

    count: int
    centre: Array
    scale: Array

    @property
    def symmetric(self) -> bool:
        return not self.centre.any()

    @property
    def grid(self) -> Grid:
        """Of a filter of scale 1 around 0."""
        return Grid(-1.0, 1.0, self.count)

    def __str__(self) -> str:
        if not self.count:
            return "real"
        same = all(np.all(np.abs(part - part[0]) <= 1e-6 * np.abs(self.scale[0])) for part in (self.scale, self.centre))
        s = _number(float(self.scale[0])) if same else "s"
        suffix = "" if same else " in each filter"
        if not self.symmetric:
            low, high = float(self.centre[0] - self.scale[0]), float(self.centre[0] + self.scale[0])
            return f"{{{_number(low)}, {_number(high)}}}" if same else "two values in each filter"
        if self.count == 2:
            return f"±{s}{suffix}"
        if self.count == 3:
            return f"{{-{s}, 0, {s}}}{suffix}"
        return f"{self.count} even levels up to ±{s}{suffix}"


def spread(weights: Array, tolerance: float = 1e-5) -> Spread:
    """The spread of weights [O, ...].

    Args:
        tolerance: relative; exporters compute sign(w) * mean|w| in float32 and leave a few units in the last place.
    """
    flat = weights.reshape(weights.shape[0], -1)
    magnitude = np.abs(flat)
    largest = magnitude.max(axis=1)
    scale = largest.astype(np.float64)
    nothing = np.zeros_like(scale)
    least = np.float32(1 - tolerance) * largest
    if (scale > 0).all() and (magnitude.min(axis=1) >= least).all():
        return Spread(2, nothing, magnitude.mean(axis=1, dtype=np.float64))
    safe = np.where(largest > 0, largest, np.float32(1))[:, None]
    for count in (3, 4):
        steps = flat / safe * np.float32((count - 1) / 2) + np.float32((count - 1) / 2)
        if np.all(np.abs(steps - np.rint(steps)) <= tolerance * count):
            return (
                Spread(count, nothing, np.where(scale > 0, scale, 1.0))
                if count == 4 or not _one_sided(flat)
                else _two(flat)
            )
    low, high = flat.min(axis=1)[:, None], flat.max(axis=1)[:, None]
    near = np.float32(tolerance) * safe
    if np.all((flat - low <= near) | (high - flat <= near)) and np.all(high > low):
        return _two(flat)
    return Spread(0, nothing, scale)


def _one_sided(flat: Array) -> bool:
    """Whether each filter has two values, zero and one other."""
    return bool(
        np.all(((flat >= 0).all(axis=1) | (flat <= 0).all(axis=1)) & (flat == 0).any(axis=1) & (flat != 0).any(axis=1))
    )


def _two(flat: Array) -> Spread:
    """Two values that do not lie around zero, such as {0, s}."""
    low, high = flat.min(axis=1).astype(np.float64), flat.max(axis=1).astype(np.float64)
    return Spread(2, (low + high) / 2, (high - low) / 2)
