# SPDX-License-Identifier: Apache-2.0
"""The largest or smallest number along any axes."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from harness import abi
from harness.model import shapes
from harness.model.importers.repeat import Emit


def extreme(
    emit: Emit, x: str, shape: Sequence[int], axes: Collection[int], result: tuple[int, ...], least: bool
) -> str:
    """The largest, in the shape `result`: a pool over an image whose height are these axes, and whose channels all
    others. The smallest is the largest of what is negated."""
    negated = abi.constant("BNN_NEG")
    if least:
        x = emit("unary", (x,), part="turned", kind=negated)
    order = (*sorted(axes), *(axis for axis in range(len(shape)) if axis not in axes))
    if list(order) != sorted(order):
        x = emit("transpose", (x,), part="ordered", permutation=(*order, *range(len(order), shapes.MAX_RANK)))
    rows = math.prod(shape[axis] for axis in axes)
    column = emit("reshape", (x,), part="column", shape=(1, rows, 1, math.prod(shape) // rows))
    y = emit("max_pool2d", (column,), part="pool", window=shapes.window((rows, 1)))
    if least:
        y = emit("unary", (y,), part="least", kind=negated)
    return emit("reshape", (y,), shape=result)
