# SPDX-License-Identifier: Apache-2.0
"""The values that a tensor can take: a lattice of two floors.

A tensor is *real* within an interval [lo, hi], or it takes one of a finite set of *levels*. `transfer` says how these
pass from node to node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.model.graph import Array, Tensor
from harness.model.reference import integer

MAX_LEVELS = 64
"""A set larger than this is treated as real: six bits are more than any bit kernel takes."""
Exact = tuple[float, ...] | None
"""Numbers that are met more often than by chance; None where they are not known."""


@dataclass(frozen=True)
class Grid:
    """`count` evenly spaced numbers from lo to hi."""

    lo: float
    hi: float
    count: int

    @property
    def unary(self) -> bool:
        """Whether planes of equal worth carry it: ternary values. Other counts are numbers of log2(count) bits."""
        return self.count == 3

    @property
    def planes(self) -> int:
        return 2 if self.unary else (self.count - 1).bit_length()

    @property
    def step(self) -> float:
        return (self.hi - self.lo) / (self.count - 1)


@dataclass(frozen=True)
class Values:
    """What a tensor can hold.

    Attributes:
        lo, hi: bounds; infinite where nothing is known.
        levels: every value it can take, ascending; None for a real tensor.
        rare: values beyond the levels that it takes only where a real number is exactly some other number, such as
            the 0 of a sign. No bit stands for them.
        exact: of a real tensor, the values that it takes more often than by chance, such as the 0 of a relu; None where
            nothing is known, as of an image or of a sum of a few integers.
        whole: it holds whole numbers only, though too many of them to list.
        source: the node that made it so, which is where a reader has to look.
    """

    lo: float = -np.inf
    hi: float = np.inf
    levels: tuple[float, ...] | None = None
    source: str = ""
    rare: tuple[float, ...] = ()
    exact: Exact = None
    whole: bool = False

    @property
    def two_valued(self) -> bool:
        return self.levels is not None and len(self.levels) == 2

    @property
    def grid(self) -> Grid | None:
        """The levels as evenly spaced numbers, if they are; float rounding of an exporter is forgiven."""
        if self.levels is None or len(self.levels) < 2:
            return None
        gaps = np.diff(self.levels)
        even = bool(np.all(np.abs(gaps - gaps.mean()) <= 1e-5 * abs(gaps.mean())))
        return Grid(self.levels[0], self.levels[-1], len(self.levels)) if even else None

    def __str__(self) -> str:
        if self.levels is None:
            if np.isinf(self.lo) and np.isinf(self.hi):
                return "real"
            return f"real in [{number(self.lo)}, {number(self.hi)}]"
        if len(self.levels) == 2 and self.levels[0] == -self.levels[1]:
            return f"±{number(self.levels[1])}"
        if len(self.levels) > 8:
            return f"{len(self.levels)} levels from {number(self.lo)} to {number(self.hi)}"
        return "{" + ", ".join(number(level) for level in self.levels) + "}"


def number(value: float) -> str:
    return f"{value:.6g}".replace("inf", "∞")


REAL = Values()


def of_levels(levels: Array | Sequence[float], source: str, rare: Array | Sequence[float] = ()) -> Values:
    """A finite set, or the interval around it where the set is too large or holds a NaN."""
    unique = np.unique(np.asarray(levels, np.float32)) + np.float32(0)  # -0 and 0 are one value
    unique = np.unique(unique)
    if not unique.size or np.isnan(unique).any():
        return Values(source=source)
    lo, hi = float(unique[0]), float(unique[-1])
    if len(unique) > MAX_LEVELS:
        return Values(lo, hi, None, source)
    found = tuple(float(level) for level in unique)
    beyond = {float(level) for level in np.asarray(rare, np.float32).reshape(-1)} - set(found)
    return Values(lo, hi, found, source, tuple(sorted(beyond)))


def of_constant(tensor: Tensor) -> Values:
    """The numbers that a constant holds; of codes, those that they stand for."""
    data = tensor.data
    assert data is not None
    if tensor.dtype == "i8":
        data = integer.decode(data, tensor)
    head = np.unique(data.reshape(-1)[:4096])
    if len(head) > MAX_LEVELS:  # spares sorting millions of real weights
        return Values(float(data.min()), float(data.max()), None, tensor.name)
    return of_levels(data, tensor.name)


def union(values: Sequence[Values], source: str) -> Values:
    """What a tensor holds that takes its elements from several."""
    distinct = {value.source for value in values}
    origin = values[0].source if len(distinct) == 1 else source
    if all(value.levels is not None for value in values):
        levels = [level for value in values for level in value.levels or ()]
        return of_levels(levels, origin, [level for value in values for level in value.rare])
    lo, hi = min(value.lo for value in values), max(value.hi for value in values)
    known = [value.levels if value.exact is None else value.exact for value in values]
    exact = None if any(part is None for part in known) else tuple({at for part in known for at in part or ()})
    return Values(lo, hi, None, origin, exact=exact)
