# SPDX-License-Identifier: Apache-2.0
"""Bitpacking: one bit an element along the last axis, lowest bit first, in uint32 words; unused high bits are zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORD = 32


def words(channels: int) -> int:
    """uint32 words that hold `channels` bits."""
    return -(-channels // WORD)


def pack(bits: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """[..., C] of zeros and ones to [..., ceil(C / 32)]."""
    channels = bits.shape[-1]
    padded = np.zeros((*bits.shape[:-1], words(channels) * WORD), np.uint8)
    padded[..., :channels] = bits
    return np.packbits(padded, axis=-1, bitorder="little").view("<u4").astype(np.uint32, copy=False)


def unpack(packed: NDArray[np.uint32], channels: int) -> NDArray[np.uint8]:
    """[..., ceil(C / 32)] to [..., C] of zeros and ones."""
    as_bytes = np.ascontiguousarray(packed, dtype="<u4").view(np.uint8)
    return np.unpackbits(as_bytes, axis=-1, bitorder="little")[..., :channels]
