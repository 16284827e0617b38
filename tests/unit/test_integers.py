# SPDX-License-Identifier: Apache-2.0
"""Int8 tensors: what they can hold, and which roundings the passes leave in place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness import abi
from harness.model import analyse, proof, reference, transfer
from harness.model.graph import Array, Builder, Graph, Tensor
from harness.model.passes.order import PASSES
from harness.model.reference import integer

GRID: dict[str, Any] = {"dtype": "i8", "scale": 0.05, "zero_point": 3}
FREE: dict[str, Any] = {"lo": -np.inf, "hi": np.inf}
POINT = {f"{name}_{axis}": 1 for name in ("kernel", "stride", "dilation") for axis in "hw"}
X = (1, 4, 4, 32)


def lowered(b: Builder, inputs: list[Array]) -> Graph:
    """The graph after all passes, each proved."""
    graph = b.graph()
    for name, rewrite in PASSES:
        after = rewrite(graph)
        proof.compare(name, graph, after, reference.trace(graph, inputs), inputs)
        graph = after
    return graph


def ops(graph: Graph) -> list[tuple[str, str]]:
    return [(node.op, graph.tensors[node.output].dtype) for node in graph.nodes]


def signs(shape: tuple[int, ...]) -> Array:
    return np.where(np.random.default_rng(1).random(shape) < 0.5, -1, 1)


def normal(*shape: int) -> Array:
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


def layer(b: Builder, x: str, name: str, **grid: Any) -> str:
    """An int8 convolution of weights ±127."""
    kernel = b.constant(f"{name}/w", 127 * signs((8, 1, 1, 32)), "i8")
    bias = b.constant(f"{name}/b", np.arange(8), "i32")
    scales = b.constant(f"{name}/s", np.linspace(0.5, 1.5, 8) / 127)
    return b.node("conv2d", name, (x, kernel, bias, scales), window=POINT, groups=1, **FREE, **grid)


def test_codes_come_back() -> None:
    tensor = Tensor("x", (256,), "i8", None, 0.0470588244497776, -1)
    codes = np.arange(-128, 128).astype(np.int8)
    np.testing.assert_array_equal(integer.encode(integer.decode(codes, tensor), tensor), codes)
    assert integer.decode(np.asarray([-1]), tensor)[0] == 0


def test_halves_go_away_from_zero() -> None:
    tensor = Tensor("x", (7,), "i8", None, 2.0, 0)
    real = np.asarray([1.0, -1.0, 3.0, -3.0, 0.99999994, np.inf, np.nan], np.float32)
    assert integer.encode(real, tensor).tolist() == [1, -1, 2, -2, 0, 127, -128]


@pytest.mark.parametrize("real", [1.0, 0.5, 0.3, 1e-6, 3.7, 2.0**-31])
def test_a_multiplier_has_31_bits(real: float) -> None:
    mantissa, exponent = integer.multiplier(real)
    assert 1 << 30 <= mantissa < 1 << 31
    assert abs(float(mantissa) * 2.0 ** (float(exponent) - 31) / real - 1) < 2**-30


def test_a_layer_behind_int8_stays_binary() -> None:
    b = Builder("net")
    x = b.input("x", X, **GRID)
    real = b.node("convert", "real", (x,))
    sign = b.node("step", "sign", (real,), threshold=0.0, low=-1.0, high=1.0)
    weights = b.constant("w", signs((16, 1, 1, 32)))
    b.output(b.node("conv2d", "conv", (sign, weights), window=POINT, groups=1, **FREE))
    (verdict,) = analyse.verdicts(b.graph()).values()
    assert verdict.kind == "binary"
    codes = np.random.default_rng(3).integers(-128, 128, X).astype(np.int8)
    graph = lowered(b, [codes])
    assert ops(graph) == [("quantize", "bits"), ("bconv2d", "f32")]
    assert graph.nodes[0].inputs[0] == "x"


def test_an_int8_layer_of_signs_runs_on_bits() -> None:
    """Its codes are two-valued, and so are its weights: the int8 of the file is no reason to multiply."""
    b = Builder("net")
    sign = b.node("step", "sign", (b.input("x", X),), threshold=0.0, low=-1.0, high=1.0)
    codes = b.node("convert", "codes", (sign,), dtype="i8", scale=0.5, zero_point=0)
    b.output(layer(b, codes, "conv", dtype="i8", scale=0.3, zero_point=-5))
    (verdict,) = analyse.verdicts(b.graph()).values()
    assert verdict.kind == "binary"
    assert ops(lowered(b, [normal(*X)])) == [("quantize", "bits"), ("bconv2d", "i8")]


def test_an_int8_layer_is_said_to_be_one() -> None:
    b = Builder("net")
    kernel = b.constant("w", np.random.default_rng(4).integers(-127, 128, (8, 1, 1, 32)), "i8")
    operands = (b.input("x", X, **GRID), kernel, None, b.constant("s", np.full(8, 0.01)))
    b.output(b.node("conv2d", "conv", operands, window=POINT, groups=1, **FREE, **GRID))
    (verdict,) = analyse.verdicts(b.graph()).values()
    assert (verdict.kind, verdict.reason, verdict.bits) == ("int8", "int8", 8)


def test_few_codes_are_levels() -> None:
    b = Builder("net")
    held = b.node("clamp", "clamp", (b.input("x", X),), lo=0.0, hi=0.2)
    b.output(b.node("convert", "codes", (held,), **GRID))
    found = transfer.analyse(b.graph())["codes"]
    np.testing.assert_allclose(found.levels or (), [0.0, 0.05, 0.1, 0.15, 0.2], atol=1e-6)


def test_functions_between_codes_are_tables() -> None:
    b = Builder("net")
    real = b.node("convert", "real", (b.input("x", X, **GRID),))
    gate = b.node("unary", "gate", (real,), kind=abi.constant("BNN_SIGMOID"))
    swish = b.node("arith", "swish", (real, gate), kind=abi.constant("BNN_MUL"), **FREE)
    b.output(b.node("convert", "codes", (swish,), dtype="i8", scale=0.02, zero_point=-100))
    codes = np.resize(np.arange(-128, 128), X).astype(np.int8)
    assert ops(lowered(b, [codes])) == [("lookup", "i8")]


def test_a_table_that_changes_nothing_goes_and_the_next_one_is_made() -> None:
    """What read the first one's codes was put back behind its own readers."""
    b = Builder("net")
    x = b.input("x", X, **GRID)
    wide = b.node("clamp", "wide", (b.node("convert", "real", (x,)),), lo=-100.0, hi=100.0)
    same = b.node("convert", "same", (wide,), **GRID)
    bent = b.node("unary", "bent", (b.node("convert", "again", (same,)),), kind=abi.constant("BNN_TANH"))
    b.output(b.node("convert", "y", (b.node("clamp", "top", (bent,), lo=-0.5, hi=1.0),), dtype="i8", scale=0.01))
    codes = np.random.default_rng(3).integers(-128, 128, X).astype(np.int8)
    assert [op for op, _ in ops(lowered(b, [codes]))] == ["lookup"]


def test_sums_read_and_write_codes() -> None:
    b = Builder("net")
    codes = b.input("x", X, **GRID)
    real = b.node("convert", "real", (codes,))
    other = b.node("unary", "other", (b.input("z", X),), kind=abi.constant("BNN_ABS"))
    total = b.node("arith", "add", (other, real), kind=abi.constant("BNN_ADD"), **FREE)
    b.output(b.node("convert", "sum", (total,), **GRID))
    inputs = [np.resize(np.arange(-128, 128), X).astype(np.int8), normal(*X)]
    graph = lowered(b, inputs)
    assert ops(graph) == [("unary", "f32"), ("arith", "i8")]
    np.testing.assert_array_equal(reference.run(graph, inputs)[0], reference.run(b.graph(), inputs)[0])


def test_bits_come_from_codes_that_are_there_anyway() -> None:
    """A quantiser that alone reads codes moves above their rounding; where they stay, it reads them."""
    for kept in (False, True):
        b = Builder("net")
        total = b.node("unary", "abs", (b.input("x", X),), kind=abi.constant("BNN_ABS"))
        codes = b.node("convert", "codes", (total,), **GRID)
        real = b.node("convert", "real", (codes,))
        sign = b.node("step", "sign", (real,), threshold=0.5, low=-1.0, high=1.0)
        weights = b.constant("w", signs((16, 1, 1, 32)))
        b.output(b.node("conv2d", "conv", (sign, weights), window=POINT, groups=1, **FREE))
        if kept:
            b.output(codes)
        graph = lowered(b, [normal(*X)])
        (quantize,) = (node for node in graph.nodes if node.op == "quantize")
        assert quantize.inputs[0] == ("codes" if kept else "abs")


def test_a_threshold_moves_through_int8_factors_by_their_numbers() -> None:
    """On a grid whose zero is not the code 0, a small code of one sign is a number of the other."""
    b = Builder("net")
    x = b.input("x", X, **GRID)
    small = np.resize(np.array([-2, 1, 2, 4, 5, 40], np.int8), 32)
    factors = b.constant("gamma", small, **GRID)
    scaled = b.node("arith", "scaled", (x, factors), kind=abi.constant("BNN_MUL"), **FREE, **GRID)
    real = b.node("convert", "real", (scaled,))
    sign = b.node("step", "sign", (real,), threshold=0.0, low=-1.0, high=1.0)
    weights = b.constant("w", signs((16, 1, 1, 32)))
    b.output(b.node("conv2d", "conv", (sign, weights), window=POINT, groups=1, **FREE))
    codes = np.random.default_rng(3).integers(-128, 128, X).astype(np.int8)
    graph = lowered(b, [codes])
    assert ops(graph) == [("quantize", "bits"), ("bconv2d", "f32")]
    assert graph.nodes[0].inputs[0] == "x"
