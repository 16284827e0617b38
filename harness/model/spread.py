# SPDX-License-Identifier: Apache-2.0
"""How the weights of each filter are spread: ±s, {0, s}, {-s, 0, s}, a few even levels, or real."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from harness.model.graph import Array, Tensor
from harness.model.values import Grid, number

_BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class Spread:
    """The kernel side of every verdict.

    Attributes:
        count: of evenly spaced values that every filter keeps to; 0 where there are none, or too many.
        centre, scale: filter o takes values between centre[o] - scale[o] and centre[o] + scale[o], both [O].
    """

    count: int
    centre: Array
    scale: Array

    @property
    def symmetric(self) -> bool:
        return not self.centre.any()

    @property
    def grid(self) -> Grid:
        """Of a filter of scale 1 around 0."""
        return Grid(-1.0, 1.0, self.count)

    def __str__(self) -> str:
        if not self.count:
            return "real"
        same = all(np.all(np.abs(part - part[0]) <= 1e-6 * np.abs(self.scale[0])) for part in (self.scale, self.centre))
        s = number(float(self.scale[0])) if same else "s"
        suffix = "" if same else " in each filter"
        if not self.symmetric:
            low, high = float(self.centre[0] - self.scale[0]), float(self.centre[0] + self.scale[0])
            return f"{{{number(low)}, {number(high)}}}" if same else "two values in each filter"
        if self.count == 2:
            return f"±{s}{suffix}"
        if self.count == 3:
            return f"{{-{s}, 0, {s}}}{suffix}"
        return f"{self.count} even levels up to ±{s}{suffix}"


_KNOWN: WeakKeyDictionary[Tensor, Spread] = WeakKeyDictionary()
"""Several rules ask, and a kernel may have a hundred million weights."""


def spread_of(tensor: Tensor) -> Spread:
    """The spread of a constant [O, ...]."""
    assert tensor.data is not None
    if tensor not in _KNOWN:
        _KNOWN[tensor] = measure(tensor.data)
    return _KNOWN[tensor]


def measure(weights: Array, tolerance: float = 1e-5) -> Spread:
    """The spread of weights [O, ...].

    Args:
        tolerance: relative; exporters compute sign(w) * mean|w| in float32 and leave a few units in the last place.
    """
    flat = weights.reshape(weights.shape[0], -1)
    smallest, largest = _magnitudes(flat)
    scale = largest.astype(np.float64)
    nothing = np.zeros_like(scale)
    if (scale > 0).all() and (smallest >= np.float32(1 - tolerance) * largest).all():
        return Spread(2, nothing, (smallest + scale) / 2)
    safe = np.where(largest > 0, largest, np.float32(1))[:, None]
    for count in (3, 4):
        steps = flat / safe * np.float32((count - 1) / 2) + np.float32((count - 1) / 2)
        if np.all(np.abs(steps - np.rint(steps)) <= tolerance * count):
            return (
                Spread(count, nothing, np.where(scale > 0, scale, 1.0))
                if count == 4 or not _one_sided(flat)
                else _two(flat)
            )
    low, high = flat.min(axis=1)[:, None], flat.max(axis=1)[:, None]
    near = np.float32(tolerance) * safe
    if np.all((flat - low <= near) | (high - flat <= near)) and np.all(high > low):
        return _two(flat)
    return Spread(0, nothing, scale)


def _magnitudes(flat: Array) -> tuple[Array, Array]:
    """The smallest and the largest magnitude of each row, a few rows at a time: what fits a cache is read once."""
    rows = max(1, _BLOCK // flat.shape[1])
    smallest, largest = np.empty(len(flat), flat.dtype), np.empty(len(flat), flat.dtype)
    for at in range(0, len(flat), rows):
        magnitude = np.abs(flat[at : at + rows])
        smallest[at : at + rows], largest[at : at + rows] = magnitude.min(axis=1), magnitude.max(axis=1)
    return smallest, largest


def _one_sided(flat: Array) -> bool:
    """Whether each filter has two values, zero and one other."""
    return bool(
        np.all(((flat >= 0).all(axis=1) | (flat <= 0).all(axis=1)) & (flat == 0).any(axis=1) & (flat != 0).any(axis=1))
    )


def _two(flat: Array) -> Spread:
    """Two values that do not lie around zero, such as {0, s}."""
    low, high = flat.min(axis=1).astype(np.float64), flat.max(axis=1).astype(np.float64)
    return Spread(2, (low + high) / 2, (high - low) / 2)
