# SPDX-License-Identifier: Apache-2.0
"""Images made larger."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from harness.errors import ModelError
from harness.model.importers import repeat
from harness.model.importers.onnx.activations import affine
from harness.model.importers.onnx.elementwise import binary
from harness.model.importers.onnx.indexing import joined, taken
from harness.model.importers.onnx.translation import Translation, Value


def resize(t: Translation) -> Value:
    """By whole factors: linearly, or to the nearest pixel where that repeats every pixel."""
    x = t.held(t.unflattened(t.operand(0)))
    mode, factors = t.attribute("mode", "nearest"), _factors(t, x)
    if mode == "linear":
        for axis, factor in enumerate(factors):
            x = _between(t, x, axis, factor) if factor > 1 else x
        return x
    if mode != "nearest":
        raise t.unsupported(f"in the mode {mode!r}")
    for size, factor in zip(x.shape, factors, strict=True):
        if factor > repeat.MOST:
            raise t.unsupported(f"by {factor}")
        if factor > 1 and any(at // factor != source for at, source in enumerate(_sources(t, size, factor))):
            raise t.unsupported("with this rule for the nearest pixel")
    placed = [factors[axis] for axis in x.order]
    return t.value(repeat.repeated(t.emit, x.tensor, t.graph.shape(x.tensor), placed), x.order)


def _factors(t: Translation, x: Value) -> list[int]:
    """Of each axis. The inputs are (x, scales) of Upsample and of opset 10, (x, roi, scales, sizes) from 11 on."""
    at = 1 if t.kind == "Upsample" or t.opset < 11 else 2
    scales, sizes = t.data(at), t.numbers(3) if at == 2 else None
    if scales is not None and scales.size:
        wanted = [float(scale) for scale in scales.reshape(-1)]
    else:
        wanted = [size / old for size, old in zip(sizes or [], x.shape, strict=False)]
    axes = [t.axis(axis, len(x.shape)) for axis in t.listed("axes") or range(len(x.shape))]
    if len(wanted) != len(axes):
        raise ModelError(f"{t.label!r}: {t.kind} has {len(wanted)} factors for {len(axes)} axes.")
    factors = [1] * len(x.shape)
    for axis, factor in zip(axes, wanted, strict=True):
        if factor < 1 or not factor.is_integer():
            raise t.unsupported(f"by {factor:g}")
        factors[axis] = int(factor)
    return factors


def _sources(t: Translation, size: int, factor: int) -> Iterator[int]:
    """The pixel that each pixel of an enlarged axis is taken from."""
    place = _place(t)
    nearest = _NEAREST.get(t.attribute("nearest_mode", "round_prefer_floor") if _newest(t) else "floor")
    if nearest is None:
        raise t.unsupported("with this rule for the nearest pixel")
    for at in range(size * factor):
        yield min(max(nearest(place(at, factor, size)), 0), size - 1)


def _between(t: Translation, x: Value, axis: int, factor: int) -> Value:
    """Each pixel becomes `factor` new ones, which lie between it and a neighbour; what lies beyond the edge is the
    edge's. The new pixels of one phase are a weighted mean of the image and the image moved by one."""
    size, place = x.shape[axis], _place(t)
    if factor > repeat.MOST:
        raise t.unsupported(f"by {factor}")
    offsets = [place(at, factor, size) for at in range(factor)]
    if any(abs(place(at, factor, size) - offsets[at % factor] - at // factor) > 1e-6 for at in range(size * factor)):
        raise t.unsupported("with this rule for the pixels between")  # their phases differ from place to place
    back = taken(t, x, axis, [max(at - 1, 0) for at in range(size)], f"axis{axis}_back")
    ahead = taken(t, x, axis, [min(at + 1, size - 1) for at in range(size)], f"axis{axis}_ahead")
    apart = (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :])
    phases = []
    for at, offset in enumerate(offsets):
        part, other = f"axis{axis}_phase{at}", back if offset < 0 else ahead
        y = x
        if offset:
            here = affine(t, x, 1 - abs(offset), 0.0, f"{part}_here")
            y = binary(t, "ADD", here, affine(t, other, abs(offset), 0.0, f"{part}_there"), part)
        phases.append(t.reshaped(y, apart))
    whole = joined(t, phases, axis + 1, f"axis{axis}")
    return t.reshaped(whole, (*x.shape[:axis], size * factor, *x.shape[axis + 1 :]))


def _newest(t: Translation) -> bool:
    return t.kind == "Resize" and t.opset >= 11


def _place(t: Translation) -> Callable[[int, int, int], float]:
    found = _PLACES.get(t.attribute("coordinate_transformation_mode", "half_pixel") if _newest(t) else "asymmetric")
    if found is None:
        raise t.unsupported("with this rule for the place of a pixel")
    return found


_PLACES: dict[str, Callable[[int, int, int], float]] = {
    "half_pixel": lambda at, factor, _: (at + 0.5) / factor - 0.5,
    "half_pixel_symmetric": lambda at, factor, _: (at + 0.5) / factor - 0.5,
    "pytorch_half_pixel": lambda at, factor, size: (at + 0.5) / factor - 0.5 if size * factor > 1 else 0.0,
    "asymmetric": lambda at, factor, _: at / factor,
    "align_corners": lambda at, factor, size: at * (size - 1) / max(size * factor - 1, 1),
}
"""Where a pixel of the enlarged axis lies on the old one, by ONNX's coordinate_transformation_mode."""
_NEAREST: dict[str, Callable[[float], int]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round_prefer_floor": lambda place: math.ceil(place - 0.5),
    "round_prefer_ceil": lambda place: math.floor(place + 0.5),
}

OPERATORS: dict[str, Callable[[Translation], Value]] = {"Resize": resize, "Upsample": resize}
