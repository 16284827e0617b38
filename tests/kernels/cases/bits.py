# SPDX-License-Identifier: Apache-2.0
"""Operations on bits, and into and out of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness import abi
from harness.model.graph import Builder, Dtype
from tests.kernels.cases.parts import CASES, CODES, OPEN, Case, case, normal, packed, window


def bconv(
    channels: int,
    filters: int,
    win: dict[str, int],
    border: str,
    image: int = 6,
    groups: int = 1,
    thresholds: bool = False,
    clamps: bool = False,
) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        x = quantized(b, rng, (1, image, image, channels))
        shape = (filters, win["kernel_h"], win["kernel_w"], channels // groups)
        taps = int(np.prod(shape[1:]))
        w = b.constant("w", packed(rng, *shape), "bits", shape)
        inputs: list[str | None] = [x, w]
        if thresholds:
            inputs += [None, None, b.constant("t", rng.integers(-taps, taps, filters).astype(np.int32), "i32")]
        else:
            inputs += [b.constant("m", normal(rng, filters)), b.constant("b", normal(rng, filters))]
        if clamps:
            low = rng.integers(-taps, 0, filters).astype(np.int32)
            inputs += [None, b.constant("lo", low, "i32"), b.constant("hi", -low, "i32")]
        params: dict[str, Any] = {"window": win, "groups": groups, "border": abi.constant(border), **CODES, **OPEN}
        b.output(b.node("bconv2d", "bconv2d", tuple(inputs), dtype="bits" if thresholds else "f32", **params))

    return build


def quantized(b: Builder, rng: np.random.Generator, shape: tuple[int, ...]) -> str:
    threshold = b.constant("threshold", np.zeros(1, np.float32))
    return b.node("quantize", "quantize", (b.input("x", shape), threshold), dtype="bits")


_PADDED = window(3, pads=(1, 1, 1, 1))
CASES |= {
    f"bconv2d {channels} to {filters}, {border[11:].lower()} border, {'bits' if thresholds else 'floats'}": bconv(
        channels, filters, _PADDED, border, thresholds=thresholds
    )
    for channels, filters in ((1, 1), (32, 8), (33, 40), (96, 31))
    for border in ("BNN_BORDER_ONE", "BNN_BORDER_ZERO")
    for thresholds in (False, True)
}
CASES |= {
    "bconv2d stride 2, dilated": bconv(64, 8, window(3, 2, 2, (2, 2, 2, 2)), "BNN_BORDER_ZERO", image=9),
    "bconv2d in groups": bconv(128, 16, _PADDED, "BNN_BORDER_ZERO", groups=4),
    "bconv2d clamped": bconv(64, 16, _PADDED, "BNN_BORDER_ONE", clamps=True),
    "bconv2d window larger than the image": bconv(32, 8, window(5, pads=(2, 2, 2, 2)), "BNN_BORDER_ZERO", image=2),
    "bconv2d of a whole image": bconv(64, 10, window(6), "BNN_BORDER_ONE"),
}


def bdepthwise(
    channels: int, win: dict[str, int], border: str, image: int = 6, thresholds: bool = False, clamps: bool = False
) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        taps = win["kernel_h"] * win["kernel_w"]
        shape = (1, win["kernel_h"], win["kernel_w"], channels)
        w = b.constant("w", packed(rng, *shape), "bits", shape)
        inputs: list[str | None] = [quantized(b, rng, (1, image, image, channels)), w]
        if thresholds:
            limits = rng.integers(-taps, taps, channels).astype(np.int32)
            inputs += [None, None, b.constant("t", limits, "i32")]
        else:
            inputs += [b.constant("m", normal(rng, channels)), b.constant("b", normal(rng, channels))]
        if clamps:
            low = rng.integers(-taps, 0, channels).astype(np.int32)
            inputs += [None, b.constant("lo", low, "i32"), b.constant("hi", -low, "i32")]
        params: dict[str, Any] = {"window": win, "border": abi.constant(border), **OPEN}
        dtype: Dtype = "bits" if thresholds else "f32"
        b.output(b.node("bdepthwise2d", "bdepthwise2d", tuple(inputs), dtype=dtype, **params))

    return build


CASES |= {
    "bdepthwise2d": bdepthwise(64, _PADDED, "BNN_BORDER_ONE"),
    "bdepthwise2d of odd channels": bdepthwise(37, _PADDED, "BNN_BORDER_ZERO", clamps=True),
    "bdepthwise2d to bits": bdepthwise(70, window(5, 2, pads=(2, 2, 2, 2)), "BNN_BORDER_ZERO", thresholds=True),
    "bdepthwise2d dilated": bdepthwise(32, window(3, 1, 2, (2, 2, 2, 2)), "BNN_BORDER_ONE", thresholds=True),
}


@case("quantize with thresholds and inversion")
def _quantize(b: Builder, rng: np.random.Generator) -> None:
    threshold, invert = b.constant("t", normal(rng, 45)), b.constant("i", packed(rng, 45), "bits", (45,))
    b.output(b.node("quantize", "quantize", (b.input("x", (2, 3, 45)), threshold, invert), dtype="bits"))


@case("dequantize")
def _dequantize(b: Builder, rng: np.random.Generator) -> None:
    b.output(b.node("dequantize", "dequantize", (quantized(b, rng, (2, 3, 45)),), zero=1.5, one=-0.5))


def bits_through(op: str, shape: tuple[int, ...], output: tuple[int, ...] | None = None, **params: Any) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        b.output(b.node(op, op, (quantized(b, rng, shape),), output, dtype="bits", **params))

    return build


CASES |= {
    "bmaxpool2d and": bits_through("bmaxpool2d", (2, 7, 7, 40), window=window(3, 2, pads=(1, 1, 1, 1)), any=0),
    "bmaxpool2d or": bits_through("bmaxpool2d", (1, 6, 6, 64), window=window(2, 2), any=1),
    "reshape of bits": bits_through("reshape", (1, 2, 3, 64), (1, 384)),
    "reshape of odd bits": bits_through("reshape", (1, 2, 3, 33), (6, 33)),
    "slice of bits": bits_through("slice", (1, 4, 5, 96), (1, 2, 5, 32), begin=(0, 1, 0, 32), step=(1, 2, 1, 1)),
    "transpose of bits": bits_through("transpose", (1, 4, 5, 70), permutation=(0, 2, 1, 3)),
}


@case("concat of bits")
def _concat_bits(b: Builder, rng: np.random.Generator) -> None:
    zero = b.constant("t", np.zeros(1, np.float32))
    parts = [b.node("quantize", f"q{c}", (b.input(f"x{c}", (1, 3, 3, c)), zero), dtype="bits") for c in (32, 64, 20)]
    b.output(b.node("concat", "concat", tuple(parts), dtype="bits", axis=3))
