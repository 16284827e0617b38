# SPDX-License-Identifier: Apache-2.0
"""What the cases of the operations are put together from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.model import bits, shapes
from harness.model.graph import Array, Builder

OPEN: dict[str, Any] = {"lo": -np.inf, "hi": np.inf}
CODES: dict[str, Any] = {"x_code": 0, "w_code": 0, "y_code": 0}
Case = Callable[[Builder, np.random.Generator], None]
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    def add(function: Case) -> Case:
        CASES[name] = function
        return function

    return add


def window(
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    dilation: int = 1,
    pads: tuple[int, ...] = (0, 0, 0, 0),
) -> dict[str, int]:
    """pads: top, left, bottom, right."""
    sizes, strides = ((both, both) if isinstance(both, int) else both for both in (kernel, stride))
    return shapes.window(sizes, strides, (dilation, dilation), (pads[0::2], pads[1::2]))


def normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def packed(rng: np.random.Generator, *shape: int) -> Array:
    return bits.pack(rng.integers(0, 2, (1, *shape)).astype(np.uint8))


def simple(op: str, *shape: int, **params: Any) -> Case:
    """One input, one output, whose shape is inferred."""

    def build(b: Builder, rng: np.random.Generator) -> None:
        b.output(b.node(op, op, (b.input("x", shape),), **params))

    return build


def binary(op: str, first: tuple[int, ...], second: tuple[int, ...], **params: Any) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        b.output(b.node(op, op, (b.input("a", first), b.input("b", second)), **params))

    return build
