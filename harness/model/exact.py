# SPDX-License-Identifier: Apache-2.0
"""Which numbers a real tensor meets more often than by chance.

A sum of products is a number that nobody chose, so it is exactly 0, or exactly anything, only by chance. Not so what a
relu holds at 0, what a saturated tanh gives, what a bias alone makes of a window of black pixels. A sign that is 0
there is so all over an image: it has three values and not two.

What a constant of each channel makes of such a number was learned: another one that nobody chose, unless it is 0 or
channels share it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.model.graph import Array, Graph, Node
from harness.model.passes.chain import ELEMENTWISE
from harness.model.pointwise import Pointwise
from harness.model.spread import spread_of
from harness.model.values import MAX_LEVELS, Exact, Values

FAR = (-1e30, -5e29, 5e29, 1e30)
"""Two numbers at either end: a function that gives one result for both has stopped to change."""

SHARED = 8
"""Channels may learn the same number by chance, where it is one of few bits. More numbers than this were learned."""
NOTHING_BUT_ZERO: tuple[Exact, ...] = ((), (0.0,))


def met(values: Values) -> Exact:
    """The numbers that a tensor meets more often than by chance; None where they are not known."""
    return values.exact if values.levels is None else values.levels


def of_layer(node: Node, x: Values, graph: Graph) -> Exact:
    """Of a convolution or a dense layer: its bias where all its products are 0, and the ends of its clamp."""
    weights, numbers = graph.tensors[str(node.inputs[1])], met(x)
    kernel = weights.data
    if kernel is None or kernel.dtype != np.float32 or (numbers not in NOTHING_BUT_ZERO and spread_of(weights).count):
        return None  # sums of a few numbers are few themselves
    bias = graph.tensors[str(node.inputs[2])].data if len(node.inputs) > 2 and node.inputs[2] else None
    rows = np.broadcast_to(np.float32(0) if bias is None else bias, (1, len(kernel))).astype(np.float32)
    if not (numbers is None or 0.0 in numbers or _sees_nothing(node, graph)):
        rows = np.where(kernel.reshape(len(kernel), -1).any(axis=1), np.float32(np.nan), rows)  # but pruned filters
    lo, hi = float(node.params.get("lo", -np.inf)), float(node.params.get("hi", np.inf))
    return _few([*_unlearned(np.clip(rows, lo, hi)), *(end for end in (lo, hi) if np.isfinite(end))])


def of_pointwise(each: Pointwise, producers: Mapping[str, Node]) -> Exact:
    """Of a function of single elements."""
    known = [met(each.operands[at]) for at in each.varying]
    if len(known) > 1:
        return _of_several(each, known, producers)
    (numbers,) = known
    if numbers is None:
        shift = each.evaluate([[0.0]]).reshape(-1)
        if np.all(shift == shift[0]) or np.any(shift == np.rint(shift)):
            return None  # it may be a whole number that is shifted by one
        numbers = ()
    results = each.evaluate([[*numbers, *FAR]])
    results = results.reshape(len(results), -1)
    below, above = (np.where(one == other, one, np.nan) for one, other in (results[-4:-2], results[-2:]))
    return _few(_unlearned(np.stack([*results[:-4], below, above])))


def _of_several(each: Pointwise, known: list[Exact], producers: Mapping[str, Node]) -> Exact:
    """Of a function of several tensors: a sum is met by chance where one of its terms is, a product is 0 where one of
    its factors is."""
    ends = [float(each.node.params.get(end, np.inf)) for end in ("lo", "hi")]
    found = [end for end in ends if np.isfinite(end)]
    sums = each.is_kind("ADD", "SUB")
    if sums and _related(each, producers):
        return None
    if sums and () in known:
        return _few(found)
    parts = [part for part in known if part is not None]
    if len(parts) < len(known) or not (sums or each.is_kind("MUL", "DIV", "MIN", "MAX")):
        return None
    if each.is_kind("MUL", "DIV") and any(0.0 in part for part in (parts if each.is_kind("MUL") else parts[:1])):
        found.append(0.0)
    if each.is_kind("MIN", "MAX"):
        found.extend(number for part in parts for number in part)
    if all(parts):
        found.extend(_unlearned(each.evaluate(parts).reshape(1, -1).T))
    return _few(found)


def _related(each: Pointwise, producers: Mapping[str, Node]) -> bool:
    """Whether operands are functions of one tensor, element by element: x - max(x, 0) is 0 half of the time."""
    lines: list[set[str]] = []
    for at in each.varying:
        name, line = each.tensors[at].name, set[str]()
        while name not in line:
            line.add(name)
            node = producers.get(name)
            sources = [] if node is None else [i for i in node.inputs if i and each.graph.tensors[i].data is None]
            if node is not None and len(sources) == 1 and node.op in ELEMENTWISE | {"max_pool2d"}:
                name = sources[0]
        lines.append(line)
    return bool(set.intersection(*lines))


def _sees_nothing(node: Node, graph: Graph) -> bool:
    """Whether some place of a convolution's output has every tap outside the image, or on none of its pixels."""
    window = node.params.get("window")
    if window is None or (node.op == "conv2d" and node.params.get("pad_value", 0.0) != 0):
        return False
    x, y = graph.tensors[str(node.inputs[0])].shape, graph.tensors[node.output].shape
    return any(_blank(window, axis, x[at], y[at], node.op == "conv2d_transpose") for at, axis in ((1, "h"), (2, "w")))


def _blank(window: Mapping[str, int], axis: str, size: int, out: int, transposed: bool) -> bool:
    kernel, stride, dilation = (window[f"{name}_{axis}"] for name in ("kernel", "stride", "dilation"))
    before = window.get("pad_top" if axis == "h" else "pad_left", 0)
    taps = np.arange(size if transposed else out)[:, None] * stride - before + np.arange(kernel) * dilation
    if transposed:
        return bool(np.isin(np.arange(out), taps, invert=True).any())
    return bool(((taps < 0) | (taps >= size)).all(axis=1).any())


def _unlearned(rows: Array) -> list[float]:
    """The numbers that nobody learned, of rows [n, C] with a number of every channel, NaN where a channel has none: 0,
    and those that several channels have, if these are few."""
    found: set[float] = set()
    for row in rows:
        numbers, channels = np.unique(row[np.isfinite(row)] + np.float32(0), return_counts=True)
        shared = numbers[(channels > 1) | (numbers == 0) | (len(numbers) == 1)]
        found.update(float(number) for number in (shared if len(shared) <= SHARED else shared[shared == 0]))
    return sorted(found)


def _few(numbers: list[float]) -> Exact:
    found = tuple(sorted(set(numbers)))
    return found if len(found) <= MAX_LEVELS else None
