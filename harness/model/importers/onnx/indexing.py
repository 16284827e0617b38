# SPDX-License-Identifier: Apache-2.0
"""Operators that take parts of a value, and repeat them. Which parts is constant: so they are slices, joined."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from harness.errors import ModelError
from harness.model.importers import repeat
from harness.model.importers.onnx.shaping import Function
from harness.model.importers.onnx.translation import Translation, Value


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
    if not all(steps):
        raise ModelError(f"{t.label!r}: Slice in steps of 0.")
    cuts, backwards = {}, {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        at = t.axis(axis, rank)
        wanted = range(x.shape[at])[start:end:step]
        if step > 0:
            cuts[at] = (wanted[0] if wanted else 0, len(wanted), step)
        else:
            backwards[at] = wanted
    y = _cut(t, x, cuts) if cuts else x
    for axis, wanted in backwards.items():
        y = taken(t, y, axis, wanted, f"axis{axis}_")
    return y


def gather(t: Translation) -> Value:
    x, indices = t.operand(0), t.required(1)
    axis = t.axis(t.attribute("axis", 0), len(x.shape))
    y = taken(t, x, axis, indices.reshape(-1))
    return t.reshaped(y, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def gather_nd(t: Translation) -> Value:
    """Of whole entries of the first axis: PyTorch's index with a list."""
    x, indices = t.operand(0), t.required(1)
    if t.attribute("batch_dims", 0) or not indices.ndim or indices.shape[-1] != 1:
        raise t.unsupported("of more than one axis")
    return t.reshaped(taken(t, x, 0, indices.reshape(-1)), (*indices.shape[:-1], *x.shape[1:]))


def taken(t: Translation, x: Value, axis: int, indices: Iterable[int], part: str = "") -> Value:
    """The entries of one axis at these indices: slices, repeated and joined."""
    size = x.shape[axis]
    wanted = [int(index) + (size if index < 0 else 0) for index in indices]
    if not wanted or min(wanted) < 0 or max(wanted) >= size:
        raise ModelError(f"{t.label!r}: it takes entries that an axis of {size} does not have.")
    if wanted == list(range(size)):
        return x
    if len(wanted) > repeat.LONGEST:
        raise t.unsupported(f"of {len(wanted)} entries")
    x = t.held(t.unflattened(x))
    y = repeat.taken(t.emit, x.tensor, t.graph.shape(x.tensor), x.order.index(axis), wanted, part)
    return t.value(y, x.order)


def joined(t: Translation, pieces: Sequence[Value], axis: int, part: str = "") -> Value:
    """Values of one order along an axis."""
    if len(pieces) == 1:
        return pieces[0]
    order = pieces[0].order
    joined = t.emit("concat", [t.place(piece, order) for piece in pieces], part=part, axis=order.index(axis))
    return t.value(joined, order)


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
    mode = t.attribute("mode", "constant")
    widths = t.numbers(1) if t.opset >= 11 else t.listed("pads")
    value = t.number(2, 0.0) if t.opset >= 11 else float(t.attribute("value", 0.0))
    given = t.numbers(3) if t.opset >= 18 else None
    axes = list(range(rank)) if given is None else [t.axis(axis, rank) for axis in given]
    if widths is None or len(widths) != 2 * len(axes) or not math.isfinite(value):
        raise ModelError(f"{t.label!r}: it pads {len(axes)} axes by {widths} with {value}.")
    if min(widths, default=0) < 0 or mode not in (*_BORDERS, "constant"):
        raise t.unsupported(f"of {widths} in the mode {mode!r}")
    if mode != "constant":
        for at, axis in enumerate(axes):
            wide = (widths[at], widths[at + len(axes)])
            if max(wide) > repeat.MOST:
                raise t.unsupported(f"by {max(wide)} in the mode {mode!r}")
            indices = np.pad(np.arange(x.shape[axis]), wide, _BORDERS[mode])  # type: ignore[call-overload]
            x = taken(t, x, axis, indices, f"axis{axis}_")
        return x
    before: list[int] = [0] * rank
    after: list[int] = [0] * rank
    for at, axis in enumerate(axes):
        before[x.order.index(axis)], after[x.order.index(axis)] = widths[at], widths[at + len(axes)]
    if not any(widths):
        return x
    return t.value(t.emit("pad", (x.tensor,), before=before, after=after, value=value), x.order)


def tile(t: Translation) -> Value:
    x, repeats = t.operand(0), t.numbers(1) or []
    if len(repeats) != len(x.shape) or min(repeats, default=0) < 1:
        raise ModelError(f"{t.label!r}: it repeats {list(x.shape)} {repeats} times.")
    return _repeated(t, x, repeats)


def expand(t: Translation) -> Value:
    x, wanted = t.operand(0), t.numbers(1) or []
    rank = max(len(x.shape), len(wanted))
    full = [1] * (rank - len(x.shape)) + list(x.shape)
    target = [1] * (rank - len(wanted)) + wanted
    if any(1 not in (size, have) and size != have for size, have in zip(target, full, strict=True)):
        raise ModelError(f"{t.label!r}: {list(x.shape)} cannot be expanded to {wanted}.")
    repeats = [size if have == 1 else 1 for size, have in zip(target, full, strict=True)]
    return _repeated(t, t.reshaped(x, tuple(full)), repeats)


def _repeated(t: Translation, x: Value, repeats: Sequence[int]) -> Value:
    """The whole value so often along each axis."""
    x = t.held(t.unflattened(x))
    if max(repeats, default=1) > repeat.MOST:
        raise t.unsupported(f"that repeats a computed value {math.prod(repeats)} times")
    for axis, times in enumerate(repeats):
        x = joined(t, [x] * times, axis, f"axis{axis}")
    return x


_BORDERS = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}
"""NumPy's names of the modes in which ONNX pads with what is there."""

OPERATORS: dict[str, Function] = {
    "Split": split,
    "Slice": slice_,
    "Gather": gather,
    "GatherND": gather_nd,
    "Pad": pad,
    "Tile": tile,
    "Expand": expand,
}
