# SPDX-License-Identifier: Apache-2.0
"""Operators that make one number of many, along axes: means, sums, the largest, and where it is."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from harness.model import shapes
from harness.model.importers.onnx.elementwise import binary, kind, number, through
from harness.model.importers.onnx.shaping import Function
from harness.model.importers.onnx.translation import Translation, Value

Axes = tuple[int, ...]


def global_pool(t: Translation) -> Value:
    x = t.operand(0)
    reduced = mean_over if t.kind == "GlobalAveragePool" else max_over
    return reduced(t, x, tuple(range(2, len(x.shape))), keep=True)


def mean_over(t: Translation, x: Value, axes: Axes, keep: bool, part: str = "") -> Value:
    """The mean over axes of the value; images are averaged with their channels last."""
    x = t.held(t.unflattened(x))
    tensor, order = x.tensor, x.order
    at = [order.index(axis) for axis in axes]
    shape = t.graph.shape(tensor)
    target = tuple(1 if i in at else size for i, size in enumerate(shape) if keep or i not in at)
    y = t.emit("mean", (tensor,), part=part, axes=sum(1 << i for i in at), shape=target)
    if keep:
        return t.value(y, order)
    left = sorted(axis for axis in order if axis not in axes)
    return t.value(y, tuple(left.index(axis) for axis in order if axis not in axes))


def sum_over(t: Translation, x: Value, axes: Axes, keep: bool, part: str = "") -> Value:
    count = float(math.prod(x.shape[axis] for axis in axes))
    return binary(t, "MUL", mean_over(t, x, axes, keep, f"{part}mean"), number(count), part)


def max_over(t: Translation, x: Value, axes: Axes, keep: bool, part: str = "") -> Value:
    """The largest over axes of the value: a pool over an image whose height they are, and the others its channels."""
    x = t.held(x)
    kept = tuple(axis for axis in range(len(x.shape)) if axis not in axes)
    rows, columns = (math.prod(x.shape[axis] for axis in group) for group in (axes, kept))
    column = t.emit("reshape", (t.place(x, (*axes, *kept)),), part=f"{part}column", shape=(1, rows, 1, columns))
    y = t.value(t.emit("max_pool2d", (column,), part=part, window=shapes.window((rows, 1))))
    return t.reshaped(
        y, tuple(1 if axis in axes else size for axis, size in enumerate(x.shape) if keep or axis in kept)
    )


def reduce(t: Translation) -> Value:
    x = t.operand(0)
    rank = len(x.shape)
    given = t.numbers(1) if t.optional(1) is not None else t.listed("axes")
    before, over, after = _REDUCTIONS[t.kind]
    if before:
        x = through(t, x, "unary", "each", kind=kind(before))
    if given or not t.attribute("noop_with_empty_axes", 0):
        axes = tuple(sorted({t.axis(axis, rank) for axis in given})) if given else tuple(range(rank))
        x = over(t, x, axes, bool(t.attribute("keepdims", 1)), "all" if after else "")
    return through(t, x, "unary", kind=kind(after)) if after else x


def arg_max(t: Translation) -> Value:
    """ArgMax, ArgMin."""
    x = t.operand(0)
    axis, keep = t.axis(t.attribute("axis", 0), len(x.shape)), bool(t.attribute("keepdims", 1))
    if t.kind == "ArgMin":
        x = through(t, x, "unary", "turned", kind=kind("NEG"))
    most = max_over(t, x, (axis,), True, "most")
    return _place(t, x, most, axis, keep, bool(t.attribute("select_last_index", 0)))


def top(t: Translation) -> list[Value]:
    """TopK, of one: the largest and its place."""
    x, count = t.operand(0), t.number(1, 1.0) if t.opset >= 10 else float(t.attribute("k", 0))
    axis = t.axis(t.attribute("axis", -1), len(x.shape))
    if count != 1:
        raise t.unsupported(f"of {count:g}")
    largest = bool(t.attribute("largest", 1))
    x = x if largest else through(t, x, "unary", "turned", kind=kind("NEG"))
    most = max_over(t, x, (axis,), True, "most")
    value = most if largest else through(t, most, "unary", "least", kind=kind("NEG"))
    return [value, _place(t, x, most, axis, keep=True, last=False)]


def _place(t: Translation, x: Value, most: Value, axis: int, keep: bool, last: bool) -> Value:
    """Where along an axis a value is what it is at most: each place has a rank, and the highest of those that meet it
    is the first place, or the last."""
    size = x.shape[axis]
    ranks = np.arange(1, size + 1) if last else np.arange(size, 0, -1)
    shape = [size if at == axis else 1 for at in range(len(x.shape))]
    meets = binary(t, "GREATER_EQUAL", x, most, "meets")
    ranked = binary(t, "MUL", meets, Value(tuple(shape), data=ranks.reshape(shape).astype(np.float32)), "ranked")
    best = max_over(t, ranked, (axis,), keep, "best")
    return binary(t, "SUB", best, number(1.0)) if last else binary(t, "SUB", number(float(size)), best)


Over = Callable[[Translation, Value, Axes, bool, str], Value]

_REDUCTIONS: dict[str, tuple[str, Over, str]] = {
    "ReduceMean": ("", mean_over, ""),
    "ReduceSum": ("", sum_over, ""),
    "ReduceMax": ("", max_over, ""),
    "ReduceMin": ("NEG", max_over, "NEG"),
    "ReduceL1": ("ABS", sum_over, ""),
    "ReduceL2": ("SQUARE", sum_over, "SQRT"),
    "ReduceSumSquare": ("SQUARE", sum_over, ""),
    "ReduceLogSum": ("", sum_over, "LOG"),
}
"""What is done to each number, how they become one, and what is done to that."""

OPERATORS: dict[str, Function] = {
    **dict.fromkeys(_REDUCTIONS, reduce),
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "ArgMax": arg_max,
    "ArgMin": arg_max,
    "TopK": top,
}
