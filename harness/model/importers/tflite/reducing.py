# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators that make one number of many along some axes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from harness import abi
from harness.model.importers import extremes
from harness.model.importers.tflite.translation import FREE, Translation
from harness.model.reference import integer


def mean(t: Translation) -> str:
    if t.integer and _axes(t) == {1, 2} and len(t.declared()) == len(t.shape()) == 4 and (y := _pooled(t)) is not None:
        return y
    axes, shape = _axes(t), t.shape()
    keeps = len(t.declared()) == len(shape)
    left = tuple(1 if axis in axes else size for axis, size in enumerate(shape) if keeps or axis not in axes)
    return t.emit("mean", (t.operand(0),), axes=_bits(axes), shape=left or t.declared())


def _pooled(t: Translation) -> str | None:
    """Of int8 pixels, in as many axes as before: TensorFlow Lite has a kernel of its own there, which adds the codes up
    as they are, and corrects the mean by a whole number of codes (optimized/integer_ops/mean.h). None where that number
    is no code itself."""
    x, y = (t.container.tensors[index or 0] for index in (t.operator.inputs[0], t.operator.outputs[0]))
    moved = np.float32(x.zero_points[0]) * np.float32(x.scales[0]) / np.float32(y.scales[0])
    offset = y.zero_points[0] - int(moved + np.copysign(0.5, moved))
    if not integer.LOWEST <= offset <= integer.HIGHEST:
        return None
    plain = t.on_grid("codes", t.operand(0), x.scales[0], 0)
    average = t.on_grid("mean", plain, y.scales[0], offset, "mean", axes=_bits(_axes(t)), shape=t.declared())
    return t.on_grid("", average, y.scales[0], y.zero_points[0])


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
