# SPDX-License-Identifier: Apache-2.0
"""Operators that move, cut and join."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

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


def split(t: Translation) -> list[Value]:
    x = t.operand(0)
    axis = t.axis(t.attribute("axis", 0), len(x.shape))
    count = len(t.operator.outputs) if t.operator else 1
    sizes = t.numbers(1) if t.optional(1) is not None else t.listed("split")
    if sizes is None:
        size = -(-x.shape[axis] // max(count, 1))
        sizes = [min(size, x.shape[axis] - at * size) for at in range(count)]
    begins = [sum(sizes[:at]) for at in range(len(sizes))]
    if len(sizes) != count or sum(sizes) != x.shape[axis]:
        raise ModelError(f"{t.label!r}: {x.shape[axis]} cannot be split into {list(sizes)} for {count} outputs.")
    return [
        _cut(t, x, {axis: (begin, size, 1)}, str(at))
        for at, (begin, size) in enumerate(zip(begins, sizes, strict=True))
    ]


def slice_(t: Translation) -> Value:
    x = t.operand(0)
    rank = len(x.shape)
    if t.opset < 10:
        starts, ends, axes, steps = t.listed("starts"), t.listed("ends"), t.listed("axes"), None
    else:
        starts, ends, axes, steps = (t.numbers(position) for position in (1, 2, 3, 4))
    if not starts or not ends or len(starts) != len(ends):
        raise ModelError(f"{t.label!r}: Slice wants as many starts as ends.")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(axes) == len(steps) == len(starts):
        raise ModelError(f"{t.label!r}: Slice wants as many axes and steps as starts.")
    if min(steps) < 1:
        raise t.unsupported("with a negative step")
    cuts = {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        taken = range(x.shape[t.axis(axis, rank)])[start:end:step]
        cuts[t.axis(axis, rank)] = (taken[0] if taken else 0, len(taken), step)
    return _cut(t, x, cuts)


def gather(t: Translation) -> Value:
    """Of one index, or of a run of them: a slice."""
    x, indices = t.operand(0), t.required(1)
    axis = t.axis(t.attribute("axis", 0), len(x.shape))
    size = x.shape[axis]
    wanted = [int(index) + (size if index < 0 else 0) for index in indices.reshape(-1)[: size + 1]]
    steps = {after - before for before, after in pairwise(wanted)}
    if indices.ndim > 1 or not wanted or len(steps) > 1 or min(steps, default=1) < 1:
        raise t.unsupported("of indices that are not evenly spaced")
    y = _cut(t, x, {axis: (wanted[0], len(wanted), min(steps, default=1))})
    return y if indices.ndim else t.reshaped(y, (*x.shape[:axis], *x.shape[axis + 1 :]))


def _cut(t: Translation, x: Value, cuts: dict[int, tuple[int, int, int]], part: str = "") -> Value:
    """A piece of a value; `cuts` has begin, count and step by axis."""
    x = t.held(t.unflattened(x))
    whole = [(0, size, 1) for size in x.shape]
    begin, count, step = zip(*(cuts.get(axis, whole[axis]) for axis in x.order), strict=True)
    tensor = t.emit("slice", (x.tensor,), part=part, begin=list(begin), step=list(step), shape=tuple(count))
    return t.value(tensor, x.order)


def pad(t: Translation) -> Value:
    x = t.held(t.unflattened(t.operand(0)))
    rank = len(x.shape)
    if t.attribute("mode", "constant") != "constant":
        raise t.unsupported(f"in the mode {t.attribute('mode', '')!r}")
    widths = t.numbers(1) if t.opset >= 11 else t.listed("pads")
    value = t.number(2, 0.0) if t.opset >= 11 else float(t.attribute("value", 0.0))
    given = t.numbers(3) if t.opset >= 18 else None
    axes = list(range(rank)) if given is None else [t.axis(axis, rank) for axis in given]
    if widths is None or len(widths) != 2 * len(axes) or not math.isfinite(value):
        raise ModelError(f"{t.label!r}: it pads {len(axes)} axes by {widths} with {value}.")
    if min(widths, default=0) < 0:
        raise t.unsupported("with a negative width")
    before: list[int] = [0] * rank
    after: list[int] = [0] * rank
    for at, axis in enumerate(axes):
        before[x.order.index(axis)], after[x.order.index(axis)] = widths[at], widths[at + len(axes)]
    if not any(widths):
        return x
    return t.value(t.emit("pad", (x.tensor,), before=before, after=after, value=value), x.order)


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


def expand(t: Translation) -> Value:
    """Only one that changes nothing but leading axes of size one; others would copy."""
    x, wanted = t.operand(0), t.numbers(1) or []
    rank = max(len(x.shape), len(wanted))
    full = [1] * (rank - len(x.shape)) + list(x.shape)
    target = [1] * (rank - len(wanted)) + wanted
    if any(size not in (1, have) for size, have in zip(target, full, strict=True)):
        raise t.unsupported("that copies a computed value")
    return t.reshaped(x, tuple(full))


OPERATORS: dict[str, Function] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Gather": gather,
    "Pad": pad,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Expand": expand,
}
