# SPDX-License-Identifier: Apache-2.0
"""Each operator of `.onnx` files against ONNX's own reference, and the quantisers of QONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from harness.errors import UnsupportedModel
from harness.model import importers
from tests.unit.onnx_writer import IMAGE, W, floats, network, op, run_ours, run_theirs

QONNX = "qonnx.custom_op.general"
ONES = np.ones(6, np.float32)

OPERATORS: dict[str, onnx.ModelProto] = {
    "conv": network([op("Conv", "x", "w", "b", pads=[1, 0, 2, 1], strides=[2, 1])], IMAGE, w=W, b=floats(4)),
    "conv_same_lower": network([op("Conv", "x", "w", auto_pad="SAME_LOWER", strides=[2, 2])], IMAGE, w=W),
    "conv_groups_dilated": network(
        [op("Conv", "x", "w", group=3, dilations=[2, 1], pads=[1, 1, 1, 1])], IMAGE, w=floats(6, 2, 3, 2)
    ),
    "conv_1d": network([op("Conv", "x", "w", pads=[2, 1], strides=[2])], (1, 6, 9), w=floats(5, 6, 3)),
    "conv_transpose": network(
        [op("ConvTranspose", "x", "w", "b", strides=[2, 2], pads=[1, 0, 1, 1], output_padding=[1, 1])],
        IMAGE,
        w=floats(6, 4, 3, 3),
        b=floats(4),
    ),
    "max_pool_ceil": network([op("MaxPool", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1)], IMAGE),
    "max_pool_dilated": network([op("MaxPool", kernel_shape=[2, 2], dilations=[2, 2], pads=[1, 1, 1, 1])], IMAGE),
    "average_pool": network([op("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])], IMAGE),
    "average_pool_counts_pads": network(
        [op("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)], IMAGE
    ),
    "global_average": network([op("GlobalAveragePool")], IMAGE),
    "global_max": network([op("GlobalMaxPool")], IMAGE),
    "reduce_mean_17": network([op("ReduceMean", axes=[2, 3], keepdims=0)], IMAGE, opset=17),
    "reduce_mean_channels": network([op("ReduceMean", "x", "a", keepdims=1)], IMAGE, a=np.array([-3])),
    "reduce_sum": network([op("ReduceSum", "x", "a", keepdims=0)], IMAGE, a=np.array([1, 3])),
    "reduce_max": network([op("ReduceMax", "x", "a", keepdims=0)], IMAGE, a=np.array([2, 3])),
    "batch_norm": network(
        [op("BatchNormalization", "x", "g", "b", "m", "v")],
        IMAGE,
        g=floats(6),
        b=floats(6),
        m=floats(6),
        v=np.abs(floats(6)),
    ),
    "batch_norm_rows": network([op("BatchNormalization", "x", "o", "o", "o", "o", epsilon=0.1)], (3, 6), o=ONES),
    "gemm": network([op("Gemm", "x", "w", "b", alpha=0.5, beta=2.0, transB=1)], (2, 6), w=floats(3, 6), b=floats(3)),
    "matmul": network([op("MatMul", "x", "w")], (2, 4, 6), w=floats(6, 3)),
    "matmul_weights_first": network([op("MatMul", "w", "x")], (2, 6, 5), w=floats(3, 6)),
    "matmul_weights_before_an_image": network(
        [op("MaxPool", kernel_shape=[1, 1], to="p"), op("MatMul", "w", "p")], IMAGE, w=floats(4, 7)
    ),
    "flatten_dense": network(
        [
            op("MaxPool", kernel_shape=[2, 2], to="p"),
            op("Flatten", "p", to="f"),
            op("Mul", "f", "s", to="m"),
            op("BatchNormalization", "m", "g", "g", "g", "g", to="n"),
            op("MatMul", "n", "w"),
        ],
        (1, 2, 4, 3),
        s=floats(12),
        g=np.abs(floats(12)),
        w=floats(12, 3),
    ),
    "flatten_as_output": network([op("MaxPool", kernel_shape=[2, 2], to="p"), op("Flatten", "p")], IMAGE),
    "flatten_before_everything": network(
        [
            op("Flatten"),
        ],
        IMAGE,
    ),
    "elu_alpha": network([op("Elu", alpha=0.4)], IMAGE),
    "celu": network([op("Celu", alpha=0.7)], IMAGE),
    "selu": network([op("Selu")], IMAGE),
    "gelu": network([op("Gelu")], IMAGE, opset=20),
    "gelu_by_tanh": network([op("Gelu", approximate="tanh")], IMAGE, opset=20),
    "mish": network([op("Mish")], IMAGE),
    "softsign": network([op("Softsign")], IMAGE),
    "thresholded": network([op("ThresholdedRelu", alpha=0.3)], IMAGE),
    "cube": network([op("Pow", "x", "e")], IMAGE, e=np.float32(3)),
    "resize": network([op("Resize", "x", "", "s", mode="nearest")], IMAGE, s=np.array([1, 1, 2, 3], np.float32)),
    "resize_as_torch": network(
        [op("Resize", "x", "", "s", coordinate_transformation_mode="asymmetric", nearest_mode="floor")],
        IMAGE,
        s=np.array([1, 1, 2, 3], np.float32),
    ),
    "resize_to_sizes": network(
        [op("MaxPool", kernel_shape=[1, 1], to="p"), op("Resize", "p", "", "", "s")], IMAGE, s=np.array([1, 6, 21, 10])
    ),
    "resize_some_axes": network([op("Resize", "x", "", "s", axes=[3, 1])], IMAGE, s=np.array([2, 4], np.float32)),
    "shape_arithmetic_12": network(
        [
            op("Shape", to="s"),
            op("Gather", "s", "i", to="n"),
            op("Unsqueeze", "n", to="u", axes=[0]),
            op("Concat", "u", "m", to="t", axis=0),
            op("Reshape", "x", "t"),
        ],
        IMAGE,
        opset=12,
        i=np.array(0),
        m=np.array([-1]),
    ),
    "channel_shuffle": network(
        [
            op("MaxPool", kernel_shape=[1, 1], to="p"),
            op("Reshape", "p", "split", to="r"),
            op("Transpose", "r", to="t", perm=[0, 2, 1, 3, 4]),
            op("Reshape", "t", "join", to="s"),
            op("Conv", "s", "w"),
        ],
        IMAGE,
        split=np.array([1, 2, 3, 7, 5]),
        join=np.array([0, -1, 7, 5]),
        w=W,
    ),
    "reshape_across_axes": network(
        [op("MaxPool", kernel_shape=[1, 1], to="p"), op("Reshape", "p", "s")], IMAGE, s=np.array([10, 3, 7])
    ),
    "squeeze_excite": network(
        [
            op("MaxPool", kernel_shape=[1, 1], to="p"),
            op("GlobalAveragePool", "p", to="g"),
            op("Flatten", "g", to="f"),
            op("Gemm", "f", "w", to="d"),
            op("Sigmoid", "d", to="s"),
            op("Unsqueeze", "s", "a", to="u"),
            op("Mul", "p", "u"),
        ],
        IMAGE,
        w=floats(6, 6),
        a=np.array([2, 3]),
    ),
    "clip_6": network([op("Clip", min=-0.5, max=0.5)], IMAGE, opset=10),
    "clip_one_side": network([op("Clip", "x", "", "hi")], IMAGE, hi=np.float32(0.25)),
    "leaky_relu": network([op("LeakyRelu", alpha=0.2)], IMAGE),
    "prelu": network([op("PRelu", "x", "a")], IMAGE, a=floats(6, 1, 1)),
    "elu": network([op("Elu")], IMAGE),
    "hard_sigmoid": network([op("HardSigmoid", alpha=0.3, beta=0.4)], IMAGE),
    "hard_swish": network([op("HardSwish")], IMAGE),
    "softplus": network([op("Softplus")], IMAGE),
    "erf": network([op("Erf")], IMAGE),
    "round": network([op("Mul", "x", "two", to="d"), op("Round", "d")], IMAGE, two=np.float32(2)),
    "power": network([op("Pow", "x", "e")], IMAGE, e=np.float32(2)),
    "reciprocal": network([op("Reciprocal")], IMAGE),
    "softmax_channels": network([op("Softmax", axis=1)], IMAGE),
    "log_softmax": network([op("LogSoftmax")], (2, 5)),
    "where_cast": network(
        [op("Greater", "x", "zero", to="c"), op("Cast", "c", to="f"), op("Where", "c", "f", "x")],
        IMAGE,
        zero=np.float32(0),
    ),
    "logic": network(
        [
            op("Less", "x", "zero", to="a"),
            op("GreaterOrEqual", "x", "one", to="b"),
            op("Or", "a", "b", to="c"),
            op("Not", "c", to="d"),
            op("Cast", "d", to="y"),
        ],
        IMAGE,
        zero=np.float32(0),
        one=np.float32(1),
    ),
    "sum_of_three": network([op("Sum", "x", "b", "x")], IMAGE, b=floats(6, 1, 1)),
    "larger_constant": network([op("Add", "x", "b")], (6, 1), b=floats(2, 6, 3)),
    "transposed_twice": network([op("Transpose", to="t", perm=[0, 2, 3, 1]), op("Transpose", "t")], IMAGE),
    "concat": network(
        [op("MaxPool", kernel_shape=[1, 1], to="p"), op("Concat", "x", "p", "c", axis=1)],
        IMAGE,
        c=floats(1, 2, 7, 5),
    ),
    "split": network(
        [op("Split", "x", "s", to="a,b", axis=1), op("Concat", "b", "a", axis=-3)], IMAGE, s=np.array([2, 4])
    ),
    "split_evenly": network([op("Split", to="a,b", axis=2, num_outputs=2), op("Concat", "b", "a", axis=2)], IMAGE),
    "slice": network(
        [op("Slice", "x", "b", "e", "a", "s")],
        IMAGE,
        b=np.array([1, -4]),
        e=np.array([2**31, -1]),
        a=np.array([1, 2]),
        s=np.array([2, 1]),
    ),
    "gather": network([op("Gather", "x", "i", axis=1)], IMAGE, i=np.array(-2)),
    "gather_run": network([op("Gather", "x", "i", axis=1)], IMAGE, i=np.array([1, 3, 5])),
    "pad": network([op("Pad", "x", "p", "v")], IMAGE, p=np.array([0, 1, 2, 0, 0, 0, 1, 3]), v=np.float32(-1)),
    "depth_to_space": network([op("DepthToSpace", blocksize=2)], (1, 8, 3, 2)),
    "depth_to_space_crd": network([op("DepthToSpace", blocksize=2, mode="CRD")], (1, 8, 3, 2)),
    "space_to_depth": network([op("SpaceToDepth", blocksize=2)], (1, 3, 4, 6)),
    "quantize_channels": network(
        [op("QuantizeLinear", "x", "s", "z", to="q", axis=1), op("DequantizeLinear", "q", "s", "z", axis=1)],
        IMAGE,
        opset=19,
        s=np.linspace(0.01, 0.06, 6, dtype=np.float32),
        z=np.arange(-3, 3, dtype=np.int8),
    ),
    "weights_computed_in_the_file": network(
        [
            op("Sign", "w", to="s"),
            op("Abs", "w", to="a"),
            op("ReduceMean", "a", "axes", to="m"),
            op("Mul", "s", "m", to="sm"),
            op("Conv", "x", "sm"),
        ],
        IMAGE,
        w=W,
        axes=np.array([1, 2, 3]),
    ),
    "shape_arithmetic": network(
        [
            op("Shape", to="s"),
            op("Gather", "s", "i", to="n"),
            op("Unsqueeze", "n", "z", to="u"),
            op("Concat", "u", "m", to="t", axis=0),
            op("Reshape", "x", "t"),
        ],
        IMAGE,
        i=np.array(0),
        z=np.array([0]),
        m=np.array([-1]),
    ),
}
for _name in ("where_cast", "logic"):
    for _cast in OPERATORS[_name].graph.node:
        if _cast.op_type == "Cast":
            _cast.attribute.append(helper.make_attribute("to", TensorProto.FLOAT))


@pytest.mark.parametrize("name", OPERATORS)
def test_operator(name: str, tmp_path: Path) -> None:
    model = OPERATORS[name]
    shape = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(run_ours(model, tmp_path, x), run_theirs(model, x), atol=2e-6, rtol=2e-6)


# ONNX's reference gets the next two wrong.


def test_grouped_transposed_convolution(tmp_path: Path) -> None:
    x, filters = floats(*IMAGE), floats(6, 4, 2, 3)
    ours = run_ours(network([op("ConvTranspose", "x", "w", group=2)], IMAGE, w=filters), tmp_path, x)
    half = (1, 3, *IMAGE[2:])
    parts = [
        run_theirs(network([op("ConvTranspose", "x", "w")], half, w=w), part)
        for part, w in ((x[:, :3], filters[:3]), (x[:, 3:], filters[3:]))
    ]
    np.testing.assert_allclose(ours, np.concatenate(parts, axis=1), atol=2e-6)


def test_softmax_before_opset_13_flattens(tmp_path: Path) -> None:
    x = floats(2, 3, 4)
    exponents = np.exp(x)
    expected = exponents / exponents.sum(axis=(1, 2), keepdims=True)
    model = network([op("Softmax", axis=1)], (2, 3, 4), opset=11)
    np.testing.assert_allclose(run_ours(model, tmp_path, x), expected, atol=2e-6)


def _quant(x: Any, scale: Any, zero: float, lowest: float, highest: float) -> Any:
    return (np.clip(np.rint(x / scale + zero), lowest, highest) - zero) * scale


@pytest.mark.parametrize(
    ("bits", "signed", "narrow", "lowest", "highest"),
    [(1, 0, 0, 0, 1), (2, 1, 1, -1, 1), (2, 1, 0, -2, 1), (4, 0, 0, 0, 15), (4, 0, 1, 0, 14), (8, 1, 0, -128, 127)],
)
def test_quant_levels(bits: int, signed: int, narrow: int, lowest: int, highest: int, tmp_path: Path) -> None:
    node = op("Quant", "x", "s", "z", "b", domain=QONNX, signed=signed, narrow=narrow, rounding_mode="ROUND")
    scale = np.array([0.25, 0.5, 1, 0.1, 0.2, 0.3], np.float32).reshape(1, 6, 1, 1)
    model = network([node], IMAGE, domains=(QONNX,), s=scale, z=np.float32(0), b=np.float32(bits))
    x = 3 * floats(*IMAGE)
    np.testing.assert_array_equal(run_ours(model, tmp_path, x), _quant(x, scale, 0, lowest, highest))


@pytest.mark.parametrize(
    ("scales", "attributes", "message"),
    [
        ([1, 1, 1.5, 1], {}, "by 1.5"),
        ([1, 1, 2, 2], {"mode": "cubic"}, "mode 'cubic'"),
        ([1, 1, 2, 2], {"mode": "linear", "coordinate_transformation_mode": "align_corners"}, "rule"),
        ([1, 1, 2, 2], {"nearest_mode": "ceil", "coordinate_transformation_mode": "asymmetric"}, "rule"),
        ([1, 1, 200, 1], {}, "by 200"),
    ],
)
def test_enlargements_that_are_no_repetition(
    scales: list[float], attributes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    model = network([op("Resize", "x", "", "s", **attributes)], IMAGE, s=np.array(scales, np.float32))
    with pytest.raises(UnsupportedModel, match=message):
        run_ours(model, tmp_path, floats(*IMAGE))


def test_quant_of_weights_is_folded(tmp_path: Path) -> None:
    nodes = [op("BipolarQuant", "w", "s", domain=QONNX, to="q"), op("Conv", "x", "q")]
    scale = np.array([0.5, 1, 2, 4], np.float32).reshape(4, 1, 1, 1)
    path = tmp_path / "model.onnx"
    path.write_bytes(network(nodes, IMAGE, domains=(QONNX,), w=W, s=scale).SerializeToString())
    graph = importers.load(path)
    (conv,) = [node for node in graph.nodes if node.op == "conv2d"]
    assert {node.op for node in graph.nodes} == {"conv2d", "transpose"}
    data = graph.tensors[conv.inputs[1] or ""].data
    assert data is not None
    np.testing.assert_array_equal(data, (np.where(W >= 0, 1, -1) * scale).transpose(0, 2, 3, 1))


def test_quant_of_one_filter_keeps_its_axes(tmp_path: Path) -> None:
    nodes = [op("BipolarQuant", "w", "s", domain=QONNX, to="q"), op("Conv", "x", "q")]
    model = network(nodes, IMAGE, domains=(QONNX,), w=W[:1], s=np.full((1, 1, 1, 1), 0.5, np.float32))
    plain = network([op("Conv", "x", "w")], IMAGE, w=np.where(W[:1] >= 0, 0.5, -0.5).astype(np.float32))
    x = floats(*IMAGE)
    np.testing.assert_allclose(run_ours(model, tmp_path, x), run_theirs(plain, x), atol=1e-5)


def test_a_constant_quantiser_is_noted(tmp_path: Path) -> None:
    nodes = [op("Relu", to="r"), op("BipolarQuant", "r", "s", domain=QONNX)]
    path = tmp_path / "model.onnx"
    path.write_bytes(network(nodes, IMAGE, domains=(QONNX,), s=np.ones(1, np.float32)).SerializeToString())
    assert any("constant" in note for note in importers.load(path).notes)
