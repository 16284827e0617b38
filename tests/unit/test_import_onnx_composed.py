# SPDX-License-Identifier: Apache-2.0
"""Operators of `.onnx` files that become several operations, against ONNX's own reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from harness.errors import ModelError, UnsupportedModel
from tests.unit.onnx_writer import IMAGE, W, floats, network, op, run_ours, run_theirs


def after_conv(*nodes: onnx.NodeProto, **constants: Any) -> onnx.ModelProto:
    """Operators that read `c`, an image [1, 4, 7, 5] that lies with its channels last."""
    return network([op("Conv", "x", "w", to="c", pads=[1] * 4), *nodes], IMAGE, w=W, **constants)


def two(size: int) -> dict[str, Any]:
    return {"s": floats(size), "b": floats(size)}


def cast_to_integers(x: str, y: str) -> onnx.NodeProto:
    return onnx.helper.make_node("Cast", [x], [y], to=onnx.TensorProto.INT64)


OPERATORS: dict[str, onnx.ModelProto] = {
    "layer_norm": network([op("LayerNormalization", "x", "s", "b", epsilon=0.1)], (2, 3, 8), **two(8)),
    "layer_norm_of_an_image": after_conv(op("LayerNormalization", "c", "s", axis=1), s=floats(4, 7, 5)),
    "instance_norm": after_conv(op("InstanceNormalization", "c", "s", "b"), **two(4)),
    "instance_norm_of_a_sequence": network([op("InstanceNormalization", "x", "s", "b")], (2, 3, 9), **two(3)),
    "group_norm": network([op("GroupNormalization", "x", "s", "b", num_groups=3)], IMAGE, opset=21, **two(6)),
    "lp_norm": after_conv(op("LpNormalization", "c", axis=1, p=2)),
    "reduce_max_channels": after_conv(op("ReduceMax", "c", "a"), a=np.array([1])),
    "reduce_max_rows": network([op("ReduceMax", "x", "a", keepdims=0)], (3, 4, 5), a=np.array([-1, 0])),
    "reduce_max_everything": network([op("ReduceMax")], IMAGE),
    "reduce_min": after_conv(op("ReduceMin", "c", "a", keepdims=0), a=np.array([2, 3])),
    "reduce_sum_nothing": network([op("ReduceSum", noop_with_empty_axes=1)], IMAGE),
    "reduce_l1": after_conv(op("ReduceL1", "c", "a"), a=np.array([1])),
    "reduce_l2": after_conv(op("ReduceL2", "c", "a", keepdims=0), a=np.array([1, 2])),
    "reduce_sum_square": network([op("ReduceSumSquare", "x", "a")], IMAGE, a=np.array([3])),
    "arg_max": after_conv(op("ArgMax", "c", axis=1)),
    "arg_max_flat": after_conv(op("ArgMax", "c", axis=-1, keepdims=0)),
    "arg_min": network([op("ArgMin", axis=1, keepdims=0)], (3, 9)),
    "arg_max_of_equals": network([op("Sign", to="s"), op("ArgMax", "s", axis=2)], IMAGE),
    "arg_max_last_of_equals": network([op("Sign", to="s"), op("ArgMax", "s", axis=2, select_last_index=1)], IMAGE),
    "top_one": network(
        [op("TopK", "x", "k", to="v,i", axis=1), op("Concat", "v", "v", axis=0)], IMAGE, k=np.array([1])
    ),
    "place_of_the_least": network([op("TopK", "x", "k", to="v,y", axis=2, largest=0)], IMAGE, k=np.array([1])),
    "gather_anything": after_conv(op("Gather", "c", "i", axis=1), i=np.array([3, 0, 0, -2, 1])),
    "gather_a_table": network([op("Gather", "x", "i", axis=2)], IMAGE, i=np.array([[0, 2, 4], [6, 5, 5]])),
    "gather_nd": network([op("GatherND", "x", "i")], (4, 3), i=np.array([[2], [0], [3]])),
    "slice_backwards": after_conv(
        op("Slice", "c", "b", "e", "a", "s"),
        b=np.array([-1, 5, 0]),
        e=np.array([-(2**31), 0, 3]),
        a=np.array([3, 2, 1]),
        s=np.array([-1, -2, 1]),
    ),
    "pad_reflect": after_conv(op("Pad", "c", "p", mode="reflect"), p=np.array([0, 0, 2, 1, 0, 0, 0, 3])),
    "pad_edge": after_conv(op("Pad", "c", "p", mode="edge"), p=np.array([0, 1, 0, 2, 0, 0, 1, 0])),
    "pad_wrap": network(
        [op("Pad", "x", "p", "", "a", mode="wrap")], IMAGE, opset=19, p=np.array([1, 2]), a=np.array([3])
    ),
    "tile": after_conv(op("Tile", "c", "r"), r=np.array([1, 3, 1, 2])),
    "expand": network([op("Expand", "x", "s")], (3, 1, 4), s=np.array([2, 1, 5, 1])),
    "cast_towards_zero": network([op("Mul", "x", "n", to="m"), cast_to_integers("m", "y")], IMAGE, n=np.float32(3)),
    "cast_like_what_is_computed": network(
        [op("Neg", to="n"), op("CastLike", "two", "n", to="t"), op("Mul", "x", "t")], IMAGE, two=np.float64(2)
    ),
    "cast_like_a_constant": network(
        [op("Mul", "x", "n", to="m"), op("CastLike", "m", "i")], IMAGE, n=np.float32(3), i=np.int32(0)
    ),
    "masked_fill": after_conv(
        op("Less", "c", "zero", to="m"),
        op("NonZero", "m", to="n"),
        op("Transpose", "n", to="t", perm=[1, 0]),
        cast_to_integers("m", "i"),
        op("Reshape", "i", "flat", to="f"),
        op("ReduceSum", "f", to="k"),
        op("Expand", "one", "k", to="e"),
        op("Reshape", "e", "flat", to="u"),
        op("ScatterND", "c", "t", "u"),
        zero=np.float32(0),
        one=np.float32(1),
        flat=np.array([-1]),
    ),
    "resize_linear": after_conv(op("Resize", "c", "", "s", mode="linear"), s=np.array([1, 1, 2, 3], np.float32)),
    "resize_linear_from_the_corner": after_conv(
        op("Resize", "c", "", "s", mode="linear", coordinate_transformation_mode="asymmetric"),
        s=np.array([1, 1, 2, 4], np.float32),
    ),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operator(name: str, tmp_path: Path) -> None:
    model = OPERATORS[name]
    shape = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    expected = run_theirs(model, x)
    ours = run_ours(model, tmp_path, x)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=3e-6, rtol=3e-6)


def test_group_norm_before_opset_21_scales_groups(tmp_path: Path) -> None:
    """ONNX's reference does not know it."""
    scale, offset, x = floats(3), floats(3), floats(*IMAGE)
    model = network([op("GroupNormalization", "x", "s", "b", num_groups=3)], IMAGE, opset=18, s=scale, b=offset)
    grouped = x.reshape(3, -1)
    standard = (grouped - grouped.mean(1, keepdims=True)) / np.sqrt(grouped.var(1, keepdims=True) + 1e-5)
    expected = (standard * scale[:, None] + offset[:, None]).reshape(x.shape)
    np.testing.assert_allclose(run_ours(model, tmp_path, x), expected, atol=3e-6)


def test_lp_norm_by_magnitudes(tmp_path: Path) -> None:
    """ONNX's reference leaves the signs."""
    x = floats(2, 5)
    model = network([op("LpNormalization", p=1)], (2, 5))
    np.testing.assert_allclose(run_ours(model, tmp_path, x), x / np.abs(x).sum(1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize(
    ("node", "constants", "message"),
    [
        (op("TopK", "x", "k", to="y,i"), {"k": np.array([3])}, "TopK of 3"),
        (op("GatherND", "x", "i"), {"i": np.array([[0, 1]])}, "of more than one axis"),
        (op("Expand", "x", "s"), {"s": np.array([100, 6, 7, 5])}, "100 times"),
        (op("LpNormalization", p=3), {}, "p = 3"),
        (op("Pad", "x", "p", mode="edge"), {"p": np.array([0, 0, 0, 0, 0, 0, 0, 100])}, "by 100"),
        (op("Pad", "x", "p"), {"p": np.array([0, 0, 0, 0, 0, 0, 0, -1])}, "-1"),
    ],
)
def test_what_does_not_decompose_is_named(
    node: onnx.NodeProto, constants: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        run_ours(network([node], IMAGE, **constants), tmp_path, floats(*IMAGE))


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("LSTM", "recurrent"),
        ("DynamicQuantizeLinear", "fixed scales"),
        ("NonZero", "scores"),
        ("Det", "Leave them"),
    ],
)
def test_refusals_name_the_node_and_a_remedy(kind: str, remedy: str, tmp_path: Path) -> None:
    node = op(kind)
    node.name = "there"
    with pytest.raises(UnsupportedModel, match=rf"{kind} \(at 'there'\)") as refusal:
        run_ours(network([node], IMAGE), tmp_path, floats(*IMAGE))
    assert remedy in refusal.value.remedy
    assert refusal.value.operations == (kind,)


@pytest.mark.parametrize(
    ("node", "constants"),
    [
        (op("Gather", "x", "i", axis=1), {"i": np.array([6])}),
        (op("Expand", "x", "s"), {"s": np.array([1, 6, 7, 4])}),
        (op("Tile", "x", "s"), {"s": np.array([1, 2])}),
        (op("GroupNormalization", "x", "s", "s", num_groups=4), {"s": floats(4)}),
        (op("InstanceNormalization", "x", "s", "s"), {"s": floats(5)}),
        (op("Slice", "x", "z", "z", "z", "z"), {"z": np.array([0])}),
    ],
)
def test_what_does_not_fit_is_refused(node: onnx.NodeProto, constants: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refusal:
        run_ours(network([node], IMAGE, **constants), tmp_path, floats(*IMAGE))
    assert not isinstance(refusal.value, UnsupportedModel)
