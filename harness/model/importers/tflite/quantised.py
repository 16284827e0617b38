# SPDX-License-Identifier: Apache-2.0
"""Tensors of uint8 and int16, described as real numbers on a grid: value = scale * (q - zero_point).

An operator on them is its float operator followed by rounding to the grid of its output, which is how the file came to
be. The reference then differs from TFLite's fixed-point arithmetic in the last step at most. Int8 has operations of its
own: `integer`.
"""

from __future__ import annotations

import numpy as np

from harness import abi
from harness.errors import ModelError
from harness.model.importers.tflite.container import Tensor
from harness.model.importers.tflite.translation import FREE, Translation

RANGES = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}

MOVING = frozenset(
    {
        "MAX_POOL_2D",
        "RESHAPE",
        "SQUEEZE",
        "EXPAND_DIMS",
        "TRANSPOSE",
        "CONCATENATION",
        "PACK",
        "UNPACK",
        "SPLIT",
        "SPLIT_V",
        "SLICE",
        "STRIDED_SLICE",
        "SPACE_TO_DEPTH",
        "DEPTH_TO_SPACE",
        "RESIZE_NEAREST_NEIGHBOR",
        "GATHER",
        "REVERSE_V2",
        "TILE",
        "BROADCAST_TO",
        "MIRROR_PAD",
        "REDUCE_MAX",
        "PAD",
    }
)
"""They compute no new values, so that what was on the grid stays there."""


def from_codes(t: Translation, name: str, tensor: Tensor) -> str:
    """The real values of a tensor of codes; exact, in that the code of zero becomes zero."""
    scale, zero_point = _grid(tensor)
    centred = _affine(t, name, 1.0, -zero_point, f"{name}/centred")
    return _affine(t, centred, scale, 0.0, f"{name}/real")


def to_codes(t: Translation, name: str, tensor: Tensor) -> str:
    scale, zero_point = _grid(tensor)
    steps = _affine(t, name, 1 / scale, zero_point, f"{name}/steps")
    return t.graph.node("unary", f"{name}/codes", (steps,), layer=tensor.dtype, kind=abi.constant("BNN_ROUND"))


def to_grid(t: Translation, name: str, tensor: Tensor) -> str:
    """The nearest values that the tensor of the file can hold."""
    scale, zero_point = _grid(tensor)
    if t.operator.kind in MOVING and all(
        t.container.tensors[index].scales == tensor.scales
        for index in t.operator.inputs
        if index is not None and t.container.tensors[index].dtype == tensor.dtype
    ):
        return name
    lowest, highest = (code - zero_point for code in RANGES[tensor.dtype])
    steps = _affine(t, name, 1 / scale, 0.0, f"{name}/steps")
    whole = t.emit("unary", (steps,), part="round", kind=abi.constant("BNN_ROUND"))
    held = t.emit("clamp", (whole,), part="range", lo=float(lowest), hi=float(highest))
    return _affine(t, held, scale, 0.0, f"{name}/{tensor.dtype.lower()}")


def _grid(tensor: Tensor) -> tuple[float, int]:
    if len(tensor.scales) != 1:
        raise ModelError(
            f"The {tensor.dtype} tensor {tensor.name!r} has {len(tensor.scales)} scales; one that is computed has one."
        )
    return tensor.scales[0], tensor.zero_points[0]


def _affine(t: Translation, name: str, scale: float, offset: float, label: str) -> str:
    if scale == 1 and offset == 0:
        return name
    operands = [name, t.graph.constant(f"{label}/scale", np.array([scale], np.float32))]
    if offset:
        operands.append(t.graph.constant(f"{label}/offset", np.array([offset], np.float32)))
    return t.graph.node("affine", label, tuple(operands), layer=t.operator.kind, **FREE)
