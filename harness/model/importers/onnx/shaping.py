# SPDX-License-Identifier: Apache-2.0
"""Operators that give a value another shape, and join values."""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.errors import ModelError
from harness.model.importers.onnx.translation import Translation, Value

Function = Callable[[Translation], Value | list[Value]]


def reshape(t: Translation) -> Value:
    x = t.operand(0)
    sizes = t.numbers(1) if t.optional(1) is not None else t.listed("shape")
    if sizes is None:
        raise ModelError(f"{t.label!r}: Reshape without a shape.")
    if not t.attribute("allowzero", 0):
        sizes = [x.shape[i] if size == 0 and i < len(x.shape) else size for i, size in enumerate(sizes)]
    if list(sizes).count(-1) == 1:
        rest = math.prod(size for size in sizes if size != -1)
        sizes = [math.prod(x.shape) // max(rest, 1) if size == -1 else size for size in sizes]
    return t.reshaped(x, tuple(int(size) for size in sizes))


def flatten(t: Translation) -> Value:
    x = t.operand(0)
    axis = t.attribute("axis", 1)
    if not -len(x.shape) <= axis <= len(x.shape):
        raise ModelError(f"{t.label!r}: there is no axis {axis} in {list(x.shape)}.")
    axis += len(x.shape) if axis < 0 else 0
    return t.reshaped(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def squeeze(t: Translation) -> Value:
    x = t.operand(0)
    axes = _axes(t, x, len(x.shape)) or [axis for axis, size in enumerate(x.shape) if size == 1]
    if any(x.shape[axis] != 1 for axis in axes):
        raise ModelError(f"{t.label!r}: the axes {axes} of {list(x.shape)} are not all of size one.")
    return t.reshaped(x, tuple(size for axis, size in enumerate(x.shape) if axis not in axes))


def unsqueeze(t: Translation) -> Value:
    x = t.operand(0)
    given = t.numbers(1) if t.optional(1) is not None else t.listed("axes")
    rank = len(x.shape) + len(given or [])
    axes = {t.axis(axis, rank) for axis in given or []}
    sizes = iter(x.shape)
    return t.reshaped(x, tuple(1 if axis in axes else next(sizes, 1) for axis in range(rank)))


def _axes(t: Translation, x: Value, rank: int) -> list[int]:
    given = t.numbers(1) if t.optional(1) is not None else t.listed("axes")
    return [t.axis(axis, rank) for axis in given or []]


def transpose(t: Translation) -> Value:
    x = t.operand(0)
    return t.permuted(x, t.integers("perm", len(x.shape), 0) if t.listed("perm") else range(len(x.shape))[::-1])


def concat(t: Translation) -> Value:
    parts = [t.unflattened(part) for part in t.operands()]
    rank = len(parts[0].shape)
    if any(len(part.shape) != rank for part in parts):
        raise ModelError(f"{t.label!r}: it joins values of different ranks.")
    order = next((part.order for part in parts if part.data is None), tuple(range(rank)))
    axis = order.index(t.axis(t.attribute("axis", 0), rank))
    return t.value(t.emit("concat", [t.place(part, order) for part in parts], axis=axis), order)


def depth_to_space(t: Translation) -> Value:
    x, block = t.operand(0), t.attribute("blocksize", 0)
    if len(x.shape) != 4 or block < 1 or x.shape[1] % (block * block):
        raise ModelError(f"{t.label!r}: blocks of {block} do not divide {list(x.shape)}.")
    n, channels, height, width = x.shape
    rest = channels // (block * block)
    if t.attribute("mode", "DCR") == "DCR":
        apart, turn = (n, block, block, rest, height, width), (0, 3, 4, 1, 5, 2)
    else:
        apart, turn = (n, rest, block, block, height, width), (0, 1, 4, 2, 5, 3)
    return t.reshaped(t.permuted(t.reshaped(x, apart), turn), (n, rest, height * block, width * block))


def space_to_depth(t: Translation) -> Value:
    x, block = t.operand(0), t.attribute("blocksize", 0)
    if len(x.shape) != 4 or block < 1 or x.shape[2] % block or x.shape[3] % block:
        raise ModelError(f"{t.label!r}: blocks of {block} do not divide {list(x.shape)}.")
    n, channels, height, width = x.shape
    apart = (n, channels, height // block, block, width // block, block)
    turned = t.permuted(t.reshaped(x, apart), (0, 3, 5, 1, 2, 4))
    return t.reshaped(turned, (n, channels * block * block, height // block, width // block))


OPERATORS: dict[str, Function] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Concat": concat,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
}
