# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators one by one, against what NumPy says they compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from harness.errors import ModelError, UnsupportedModel
from harness.model import importers, reference
from harness.model.graph import Graph
from tests.unit.tflite_writer import Operator, Tensor, constant, write

X = np.random.default_rng(1).standard_normal((1, 4, 6, 8)).astype(np.float32)
ROWS = np.random.default_rng(2).standard_normal((3, 8)).astype(np.float32)
W = np.random.default_rng(3).standard_normal((5, 8)).astype(np.float32)

EDGES = ((0, 0), (1, 1), (0, 3), (0, 0))


@dataclass(frozen=True)
class Case:
    """One operator that reads `x` (and constants `c0`, `c1`...) and what it should give."""

    kind: str
    expected: Callable[[Any], Any]
    x: Any = field(default_factory=lambda: X)
    constants: tuple[Any, ...] = ()
    inputs: tuple[str, ...] = ()
    table: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    name: str = ""


def _softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _blocks(x: Any) -> Any:
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4 * c)


def _between(x: Any, rows: Any, columns: Any) -> Any:
    """Linear interpolation between the pixels of an image; beyond its edges lies what is at them."""
    for axis, places in ((1, rows), (2, columns)):
        lines = np.moveaxis(x, axis, 0)
        grid = np.arange(len(lines))
        flat = lines.reshape(len(lines), -1).T
        x = np.stack([np.interp(places, grid, line) for line in flat], axis=1).reshape(len(places), *lines.shape[1:])
        x = np.moveaxis(x, 0, axis)
    return x


CASES = [
    Case(
        "SUB",
        lambda x: np.clip(x - 0.5, 0, None),
        constants=(0.5,),
        table="SubOptions",
        options={"FusedActivationFunction": 1},
    ),
    Case("DIV", lambda x: x / 3, constants=(3.0,), table="DivOptions"),
    Case("MAXIMUM", lambda x: np.maximum(x, 0.25), constants=(0.25,)),
    Case("SQUARED_DIFFERENCE", lambda x: (x - 2) ** 2, constants=(2.0,)),
    Case("RELU6", lambda x: np.clip(x, 0, 6)),
    Case("RELU_0_TO_1", lambda x: np.clip(x, 0, 1)),
    Case("HARD_SWISH", lambda x: x * np.clip(x + 3, 0, 6) / 6),
    Case("LEAKY_RELU", lambda x: np.where(x < 0, 0.25 * x, x), table="LeakyReluOptions", options={"Alpha": 0.25}),
    Case("GELU", lambda x: x * (1 + special.erf(x / np.sqrt(2))) / 2, table="GeluOptions"),
    Case(
        "GELU",
        lambda x: x / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        table="GeluOptions",
        options={"Approximate": True},
        name="approximate",
    ),
    Case(
        "RESIZE_NEAREST_NEIGHBOR",
        lambda x: x.repeat(2, axis=1).repeat(3, axis=2),
        constants=([8, 18],),
        table="ResizeNearestNeighborOptions",
        options={"HalfPixelCenters": True},
    ),
    Case("LOG_SOFTMAX", lambda x: np.log(_softmax(x)), x=ROWS),
    Case("SOFTMAX", lambda x: _softmax(2 * x), x=ROWS, table="SoftmaxOptions", options={"Beta": 2.0}),
    Case("ELU", lambda x: np.where(x < 0, np.expm1(x), x)),
    Case("RSQRT", lambda x: 1 / np.sqrt(x), x=np.abs(X) + 1),
    Case("FULLY_CONNECTED", lambda x: x @ W.T, x=ROWS, constants=(W,), table="FullyConnectedOptions"),
    Case(
        "FULLY_CONNECTED",
        lambda x: x @ W.T,
        constants=(W,),
        table="FullyConnectedOptions",
        options={"KeepNumDims": True},
        name="of_the_last_axis",
    ),
    Case(
        "FULLY_CONNECTED",
        lambda x: x.reshape(24, 8) @ W.T,
        constants=(W,),
        table="FullyConnectedOptions",
        name="flattens",
    ),
    Case("MEAN", lambda x: x.mean(axis=(1, 3)), constants=([1, -1],), table="ReducerOptions"),
    Case(
        "SUM",
        lambda x: x.sum(axis=2, keepdims=True),
        constants=([2],),
        table="ReducerOptions",
        options={"KeepDims": True},
    ),
    Case("REDUCE_MAX", lambda x: x.max(axis=(1, 2)), constants=([1, 2],), table="ReducerOptions"),
    Case(
        "REDUCE_MAX",
        lambda x: x.max(axis=(1, 3), keepdims=True),
        constants=([3, 1],),
        table="ReducerOptions",
        options={"KeepDims": True},
        name="of_axes_apart",
    ),
    Case("REDUCE_MIN", lambda x: x.min(axis=-1), constants=([-1],), table="ReducerOptions"),
    Case("L2_NORMALIZATION", lambda x: x / np.sqrt((x**2).sum(axis=-1, keepdims=True)), table="L2NormOptions"),
    Case("L2_NORMALIZATION", lambda x: x / 1e-6, x=X * 1e-9, table="L2NormOptions", name="of_next_to_nothing"),
    Case("POW", lambda x: x**3, constants=(3.0,)),
    Case("POW", lambda x: x**-1.5, x=np.abs(X) + 1, constants=(-1.5,), name="of_a_root"),
    Case(
        "GATHER",
        lambda x: x[..., [7, 1, 1, 2, 0]],
        constants=([7, 1, 1, 2, 0],),
        table="GatherOptions",
        options={"Axis": -1},
    ),
    Case("GATHER", lambda x: x[:, :, 5], constants=(5,), table="GatherOptions", options={"Axis": 2}, name="one"),
    Case(
        "GATHER",
        lambda x: x[:, [[0, 3], [3, 2]]],
        constants=([[0, 3], [3, 2]],),
        table="GatherOptions",
        options={"Axis": 1},
        name="a_table",
    ),
    Case(
        "GATHER",
        lambda x: x[:, np.arange(900)[::-1] // 5 % 4],
        constants=(np.arange(900)[::-1] // 5 % 4,),
        table="GatherOptions",
        options={"Axis": 1},
        name="more_than_a_concat_takes",
    ),
    Case("REVERSE_V2", lambda x: x[:, ::-1, :, ::-1], constants=([1, 3],)),
    Case("TILE", lambda x: np.tile(x, (1, 2, 1, 3)), constants=([1, 2, 1, 3],)),
    Case("BROADCAST_TO", lambda x: np.broadcast_to(x, (2, 3, 8)), x=ROWS, constants=([2, 3, 8],)),
    *(
        Case(
            "MIRROR_PAD",
            partial(np.pad, pad_width=((0, 0), (3, 1), (0, 2), (0, 0)), mode=mode),
            constants=([[0, 0], [3, 1], [0, 2], [0, 0]],),
            table="MirrorPadOptions",
            options={"Mode": at},
            name=mode,
        )
        for at, mode in enumerate(("reflect", "symmetric"))
    ),
    Case(
        "RESIZE_NEAREST_NEIGHBOR",
        lambda x: x[:, [0, 0, 1, 2, 3]][:, :, [0, 1, 3, 4]],
        constants=([5, 4],),
        table="ResizeNearestNeighborOptions",
        name="between_sizes",
    ),
    Case(
        "RESIZE_NEAREST_NEIGHBOR",
        lambda x: x[:, [0, 1, 2, 2, 3]][:, :, [0, 2, 3, 5]],
        constants=([5, 4],),
        table="ResizeNearestNeighborOptions",
        options={"AlignCorners": True},
        name="aligned",
    ),
    *(
        Case(
            "RESIZE_BILINEAR",
            partial(_between, rows=rows, columns=columns),
            constants=([len(rows), len(columns)],),
            table="ResizeBilinearOptions",
            options=options,
            name=name,
        )
        for name, rows, columns, options in (
            ("plain", np.arange(8) / 2, np.arange(4) * 1.5, {}),
            ("centred", (np.arange(12) + 0.5) / 3 - 0.5, np.arange(3) * 2 + 0.5, {"HalfPixelCenters": True}),
            ("aligned", np.arange(7) / 2, np.arange(2) * 5.0, {"AlignCorners": True}),
        )
    ),
    Case(
        "SPACE_TO_BATCH_ND",
        lambda x: np.concatenate([np.pad(x, EDGES)[:, row::2, column::3] for row in range(2) for column in range(3)]),
        constants=([2, 3], [[1, 1], [0, 3]]),
    ),
    Case(
        "SPACE_TO_BATCH_ND",
        lambda x: np.stack([x[0, ::2], x[0, 1::2]]),
        x=X[0, :1],
        constants=([2], [[0, 0]]),
        name="1d",
    ),
    Case(
        "BATCH_TO_SPACE_ND",
        lambda x: np.stack([x[:3], x[3:]], axis=2).reshape(3, 16)[:, 1:14],
        x=np.random.default_rng(5).standard_normal((6, 8)).astype(np.float32),
        constants=([2], [[1, 2]]),
    ),
    Case("ADD_N", lambda x: 3 * x, inputs=("x", "x", "x")),
    Case("PAD", lambda x: np.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))), constants=([[0, 0], [1, 2], [0, 3], [0, 0]],)),
    Case(
        "PADV2",
        lambda x: np.pad(x, ((0, 0), (1, 0), (0, 0), (0, 0)), constant_values=-1),
        constants=([[0, 0], [1, 0], [0, 0], [0, 0]], -1.0),
    ),
    Case("SQUEEZE", lambda x: x[0], table="SqueezeOptions"),
    Case("EXPAND_DIMS", lambda x: x[:, None], x=ROWS, constants=([1],)),
    Case("TRANSPOSE", lambda x: x.transpose(0, 3, 1, 2), constants=([0, 3, 1, 2],)),
    Case("PACK", lambda x: np.stack([x, x], 1), x=ROWS, inputs=("x", "x"), table="PackOptions", options={"Axis": 1}),
    Case(
        "CONCATENATION",
        lambda x: np.clip(np.concatenate([x, x], -1), -1, 1),
        inputs=("x", "x"),
        table="ConcatenationOptions",
        options={"Axis": -1, "FusedActivationFunction": 2},
    ),
    Case("SLICE", lambda x: x[:, 1:3, :, 2:], constants=([0, 1, 0, 2], [-1, 2, 6, -1])),
    Case(
        "STRIDED_SLICE",
        lambda x: x[:, 1, ::2, -3:-1],
        constants=([0, 1, 0, -3], [0, 2, 6, -1], [1, 1, 2, 1]),
        table="StridedSliceOptions",
        options={"BeginMask": 1, "EndMask": 1, "ShrinkAxisMask": 2},
    ),
    Case(
        "STRIDED_SLICE",
        lambda x: x[:, 3:0:-2, None, ..., ::-1],
        constants=([0, 3, 0, 0, 0], [0, 0, 0, 0, 0], [1, -2, 1, 1, -1]),
        table="StridedSliceOptions",
        options={"BeginMask": 17, "EndMask": 17, "NewAxisMask": 4, "EllipsisMask": 8},
        name="backwards",
    ),
    Case("SPACE_TO_DEPTH", _blocks, table="SpaceToDepthOptions", options={"BlockSize": 2}),
    Case(
        "DEPTH_TO_SPACE",
        lambda x: x,
        x=_blocks(X),
        table="DepthToSpaceOptions",
        options={"BlockSize": 2},
        name="inverse",
    ),
]


def _load(path: Path, content: bytes) -> Graph:
    file = path / "model.tflite"
    file.write_bytes(content)
    return importers.load(file)


def _single(case: Case) -> bytes:
    expected = case.expected(case.x)
    if case.kind == "DEPTH_TO_SPACE":
        expected = X
    tensors = {"x": Tensor(case.x.shape), "y": Tensor(expected.shape)}
    tensors |= {f"c{at}": constant(value) for at, value in enumerate(case.constants)}
    inputs = case.inputs or ("x", *(name for name in tensors if name.startswith("c")))
    return write(tensors, [Operator(case.kind, inputs, ["y"], case.table, case.options)], ["x"], ["y"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}{case.name and '_' + case.name}")
def test_operator(case: Case, tmp_path: Path) -> None:
    (output,) = reference.run(_load(tmp_path, _single(case)), [case.x])
    expected = X if case.kind == "DEPTH_TO_SPACE" else case.expected(case.x)
    np.testing.assert_allclose(output, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "constants", "table", "options", "message"),
    [
        ("GATHER", ([8],), "GatherOptions", {"Axis": 3}, "does not have"),
        ("GATHER", ([-1],), "GatherOptions", {"Axis": 3}, "does not have"),
        ("TILE", ([1, 0, 1, 1],), "", {}, "repeats"),
        ("TILE", ([1, 1, 1, 1 << 20],), "", {}, "times|elements"),
        ("MIRROR_PAD", ([[0, 0], [4, 0], [0, 0], [0, 0]],), "MirrorPadOptions", {}, "cannot pad"),
        ("RESIZE_BILINEAR", ([0, 4],), "ResizeBilinearOptions", {}, "makes an image"),
        ("RESIZE_BILINEAR", ([1 << 20, 4],), "ResizeBilinearOptions", {}, "to"),
        ("POW", (0.3,), "", {}, "by"),
    ],
)
def test_what_cannot_be_taken_is_refused(
    tmp_path: Path, kind: str, constants: Any, table: str, options: dict[str, Any], message: str
) -> None:
    tensors = {"x": Tensor(X.shape), "y": Tensor(X.shape)}
    tensors |= {f"c{at}": constant(value) for at, value in enumerate(constants)}
    operator = Operator(kind, ["x", *(name for name in tensors if name.startswith("c"))], ["y"], table, options)
    with pytest.raises(ModelError, match=message):
        _load(tmp_path, write(tensors, [operator], ["x"], ["y"]))


def test_split_and_comparisons_of_bool(tmp_path: Path) -> None:
    half = (1, 4, 6, 4)
    tensors = {
        "x": Tensor(X.shape),
        "axis": constant([3]),
        "sizes": constant([4, -1]),
        "zero": constant(0.0),
        **{name: Tensor(half) for name in ("a", "b", "y")},
        **{name: Tensor(half, np.bool_) for name in ("more", "less", "both", "none")},
    }
    operators = [
        Operator("SPLIT_V", ["x", "sizes", "axis"], ["a", "b"]),
        Operator("GREATER", ["a", "zero"], ["more"]),
        Operator("LESS", ["b", "zero"], ["less"]),
        Operator("LOGICAL_AND", ["more", "less"], ["both"]),
        Operator("LOGICAL_NOT", ["both"], ["none"]),
        Operator("SELECT_V2", ["none", "a", "b"], ["y"]),
    ]
    (output,) = reference.run(_load(tmp_path, write(tensors, operators, ["x"], ["y"])), [X])
    a, b = X[..., :4], X[..., 4:]
    np.testing.assert_array_equal(output, np.where((a > 0) & (b < 0), b, a))


def test_constants_made_by_operators_are_slim(tmp_path: Path) -> None:
    tensors = {
        "x": Tensor(X.shape),
        "size": constant([8]),
        "value": constant(1.5),
        **{name: Tensor(X.shape) for name in ("sum", "zeros", "y")},
        "filled": Tensor((8,)),
    }
    operators = [
        Operator("FILL", ["size", "value"], ["filled"]),
        Operator("ADD", ["x", "filled"], ["sum"], "AddOptions"),
        Operator("ZEROS_LIKE", ["x"], ["zeros"]),
        Operator("MAXIMUM", ["sum", "zeros"], ["y"]),
    ]
    graph = _load(tmp_path, write(tensors, operators, ["x"], ["y"]))
    assert all(tensor.elements == 1 for tensor in graph.tensors.values() if tensor.data is not None)
    np.testing.assert_array_equal(reference.run(graph, [X])[0], np.maximum(X + 1.5, 0))


def test_an_output_that_ignores_the_input_is_refused(tmp_path: Path) -> None:
    tensors = {"x": Tensor(X.shape), "y": Tensor(X.shape)}
    with pytest.raises(ModelError, match="does not depend on its input"):
        _load(tmp_path, write(tensors, [Operator("ZEROS_LIKE", ["x"], ["y"])], ["x"], ["y"]))


def test_arithmetic_on_weights_is_folded(tmp_path: Path) -> None:
    tensors = {
        "x": Tensor(ROWS.shape),
        "w": constant(W),
        "axes": constant([1]),
        "abs": Tensor(W.shape),
        "mean": Tensor((5, 1)),
        "sign": Tensor(W.shape),
        "scaled": Tensor(W.shape),
        "y": Tensor((3, 5)),
    }
    operators = [
        Operator("ABS", ["w"], ["abs"]),
        Operator("MEAN", ["abs", "axes"], ["mean"], "ReducerOptions", {"KeepDims": True}),
        Operator("SIGN", ["w"], ["sign"]),
        Operator("MUL", ["sign", "mean"], ["scaled"], "MulOptions"),
        Operator("FULLY_CONNECTED", ["x", "scaled", ""], ["y"], "FullyConnectedOptions"),
    ]
    graph = _load(tmp_path, write(tensors, operators, ["x"], ["y"]))
    assert [node.op for node in graph.nodes] == ["dense"]
    assert len(graph.tensors) == 3
    scaled = np.sign(W) * np.abs(W).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(reference.run(graph, [ROWS])[0], ROWS @ scaled.T, atol=1e-6)


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_a_convolution_of_an_image_taken_apart_is_a_dilated_one(kind: str, tmp_path: Path) -> None:
    """TensorFlow takes the padding that makes the steps fit off again; the shapes between hold a batch of 1 wrongly."""
    filters = np.random.default_rng(8).standard_normal((5 if kind == "CONV_2D" else 1, 3, 2, 8)).astype(np.float32)
    count = 5 if kind == "CONV_2D" else 8
    tensors = {
        "x": Tensor(X.shape),
        "steps": constant([3, 2]),
        "pads": constant([[3, 5], [1, 1]]),
        "crops": constant([[0, 2], [0, 0]]),
        "w": constant(filters),
        "apart": Tensor((1, 4, 4, 8)),
        "z": Tensor((1, 2, 3, count)),
        "y": Tensor((1, 4, 6, count)),
    }
    table = "Conv2DOptions" if kind == "CONV_2D" else "DepthwiseConv2DOptions"
    operators = [
        Operator("SPACE_TO_BATCH_ND", ["x", "steps", "pads"], ["apart"]),
        Operator(kind, ["apart", "w", ""], ["z"], table, {"Padding": 1, "StrideH": 1, "StrideW": 1}),
        Operator("BATCH_TO_SPACE_ND", ["z", "steps", "crops"], ["y"]),
    ]
    graph = _load(tmp_path, write(tensors, operators, ["x"], ["y"]))
    (node,) = graph.nodes
    assert (node.op, node.params["window"]["dilation_h"], node.params["window"]["dilation_w"]) == ("conv2d", 3, 2)
    padded = np.pad(X, ((0, 0), (3, 5), (1, 1), (0, 0)))
    taps = [(i, j, padded[:, 3 * i : 3 * i + 4, 2 * j : 2 * j + 6]) for i in range(3) for j in range(2)]
    rule = "nhwc,oc->nhwo" if kind == "CONV_2D" else "nhwc,oc->nhwc"
    expected = sum(np.einsum(rule, part, filters[:, i, j]) for i, j, part in taps)
    np.testing.assert_allclose(reference.run(graph, [X])[0], expected, atol=1e-5)


def test_a_product_over_the_last_axis_between_computed_shapes(tmp_path: Path) -> None:
    """What the file states for the rows between is wrong where its batch was open."""
    tensors = {
        "x": Tensor(X.shape),
        "sizes": Tensor((2,), np.int32),
        "w": constant(W),
        "rows": Tensor((1, 1)),
        "product": Tensor((1, 5)),
        "y": Tensor((1, 4, 6, 5)),
    }
    operators = [
        Operator("SHAPE", ["x"], ["sizes"]),
        Operator("RESHAPE", ["x", "sizes"], ["rows"]),
        Operator("FULLY_CONNECTED", ["rows", "w", ""], ["product"], "FullyConnectedOptions"),
        Operator("RESHAPE", ["product", "sizes"], ["y"]),
    ]
    graph = _load(tmp_path, write(tensors, operators, ["x"], ["y"]))
    assert [node.op for node in graph.nodes] == ["dense"]
    np.testing.assert_allclose(reference.run(graph, [X])[0], X @ W.T, atol=1e-5)


def test_what_only_computes_a_shape_is_left_out(tmp_path: Path) -> None:
    tensors = {
        "x": Tensor(X.shape),
        "shape": Tensor((4,), np.int32),
        "y": Tensor((1, 192)),
    }
    operators = [Operator("SHAPE", ["x"], ["shape"]), Operator("RESHAPE", ["x", "shape"], ["y"])]
    graph = _load(tmp_path, write(tensors, operators, ["x"], ["y"]))
    assert [node.op for node in graph.nodes] == ["reshape"]


def test_integer_weights_have_a_scale_each(tmp_path: Path) -> None:
    codes = np.arange(-20, 20, dtype=np.int8).reshape(5, 8)
    scales = (0.5, 0.25, 1.0, 2.0, 4.0)
    tensors = {
        "x": Tensor(ROWS.shape, np.int8, None, (0.1,), (3,)),
        "w": Tensor(codes.shape, np.int8, codes, scales, (0,) * 5, 0),
        "y": Tensor((3, 5), np.int8, None, (2.0,), (-7,)),
    }
    operator = Operator("FULLY_CONNECTED", ["x", "w", ""], ["y"], "FullyConnectedOptions")
    graph = _load(tmp_path, write(tensors, [operator], ["x"], ["y"]))
    x = np.random.default_rng(4).integers(-128, 128, ROWS.shape).astype(np.int8)
    real = (0.1 * (x.astype(np.float64) - 3)) @ (codes * np.array(scales)[:, None]).T
    expected = np.clip(np.rint(real / 2.0) - 7, -128, 127)
    assert np.abs(reference.run(graph, [x])[0] - expected).max() <= 1
    assert {graph.tensors[name].dtype for name in (*graph.inputs, *graph.outputs)} == {"i8"}


def test_smaller_weights_are_read_as_float(tmp_path: Path) -> None:
    codes, half = np.arange(-20, 20, dtype=np.int8).reshape(5, 8), W.astype(np.float16)
    tensors = {
        "x": Tensor(ROWS.shape),
        "codes": Tensor(codes.shape, np.int8, codes, (0.5,), (0,)),
        "half": Tensor(half.shape, np.float16, half),
        "w": Tensor(half.shape),
        **{name: Tensor((3, 5)) for name in ("a", "b", "y")},
    }
    operators = [
        Operator("DEQUANTIZE", ["half"], ["w"]),
        Operator("FULLY_CONNECTED", ["x", "w", ""], ["a"], "FullyConnectedOptions"),
        Operator("FULLY_CONNECTED", ["x", "codes", ""], ["b"], "FullyConnectedOptions"),
        Operator("ADD", ["a", "b"], ["y"], "AddOptions"),
    ]
    graph = _load(tmp_path, write(tensors, operators, ["x"], ["y"]))
    expected = ROWS @ half.astype(np.float32).T + ROWS @ (0.5 * codes).T
    np.testing.assert_allclose(reference.run(graph, [ROWS])[0], expected, rtol=1e-5)
    assert "round the activations" in graph.notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": Tensor((1, 4, 6, 9))}, "gives"),
        ({"x": Tensor((1, 4, 6, 8), np.int32)}, "int32"),
        ({"x": Tensor((1, 4, 0, 8)), "y": Tensor((1, 4, 0, 8))}, "holds nothing"),
    ],
)
def test_contradictions_are_refused(change: dict[str, Tensor], message: str, tmp_path: Path) -> None:
    tensors = {"x": Tensor(X.shape), "y": Tensor(X.shape)} | change
    with pytest.raises(ModelError, match=message):
        _load(tmp_path, write(tensors, [Operator("RELU", ["x"], ["y"])], ["x"], ["y"]))


def test_operators_out_of_order_are_refused(tmp_path: Path) -> None:
    tensors = {name: Tensor(X.shape) for name in ("x", "a", "y")}
    operators = [Operator("RELU", ["a"], ["y"]), Operator("RELU", ["x"], ["a"])]
    with pytest.raises(ModelError, match="nothing has computed"):
        _load(tmp_path, write(tensors, operators, ["x"], ["y"]))


def test_weights_that_are_computed_are_not_supported(tmp_path: Path) -> None:
    tensors = {"x": Tensor(ROWS.shape), "w": Tensor(W.shape), "y": Tensor((3, 5))}
    operator = Operator("FULLY_CONNECTED", ["x", "w", ""], ["y"], "FullyConnectedOptions")
    with pytest.raises(UnsupportedModel, match="weights that are computed"):
        _load(tmp_path, write(tensors, [operator], ["x", "w"], ["y"]))


def test_a_batch_that_the_file_leaves_open_is_what_the_operators_make_of_it(tmp_path: Path) -> None:
    """The converter writes 1 for it throughout, also where an image was taken apart."""
    tensors = {
        "x": Tensor((1, 6, 8)),
        "block": constant([2]),
        "sides": constant([[0, 0]]),
        "apart": Tensor((1, 3, 8), signature=(-1, 3, 8)),
        "rows": constant([-1, 8]),
        "flat": Tensor((3, 8), signature=(-1, 8)),
        "axis": constant([1]),
        "y": Tensor((3,), signature=(-1,)),
    }
    operators = [
        Operator("SPACE_TO_BATCH_ND", ["x", "block", "sides"], ["apart"]),
        Operator("RESHAPE", ["apart", "rows"], ["flat"]),
        Operator("MEAN", ["flat", "axis"], ["y"], "ReducerOptions"),
    ]
    x = X[0, :1]
    graph = _load(tmp_path, write(tensors, operators, ["x"], ["y"]))
    expected = np.concatenate([x[0, ::2], x[0, 1::2]]).mean(axis=-1)
    np.testing.assert_allclose(reference.run(graph, [x])[0], expected, atol=1e-6)


def test_a_slice_whose_size_is_computed_is_as_large_as_the_file_says(tmp_path: Path) -> None:
    tensors = {
        "x": Tensor(X.shape),
        "begin": constant([0, 1, 2, 0]),
        "size": Tensor((4,), np.int32),
        "y": Tensor((1, 2, 3, 8)),
    }
    operators = [Operator("SHAPE", ["x"], ["size"]), Operator("SLICE", ["x", "begin", "size"], ["y"])]
    graph = _load(tmp_path, write(tensors, operators, ["x"], ["y"]))
    np.testing.assert_array_equal(reference.run(graph, [X])[0], X[:, 1:3, 2:5])
