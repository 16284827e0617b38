# SPDX-License-Identifier: Apache-2.0
"""Convolutions and dense layers of floats."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.model.graph import Builder
from tests.kernels.cases.parts import CASES, OPEN, Case, case, normal, window


def convolution(
    op: str,
    shape: tuple[int, ...],
    filters: int,
    win: dict[str, int],
    groups: int = 1,
    bias: bool = True,
    output: tuple[int, ...] | None = None,
    **params: Any,
) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        kernel = b.constant("w", normal(rng, filters, win["kernel_h"], win["kernel_w"], shape[3] // groups))
        inputs = (b.input("x", shape), kernel, *((b.constant("bias", normal(rng, filters)),) if bias else ()))
        b.output(b.node(op, op, inputs, output, window=win, groups=groups, **{**OPEN, **params}))

    return build


CASES |= {
    "conv2d": convolution("conv2d", (2, 9, 7, 3), 5, window(3, pads=(1, 1, 1, 1))),
    "conv2d stride 2, clamped": convolution("conv2d", (1, 9, 8, 4), 8, window(3, 2, pads=(0, 0, 1, 1)), lo=0, hi=6),
    "conv2d padded with ones": convolution("conv2d", (1, 5, 5, 4), 3, window(3, pads=(1, 1, 1, 1)), pad_value=1.0),
    "conv2d dilated": convolution("conv2d", (1, 9, 9, 2), 3, window(3, dilation=3, pads=(3, 3, 3, 3)), bias=False),
    "conv2d 1x1": convolution("conv2d", (1, 6, 5, 17), 9, window(1)),
    "conv2d of an oblong window": convolution("conv2d", (1, 6, 9, 2), 4, window((1, 5), (2, 3), pads=(0, 2, 0, 2))),
    "conv2d in groups": convolution("conv2d", (1, 6, 6, 8), 12, window(3, pads=(1, 1, 1, 1)), groups=4),
    "conv2d depthwise": convolution("conv2d", (2, 7, 7, 9), 9, window(3, 2, pads=(1, 1, 1, 1)), groups=9),
    "conv2d depthwise, multiplier 2": convolution("conv2d", (1, 7, 7, 5), 10, window(3, pads=(1, 1, 1, 1)), groups=5),
    "conv2d window larger than the image": convolution("conv2d", (1, 2, 2, 3), 4, window(5, pads=(2, 2, 2, 2))),
    "conv2d_transpose": convolution("conv2d_transpose", (1, 4, 5, 3), 6, window(3, 2, pads=(1, 1, 1, 1))),
    "conv2d_transpose with room behind": convolution(
        "conv2d_transpose", (1, 4, 4, 4), 6, window(3, 2, pads=(0, 0, 1, 1)), groups=2, output=(1, 8, 8, 6), lo=0.0
    ),
    "conv2d_transpose dilated": convolution("conv2d_transpose", (2, 3, 3, 2), 2, window(2, 3, 2), bias=False),
}  # fmt: skip


@case("dense")
def _dense(b: Builder, rng: np.random.Generator) -> None:
    weight, bias = b.constant("w", normal(rng, 11, 70)), b.constant("b", normal(rng, 11))
    b.output(b.node("dense", "dense", (b.input("x", (3, 70)), weight, bias), lo=-1.0, hi=1.0))


@case("dense of many rows, no bias")
def _dense_rows(b: Builder, rng: np.random.Generator) -> None:
    b.output(b.node("dense", "dense", (b.input("x", (2, 3, 5)), b.constant("w", normal(rng, 4, 5))), **OPEN))
