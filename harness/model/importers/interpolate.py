# SPDX-License-Identifier: Apache-2.0
"""Images of another size, whose pixels lie between the old ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from harness import abi
from harness.model.graph import Array
from harness.model.importers.repeat import Emit, taken


def blended(
    emit: Emit, constant: Callable[[str, Array], str], x: str, shape: Sequence[int], axis: int, places: Array
) -> str:
    """x at places on one axis, each a weighted mean of two neighbours; what lies beyond an edge is the edge's.

    Args:
        constant: adds a constant to the importer's graph.
    """
    last = shape[axis] - 1
    places = np.clip(places, 0, last)
    low = np.floor(places).astype(int)
    share = (places - low).astype(np.float32).reshape([-1 if at == axis else 1 for at in range(len(shape))])
    below = taken(emit, x, shape, axis, low.tolist(), f"below_{axis}")
    if not share.any():
        return below
    above = taken(emit, x, shape, axis, np.minimum(low + 1, last).tolist(), f"above_{axis}")
    add, times = abi.constant("BNN_ADD"), abi.constant("BNN_MUL")
    free = {"lo": -math.inf, "hi": math.inf}
    below = emit("arith", (below, constant(f"rest_{axis}", 1 - share)), part=f"less_{axis}", kind=times, **free)
    above = emit("arith", (above, constant(f"share_{axis}", share)), part=f"more_{axis}", kind=times, **free)
    return emit("arith", (below, above), part=f"blend_{axis}", kind=add, **free)
