# SPDX-License-Identifier: Apache-2.0
"""What an `.onnx` file may not do."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from harness.errors import ModelError, UnsupportedModel
from harness.model import importers
from tests.unit.hostile import refusals
from tests.unit.onnx_writer import IMAGE, W, network, op

DATA = Path(__file__).parent.parent / "data" / "onnx"


def test_an_open_batch_is_one(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(network([op("Relu")], ("batch", 6, 7, 5)).SerializeToString())
    graph = importers.load(path)
    assert graph.tensors[graph.inputs[0]].shape == IMAGE
    assert "batch" in graph.notes[0]


def test_other_open_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(network([op("Relu")], (1, 3, "height", "width")).SerializeToString())
    with pytest.raises(UnsupportedModel, match="'height', 'width'"):
        importers.load(path)


@pytest.mark.parametrize("bits", [0, 2.5, -3, np.inf, np.nan, 1e30])
def test_a_quantiser_has_a_whole_number_of_bits(bits: float, tmp_path: Path) -> None:
    qonnx = "qonnx.custom_op.general"
    node = op("Quant", "x", "s", "z", "b", domain=qonnx, signed=1, narrow=0, rounding_mode="ROUND")
    constants: dict[str, Any] = {"s": np.float32(1), "z": np.float32(0), "b": np.float32(bits)}
    path = tmp_path / "model.onnx"
    path.write_bytes(network([node], IMAGE, domains=(qonnx,), **constants).SerializeToString())
    with pytest.raises(ModelError):
        importers.load(path)


def test_every_unknown_operator_is_named(tmp_path: Path) -> None:
    nodes = [op("LSTM", "x", "x", "x", to="l"), op("Einsum", "l", to="e", equation="ij"), op("Relu", "e")]
    path = tmp_path / "model.onnx"
    path.write_bytes(network(nodes, IMAGE).SerializeToString())
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
    model = network([op("Conv", "x", "w")], IMAGE, w=W)
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
        (op("ConstantOfShape", "s", to="c"), {"s": np.array([1 << 20, 1 << 20])}),
        (op("Expand", "o", "s", to="c"), {"o": np.ones((1, 1), np.float32), "s": np.array([1 << 20, 1 << 20])}),
        (op("Tile", "o", "s", to="c"), {"o": np.ones((1, 1), np.float32), "s": np.array([1 << 20, 1 << 20])}),
        (op("Range", "a", "b", "d", to="c"), {"a": np.float32(0), "b": np.float32(1e30), "d": np.float32(1)}),
        (
            op("Add", "a", "b", to="c"),
            {"a": np.ones((1 << 14, 1), np.float32), "b": np.ones((1, 1 << 14), np.float32)},
        ),
    ],
)
def test_constants_larger_than_the_file_warrants(
    node: onnx.NodeProto, constants: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(network([node, op("Add", "x", "c")], (1,), **constants).SerializeToString())
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
    assert refusals(tmp_path / "hostile.onnx", files) > 60


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
    chance, files = random.Random(13), []
    for _ in range(200):
        model = onnx.load_model_from_string(content)
        for _ in range(chance.choice((1, 1, 2, 3))):
            _contradict(model, chance)
        files.append(model.SerializeToString())
    assert refusals(tmp_path / "model.onnx", files) > 80
