# SPDX-License-Identifier: Apache-2.0
"""Entries of an axis taken by constant indices, in any order and as often as wanted.

That is what enlarging, gathering, mirroring and repeating are in every format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.model import shapes

MOST = 64
"""Times along one axis: inputs of the concatenation that it becomes."""
LONGEST = 4096
"""Indices along one axis, each of which may become a node."""


class Emit(Protocol):
    """What adds a node to an importer's graph and returns its output; `part` tells the nodes of one layer apart."""

    def __call__(self, op: str, inputs: tuple[str, ...], part: str = "", **params: Any) -> str: ...


def repeated(emit: Emit, x: str, shape: Sequence[int], factors: Sequence[int]) -> str:
    """Each element as often as `factors` says for its axis: x joined with itself along a new axis of size 1.

    Args:
        shape: of x, with at least one axis fewer than a tensor may have.
    """
    sizes = list(shape)
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        x = emit("reshape", (x,), part=f"split_{axis}", shape=(*sizes[: axis + 1], 1, *sizes[axis + 1 :]))
        x = emit("concat", (x,) * factor, part=f"repeat_{axis}", axis=axis + 1)
        sizes[axis] *= factor
        x = emit("reshape", (x,), part=f"join_{axis}", shape=tuple(sizes))
    return x


@dataclass(frozen=True)
class Run:
    """Indices that are a slice, each of it `times`; the last of them perhaps less often: `length` in all."""

    begin: int
    count: int
    step: int
    times: int
    length: int


def runs(wanted: Sequence[int], most: int = MOST) -> list[Run]:
    """Indices as runs, as few as a greedy search finds.

    Args:
        most: times that an index may be repeated in one.
    """
    found, at = [], 0
    while at < len(wanted):
        begin, times = wanted[at], 1
        while times < most and wanted[at + times : at + times + 1] == [begin]:
            times += 1
        length, step = times, 1
        if at + times < len(wanted) and wanted[at + times] > begin:
            step = wanted[at + times] - begin
            while at + length < len(wanted) and wanted[at + length] == begin + length // times * step:
                length += 1
        found.append(Run(begin, -(-length // times), step, times, length))
        at += length
    return found


def taken(emit: Emit, x: str, shape: Sequence[int], axis: int, wanted: Sequence[int], part: str = "") -> str:
    """The entries of one axis at these indices, which are within it: runs, each sliced and repeated, joined."""
    pieces = []
    whole = tuple(shape)
    for run in runs(list(wanted), MOST if len(whole) < shapes.MAX_RANK else 1):
        y, size = x, whole[axis]
        if (run.begin, run.count, run.step) != (0, size, 1):
            y = _cut(emit, y, whole, axis, run.begin, run.step, run.count, part)
        if run.times > 1:
            sizes = (*whole[:axis], run.count, *whole[axis + 1 :])
            y = repeated(emit, y, sizes, [run.times if at == axis else 1 for at in range(len(whole))])
        if run.count * run.times > run.length:
            y = _cut(emit, y, whole, axis, 0, 1, run.length, part)
        pieces.append(y)
    return joined(emit, pieces, axis, part)


def joined(emit: Emit, pieces: Sequence[str], axis: int, part: str = "") -> str:
    """Tensors one after the other along an axis, also more of them than one operation takes."""
    while len(pieces) > 1:
        groups = [pieces[at : at + MOST] for at in range(0, len(pieces), MOST)]
        pieces = [
            emit("concat", tuple(group), part=part, axis=axis) if len(group) > 1 else group[0] for group in groups
        ]
    return pieces[0]


def _cut(emit: Emit, x: str, shape: Sequence[int], axis: int, begin: int, step: int, count: int, part: str) -> str:
    starts, steps = [0] * len(shape), [1] * len(shape)
    starts[axis], steps[axis] = begin, step
    return emit("slice", (x,), part=part, begin=starts, step=steps, shape=(*shape[:axis], count, *shape[axis + 1 :]))
