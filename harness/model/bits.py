# SPDX-License-Identifier: Apache-2.0
"""Bitpacking: one bit an element along the last axis, lowest bit first, in uint32 words; unused high bits are zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORD = 32


def words(channels: int) -> int:
    """uint32 words that hold `channels` bits."""
    return -(-channels // WORD)


def pack(planes: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """[planes, ..., C] of zeros and ones to [..., planes * ceil(C / 32)]: the planes of a pixel one after the other."""
    count, channels = planes.shape[0], planes.shape[-1]
    width = words(channels) * WORD
    padded = np.zeros((*planes.shape[1:-1], count, width), np.uint8)
    padded[..., :channels] = np.moveaxis(planes, 0, -2)
    packed = np.packbits(padded, axis=-1, bitorder="little").view("<u4").astype(np.uint32, copy=False)
    return packed.reshape(*planes.shape[1:-1], count * words(channels))


def unpack(packed: NDArray[np.uint32], shape: tuple[int, ...], planes: int = 1) -> NDArray[np.uint8]:
    """[..., planes * ceil(C / 32)] to [planes, *shape] of zeros and ones."""
    as_bytes = np.ascontiguousarray(packed, dtype="<u4").reshape(*shape[:-1], planes, words(shape[-1])).view(np.uint8)
    return np.moveaxis(np.unpackbits(as_bytes, axis=-1, bitorder="little")[..., : shape[-1]], -2, 0)
