# SPDX-License-Identifier: Apache-2.0
"""Int8 operators of `.tflite` files against what TensorFlow Lite's built-in kernels gave for the very same files.

The codes were recorded with the interpreter of larq-compute-engine 0.16 on x86-64, without XNNPACK; those from "coarse
requantise" on with that of TensorFlow 2.16, of which LiteRT 2.3 gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.model import importers, pipeline, reference
from harness.model.graph import Array
from tests.unit.tflite_writer import Operator, Tensor, constant, write

RECORDED = Path(__file__).parent.parent / "data" / "tflite" / "int8_operators.npz"
IMAGE = (1, 8, 8, 16)
X, Y, COARSE = ((0.05,), (-3,)), ((0.09,), (10,)), ((0.17,), (-20,))


@dataclass(frozen=True)
class Case:
    """One operator.

    Attributes:
        inputs: shapes; weights: the shape of a constant filter, and a bias with it.
        codes: how far a recorded code may lie off: TFLite rounds what it subtracts twice, and what it adds once.
        native: whether everything stays int8 here; stays: whether it does after the passes.
    """

    kind: str
    output: tuple[int, ...]
    inputs: tuple[tuple[int, ...], ...] = (IMAGE,)
    weights: tuple[int, ...] = ()
    numbers: Any = None
    table: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    grids: tuple[Any, Any] = (X, Y)
    codes: int = 0
    native: bool = True
    stays: bool = True


SLIDE = {"Padding": 0, "StrideH": 1, "StrideW": 1}
POOL = {**SLIDE, "StrideH": 2, "StrideW": 2, "FilterHeight": 3, "FilterWidth": 3}
CASES = {
    "conv": Case("CONV_2D", (1, 8, 8, 24), weights=(24, 3, 3, 16), table="Conv2DOptions", options=SLIDE),
    "conv relu6": Case(
        "CONV_2D",
        (1, 4, 4, 8),
        weights=(8, 5, 5, 16),
        table="Conv2DOptions",
        options={**SLIDE, "StrideH": 2, "StrideW": 2, "FusedActivationFunction": 3},
    ),
    "pointwise": Case("CONV_2D", (1, 8, 8, 40), weights=(40, 1, 1, 16), table="Conv2DOptions", options=SLIDE),
    "depthwise": Case(
        "DEPTHWISE_CONV_2D",
        (1, 8, 8, 16),
        weights=(1, 3, 3, 16),
        table="DepthwiseConv2DOptions",
        options={**SLIDE, "DepthMultiplier": 1},
    ),
    "dense": Case("FULLY_CONNECTED", (4, 16), inputs=((4, 64),), weights=(16, 64), table="FullyConnectedOptions"),
    "add": Case("ADD", IMAGE, inputs=(IMAGE, IMAGE), table="AddOptions"),
    "add relu": Case("ADD", IMAGE, inputs=(IMAGE, IMAGE), table="AddOptions", options={"FusedActivationFunction": 1}),
    "sub": Case("SUB", IMAGE, inputs=(IMAGE, IMAGE), table="SubOptions", codes=1),
    "mul": Case("MUL", IMAGE, inputs=(IMAGE, IMAGE), table="MulOptions"),
    "average pool": Case("AVERAGE_POOL_2D", (1, 4, 4, 16), table="Pool2DOptions", options=POOL, grids=(X, X)),
    "max pool relu": Case(
        "MAX_POOL_2D",
        (1, 4, 4, 16),
        table="Pool2DOptions",
        options={**POOL, "FusedActivationFunction": 1},
        grids=(X, X),
    ),
    "mean": Case("MEAN", (1, 16), numbers=[1, 2], table="ReducerOptions", options={"KeepDims": False}),
    "softmax": Case(
        "SOFTMAX",
        (4, 10),
        inputs=((4, 10),),
        table="SoftmaxOptions",
        options={"Beta": 1.0},
        grids=(X, ((1 / 256,), (-128,))),
    ),
    "pad": Case("PAD", (1, 10, 11, 16), numbers=[[0, 0], [1, 1], [1, 2], [0, 0]], grids=(X, X)),
    "enlarge": Case(
        "RESIZE_NEAREST_NEIGHBOR",
        (1, 16, 24, 16),
        numbers=[16, 24],
        table="ResizeNearestNeighborOptions",
        grids=(X, X),
    ),
    "logistic": Case("LOGISTIC", IMAGE, grids=(X, ((1 / 256,), (-128,))), native=False),
    "relu": Case("RELU", IMAGE),
    "requantise": Case("QUANTIZE", IMAGE),
    "coarse requantise": Case("QUANTIZE", IMAGE, grids=(X, COARSE)),
    "coarse relu6": Case("RELU6", IMAGE, grids=(X, COARSE)),
    "coarse leaky relu": Case("LEAKY_RELU", IMAGE, table="LeakyReluOptions", options={"Alpha": 0.3}, grids=(X, COARSE)),
    "coarse hard swish": Case("HARD_SWISH", IMAGE, grids=(X, COARSE)),
    "fine hard swish": Case("HARD_SWISH", IMAGE, grids=(((0.012,), (20,)), ((0.006,), (-60,)))),
    "coarse mean of pixels": Case(
        "MEAN",
        (1, 1, 1, 16),
        numbers=[1, 2],
        table="ReducerOptions",
        options={"KeepDims": True},
        grids=(((0.05,), (-53,)), ((0.04,), (-60,))),
    ),
    "mean along a line": Case(
        "MEAN",
        (1, 160),
        inputs=((1, 10, 160),),
        numbers=[1],
        table="ReducerOptions",
        grids=(((0.0265,), (-8,)), ((0.0124,), (-27,))),
    ),
    "between pixels": Case(
        "RESIZE_BILINEAR",
        (1, 12, 16, 16),
        numbers=[12, 16],
        table="ResizeBilinearOptions",
        options={"HalfPixelCenters": True},
        grids=(X, X),
        native=False,
        stays=False,
    ),
    "entries": Case(
        "GATHER", (1, 8, 8, 5), numbers=[3, 1, 1, 15, 0], table="GatherOptions", options={"Axis": 3}, grids=(X, X)
    ),
    "largest": Case("REDUCE_MAX", (1, 16), numbers=[1, 2], table="ReducerOptions", grids=(X, X)),
    "mirrored": Case(
        "MIRROR_PAD",
        (1, 10, 11, 16),
        numbers=[[0, 0], [1, 1], [1, 2], [0, 0]],
        table="MirrorPadOptions",
        options={"Mode": 1},
        grids=(X, X),
    ),
}


def build(name: str) -> tuple[bytes, list[Array]]:
    """A file, and codes for its inputs."""
    case, rng = CASES[name], np.random.default_rng(sum(name.encode()))
    grids = [case.grids[0], ((case.grids[0][0][0] * 1.7,), (5,))]
    tensors = {f"x{at}": Tensor(shape, np.int8, None, *grids[at]) for at, shape in enumerate(case.inputs)}
    operands = list(tensors)
    if case.weights:
        axis = 3 if case.kind == "DEPTHWISE_CONV_2D" else 0
        count, taps = case.weights[axis], int(np.prod(case.weights)) // case.weights[axis]
        spread = 0.09 * 50 / (0.05 * 74 * 74 * np.sqrt(taps))
        scales = rng.uniform(0.5, 1.5, 1 if case.kind == "FULLY_CONNECTED" else count) * spread
        tensors["w"] = Tensor(
            case.weights,
            np.int8,
            rng.integers(-127, 128, case.weights),
            tuple(scales.astype(np.float32).tolist()),
            (0,) * len(scales),
            axis,
        )
        bias = rng.integers(-2000, 2000, count)
        steps = tuple((scales.astype(np.float32) * np.float32(0.05)).tolist())
        tensors["b"] = Tensor((count,), np.int32, bias, steps, (0,) * len(scales), 0)
        operands += ["w", "b"]
    if case.numbers is not None:
        tensors["n"] = constant(case.numbers)
        operands.append("n")
    tensors["y"] = Tensor(case.output, np.int8, None, *case.grids[1])
    operator = Operator(case.kind, operands, ["y"], case.table, case.options)
    inputs = [f"x{at}" for at in range(len(case.inputs))]
    codes = [rng.integers(-128, 128, shape).astype(np.int8) for shape in case.inputs]
    return write(tensors, [operator], inputs, ["y"]), codes


@pytest.mark.parametrize("name", CASES)
def test_codes_are_those_of_tensorflow_lite(name: str, tmp_path: Path) -> None:
    content, inputs = build(name)
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    graph = importers.load(path)
    with np.load(RECORDED) as recorded:
        expected = recorded[name].astype(np.int64)
    (found,) = reference.run(graph, inputs)
    assert found.dtype == np.int8
    assert np.abs(found.reshape(expected.shape) - expected).max() <= CASES[name].codes
    computed = {graph.tensors[node.output].dtype for node in graph.nodes}
    assert (computed == {"i8"}) == CASES[name].native


@pytest.mark.parametrize("name", CASES)
def test_passes_keep_the_codes(name: str, tmp_path: Path) -> None:
    content, inputs = build(name)
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    ready = pipeline.prepare(path)
    ready.prove(inputs)
    np.testing.assert_array_equal(reference.run(ready.binary, inputs)[0], reference.run(ready.graph, inputs)[0])
    if CASES[name].stays:
        assert {ready.binary.tensors[node.output].dtype for node in ready.binary.nodes} == {"i8"}


@pytest.mark.parametrize("kind", ["LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"])
@pytest.mark.parametrize(
    ("scale", "zero_point", "limit"),
    [(0.003919, -1, (0.001961, -128, 127)), (0.0007, 5, (0.01, 0, 0)), (0.02, -9, (0.03, 3, -40))],
)
def test_comparisons_see_256ths(tmp_path: Path, kind: str, scale: float, zero_point: int, limit: Any) -> None:
    """0.5016 is not above 0.5001 to TensorFlow Lite: in 256ths both are 128."""
    step, zero, code = limit
    x = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
    tensors = {
        "x": Tensor(x.shape, np.int8, None, (scale,), (zero_point,)),
        "limit": Tensor((), np.int8, np.array(code, np.int8), (step,), (zero,)),
        "yes": Tensor(x.shape, np.bool_),
        "y": Tensor(x.shape),
    }
    operators = [Operator(kind, ["x", "limit"], ["yes"]), Operator("CAST", ["yes"], ["y"])]
    path = tmp_path / "net.tflite"
    path.write_bytes(write(tensors, operators, ["x"], ["y"]))
    steps = [np.float32(256) * np.float32(s) * (np.asarray(c, np.int64) - z)
             for s, c, z in ((scale, x, zero_point), (step, code, zero))]  # fmt: skip
    ours, theirs = (np.sign(value) * np.floor(np.abs(value) + 0.5) for value in steps)
    expected = {"LESS": ours < theirs, "LESS_EQUAL": ours <= theirs, "GREATER": ours > theirs,
                "GREATER_EQUAL": ours >= theirs}[kind]  # fmt: skip
    assert np.unique(expected).size == (1 if scale == 0.003919 and kind in ("GREATER", "LESS_EQUAL") else 2)
    np.testing.assert_array_equal(reference.run(importers.load(path), [x])[0], expected)
