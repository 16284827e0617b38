# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators with weights or windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from harness.errors import ModelError
from harness.model.importers.tflite.dilated import PADS
from harness.model.importers.tflite.translation import Pads, Translation


def _stride(t: Translation) -> tuple[int, int]:
    return t.option("StrideH"), t.option("StrideW")


def _dilation(t: Translation) -> tuple[int, int]:
    return t.option("DilationHFactor"), t.option("DilationWFactor")


def _padding(t: Translation) -> int | Pads:
    pads: Pads | None = t.operator.options.get(PADS)
    return t.option("Padding") if pads is None else pads


def conv2d(t: Translation) -> str:
    _, height, width, channels = t.image()
    filters = t.weights(1, 4)
    if channels % filters.shape[3]:
        raise ModelError(f"CONV_2D has a filter for {filters.shape[3]} channels, and an input of {channels}.")
    window = t.window((height, width), filters.shape[1:3], _stride(t), _dilation(t), _padding(t))
    operands = (t.operand(0), t.operand(1), t.optional(2), *t.scales(1))
    groups = channels // filters.shape[3]
    return t.emit("conv2d", operands, window=window, groups=groups, pad_value=0.0, **t.activation())


def depthwise(t: Translation) -> str:
    _, height, width, channels = t.image()
    filters = t.weights(1, 4)
    if filters.shape[0] != 1:
        raise ModelError(f"DEPTHWISE_CONV_2D has a filter of shape {list(filters.shape)}, which should begin with 1.")
    window = t.window((height, width), filters.shape[1:3], _stride(t), _dilation(t), _padding(t))
    kernel = t.constant("filter", filters.transpose(3, 1, 2, 0), "i8" if t.integer else "f32")
    operands = (t.operand(0), kernel, t.optional(2), *t.scales(1))
    return t.emit("conv2d", operands, window=window, groups=channels, pad_value=0.0, **t.activation())


def transpose_conv(t: Translation) -> str:
    filters, shape = t.weights(1, 4), t.declared()
    if len(shape) != 4:
        raise ModelError(f"TRANSPOSE_CONV gives an image, not {list(shape)}.")
    window = t.window(shape[1:3], filters.shape[1:3], _stride(t), (1, 1), t.option("Padding"))
    operands = t.operand(2), t.operand(1), t.optional(3)
    return t.emit("conv2d_transpose", operands, shape=shape, window=window, groups=1, **t.activation())


def fully_connected(t: Translation) -> str:
    if t.operator.options.get("WeightsFormat", 0):
        raise t.unsupported("with shuffled weights")
    weight, x, shape = t.weights(1, 2), t.operand(0), t.shape()
    rows, rest = divmod(math.prod(shape), weight.shape[1])
    if not shape or rest:
        raise ModelError(f"FULLY_CONNECTED has a weight of {list(weight.shape)} for an input of {list(shape)}.")
    if shape[-1] != weight.shape[1] or (len(shape) != 2 and not t.operator.options.get("KeepNumDims", False)):
        x = t.emit("reshape", (x,), part="rows", shape=(rows, weight.shape[1]))
    return t.emit("dense", (x, t.operand(1), t.optional(2), *t.scales(1)), **t.activation())


def pool(op: str, t: Translation) -> str:
    _, height, width, _ = t.image()
    kernel = t.option("FilterHeight"), t.option("FilterWidth")
    window = t.window((height, width), kernel, _stride(t), (1, 1), t.option("Padding"))
    return t.activated(t.emit(op, (t.operand(0),), window=window))


OPERATORS: dict[str, Callable[[Translation], str]] = {
    "CONV_2D": conv2d,
    "DEPTHWISE_CONV_2D": depthwise,
    "TRANSPOSE_CONV": transpose_conv,
    "FULLY_CONNECTED": fully_connected,
    "AVERAGE_POOL_2D": partial(pool, "avg_pool2d"),
    "MAX_POOL_2D": partial(pool, "max_pool2d"),
}
