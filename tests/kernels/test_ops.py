# SPDX-License-Identifier: Apache-2.0
"""Every operation of the runtime against the reference in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness import abi
from harness.model import bits, reference
from harness.model.graph import Array, Builder, Dtype, Graph
from tests.kernels.runtime import Runtime

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
    kernel_h, kernel_w = (kernel, kernel) if isinstance(kernel, int) else kernel
    stride_h, stride_w = (stride, stride) if isinstance(stride, int) else stride
    names = ("pad_top", "pad_left", "pad_bottom", "pad_right")
    return {
        "kernel_h": kernel_h, "kernel_w": kernel_w, "stride_h": stride_h, "stride_w": stride_w,
        "dilation_h": dilation, "dilation_w": dilation, **dict(zip(names, pads, strict=True)),
    }  # fmt: skip


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


# --- convolutions and dense -----------------------------------------------------------------------------------------


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


# --- bits -----------------------------------------------------------------------------------------------------------


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


# --- pools ----------------------------------------------------------------------------------------------------------

CASES |= {
    "max_pool2d": simple("max_pool2d", 2, 7, 8, 5, window=window(3, 2, pads=(1, 1, 1, 1))),
    "avg_pool2d": simple("avg_pool2d", 1, 7, 8, 5, window=window(3, 2, pads=(1, 0, 1, 1))),
    "avg_pool2d that only adds": simple("avg_pool2d", 1, 7, 8, 5, window=window(3, 2, pads=(1, 0, 1, 1)), sum=1),
    "avg_pool2d that counts pads": simple(
        "avg_pool2d", 1, 7, 8, 5, window=window(3, 2, pads=(1, 0, 1, 1)), count_pads=1
    ),
    "mean over the image": simple("mean", 2, 7, 7, 19, axes=0b0110),
    "mean over the image, axes kept": lambda b, _: b.output(
        b.node("mean", "mean", (b.input("x", (2, 7, 7, 19)),), (2, 1, 1, 19), axes=0b0110)
    ),
    "mean over channels": simple("mean", 2, 7, 7, 19, axes=0b1000),
    "mean over scattered axes": simple("mean", 3, 4, 5, 6, 2, axes=0b10101),
    "mean of all": simple("mean", 3, 4, axes=0b11),
}

# --- element by element ---------------------------------------------------------------------------------------------

CASES |= {
    f"arith {name.lower()}": binary("arith", (2, 5, 40), (2, 5, 40), kind=abi.constant(f"BNN_{name}"))
    for name in (
        "ADD",
        "SUB",
        "MUL",
        "DIV",
        "MIN",
        "MAX",
        "LESS",
        "LESS_EQUAL",
        "GREATER",
        "GREATER_EQUAL",
        "EQUAL",
        "NOT_EQUAL",
    )
}
_SUB = abi.constant("BNN_SUB")
CASES |= {
    f"arith {list(first)} and {list(second)}": binary("arith", first, second, kind=_SUB, lo=-1.0, hi=1.0)
    for first, second in (
        ((2, 3, 4, 5), (5,)), ((5,), (2, 3, 4, 5)), ((2, 3, 4, 5), (2, 1, 1, 5)), ((2, 1, 4, 1), (1, 3, 1, 5)),
        ((2, 3, 4, 5), ()), ((1,), (1,)), ((2, 1, 3, 1, 2, 1), (1, 4, 1, 2, 1, 3)), ((3, 4, 1), (3, 4, 7)),
    )
}  # fmt: skip
CASES |= {
    f"unary {name.lower()}": simple("unary", 3, 67, kind=abi.constant(f"BNN_{name}"))
    for name in (
        "ABS", "NEG", "SIGN", "ROUND", "FLOOR", "CEIL", "EXP", "TANH", "SIGMOID", "ELU", "SOFTPLUS", "SQUARE", "ERF",
    )
}  # fmt: skip


@pytest.mark.parametrize("name", ["SQRT", "RSQRT", "LOG"])
def test_functions_of_positive_numbers(runtime: Runtime, name: str) -> None:
    builder = Builder(name)
    builder.output(builder.node("unary", "unary", (builder.input("x", (64,)),), kind=abi.constant(f"BNN_{name}")))
    agree(runtime, builder.graph(), [np.geomspace(1e-6, 1e6, 64, dtype=np.float32)])


def test_the_exponential_is_right_to_the_last_place_and_at_its_ends(runtime: Runtime) -> None:
    x = np.concatenate([np.linspace(-87.3, 88.7, 4091), [-np.inf, -1000, -88, 89, np.inf]]).astype(np.float32)
    builder = Builder("exp")
    builder.output(builder.node("unary", "unary", (builder.input("x", x.shape),), kind=abi.constant("BNN_EXP")))
    with np.errstate(over="ignore"):
        expected = np.exp(x.astype(np.float64)).astype(np.float32)
    expected[x < -87.34] = 0  # denormal
    (got,) = runtime.run(builder.graph(), [x])
    np.testing.assert_array_max_ulp(got, expected, maxulp=1)


CASES |= {
    "clamp": simple("clamp", 4, 33, lo=-0.5, hi=0.25),
    "step": simple("step", 4, 33, threshold=0.1, low=-1.0, high=2.0),
    "softmax": simple("softmax", 2, 3, 10, beta=1.0),
    "softmax, colder": simple("softmax", 4, 1, beta=2.5),
    "prelu": binary("prelu", (2, 3, 4, 5), (1, 1, 5)),
    "prelu with one slope": binary("prelu", (2, 3, 4, 5), (1,)),
}


@case("affine")
def _affine(b: Builder, rng: np.random.Generator) -> None:
    scale, offset = b.constant("s", normal(rng, 21)), b.constant("o", normal(rng, 21))
    b.output(b.node("affine", "affine", (b.input("x", (2, 3, 21)), scale, offset), lo=-1.0, hi=2.0))


@case("affine by one number")
def _affine_single(b: Builder, rng: np.random.Generator) -> None:
    b.output(b.node("affine", "affine", (b.input("x", (2, 3, 21)), b.constant("s", normal(rng, 1)))))


@case("select")
def _select(b: Builder, rng: np.random.Generator) -> None:
    condition = b.node("step", "step", (b.input("c", (3, 1, 5)),), threshold=0.0, low=0.0, high=1.0)
    b.output(b.node("select", "select", (condition, b.input("a", (1, 4, 5)), b.input("b", (1,)))))


# --- shapes ---------------------------------------------------------------------------------------------------------


def shaped(op: str, shape: tuple[int, ...], output: tuple[int, ...] | None = None, **params: Any) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        b.output(b.node(op, op, (b.input("x", shape),), output, **params))

    return build


CASES |= {
    "pad": shaped("pad", (2, 3, 4, 5), before=(0, 1, 2, 0, 0, 0), after=(1, 0, 3, 2, 0, 0), value=1.5),
    "pad in front of channels": shaped("pad", (3, 4), before=(0, 3, 0, 0, 0, 0), after=(0, 0, 0, 0, 0, 0), value=-1.0),
    "slice": shaped("slice", (2, 7, 8, 9), (1, 3, 8, 4), begin=(1, 0, 0, 1), step=(1, 3, 1, 2)),
    "slice of whole rows": shaped("slice", (4, 6, 5), (2, 6, 5), begin=(1, 0, 0), step=(2, 1, 1)),
    "reshape": shaped("reshape", (2, 3, 4), (4, 6)),
    "transpose": shaped("transpose", (2, 3, 4, 5), permutation=(0, 3, 1, 2)),
    "transpose of six axes": shaped("transpose", (2, 3, 2, 3, 2, 3), permutation=(5, 3, 1, 0, 2, 4)),
    "transpose that moves nothing": shaped("transpose", (1, 3, 1, 5), permutation=(1, 0, 2, 3)),
}


@case("concat")
def _concat(b: Builder, rng: np.random.Generator) -> None:
    parts = tuple(b.input(f"x{size}", (2, size, 3)) for size in (1, 4, 2))
    b.output(b.node("concat", "concat", parts, axis=1))


@case("channel shuffle")
def _shuffle(b: Builder, rng: np.random.Generator) -> None:
    x = b.node("reshape", "split", (b.input("x", (1, 3, 3, 12)),), (1, 3, 3, 3, 4))
    x = b.node("transpose", "swap", (x,), permutation=(0, 1, 2, 4, 3))
    b.output(b.node("reshape", "join", (x,), (1, 3, 3, 12)))


# --- memory ---------------------------------------------------------------------------------------------------------


@case("values that are used again after others overwrote theirs")
def _reuse(b: Builder, rng: np.random.Generator) -> None:
    x = b.input("x", (1, 4, 4, 8))
    a = b.node("unary", "a", (x,), kind=abi.constant("BNN_NEG"))
    flat = b.node("reshape", "flat", (a,), (1, 128))
    c = b.node("clamp", "c", (flat,), lo=-0.5, hi=0.5)  # flat is needed below: not in place
    d = b.node("arith", "d", (c, flat), kind=abi.constant("BNN_MUL"))
    e = b.node("arith", "e", (d, d), kind=abi.constant("BNN_ADD"))
    image = b.node("reshape", "image", (e,), (1, 4, 4, 8))
    f = b.node("arith", "f", (image, a), kind=abi.constant("BNN_SUB"))
    b.output(f)
    b.output(e)
    b.output(b.node("clamp", "g", (e,), lo=0.0, hi=1.0))


@case("an output that is an input, and a reshape of one")
def _through(b: Builder, rng: np.random.Generator) -> None:
    x = b.input("x", (2, 6))
    b.output(b.node("reshape", "same", (x,), (3, 4)))
    b.output(x)
    constant = b.constant("c", normal(rng, 2, 6))
    b.output(b.node("arith", "sum", (constant, x), kind=abi.constant("BNN_ADD")))


# --- neurons --------------------------------------------------------------------------------------------------------


def lif(emit: str, reset: str, *shape: int, constants: str = "tdgori", bits: bool = False, **params: int) -> Case:
    """Neurons with these constants (threshold, decay, gain, offset, reset, initial): single, by channel, by neuron."""

    def build(b: Builder, rng: np.random.Generator) -> None:
        sizes = [(1,), shape[-1:], shape[1:]]
        operands: list[str | None] = [b.input("x", shape)]
        for at, letter in enumerate("tdgori"):
            data = rng.uniform(0.2, 1.0, sizes[at % 3])
            operands.append(b.constant(letter, data) if letter in constants else None)
        switches: dict[str, Any] = {
            "emit": abi.constant(f"BNN_EMIT_{emit}"),
            "reset": abi.constant(f"BNN_RESET_{reset}"),
        }
        dtype: Dtype = "bits" if bits else "f32"
        b.output(b.node("lif", "lif", tuple(operands), dtype=dtype, **{"strict": 0, "spike": 0} | switches | params))

    return build


CASES["lif, subtract"] = lif("SPIKE", "SUBTRACT", 1, 3, 4, 21)
CASES["lif, subtract later"] = lif("SPIKE", "SUBTRACT_LATER", 1, 3, 4, 21, strict=1)
CASES["lif, to a value, a batch"] = lif("SPIKE", "VALUE", 2, 3, 4, 40)
CASES["lif of few constants"] = lif("SPIKE", "SUBTRACT", 1, 100, constants="t")
CASES["lif that counts"] = lif("COUNT", "SUBTRACT", 1, 3, 33, constants="tdr")
CASES["lif that counts, later"] = lif("COUNT", "SUBTRACT_LATER", 1, 3, 33)
CASES["li"] = lif("MEMBRANE", "SUBTRACT", 1, 3, 33, constants="dgoi")
CASES["lif to bits"] = lif("SPIKE", "VALUE", 1, 3, 4, 70, bits=True, strict=1)
CASES["lif to bits, inverted"] = lif("SPIKE", "SUBTRACT_LATER", 2, 3, 32, bits=True, spike=1)
CASES["lif to many bits"] = lif("SPIKE", "VALUE", 1, 3, 595, bits=True)
CASES["lif to few bits"] = lif("SPIKE", "SUBTRACT", 1, 5, bits=True, spike=1)


def agree(runtime: Runtime, graph: Graph, inputs: list[Array], *options: str) -> list[Array]:
    found = runtime.run(graph, inputs, *options)
    for name, got, expected in zip(graph.outputs, found, reference.run(graph, inputs), strict=True):
        if graph.tensors[name].dtype == "f32":
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(got, expected.view(got.dtype), err_msg=name)
    return found


def build_case(name: str) -> tuple[Graph, list[Array]]:
    rng = np.random.default_rng(len(name))
    builder = Builder(name)
    CASES[name](builder, rng)
    graph = builder.graph()
    shapes = [graph.tensors[name].shape for name in graph.inputs]
    steps = 6 if graph.spiking else 1
    return graph, [normal(rng, steps * shape[0], *shape[1:]) if shape else normal(rng) for shape in shapes]


@pytest.mark.parametrize("name", CASES)
def test_against_the_reference(runtime: Runtime, name: str) -> None:
    graph, inputs = build_case(name)
    alone = agree(runtime, graph, inputs)
    for threads in ("2", "3", "4"):
        for array, shared in zip(alone, runtime.run(graph, inputs, "--threads", threads), strict=True):
            np.testing.assert_array_equal(array, shared, err_msg=f"{threads} threads changed the result")


def test_denormal_numbers_are_zero(runtime: Runtime) -> None:
    """To a comparison with zero, and to arithmetic."""
    b = Builder("denormals")
    x = b.input("x", (4, 8))
    zero = b.constant("zero", np.zeros(1, np.float32))
    b.output(b.node("quantize", "quantize", (x, zero), dtype="bits", code=0))
    b.output(b.node("step", "step", (x,), threshold=0.0, low=-1.0, high=1.0))
    b.output(b.node("unary", "sign", (x,), kind=abi.constant("BNN_SIGN")))
    values = np.array([1e-40, -1e-40, -0.0, 0.0, -1.2e-38, 1.2e-38, -1.0, 1e-45], np.float32)
    agree(runtime, b.graph(), [np.tile(values, (4, 1))])
