# SPDX-License-Identifier: Apache-2.0
"""Operations on int8 codes against the reference, code by code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness import abi
from harness.model import container, reference
from harness.model.graph import Array, Builder
from tests.kernels import cases
from tests.kernels.cases.parts import CODES, OPEN, packed, window
from tests.kernels.runtime import Runtime
from tests.kernels.test_loader import refused, signed

Case = Callable[[Builder, np.random.Generator], None]
X: dict[str, Any] = {"dtype": "i8", "scale": 0.047, "zero_point": -3}
Y: dict[str, Any] = {"dtype": "i8", "scale": 0.31, "zero_point": 11}


def codes(rng: np.random.Generator, *shape: int, lowest: int = -128) -> Array:
    return rng.integers(lowest, 128, shape).astype(np.int8)


def weighted(
    b: Builder, rng: np.random.Generator, *shape: int, lowest: int = -127, bias: bool = True
) -> tuple[Any, ...]:
    """Weights, bias and scales of a layer, such that its outputs reach both ends of int8 now and then."""
    taps = int(np.prod(shape[1:]))
    scale = rng.uniform(0.5, 2, shape[0]) * 0.31 * 40 / (0.047 * 74 * 74 * np.sqrt(taps))
    return (
        b.constant("w", codes(rng, *shape, lowest=lowest), "i8"),
        b.constant("bias", rng.integers(-9000, 9000, shape[0]), "i32") if bias else None,
        b.constant("scale", scale),
    )


def convolution(
    shape: tuple[int, ...],
    filters: int,
    win: dict[str, int],
    groups: int = 1,
    lowest: int = -127,
    bias: bool = True,
    **params: Any,
) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        weights = weighted(
            b, rng, filters, win["kernel_h"], win["kernel_w"], shape[3] // groups, lowest=lowest, bias=bias
        )
        inputs = (b.input("x", shape, **X), *weights)
        b.output(b.node("conv2d", "conv2d", inputs, window=win, groups=groups, **{**OPEN, **params}, **Y))

    return build


def simple(op: str, *shape: int, grid: dict[str, Any] = X, given: tuple[int, ...] | None = None, **params: Any) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        b.output(b.node(op, op, (b.input("x", shape, **X),), given, **grid, **params))

    return build


def dense(rows: tuple[int, ...], outputs: int, **params: Any) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        inputs = (b.input("x", rows, **X), *weighted(b, rng, outputs, rows[-1]))
        b.output(b.node("dense", "dense", inputs, **{**OPEN, **params}, **Y))

    return build


def arith(
    kind: str, first: tuple[int, ...], second: tuple[int, ...], grids: tuple[Any, Any, Any], **params: Any
) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        inputs = b.input("a", first, **grids[0]), b.input("b", second, **grids[1])
        b.output(b.node("arith", "arith", inputs, kind=abi.constant(f"BNN_{kind}"), **{**OPEN, **params}, **grids[2]))

    return build


def thresholds(channels: int, inverted: bool, *limits: float) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        spread = np.linspace(-7, 7, channels)
        spread[:3] = -np.inf, np.inf, 0.047 * 3
        shape = (2, 3, 5, channels)
        inputs: list[str] = [b.input("x", shape, **X)]
        if limits:
            inputs.append(b.constant("t", np.asarray(limits)[:, None], finite=False))
        else:
            inputs.append(b.constant("t", spread, finite=False))
        if inverted:
            inputs.append(b.constant("flip", packed(rng, channels), "bits", (channels,)))
        planes = 2 if limits else 1
        b.output(b.node("quantize", "quantize", tuple(inputs), dtype="bits", planes=planes, code=int(bool(limits))))

    return build


F: dict[str, Any] = {}
PADS = (1, 1, 1, 1)
CASES: dict[str, Case] = {
    "conv2d": convolution((2, 9, 7, 3), 5, window(3, pads=PADS)),
    "conv2d of -128": convolution((1, 9, 7, 16), 24, window(3, pads=PADS), lowest=-128),
    "conv2d stride 2, clamped": convolution((1, 9, 8, 4), 8, window(3, 2, pads=(0, 0, 1, 1)), lo=0.0, hi=6.0),
    "conv2d padded with ones": convolution((1, 5, 5, 4), 3, window(3, pads=PADS), pad_value=1.0),
    "conv2d dilated": convolution((1, 9, 9, 2), 3, window(3, dilation=3, pads=(3, 3, 3, 3)), bias=False),
    "conv2d 1x1": convolution((1, 6, 5, 17), 9, window(1)),
    "conv2d 1x1 of whole words": convolution((1, 12, 12, 64), 48, window(1)),
    "conv2d 1x1 stride 2": convolution((1, 6, 5, 32), 16, window(1, 2)),
    "conv2d first layer": convolution((1, 33, 31, 3), 40, window(7, 2, pads=(3, 3, 3, 3))),
    "conv2d in groups": convolution((1, 6, 6, 8), 12, window(3, pads=PADS), groups=4),
    "conv2d wide": convolution((1, 7, 7, 96), 130, window(3, pads=PADS)),
    "conv2d depthwise": convolution((2, 7, 7, 9), 9, window(3, 2, pads=PADS), groups=9),
    "conv2d depthwise of -128": convolution((1, 11, 12, 40), 40, window(3, pads=PADS), groups=40, lowest=-128),
    "conv2d depthwise dilated": convolution((1, 12, 9, 24), 24, window(3, dilation=2, pads=(2, 2, 2, 2)), groups=24),
    "conv2d depthwise of a large window": convolution((1, 12, 9, 8), 8, window(9, pads=(4, 4, 4, 4)), groups=8),
    "conv2d window larger than the image": convolution((1, 2, 2, 3), 4, window(5, pads=(2, 2, 2, 2))),
    "dense": dense((3, 70), 11, lo=-1.0, hi=30.0),
    "dense of many rows": dense((2, 3, 5), 4),
    "dense wide": dense((1, 512), 100),
    "max_pool2d": simple("max_pool2d", 2, 7, 6, 5, window=window(3, 2, pads=PADS)),
    "avg_pool2d": simple("avg_pool2d", 2, 7, 6, 5, window=window(3, 2, pads=PADS)),
    "avg_pool2d of many channels": simple("avg_pool2d", 1, 4, 4, 300, window=window(4, 4)),
    "mean over the image": simple("mean", 2, 7, 6, 5, grid=Y, axes=0b0110),
    "mean over channels": simple("mean", 2, 7, 6, 5, grid=X, axes=0b1000),
    "mean over one axis": simple("mean", 2, 8, 6, 5, grid=Y, axes=0b0010, given=(2, 1, 6, 5)),
    "pad": simple("pad", 2, 3, 3, 5, before=[0, 1, 2, 0, 0, 0], after=[0, 0, 1, 3, 0, 0], value=0.7),
    "reshape": simple("reshape", 2, 3, 3, 5, given=(2, 45)),
    "transpose": simple("transpose", 2, 3, 4, 5, permutation=[0, 3, 1, 2, 0, 0]),
    "slice": simple("slice", 2, 7, 6, 5, given=(1, 3, 2, 2), begin=[1, 1, 2, 0, 0, 0], step=[1, 2, 3, 4, 1, 1]),
    "softmax": simple("softmax", 3, 10, grid={"dtype": "i8", "scale": 1 / 256, "zero_point": -128}, beta=1.0),
    "convert to another grid": simple("convert", 2, 3, 300, grid=Y),
    "convert to float": simple("convert", 2, 3, 300, grid={}),
    "add": arith("ADD", (2, 3, 4, 5), (2, 3, 4, 5), (X, Y, {**X, "scale": 0.2})),
    "add, clamped and broadcast": arith("ADD", (2, 3, 4, 5), (1, 5), (X, {**Y, "scale": 0.01}, Y), lo=0.0, hi=20.0),
    "subtract": arith("SUB", (2, 3, 4, 5), (2, 3, 4, 5), (X, X, X)),
    "multiply": arith("MUL", (2, 3, 4, 5), (2, 1, 1, 5), (X, X, Y)),
    "add of a float": arith("ADD", (2, 3, 4, 70), (2, 3, 4, 70), (F, X, Y)),
    "multiply by a float": arith("MUL", (2, 3, 4, 5), (1,), (X, F, F), lo=-1.0),
    "quantize": thresholds(70, False),
    "quantize, inverted": thresholds(64, True),
    "quantize to planes": thresholds(40, True, -1.5, 2.5),
}  # fmt: skip


def case(name: str) -> Callable[[Case], Case]:
    def add(function: Case) -> Case:
        CASES[name] = function
        return function

    return add


@case("convert from float")
def _encode(b: Builder, rng: np.random.Generator) -> None:
    b.output(b.node("convert", "convert", (b.input("x", (4, 600)),), **Y))


@case("bconv2d")
def _bconv2d(b: Builder, rng: np.random.Generator) -> None:
    shape = (70, 3, 3, 40)
    inputs = (
        b.input("x", (1, 9, 8, 40)),
        b.constant("t", np.zeros(1)),
        b.constant("w", packed(rng, *shape), "bits", shape),
        b.constant("m", rng.standard_normal(70) / 5),
        b.constant("b", rng.standard_normal(70)),
    )
    bits = b.node("quantize", "quantize", inputs[:2], dtype="bits", code=0)
    params = {"window": window(3, pads=PADS), "groups": 1, "border": 1, **CODES, **OPEN}
    b.output(b.node("bconv2d", "bconv2d", (bits, *inputs[2:]), **params, **Y))


@case("concat")
def _concat(b: Builder, rng: np.random.Generator) -> None:
    b.output(
        b.node("concat", "concat", (b.input("x", (2, 3, 3, 5), **X), b.input("y", (2, 3, 3, 2), **X)), axis=3, **X)
    )


@case("lookup")
def _table(b: Builder, rng: np.random.Generator) -> None:
    b.output(b.node("lookup", "lookup", (b.input("x", (3, 200), **X), b.constant("t", codes(rng, 256), "i8")), **Y))


def draw(b: Builder, rng: np.random.Generator) -> list[Array]:
    """Inputs; floats hold halves of steps, where rounding shows, and what is no number."""
    inputs = []
    for name in b.inputs:
        tensor = b.tensors[name]
        if tensor.dtype == "i8":
            inputs.append(codes(rng, *tensor.shape))
            continue
        x = (rng.standard_normal(tensor.shape) * 20).astype(np.float32)
        halves = np.float32(0.31) * (np.arange(x.size) - x.size // 2 + np.float32(0.5)).reshape(x.shape)
        inputs.append(np.where(rng.random(x.shape) < 0.5, halves, x).astype(np.float32))
        inputs[-1].flat[:1] = np.nan
    return inputs


@pytest.mark.parametrize("name", CASES)
def test_codes_are_those_of_the_reference(name: str, runtime: Runtime) -> None:
    rng = np.random.default_rng(sum(name.encode()))
    build = Builder(name)
    CASES[name](build, rng)
    graph, inputs = build.graph(), draw(build, rng)
    found = runtime.run(graph, inputs)
    for output, got, expected in zip(graph.outputs, found, reference.run(graph, inputs), strict=True):
        if graph.tensors[output].dtype == "bits":
            expected = expected.view(np.uint32)
        np.testing.assert_array_equal(got, expected.reshape(got.shape))


def test_every_operation_has_a_case() -> None:
    used = {node.op for name in cases.CASES for node in cases.build_case(name)[0].nodes}
    for each in CASES.values():
        build = Builder("case")
        each(build, np.random.default_rng(0))
        used |= {node.op for node in build.nodes}
    assert used == set(abi.ops())


def small_net() -> bytes:
    """Every operation that computes on codes, one after the other."""
    b, rng = Builder("net"), np.random.default_rng(7)
    x = b.input("x", (1, 6, 6, 8), **X)
    params = {"window": window(3, pads=PADS), **OPEN, **X}
    x = b.node("conv2d", "conv", (x, *weighted(b, rng, 8, 3, 3, 8)), groups=1, **params)
    x = b.node("conv2d", "depthwise", (x, *weighted(b, rng, 8, 3, 3, 1)), groups=8, **params)
    x = b.node("lookup", "lookup", (x, b.constant("t", codes(rng, 256), "i8")), **X)
    x = b.node("arith", "add", (x, x), kind=abi.constant("BNN_ADD"), **OPEN, **Y)
    x = b.node("mean", "mean", (x,), axes=0b0110, **X)
    x = b.node("dense", "dense", (x, *weighted(b, rng, 5, 8)), **OPEN, **Y)
    x = b.node("softmax", "softmax", (x,), beta=1.0, **X)
    b.output(b.node("convert", "real", (x,)))
    return container.encode(b.graph())


def test_flipped_bytes_of_a_net_of_codes(runtime: Runtime) -> None:
    """An error or a model, never a signal."""
    model, rng = small_net(), np.random.default_rng(8)
    assert runtime.info(model).code == 0
    size = abi.ffi().sizeof("struct bnn_header")
    header = abi.struct("header")
    abi.ffi().buffer(header)[:] = model[:size]
    for at in range(size, header.data_offset, 11):
        image = bytearray(model)
        image[at] ^= int(rng.integers(1, 256))
        answer = runtime.info(signed(image))
        if answer.code:
            refused(answer)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"scale": 0.0}, "scale: not a positive number"),
        ({"scale": -1.0}, "scale: not a positive number"),
        ({"scale": float("nan")}, "scale: not a positive number"),
        ({"scale": 1e-30}, "a ratio of"),
        ({"zero_point": 128}, "zero_point: not a code"),
    ],
)
def test_a_grid_must_be_one(what: dict[str, Any], message: str, runtime: Runtime) -> None:
    b, rng = Builder("net"), np.random.default_rng(9)
    b.output(b.node("dense", "dense", (b.input("x", (1, 8), **X), *weighted(b, rng, 3, 8)), **OPEN, **{**Y, **what}))
    assert message in refused(runtime.info(container.encode(b.graph())), "MALFORMED")["message"]


def test_weights_need_their_scales(runtime: Runtime) -> None:
    b, rng = Builder("net"), np.random.default_rng(9)
    weights = weighted(b, rng, 3, 8)[:2]
    b.output(b.node("dense", "dense", (b.input("x", (1, 8), **X), *weights), **OPEN, **Y))
    assert "scales" in refused(runtime.info(container.encode(b.graph())), "MALFORMED")["message"]


def test_sums_that_32_bits_do_not_hold_are_refused(runtime: Runtime) -> None:
    b = Builder("net")
    weights = b.constant("w", np.ones((1, 40_000)), "i8"), None, b.constant("s", np.full(1, 0.01))
    b.output(b.node("dense", "dense", (b.input("x", (1, 40_000), **X), *weights), **OPEN, **Y))
    refused(runtime.info(container.encode(b.graph())), "LIMIT")
