# SPDX-License-Identifier: Apache-2.0
"""How large a model should be and how large it is, with the difference explained to the byte."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.bench.record import BIT_KINDS, Layer, Model, Run

WORD_BITS = 32
WIDTHS = {"int8": 1}
"""Bytes of a weight in a layer that does not run on bits; four where a kind is not listed."""


@dataclass(frozen=True)
class Size:
    """The `.bnn` file of a model: `predicted`, then what comes on top; the parts add up to the file.

    Attributes:
        predicted: a bit a weight where a layer runs on bits, and as many bytes as its numbers have elsewhere.
        padding: bits that fill up words.
        folded: multipliers, biases and thresholds of the layers on bits; further planes where weights have several.
        others: biases of the other layers, and constants of nodes without weights. Shared constants count once.
        structure: nodes, names, alignment.
    """

    model: Model
    predicted: int
    padding: int
    folded: int
    others: int
    structure: int

    @property
    def parts(self) -> tuple[tuple[str, int], ...]:
        return (
            ("predicted", self.predicted),
            ("padding", self.padding),
            ("folded", self.folded),
            ("others", self.others),
            ("structure", self.structure),
        )


def sizes(run: Run) -> tuple[Size, ...] | None:
    """The size of every model, once for variants of the same one; None of records that do not know their kernels."""
    distinct = {model.bnn_sha256: model for model in run.models}
    known = [m for m in distinct.values() if m.layers and all(layer.kernel_shape for layer in m.layers)]
    return tuple(_size(model) for model in known) or None


def _size(model: Model) -> Size:
    on_bits = [layer for layer in model.layers if layer.kind in BIT_KINDS]
    bits = sum(math.ceil(math.prod(layer.kernel_shape) / 8) for layer in on_bits)
    words = sum(_in_words(layer) for layer in on_bits)
    plain = sum(
        math.prod(layer.kernel_shape) * WIDTHS.get(layer.kind, 4)
        for layer in model.layers
        if layer.kind not in BIT_KINDS
    )
    folded = sum(layer.param_bytes for layer in on_bits) - words
    return Size(
        model=model,
        predicted=bits + plain,
        padding=words - bits,
        folded=folded,
        others=model.weight_bytes - words - folded - plain,
        structure=model.bnn_bytes - model.weight_bytes,
    )


def _in_words(layer: Layer) -> int:
    """Bytes of a kernel whose channels, the last axis, fill whole words."""
    *outer, channels = layer.kernel_shape
    return math.prod(outer) * math.ceil(channels / WORD_BITS) * WORD_BITS // 8
