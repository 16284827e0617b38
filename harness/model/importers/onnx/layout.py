# SPDX-License-Identifier: Apache-2.0
"""Orders of axes. In an order, entry i is the axis of the value that stands as axis i of the graph's tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.model.graph import Array

Shape = tuple[int, ...]
Order = tuple[int, ...]

CHANNELS_LAST: Order = (0, 2, 3, 1)


def channels_last_order(rank: int) -> Order:
    """Batch first, axis 1 (the channels) last."""
    return (0, *range(2, rank), 1) if rank > 1 else tuple(range(rank))


def inverse(order: Order) -> Order:
    return tuple(order.index(axis) for axis in range(len(order)))


def logical(shape: Shape, order: Order) -> Shape:
    """The shape of the value that a tensor of this shape holds."""
    return tuple(shape[at] for at in inverse(order))


def moves_nothing(shape: Shape, permutation: Sequence[int]) -> bool:
    """Whether a transpose only moves axes of size one, so that a reshape does the same."""
    moved = [axis for axis in permutation if shape[axis] > 1]
    return moved == sorted(moved)


def channels_last(image: tuple[int, int, int]) -> Array:
    """For each feature of an image [H, W, C] flattened, its index where the image was [C, H, W]."""
    height, width, channels = image
    return np.arange(height * width * channels).reshape(channels, height, width).transpose(1, 2, 0).reshape(-1)


def _groups(old: Shape, new: Shape) -> list[tuple[list[int], list[int]]]:
    """Axes of two shapes of equal size that cover the same elements; axes of size one are left out."""
    groups: list[tuple[list[int], list[int]]] = []
    before = [axis for axis, size in enumerate(old) if size > 1]
    after = [axis for axis, size in enumerate(new) if size > 1]
    while before and after:
        left, right = [before.pop(0)], [after.pop(0)]
        a, b = old[left[0]], new[right[0]]
        while a != b:
            if a < b:
                left.append(before.pop(0))
                a *= old[left[-1]]
            else:
                right.append(after.pop(0))
                b *= new[right[-1]]
        groups.append((left, right))
    return groups


def reshaped(old: Shape, new: Shape, order: Order) -> Order | None:
    """The order of a value after a reshape that moves no data; None where there is none."""
    start = {left[0]: (left, right) for left, right in _groups(old, new)}
    remaining = [axis for axis in order if old[axis] > 1]
    result: list[int] = []
    while remaining:
        group = start.get(remaining[0])
        if group is None or remaining[: len(group[0])] != group[0]:
            return None
        result += group[1]
        remaining = remaining[len(group[0]) :]
    for axis, size in enumerate(new):
        if size == 1:
            result.insert(result.index(axis - 1) + 1 if axis else 0, axis)
    return tuple(result)


def sorted_groups(old: Shape, new: Shape, order: Order) -> Order:
    """The order nearest to `order` from which a reshape moves no data: axes that merge stand together, in sequence."""
    group_of = {axis: left for left, _ in _groups(old, new) for axis in left}
    result: list[int] = []
    for axis in order:
        for member in group_of.get(axis, [axis]):
            if member not in result:
                result.append(member)
    return tuple(result)
