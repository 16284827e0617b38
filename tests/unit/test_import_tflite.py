# SPDX-License-Identifier: Apache-2.0
"""`.tflite` files: the golden outputs of other people's interpreters, and files that nobody meant."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ModelError, UnsupportedModel
from harness.model import importers, reference
from harness.model.importers.tflite import container
from harness.model.importers.tflite.translation import short
from tests.unit.hostile import refusals

DATA = Path(__file__).parent.parent / "data" / "tflite"
CASES = {case["name"]: case for case in json.loads((DATA / "cases.json").read_text("utf-8"))}


@pytest.mark.parametrize("name", CASES)
def test_golden_output(name: str) -> None:
    case = CASES[name]
    graph = importers.load(DATA / f"{name}.tflite")
    (output,) = reference.run(graph, [np.load(DATA / f"{name}.input.npy")])
    golden = np.load(DATA / f"{name}.golden.npy")
    if graph.tensors[graph.outputs[0]].dtype == "bits":
        output = output.view(np.int32)
    assert output.shape == golden.shape
    np.testing.assert_allclose(output.astype(np.float64), golden, atol=case["atol"], rtol=case["rtol"])


@pytest.mark.parametrize("name", CASES)
def test_packed_filters_are_plus_and_minus_one(name: str) -> None:
    graph = importers.load(DATA / f"{name}.tflite")
    convolutions = [node for node in graph.nodes if node.layer == "LceBconv2d" and node.op == "conv2d"]
    assert len(convolutions) == CASES[name]["bconvs"]
    for node in convolutions:
        filters = graph.tensors[node.inputs[1] or ""].data
        assert filters is not None
        assert set(np.unique(filters)) <= {-1.0, 1.0}


def test_nodes_are_named_after_the_layers_of_their_author() -> None:
    graph = importers.load(DATA / "seed_ste_sign.tflite")
    named = {node.name for node in graph.nodes if node.layer == "LceBconv2d" and node.op == "conv2d"}
    assert len(named) == 2
    assert all(name.startswith("quant_conv2d") for name in named)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sequential/quant_conv2d/do_re_fa/Round", "quant_conv2d/do_re_fa"),
        ("net/dense/MatMul;net/dense/BiasAdd", "dense"),
        ("serving_default_input_1:0", "input_1"),
        ("StatefulPartitionedCall:0", ""),
        ("arith.constant15", ""),
        ("", ""),
        ("/", ""),
        ("activation/Relu", "Relu"),
    ],
)
def test_short_names(name: str, expected: str) -> None:
    assert short(name) == expected


def test_what_repeats_one_number_is_written_once() -> None:
    graph = importers.load(DATA / "seed_dorefa_spec.tflite")
    selects = [node for node in graph.nodes if node.op == "select"]
    assert selects
    constants = [graph.tensors[name or ""] for node in selects for name in node.inputs]
    assert all(tensor.elements == 1 for tensor in constants if tensor.data is not None)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "page.tflite"
    path.write_text("<html>404</html>")
    with pytest.raises(ModelError, match="not a TensorFlow Lite file"):
        importers.load(path)


def test_every_unknown_operator_is_named(tmp_path: Path) -> None:
    content = (DATA / "seed_dorefa_rewritten.tflite").read_bytes()
    assert content.count(b"LceQuantize") == content.count(b"LceBconv2d") == 1
    path = tmp_path / "future.tflite"
    path.write_bytes(content.replace(b"LceQuantize", b"LceQuantise").replace(b"LceBconv2d", b"LceBconv9d"))
    with pytest.raises(UnsupportedModel) as raised:
        importers.load(path)
    assert {"LceQuantise", "LceBconv9d"} <= set(raised.value.operations)
    assert "LceBconv9d" in str(raised.value)


def test_thresholds_that_make_a_bit_constant(tmp_path: Path) -> None:
    source = DATA / "c_bitpacked_same1_c40.tflite"
    content = bytearray(source.read_bytes())
    parsed = container.read(source.name, bytes(content))
    (index,) = [operator.inputs[4] for operator in parsed.operators if len(operator.inputs) > 4 and operator.inputs[4]]
    thresholds = parsed.tensors[index].data
    assert thresholds is not None
    at = content.index(thresholds.tobytes())
    content[at : at + 8] = np.array([np.iinfo(np.int32).min, np.iinfo(np.int32).max], "<i4").tobytes()
    path = tmp_path / "constant.tflite"
    path.write_bytes(content)
    graph = importers.load(path)
    (step,) = [node for node in graph.nodes if node.name.endswith("/bits")]
    values = reference.trace(graph, [np.load(DATA / "c_bitpacked_same1_c40.input.npy")])[step.output]
    assert (values[..., 0] == -1).all()
    assert (values[..., 1] == 1).all()


def _hostile(name: str, seed: int, count: int) -> list[bytes]:
    """Variants of a file: cut off, and with a few bytes changed."""
    content = (DATA / f"{name}.tflite").read_bytes()
    chance = random.Random(seed)
    files = [content[: chance.randrange(1, len(content))] for _ in range(count)]
    files += [content[:length] for length in range(1, 64)]
    for _ in range(count):
        changed = bytearray(content)
        for _ in range(chance.choice((1, 2, 8, 30))):
            changed[chance.randrange(len(changed))] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        if chance.random() < 0.3:
            at = chance.randrange(len(changed) - 4)
            changed[at : at + 4] = chance.choice((b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x10"))
        files.append(bytes(changed))
    return files


@pytest.mark.parametrize("name", ["c_bitpacked_same1_c40", "l_prelu_hardtanh_c96", "q_int8_qat"])
def test_a_damaged_file_is_one_clear_error(name: str, tmp_path: Path) -> None:
    assert refusals(tmp_path / "hostile.tflite", _hostile(name, seed=7, count=200)) > 200


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(share: float, tmp_path: Path) -> None:
    content = (DATA / "seed_ste_sign.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match="damaged"):
        importers.load(path)
