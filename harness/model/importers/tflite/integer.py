# SPDX-License-Identifier: Apache-2.0
"""Which operators of TFLite stay integers: int8 in, int8 out, int8 weights with one scale a filter.

All others work on the real values of int8 tensors, and what they give is rounded to int8 again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from harness import abi
from harness.model.importers.tflite import quantised
from harness.model.importers.tflite.container import Tensor
from harness.model.importers.tflite.translation import Translation

LARGEST_RATIO = 1 << 8
"""Of the scales of a sum and its output; real ones lie below 1."""


def is_grid(tensor: Tensor) -> bool:
    """Whether a tensor is int8 with one scale for all of it."""
    return (
        tensor.dtype == "INT8"
        and len(tensor.scales) == 1
        and 0 < tensor.scales[0] < np.inf
        and -128 <= tensor.zero_points[0] <= 127
    )


def stays(t: Translation) -> bool:
    """Whether the current operator computes on codes."""
    rule = _RULES.get(t.operator.kind)
    return rule is not None and rule(t)


def _numbers(t: Translation) -> list[Tensor]:
    """What an operator reads and writes, without axes, sizes and paddings."""
    indices = (*t.operator.inputs, *t.operator.outputs)
    tensors = [t.container.tensors[index] for index in indices if index is not None]
    return [tensor for tensor in tensors if tensor.dtype not in ("INT32", "INT64")]


def on_grids(t: Translation) -> bool:
    """Whether an operator reads and writes int8 with one scale each; what it gives may be bool."""
    return all(map(is_grid, (tensor for tensor in _numbers(t) if tensor.dtype != "BOOL")))


def _on_one_grid(t: Translation) -> bool:
    return on_grids(t) and len({(tensor.scales, tensor.zero_points) for tensor in _numbers(t)}) == 1


def _is_layer(t: Translation) -> bool:
    """Whether the weights are symmetric constants with one scale, or one for each filter, and the bias is int32."""
    if len(t.operator.inputs) < 2 or None in t.operator.inputs[:2]:
        return False
    x, weight, *rest = (t.container.tensors[index] for index in t.operator.inputs if index is not None)
    y = t.container.tensors[t.operator.outputs[0]]
    if not (is_grid(x) and is_grid(y)) or any(bias.data is None or bias.dtype != "INT32" for bias in rest):
        return False
    if (
        weight.data is None
        or weight.dtype != "INT8"
        or not weight.shape
        or not weight.scales
        or any(weight.zero_points)
    ):
        return False
    axis = 3 if t.operator.kind == "DEPTHWISE_CONV_2D" else 0
    filters = weight.shape[axis] if axis < len(weight.shape) else 0
    taps = math.prod(weight.shape) // max(filters, 1)
    largest = max((int(np.abs(bias.data).max(initial=0)) for bias in rest if bias.data is not None), default=0)
    if taps > abi.constant("BNN_INT8_MAX_TAPS") or largest > abi.constant("BNN_INT8_MAX_BIAS"):
        return False
    ratios = np.asarray(weight.scales) * x.scales[0] / y.scales[0]
    sound = bool(np.all((ratios > 0) & (ratios < LARGEST_RATIO)))
    return sound and (len(weight.scales) == 1 or (weight.axis == axis and len(weight.scales) == filters))


_RULES: dict[str, Callable[[Translation], bool]] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), _is_layer),
    **dict.fromkeys(("ADD", "SUB", "MUL", "MEAN", "SOFTMAX"), on_grids),
    **dict.fromkeys(("LEAKY_RELU", "HARD_SWISH", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"), on_grids),
    **dict.fromkeys((*quantised.MOVING, "AVERAGE_POOL_2D"), _on_one_grid),
}
