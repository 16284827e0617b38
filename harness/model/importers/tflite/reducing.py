# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators that make one number of many along some axes."""

from __future__ import annotations

import math
from collections.abc import Callable

from harness import abi
from harness.model.importers import extremes
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
    least = t.operator.kind == "REDUCE_MIN"
    return extremes.extreme(t.emit, t.operand(0), t.shape(), _axes(t), t.declared(), least)


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
