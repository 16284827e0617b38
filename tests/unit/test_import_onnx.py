# SPDX-License-Identifier: Apache-2.0
"""`.onnx` files: recorded outputs of real exports, each operator against ONNX's own reference, and files to refuse."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from harness.errors import ModelError, UnsupportedModel
from harness.model import importers, reference
from harness.model.importers.onnx import layout

DATA = Path(__file__).parent.parent / "data" / "onnx"
CASES = {case["name"]: case for case in json.loads((DATA / "cases.json").read_text("utf-8"))}
BAD = sorted(path.name for path in (DATA / "bad").glob("*.onnx"))


@pytest.mark.parametrize("name", CASES)
def test_golden_output(name: str) -> None:
    graph = importers.load(DATA / name / "model.onnx")
    (output,) = reference.run(graph, [np.load(DATA / name / "input.npy")])
    golden = np.load(DATA / name / "golden.npy")
    np.testing.assert_allclose(output, golden, atol=CASES[name]["atol"], rtol=CASES[name]["rtol"])


@pytest.mark.parametrize("name", CASES)
def test_an_image_is_turned_once(name: str) -> None:
    graph = importers.load(DATA / name / "model.onnx")
    assert Counter(node.op for node in graph.nodes)["transpose"] == 1
    assert graph.tensors[graph.inputs[0]].shape == (1, 3, 32, 32)


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused(name: str) -> None:
    begin = time.monotonic()
    with pytest.raises(ModelError) as raised:
        importers.load(DATA / "bad" / name)
    assert "\n" not in str(raised.value)
    assert time.monotonic() - begin < 2


# --- each operator, against ONNX's own reference --------------------------------------------------------------------

_RANDOM = np.random.default_rng(3)


def _floats(*shape: int) -> Any:
    return _RANDOM.standard_normal(shape).astype(np.float32)


def _model(
    nodes: list[onnx.NodeProto],
    shape: tuple[Any, ...],
    opset: int = 18,
    domains: tuple[str, ...] = (),
    **constants: Any,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets)


def _node(kind: str, *inputs: str, to: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs) or ["x"], to.split(","), **attributes)


def _ours(model: onnx.ModelProto, path: Path, x: Any) -> Any:
    file = path / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return reference.run(importers.load(file), [x])[0]


def _theirs(model: onnx.ModelProto, x: Any) -> Any:
    outputs: Any = ReferenceEvaluator(model).run(None, {"x": x})
    return outputs[0]


IMAGE = (1, 6, 7, 5)
W = _floats(4, 6, 3, 3)
ONES = np.ones(6, np.float32)

OPERATORS: dict[str, onnx.ModelProto] = {
    "conv": _model([_node("Conv", "x", "w", "b", pads=[1, 0, 2, 1], strides=[2, 1])], IMAGE, w=W, b=_floats(4)),
    "conv_same_lower": _model([_node("Conv", "x", "w", auto_pad="SAME_LOWER", strides=[2, 2])], IMAGE, w=W),
    "conv_groups_dilated": _model(
        [_node("Conv", "x", "w", group=3, dilations=[2, 1], pads=[1, 1, 1, 1])], IMAGE, w=_floats(6, 2, 3, 2)
    ),
    "conv_1d": _model([_node("Conv", "x", "w", pads=[2, 1], strides=[2])], (1, 6, 9), w=_floats(5, 6, 3)),
    "conv_transpose": _model(
        [_node("ConvTranspose", "x", "w", "b", strides=[2, 2], pads=[1, 0, 1, 1], output_padding=[1, 1])],
        IMAGE,
        w=_floats(6, 4, 3, 3),
        b=_floats(4),
    ),
    "max_pool_ceil": _model([_node("MaxPool", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1)], IMAGE),
    "max_pool_dilated": _model([_node("MaxPool", kernel_shape=[2, 2], dilations=[2, 2], pads=[1, 1, 1, 1])], IMAGE),
    "average_pool": _model([_node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])], IMAGE),
    "average_pool_counts_pads": _model(
        [_node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)], IMAGE
    ),
    "global_average": _model([_node("GlobalAveragePool")], IMAGE),
    "global_max": _model([_node("GlobalMaxPool")], IMAGE),
    "reduce_mean_17": _model([_node("ReduceMean", axes=[2, 3], keepdims=0)], IMAGE, opset=17),
    "reduce_mean_channels": _model([_node("ReduceMean", "x", "a", keepdims=1)], IMAGE, a=np.array([-3])),
    "reduce_sum": _model([_node("ReduceSum", "x", "a", keepdims=0)], IMAGE, a=np.array([1, 3])),
    "reduce_max": _model([_node("ReduceMax", "x", "a", keepdims=0)], IMAGE, a=np.array([2, 3])),
    "batch_norm": _model(
        [_node("BatchNormalization", "x", "g", "b", "m", "v")],
        IMAGE,
        g=_floats(6),
        b=_floats(6),
        m=_floats(6),
        v=np.abs(_floats(6)),
    ),
    "batch_norm_rows": _model([_node("BatchNormalization", "x", "o", "o", "o", "o", epsilon=0.1)], (3, 6), o=ONES),
    "gemm": _model(
        [_node("Gemm", "x", "w", "b", alpha=0.5, beta=2.0, transB=1)], (2, 6), w=_floats(3, 6), b=_floats(3)
    ),
    "matmul": _model([_node("MatMul", "x", "w")], (2, 4, 6), w=_floats(6, 3)),
    "flatten_dense": _model(
        [
            _node("MaxPool", kernel_shape=[2, 2], to="p"),
            _node("Flatten", "p", to="f"),
            _node("Mul", "f", "s", to="m"),
            _node("BatchNormalization", "m", "g", "g", "g", "g", to="n"),
            _node("MatMul", "n", "w"),
        ],
        (1, 2, 4, 3),
        s=_floats(12),
        g=np.abs(_floats(12)),
        w=_floats(12, 3),
    ),
    "flatten_as_output": _model([_node("MaxPool", kernel_shape=[2, 2], to="p"), _node("Flatten", "p")], IMAGE),
    "flatten_before_everything": _model(
        [
            _node("Flatten"),
        ],
        IMAGE,
    ),
    "channel_shuffle": _model(
        [
            _node("MaxPool", kernel_shape=[1, 1], to="p"),
            _node("Reshape", "p", "split", to="r"),
            _node("Transpose", "r", to="t", perm=[0, 2, 1, 3, 4]),
            _node("Reshape", "t", "join", to="s"),
            _node("Conv", "s", "w"),
        ],
        IMAGE,
        split=np.array([1, 2, 3, 7, 5]),
        join=np.array([0, -1, 7, 5]),
        w=W,
    ),
    "reshape_across_axes": _model(
        [_node("MaxPool", kernel_shape=[1, 1], to="p"), _node("Reshape", "p", "s")], IMAGE, s=np.array([10, 3, 7])
    ),
    "squeeze_excite": _model(
        [
            _node("MaxPool", kernel_shape=[1, 1], to="p"),
            _node("GlobalAveragePool", "p", to="g"),
            _node("Flatten", "g", to="f"),
            _node("Gemm", "f", "w", to="d"),
            _node("Sigmoid", "d", to="s"),
            _node("Unsqueeze", "s", "a", to="u"),
            _node("Mul", "p", "u"),
        ],
        IMAGE,
        w=_floats(6, 6),
        a=np.array([2, 3]),
    ),
    "clip_6": _model([_node("Clip", min=-0.5, max=0.5)], IMAGE, opset=10),
    "clip_one_side": _model([_node("Clip", "x", "", "hi")], IMAGE, hi=np.float32(0.25)),
    "leaky_relu": _model([_node("LeakyRelu", alpha=0.2)], IMAGE),
    "prelu": _model([_node("PRelu", "x", "a")], IMAGE, a=_floats(6, 1, 1)),
    "elu": _model([_node("Elu")], IMAGE),
    "hard_sigmoid": _model([_node("HardSigmoid", alpha=0.3, beta=0.4)], IMAGE),
    "hard_swish": _model([_node("HardSwish")], IMAGE),
    "softplus": _model([_node("Softplus")], IMAGE),
    "erf": _model([_node("Erf")], IMAGE),
    "round": _model([_node("Mul", "x", "two", to="d"), _node("Round", "d")], IMAGE, two=np.float32(2)),
    "power": _model([_node("Pow", "x", "e")], IMAGE, e=np.float32(2)),
    "reciprocal": _model([_node("Reciprocal")], IMAGE),
    "softmax_channels": _model([_node("Softmax", axis=1)], IMAGE),
    "log_softmax": _model([_node("LogSoftmax")], (2, 5)),
    "where_cast": _model(
        [_node("Greater", "x", "zero", to="c"), _node("Cast", "c", to="f"), _node("Where", "c", "f", "x")],
        IMAGE,
        zero=np.float32(0),
    ),
    "logic": _model(
        [
            _node("Less", "x", "zero", to="a"),
            _node("GreaterOrEqual", "x", "one", to="b"),
            _node("Or", "a", "b", to="c"),
            _node("Not", "c", to="d"),
            _node("Cast", "d", to="y"),
        ],
        IMAGE,
        zero=np.float32(0),
        one=np.float32(1),
    ),
    "sum_of_three": _model([_node("Sum", "x", "b", "x")], IMAGE, b=_floats(6, 1, 1)),
    "larger_constant": _model([_node("Add", "x", "b")], (6, 1), b=_floats(2, 6, 3)),
    "transposed_twice": _model([_node("Transpose", to="t", perm=[0, 2, 3, 1]), _node("Transpose", "t")], IMAGE),
    "concat": _model(
        [_node("MaxPool", kernel_shape=[1, 1], to="p"), _node("Concat", "x", "p", "c", axis=1)],
        IMAGE,
        c=_floats(1, 2, 7, 5),
    ),
    "split": _model(
        [_node("Split", "x", "s", to="a,b", axis=1), _node("Concat", "b", "a", axis=-3)], IMAGE, s=np.array([2, 4])
    ),
    "split_evenly": _model([_node("Split", to="a,b", axis=2, num_outputs=2), _node("Concat", "b", "a", axis=2)], IMAGE),
    "slice": _model(
        [_node("Slice", "x", "b", "e", "a", "s")],
        IMAGE,
        b=np.array([1, -4]),
        e=np.array([2**31, -1]),
        a=np.array([1, 2]),
        s=np.array([2, 1]),
    ),
    "gather": _model([_node("Gather", "x", "i", axis=1)], IMAGE, i=np.array(-2)),
    "gather_run": _model([_node("Gather", "x", "i", axis=1)], IMAGE, i=np.array([1, 3, 5])),
    "pad": _model([_node("Pad", "x", "p", "v")], IMAGE, p=np.array([0, 1, 2, 0, 0, 0, 1, 3]), v=np.float32(-1)),
    "depth_to_space": _model([_node("DepthToSpace", blocksize=2)], (1, 8, 3, 2)),
    "depth_to_space_crd": _model([_node("DepthToSpace", blocksize=2, mode="CRD")], (1, 8, 3, 2)),
    "space_to_depth": _model([_node("SpaceToDepth", blocksize=2)], (1, 3, 4, 6)),
    "quantize_channels": _model(
        [_node("QuantizeLinear", "x", "s", "z", to="q", axis=1), _node("DequantizeLinear", "q", "s", "z", axis=1)],
        IMAGE,
        opset=19,
        s=np.linspace(0.01, 0.06, 6, dtype=np.float32),
        z=np.arange(-3, 3, dtype=np.int8),
    ),
    "weights_computed_in_the_file": _model(
        [
            _node("Sign", "w", to="s"),
            _node("Abs", "w", to="a"),
            _node("ReduceMean", "a", "axes", to="m"),
            _node("Mul", "s", "m", to="sm"),
            _node("Conv", "x", "sm"),
        ],
        IMAGE,
        w=W,
        axes=np.array([1, 2, 3]),
    ),
    "shape_arithmetic": _model(
        [
            _node("Shape", to="s"),
            _node("Gather", "s", "i", to="n"),
            _node("Unsqueeze", "n", "z", to="u"),
            _node("Concat", "u", "m", to="t", axis=0),
            _node("Reshape", "x", "t"),
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
    np.testing.assert_allclose(_ours(model, tmp_path, x), _theirs(model, x), atol=2e-6, rtol=2e-6)


# ONNX's reference gets the next two wrong.


def test_grouped_transposed_convolution(tmp_path: Path) -> None:
    x, filters = _floats(*IMAGE), _floats(6, 4, 2, 3)
    ours = _ours(_model([_node("ConvTranspose", "x", "w", group=2)], IMAGE, w=filters), tmp_path, x)
    half = (1, 3, *IMAGE[2:])
    parts = [
        _theirs(_model([_node("ConvTranspose", "x", "w")], half, w=w), part)
        for part, w in ((x[:, :3], filters[:3]), (x[:, 3:], filters[3:]))
    ]
    np.testing.assert_allclose(ours, np.concatenate(parts, axis=1), atol=2e-6)


def test_softmax_before_opset_13_flattens(tmp_path: Path) -> None:
    x = _floats(2, 3, 4)
    exponents = np.exp(x)
    expected = exponents / exponents.sum(axis=(1, 2), keepdims=True)
    model = _model([_node("Softmax", axis=1)], (2, 3, 4), opset=11)
    np.testing.assert_allclose(_ours(model, tmp_path, x), expected, atol=2e-6)


# --- QONNX ----------------------------------------------------------------------------------------------------------

QONNX = "qonnx.custom_op.general"


def _quant(x: Any, scale: Any, zero: float, lowest: float, highest: float) -> Any:
    return (np.clip(np.rint(x / scale + zero), lowest, highest) - zero) * scale


@pytest.mark.parametrize(
    ("bits", "signed", "narrow", "lowest", "highest"),
    [(1, 0, 0, 0, 1), (2, 1, 1, -1, 1), (2, 1, 0, -2, 1), (4, 0, 0, 0, 15), (4, 0, 1, 0, 14), (8, 1, 0, -128, 127)],
)
def test_quant_levels(bits: int, signed: int, narrow: int, lowest: int, highest: int, tmp_path: Path) -> None:
    node = _node("Quant", "x", "s", "z", "b", domain=QONNX, signed=signed, narrow=narrow, rounding_mode="ROUND")
    scale = np.array([0.25, 0.5, 1, 0.1, 0.2, 0.3], np.float32).reshape(1, 6, 1, 1)
    model = _model([node], IMAGE, domains=(QONNX,), s=scale, z=np.float32(0), b=np.float32(bits))
    x = 3 * _floats(*IMAGE)
    np.testing.assert_array_equal(_ours(model, tmp_path, x), _quant(x, scale, 0, lowest, highest))


def test_quant_of_weights_is_folded(tmp_path: Path) -> None:
    nodes = [_node("BipolarQuant", "w", "s", domain=QONNX, to="q"), _node("Conv", "x", "q")]
    scale = np.array([0.5, 1, 2, 4], np.float32).reshape(4, 1, 1, 1)
    path = tmp_path / "model.onnx"
    path.write_bytes(_model(nodes, IMAGE, domains=(QONNX,), w=W, s=scale).SerializeToString())
    graph = importers.load(path)
    (conv,) = [node for node in graph.nodes if node.op == "conv2d"]
    assert {node.op for node in graph.nodes} == {"conv2d", "transpose"}
    data = graph.tensors[conv.inputs[1] or ""].data
    assert data is not None
    np.testing.assert_array_equal(data, (np.where(W >= 0, 1, -1) * scale).transpose(0, 2, 3, 1))


def test_quant_of_one_filter_keeps_its_axes(tmp_path: Path) -> None:
    nodes = [_node("BipolarQuant", "w", "s", domain=QONNX, to="q"), _node("Conv", "x", "q")]
    model = _model(nodes, IMAGE, domains=(QONNX,), w=W[:1], s=np.full((1, 1, 1, 1), 0.5, np.float32))
    plain = _model([_node("Conv", "x", "w")], IMAGE, w=np.where(W[:1] >= 0, 0.5, -0.5).astype(np.float32))
    x = _floats(*IMAGE)
    np.testing.assert_allclose(_ours(model, tmp_path, x), _theirs(plain, x), atol=1e-5)


def test_a_constant_quantiser_is_noted(tmp_path: Path) -> None:
    nodes = [_node("Relu", to="r"), _node("BipolarQuant", "r", "s", domain=QONNX)]
    path = tmp_path / "model.onnx"
    path.write_bytes(_model(nodes, IMAGE, domains=(QONNX,), s=np.ones(1, np.float32)).SerializeToString())
    assert any("constant" in note for note in importers.load(path).notes)


# --- what a file may not do -----------------------------------------------------------------------------------------


def test_an_open_batch_is_one(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_model([_node("Relu")], ("batch", 6, 7, 5)).SerializeToString())
    graph = importers.load(path)
    assert graph.tensors[graph.inputs[0]].shape == IMAGE
    assert "batch" in graph.notes[0]


def test_other_open_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_model([_node("Relu")], (1, 3, "height", "width")).SerializeToString())
    with pytest.raises(UnsupportedModel, match="'height', 'width'"):
        importers.load(path)


def test_every_unknown_operator_is_named(tmp_path: Path) -> None:
    nodes = [_node("LSTM", "x", "x", "x", to="l"), _node("Einsum", "l", to="e", equation="ij"), _node("Relu", "e")]
    path = tmp_path / "model.onnx"
    path.write_bytes(_model(nodes, IMAGE).SerializeToString())
    with pytest.raises(UnsupportedModel) as raised:
        importers.load(path)
    assert raised.value.operations == ("Einsum", "LSTM")


@pytest.mark.parametrize(
    "location",
    ["../weights.bin", "/etc/hostname", "sub/../../weights.bin", "link.bin", "", "C:\\weights.bin", "folder"],
)
def test_external_data_stays_in_the_folder(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "folder").mkdir(parents=True)
    (folder / "sub").mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(4096))
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    model = _model([_node("Conv", "x", "w")], IMAGE, w=W)
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"'w'"):
        importers.load(folder / "model.onnx")


def test_external_data_beside_the_model_is_counted(tmp_path: Path) -> None:
    shutil.copytree(DATA / "dynamo_external_data", tmp_path / "copy")
    files = [tmp_path / "copy" / name for name in ("model.onnx", "model.onnx.data")]
    assert importers.load(files[0]).source_bytes <= sum(file.stat().st_size for file in files)
    assert importers.load(files[0]).source_bytes > files[1].stat().st_size
    files[1].write_bytes(files[1].read_bytes()[:-1000])
    with pytest.raises(ModelError, match="promises"):
        importers.load(files[0])


@pytest.mark.parametrize(
    ("node", "constants"),
    [
        (_node("ConstantOfShape", "s", to="c"), {"s": np.array([1 << 20, 1 << 20])}),
        (_node("Expand", "o", "s", to="c"), {"o": np.ones((1, 1), np.float32), "s": np.array([1 << 20, 1 << 20])}),
        (_node("Tile", "o", "s", to="c"), {"o": np.ones((1, 1), np.float32), "s": np.array([1 << 20, 1 << 20])}),
        (_node("Range", "a", "b", "d", to="c"), {"a": np.float32(0), "b": np.float32(1e30), "d": np.float32(1)}),
        (
            _node("Add", "a", "b", to="c"),
            {"a": np.ones((1 << 14, 1), np.float32), "b": np.ones((1, 1 << 14), np.float32)},
        ),
    ],
)
def test_constants_larger_than_the_file_warrants(
    node: onnx.NodeProto, constants: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_model([node, _node("Add", "x", "c")], (1,), **constants).SerializeToString())
    begin = time.monotonic()
    with pytest.raises(ModelError, match="memory"):
        importers.load(path)
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("name", ["legacy_where_baked_stride_groups", "ort_static_qdq_int8"])
def test_a_damaged_file_is_one_clear_error(name: str, tmp_path: Path) -> None:
    content = (DATA / name / "model.onnx").read_bytes()
    chance = random.Random(11)
    files = [content[: chance.randrange(1, len(content))] for _ in range(60)]
    for _ in range(120):
        changed = bytearray(content)
        for _ in range(chance.choice((1, 2, 8, 30))):
            changed[chance.randrange(len(changed))] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        files.append(bytes(changed))
    path, refused = tmp_path / "hostile.onnx", 0
    for file in files:
        path.write_bytes(file)
        begin = time.monotonic()
        try:
            importers.load(path)
        except ModelError as error:
            refused += "\n" not in str(error)
        assert time.monotonic() - begin < 2
    assert refused > 60


_SIZES = (0, 1, -1, 2, 3, 5, 4096, 1 << 20, 1 << 31, (1 << 63) - 1, -(1 << 63))


def _contradict(model: onnx.ModelProto, chance: random.Random) -> None:
    """Changes one thing that still parses: an attribute, an operand, an operator, a shape."""
    node = chance.choice(model.graph.node)
    weight = chance.choice(model.graph.initializer)
    kinds = sorted(
        {other.op_type for other in model.graph.node} | {"Pad", "Slice", "Gather", "Range", "Split", "Expand"}
    )
    match chance.randrange(6):
        case 0 if node.attribute:
            attribute = chance.choice(node.attribute)
            attribute.i = chance.choice(_SIZES)
            if attribute.ints:
                attribute.ints[chance.randrange(len(attribute.ints))] = chance.choice(_SIZES)
        case 1 if node.input:
            node.input[chance.randrange(len(node.input))] = chance.choice(["", "x", weight.name])
        case 2 if node.input:
            node.input.pop()
        case 3:
            node.op_type = chance.choice(kinds)
        case 4 if weight.dims:
            weight.dims[chance.randrange(len(weight.dims))] = chance.choice(_SIZES)
        case _:
            weight.data_type = chance.randrange(26)


@pytest.mark.parametrize("name", ["legacy_ste_function_padminus1", "qcdq_int4_int2"])
def test_a_file_that_contradicts_itself_is_one_clear_error(name: str, tmp_path: Path) -> None:
    content = (DATA / name / "model.onnx").read_bytes()
    chance, path, refused = random.Random(13), tmp_path / "model.onnx", 0
    for _ in range(200):
        model = onnx.load_model_from_string(content)
        for _ in range(chance.choice((1, 1, 2, 3))):
            _contradict(model, chance)
        path.write_bytes(model.SerializeToString())
        begin = time.monotonic()
        try:
            importers.load(path)
        except ModelError as error:
            refused += "\n" not in str(error)
        assert time.monotonic() - begin < 2
    assert refused > 80


# --- orders of axes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "order", "expected"),
    [
        ((1, 6, 7, 5), (1, 2, 3, 7, 5), (0, 2, 3, 1), (0, 3, 4, 1, 2)),
        ((1, 6, 1, 1), (1, 6), (0, 2, 3, 1), (0, 1)),
        ((2, 6, 7, 5), (2, 210), (0, 2, 3, 1), None),
        ((2, 6, 7, 5), (2, 210), (0, 1, 2, 3), (0, 1)),
        ((4, 3), (12,), (0, 1), (0,)),
    ],
)
def test_a_reshape_that_moves_nothing(
    old: tuple[int, ...], new: tuple[int, ...], order: tuple[int, ...], expected: tuple[int, ...] | None
) -> None:
    assert layout.reshaped(old, new, order) == expected
