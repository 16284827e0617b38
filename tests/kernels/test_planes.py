# SPDX-License-Identifier: Apache-2.0
"""Numbers of several bit planes, in all operations that take bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness import abi
from harness.model import bits
from harness.model.graph import Builder
from tests.kernels.cases import agree
from tests.kernels.cases.parts import OPEN, normal, packed, window
from tests.kernels.runtime import Runtime

BINARY, UNARY = abi.constant("BNN_CODE_BINARY"), abi.constant("BNN_CODE_UNARY")
GRIDS = [(2, BINARY), (4, BINARY), (2, UNARY), (3, UNARY)]


def levels(planes: int, code: int) -> int:
    """Thresholds that the planes can tell apart."""
    return planes if code == UNARY else (1 << planes) - 1


def with_planes(b: Builder, name: str, planes: int) -> str:
    b.tensors[name] = replace(b.tensors[name], planes=planes)
    return name


def quantized(b: Builder, rng: np.random.Generator, name: str, shape: tuple[int, ...], planes: int, code: int) -> str:
    limits = np.sort(normal(rng, levels(planes, code), shape[-1]), axis=0)[::-1]
    invert = b.constant(f"{name}/invert", packed(rng, shape[-1]), "bits", (shape[-1],))
    inputs = (b.input(f"{name}/x", shape), b.constant(f"{name}/limits", limits), invert)
    return with_planes(b, b.node("quantize", name, inputs, dtype="bits", code=code), planes)


@pytest.mark.parametrize(("planes", "code"), GRIDS)
@pytest.mark.parametrize("channels", [1, 32, 45])
def test_quantize(runtime: Runtime, planes: int, code: int, channels: int) -> None:
    rng = np.random.default_rng(planes)
    b = Builder("quantize")
    b.output(quantized(b, rng, "q", (2, 3, channels), planes, code))
    agree(runtime, b.graph(), [normal(rng, 2, 3, channels)], "--threads", "2")


def test_quantize_by_one_row_of_thresholds(runtime: Runtime) -> None:
    rng = np.random.default_rng(5)
    b = Builder("quantize")
    limits = b.constant("limits", np.array([[-0.5], [0.0], [0.5]], np.float32))
    b.output(with_planes(b, b.node("quantize", "q", (b.input("x", (7, 40)), limits), dtype="bits", code=BINARY), 2))
    agree(runtime, b.graph(), [normal(rng, 7, 40)])


@pytest.mark.parametrize(("x_planes", "x_code"), [(1, BINARY), *GRIDS])
@pytest.mark.parametrize(("w_planes", "w_code"), [(1, BINARY), (2, UNARY), (2, BINARY)])
@pytest.mark.parametrize("border", ["BNN_BORDER_ONE", "BNN_BORDER_ZERO"])
@pytest.mark.parametrize("output", ["floats", "bits", "planes"])
def test_bconv2d(
    runtime: Runtime, x_planes: int, x_code: int, w_planes: int, w_code: int, border: str, output: str
) -> None:
    rng = np.random.default_rng(x_planes * 10 + w_planes)
    b = Builder("bconv2d")
    channels, filters, groups = (64, 6, 2) if output == "bits" else (37, 5, 1)
    shape = (filters, 3, 3, channels // groups)
    taps = int(np.prod(shape[1:]))
    x = quantized(b, rng, "x", (1, 5, 6, channels), x_planes, x_code)
    random = rng.integers(0, 2, (w_planes, *shape)).astype(np.uint8)
    w = b.constant("w", bits.pack(random), "bits", shape, planes=w_planes)
    inputs: list[str | None] = [x, w]
    if output == "floats":
        inputs += [b.constant("m", normal(rng, filters)), b.constant("b", normal(rng, filters)), None]
        low = rng.integers(-taps, 0, filters).astype(np.int32)
        inputs += [b.constant("lo", low, "i32"), b.constant("hi", -low, "i32")]
    else:
        limits = rng.integers(-taps // 2, taps // 2, (3 if output == "planes" else 1, filters)).astype(np.int32)
        inputs += [None, None, b.constant("t", limits, "i32")]
    params: dict[str, Any] = {
        "window": window(3, 2, pads=(1, 1, 1, 1)), "groups": groups, "border": abi.constant(border),
        "x_code": x_code, "w_code": w_code, "y_code": BINARY, **OPEN,
    }  # fmt: skip
    y = b.node("bconv2d", "bconv2d", tuple(inputs), dtype="f32" if output == "floats" else "bits", **params)
    b.output(with_planes(b, y, 2) if output == "planes" else y)
    agree(runtime, b.graph(), [normal(rng, 1, 5, 6, channels)], "--threads", "2")


@pytest.mark.parametrize(
    ("op", "shape", "output", "params"),
    [
        ("bmaxpool2d", (1, 7, 7, 40), None, {"window": window(3, 2, pads=(1, 1, 1, 1)), "any": 0}),
        ("bmaxpool2d", (1, 6, 6, 32), None, {"window": window(2, 2), "any": 1}),
        ("reshape", (1, 2, 3, 33), (6, 33), {}),
        ("slice", (1, 4, 5, 40), (1, 2, 5, 40), {"begin": (0, 1, 0, 0), "step": (1, 2, 1, 1)}),
        ("transpose", (1, 4, 5, 40), None, {"permutation": (0, 2, 1, 3)}),
    ],
)
def test_moved(
    runtime: Runtime, op: str, shape: tuple[int, ...], output: tuple[int, ...] | None, params: dict[str, Any]
) -> None:
    rng = np.random.default_rng(7)
    b = Builder(op)
    b.output(with_planes(b, b.node(op, op, (quantized(b, rng, "x", shape, 3, UNARY),), output, "bits", **params), 3))
    agree(runtime, b.graph(), [normal(rng, *shape)])


def test_joined(runtime: Runtime) -> None:
    rng = np.random.default_rng(8)
    b = Builder("concat")
    shapes = [(1, 2, 3, 20), (1, 4, 3, 20)]
    parts = tuple(quantized(b, rng, f"x{at}", shape, 2, BINARY) for at, shape in enumerate(shapes))
    b.output(with_planes(b, b.node("concat", "concat", parts, dtype="bits", axis=1), 2))
    agree(runtime, b.graph(), [normal(rng, *shape) for shape in shapes])
