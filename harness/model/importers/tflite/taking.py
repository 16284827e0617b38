# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators that take entries by constant indices: gathering, mirroring, repeating, images of another size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.errors import ModelError
from harness.model.graph import Array
from harness.model.importers import interpolate, repeat
from harness.model.importers.repeat import LONGEST
from harness.model.importers.tflite import integer, quantised
from harness.model.importers.tflite.translation import Translation

_BORDERS = {0: "reflect", 1: "symmetric"}


def gather(t: Translation) -> str:
    axis = t.axis(t.option("Axis"), len(t.shape()))
    if t.option("BatchDims"):
        raise t.unsupported("with indices of each sample")
    y = take(t, t.operand(0), axis, t.numbers(1, LONGEST))
    return y if t.graph.shape(y) == t.declared() else t.emit("reshape", (y,), part="shaped", shape=t.declared())


def take(t: Translation, x: str, axis: int, wanted: Sequence[int], part: str = "") -> str:
    """The entries of an axis at these indices."""
    shape = t.graph.shape(x)
    if not wanted or min(wanted) < 0 or max(wanted) >= shape[axis]:
        raise ModelError(f"{t.operator.kind} takes entries that an axis of {shape[axis]} does not have.")
    if len(wanted) > LONGEST:
        raise t.unsupported(f"of {len(wanted)} entries")
    return repeat.taken(t.emit, x, shape, axis, wanted, part)


def reverse(t: Translation) -> str:
    x = t.operand(0)
    for axis in sorted({t.axis(axis, len(t.shape())) for axis in t.numbers(1)}):
        x = take(t, x, axis, range(t.shape()[axis])[::-1])
    return x


def tile(t: Translation) -> str:
    times = t.numbers(1)
    if len(times) != len(t.shape()) or min(times, default=1) < 1:
        raise ModelError(f"TILE repeats {list(t.shape())} {times} times.")
    return _tiled(t, t.operand(0), times)


def broadcast_to(t: Translation) -> str:
    target = t.declared()
    shape = (*[1] * (len(target) - len(t.shape())), *t.shape())
    if len(shape) != len(target) or any(1 != a != b for a, b in zip(shape, target, strict=True)):
        raise ModelError(f"BROADCAST_TO makes {list(target)} of {list(t.shape())}.")
    x = t.operand(0) if shape == t.shape() else t.emit("reshape", (t.operand(0),), part="rank", shape=shape)
    return _tiled(t, x, [b if a == 1 else 1 for a, b in zip(shape, target, strict=True)])


def _tiled(t: Translation, x: str, times: Sequence[int]) -> str:
    if max(times, default=1) > LONGEST:
        raise t.unsupported(f"{max(times)} times")
    for axis, count in enumerate(times):
        x = repeat.joined(t.emit, [x] * count, axis)
    return x


def mirror_pad(t: Translation) -> str:
    shape, widths, border = t.shape(), t.numbers(1), _BORDERS.get(t.option("Mode"))
    if border is None or len(widths) != 2 * len(shape) or min(widths, default=0) < 0:
        raise ModelError(f"MIRROR_PAD pads {len(shape)} axes by {widths}.")
    x = t.operand(0)
    for axis, size in enumerate(shape):
        sides = (widths[2 * axis], widths[2 * axis + 1])
        if max(sides) > size - (border == "reflect"):
            raise ModelError(f"MIRROR_PAD cannot pad {size} by {list(sides)}.")
        if any(sides):
            x = take(t, x, axis, np.pad(np.arange(size), sides, border).tolist())  # type: ignore[call-overload]
    return x


def resize_nearest(t: Translation) -> str:
    x = t.operand(0)
    for axis, (size, wanted) in _sizes(t).items():
        x = take(t, x, axis, _nearest(t, size, wanted).tolist())
    return x


def _sizes(t: Translation) -> dict[int, tuple[int, int]]:
    """The size of an image and the wanted one, by axis."""
    _, height, width, _ = t.image()
    sizes = t.numbers(1)
    if len(sizes) != 2 or min(sizes) < 1:
        raise ModelError(f"{t.operator.kind} makes an image of {sizes}.")
    if max(sizes) > LONGEST:
        raise t.unsupported(f"to {sizes}")
    return {1: (height, sizes[0]), 2: (width, sizes[1])}


def _nearest(t: Translation, size: int, wanted: int) -> Array:
    """The pixel for each new one, in the float32 arithmetic of TensorFlow Lite."""
    places, _, aligned = _scaled(t, size, wanted)
    return np.clip(np.floor(places + np.float32(0.5)) if aligned else np.floor(places), 0, size - 1).astype(int)


def resize_bilinear(t: Translation) -> str:
    """Along one axis after the other. Of int8, the codes themselves are weighted, by 1024ths, as in TensorFlow Lite."""
    x, tensor = t.operand(0), t.container.tensors[t.operator.inputs[0] or 0]
    codes = integer.is_grid(tensor)
    if codes:
        x = quantised.to_codes(t, x, tensor)
    for axis, (size, wanted) in _sizes(t).items():
        places = _fixed(t, size, wanted) if codes else _between(t, size, wanted)
        x = interpolate.blended(t.emit, t.constant, x, t.graph.shape(x), axis, places)
    if not codes:
        return x
    whole = t.graph.node("convert", f"{x}/whole", (x,), layer=t.operator.kind, dtype="i8")
    back = t.graph.node("convert", f"{x}/codes", (whole,), layer=t.operator.kind)
    return quantised.from_codes(t, back, tensor)


def _scaled(t: Translation, size: int, wanted: int) -> tuple[Array, np.float32, bool]:
    """Each new pixel in the size of the old image, as float32; the middle of a pixel; whether corners meet."""
    aligned = bool(t.option("AlignCorners")) and wanted > 1
    scale = np.float32(size - 1) / np.float32(wanted - 1) if aligned else np.float32(size) / np.float32(wanted)
    middle = np.float32(0.5 if t.option("HalfPixelCenters") else 0)
    return (np.arange(wanted, dtype=np.float32) + middle) * scale, middle, aligned


def _between(t: Translation, size: int, wanted: int) -> Array:
    """Where each new pixel lies between the old ones."""
    places, middle, _ = _scaled(t, size, wanted)
    return np.asarray(places - middle)


def _fixed(t: Translation, size: int, wanted: int) -> Array:
    """The same in whole 1024ths."""
    aligned = t.option("AlignCorners") and wanted > 1
    scale = (
        (1024 * (size - 1) + (wanted - 1) // 2) // (wanted - 1) if aligned else (1024 * size + wanted // 2) // wanted
    )
    places = np.arange(wanted) * scale
    if t.option("HalfPixelCenters"):
        places = places + scale // 2 - 512
    return places / np.float32(1024)


OPERATORS: dict[str, Callable[[Translation], str]] = {
    "GATHER": gather,
    "REVERSE_V2": reverse,
    "TILE": tile,
    "BROADCAST_TO": broadcast_to,
    "MIRROR_PAD": mirror_pad,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest,
    "RESIZE_BILINEAR": resize_bilinear,
}
