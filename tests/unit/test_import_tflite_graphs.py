# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators together: what only computes shapes, what is folded, what converters take apart, what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import ModelError, UnsupportedModel
from harness.model import reference
from tests.unit.tflite_writer import Operator, Tensor, constant, load, write

X = np.random.default_rng(1).standard_normal((1, 4, 6, 8)).astype(np.float32)
ROWS = np.random.default_rng(2).standard_normal((3, 8)).astype(np.float32)
W = np.random.default_rng(3).standard_normal((5, 8)).astype(np.float32)


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
    (output,) = reference.run(load(tmp_path, write(tensors, operators, ["x"], ["y"])), [X])
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
    graph = load(tmp_path, write(tensors, operators, ["x"], ["y"]))
    assert all(tensor.elements == 1 for tensor in graph.tensors.values() if tensor.data is not None)
    np.testing.assert_array_equal(reference.run(graph, [X])[0], np.maximum(X + 1.5, 0))


def test_an_output_that_ignores_the_input_is_refused(tmp_path: Path) -> None:
    tensors = {"x": Tensor(X.shape), "y": Tensor(X.shape)}
    with pytest.raises(ModelError, match="does not depend on its input"):
        load(tmp_path, write(tensors, [Operator("ZEROS_LIKE", ["x"], ["y"])], ["x"], ["y"]))


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
    graph = load(tmp_path, write(tensors, operators, ["x"], ["y"]))
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
    graph = load(tmp_path, write(tensors, operators, ["x"], ["y"]))
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
    graph = load(tmp_path, write(tensors, operators, ["x"], ["y"]))
    assert [node.op for node in graph.nodes] == ["dense"]
    np.testing.assert_allclose(reference.run(graph, [X])[0], X @ W.T, atol=1e-5)


def test_what_only_computes_a_shape_is_left_out(tmp_path: Path) -> None:
    tensors = {
        "x": Tensor(X.shape),
        "shape": Tensor((4,), np.int32),
        "y": Tensor((1, 192)),
    }
    operators = [Operator("SHAPE", ["x"], ["shape"]), Operator("RESHAPE", ["x", "shape"], ["y"])]
    graph = load(tmp_path, write(tensors, operators, ["x"], ["y"]))
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
    graph = load(tmp_path, write(tensors, [operator], ["x"], ["y"]))
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
    graph = load(tmp_path, write(tensors, operators, ["x"], ["y"]))
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
        load(tmp_path, write(tensors, [Operator("RELU", ["x"], ["y"])], ["x"], ["y"]))


def test_operators_out_of_order_are_refused(tmp_path: Path) -> None:
    tensors = {name: Tensor(X.shape) for name in ("x", "a", "y")}
    operators = [Operator("RELU", ["a"], ["y"]), Operator("RELU", ["x"], ["a"])]
    with pytest.raises(ModelError, match="nothing has computed"):
        load(tmp_path, write(tensors, operators, ["x"], ["y"]))


def test_weights_that_are_computed_are_not_supported(tmp_path: Path) -> None:
    tensors = {"x": Tensor(ROWS.shape), "w": Tensor(W.shape), "y": Tensor((3, 5))}
    operator = Operator("FULLY_CONNECTED", ["x", "w", ""], ["y"], "FullyConnectedOptions")
    with pytest.raises(UnsupportedModel, match="weights that are computed"):
        load(tmp_path, write(tensors, [operator], ["x", "w"], ["y"]))


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
    graph = load(tmp_path, write(tensors, operators, ["x"], ["y"]))
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
    graph = load(tmp_path, write(tensors, operators, ["x"], ["y"]))
    np.testing.assert_array_equal(reference.run(graph, [X])[0], X[:, 1:3, 2:5])
