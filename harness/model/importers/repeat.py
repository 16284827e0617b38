# SPDX-License-Identifier: Apache-2.0
"""Nearest-neighbour enlargement, which every format has under another name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

MOST = 64
"""Times along one axis: inputs of the concatenation that it becomes."""


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
