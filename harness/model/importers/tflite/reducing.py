# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators that make one number of many along some axes."""

from __future__ import annotations

import math
from collections.abc import Callable

from harness import abi
from harness.model import shapes
from harness.model.importers.tflite.translation import FREE, Translation


def mean(t: Translation) -> str:
    return t.emit("mean", (t.operand(0),), axes=_bits(_axes(t)), shape=t.declared())


def total(t: Translation) -> str:
    return _sum(t, t.operand(0), _axes(t), t.declared())


def _sum(t: Translation, x: str, axes: set[int], shape: tuple[int, ...]) -> str:
    count = math.prod(t.graph.shape(x)[axis] for axis in axes)
    average = t.emit("mean", (x,), part="mean", axes=_bits(axes), shape=shape)
    return t.emit("arith", (average, t.constant("count", [count])), kind=abi.constant("BNN_MUL"), **FREE)


def extreme(t: Translation) -> str:
    """The largest: a pool over an image whose height are these axes, and whose channels all others. The smallest is the
    largest of what is negated."""
    x, shape, axes = t.operand(0), t.shape(), _axes(t)
    least = t.operator.kind == "REDUCE_MIN"
    if least:
        x = t.emit("unary", (x,), part="turned", kind=abi.constant("BNN_NEG"))
    order = (*sorted(axes), *(axis for axis in range(len(shape)) if axis not in axes))
    if list(order) != sorted(order):
        x = t.emit("transpose", (x,), part="ordered", permutation=list(order))
    rows = math.prod(shape[axis] for axis in axes)
    column = t.emit("reshape", (x,), part="column", shape=(1, rows, 1, math.prod(shape) // rows))
    y = t.emit("max_pool2d", (column,), part="pool", window=shapes.window((rows, 1)))
    if least:
        y = t.emit("unary", (y,), part="least", kind=abi.constant("BNN_NEG"))
    return t.emit("reshape", (y,), shape=t.declared())


def l2_normalization(t: Translation) -> str:
    """Along the last axis: divided by the root of the sum of squares, which counts as 1e-6 at least."""
    x, shape = t.operand(0), t.shape()
    square = t.emit("unary", (x,), part="square", kind=abi.constant("BNN_SQUARE"))
    power = _sum(t, square, {len(shape) - 1}, (*shape[:-1], 1))
    norm = t.emit("unary", (power,), part="norm", kind=abi.constant("BNN_SQRT"))
    held = t.emit("clamp", (norm,), part="held", lo=1e-6, hi=math.inf)
    return t.emit("arith", (x, held), kind=abi.constant("BNN_DIV"), **t.activation())


def _axes(t: Translation) -> set[int]:
    return {t.axis(axis, len(t.shape())) for axis in t.numbers(1)}


def _bits(axes: set[int]) -> int:
    return sum(1 << axis for axis in axes)


OPERATORS: dict[str, Callable[[Translation], str]] = {
    "MEAN": mean,
    "SUM": total,
    **dict.fromkeys(("REDUCE_MAX", "REDUCE_MIN"), extreme),
    "L2_NORMALIZATION": l2_normalization,
}
