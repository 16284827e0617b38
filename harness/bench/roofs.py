# SPDX-License-Identifier: Apache-2.0
"""What a board can do at most, by its own measured peaks, and what a layer would gain there in one bit.

A layer cannot run faster than its arithmetic (popcounts for bits, multiply-adds for float) nor than its data arrive:
Williams, Waterman & Patterson, Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from harness.bench.record import BIT_KINDS, Layer, Model, Peak
from harness.model.reasons import REASONS

WORD = 32
"""Channels that a word of bits holds: a layer of three channels pays for as many."""
TOO_SMALL = "too-small"
WORTH = 0.01
"""Of the model's time: a gain below this is none that anybody would notice."""


@dataclass(frozen=True)
class Roof:
    """The peaks of a device in MACs and bytes a nanosecond; 0 where one was not measured."""

    bits: float
    floats: float
    bandwidth: float

    def over(self, layer: Layer) -> float:
        """The arithmetic that the layer's kind is limited by, in MACs a nanosecond.

        The slope of memory is drawn and not counted: weights that stay in a cache arrive faster than it says.
        """
        return self.bits if layer.kind in BIT_KINDS else self.floats

    @property
    def known(self) -> bool:
        return min(self.bits, self.floats, self.bandwidth) > 0


def roof(peaks: Iterable[Peak]) -> Roof:
    """The most that any of its instruction sets reached: of GMAC/s, GFLOP/s and GB/s."""
    best: dict[str, float] = {}
    for peak in peaks:
        best[peak.name] = max(best.get(peak.name, 0.0), peak.value)
    # A multiply-add counts as two floating-point operations, and as one MAC.
    return Roof(best.get("popcount", 0.0), best.get("fma", 0.0) / 2, best.get("bandwidth", 0.0))


def now(layer: Layer, limit: Roof) -> float:
    """The least nanoseconds that a layer takes as it is."""
    planes = layer.bits if layer.kind in BIT_KINDS else 1
    return max(planes * layer.macs / limit.over(layer), layer.param_bytes / limit.bandwidth)


def as_bits(layer: Layer, limit: Roof) -> float:
    """The least nanoseconds that it would take with one bit on both sides, its input packed from floats."""
    channels = layer.kernel_shape[-1] if layer.kernel_shape else WORD
    padded = layer.macs * math.ceil(channels / WORD) * WORD / max(channels, 1)
    packing = 4 * math.prod(layer.input_shape) / limit.bandwidth
    return max(padded / limit.bits, layer.param_bytes_float / 32 / limit.bandwidth) + packing


def judged(model: Model, device: str, limit: Roof) -> Model:
    """The model with what each layer would gain on a device, and the reason where that is too little."""
    total = sum(now(layer, limit) for layer in model.layers)
    return model.model_copy(update={"layers": tuple(_judged(layer, device, limit, total) for layer in model.layers)})


def _judged(layer: Layer, device: str, limit: Roof, total: float) -> Layer:
    if layer.kind in BIT_KINDS or not layer.remedy:
        return layer
    gain = max(0.0, now(layer, limit) - as_bits(layer, limit))
    told = layer.model_copy(update={"saves_ns": gain})
    return small(told, device) if too_small(gain, total) else told


def too_small(gain: float, total: float) -> bool:
    """Whether nobody would notice a gain."""
    return gain < WORTH * total


def small(layer: Layer, device: str) -> Layer:
    """A layer whose remedy is not worth its while on a device: the reason says so, and the remedy goes."""
    reason = REASONS[TOO_SMALL]
    sentence = reason.sentence.format(why=layer.reason_text, device=device, worth=f"{WORTH:.0%}")
    return layer.model_copy(update={"reason": reason.code, "reason_text": sentence, "remedy": reason.remedy})
