# SPDX-License-Identifier: Apache-2.0
"""`.h5` and `.keras` files of every dialect: the golden outputs of Keras, and how the nets are described."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ConfigError, UnsupportedModel
from harness.model import importers, reference
from harness.model.graph import Graph, Node
from harness.model.importers.keras import quantizers
from harness.model.importers.keras.config import Fields, Named
from harness.model.importers.keras.objects import Entry, Objects
from harness.model.importers.keras.quantizers import TINY
from harness.model.importers.keras.weights import snake

DATA = Path(__file__).parent.parent / "data" / "keras"
MODELS = DATA.parent.parent.parent / "models"
CASES = {Path(case["file"]).name: case for case in json.loads((DATA / "cases.json").read_text("utf-8"))}
OBJECTS = "objects:\n  corpus>HalfSign01: {values: [0, 1], threshold: 0}\n"


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    path = tmp_path / "objects.yaml"
    path.write_text(OBJECTS, "utf-8")
    return path


def net(name: str) -> Graph:
    return importers.load(MODELS / f"seed_{name}.h5")


def named(graph: Graph, name: str) -> Node:
    (node,) = [node for node in graph.nodes if node.name == name]
    return node


@pytest.mark.parametrize("name", CASES)
def test_golden_output(name: str, objects: Path) -> None:
    case = CASES[name]
    recorded = np.load(DATA / f"{name}.npz")
    graph = importers.load(DATA / case["file"], objects if "custom" in name else None)
    outputs = reference.run(graph, [recorded[f"input{index}"] for index in range(len(graph.inputs))])
    for index, output in enumerate(outputs):
        golden = recorded[f"golden{index}"]
        assert output.shape == golden.shape
        np.testing.assert_allclose(output, golden, atol=case["atol"], rtol=case["rtol"])


def test_both_containers_describe_the_same_network() -> None:
    one, other = (importers.load(DATA / f"n_nested.{suffix}") for suffix in ("h5", "keras"))
    assert [(node.op, node.name, node.inputs) for node in one.nodes] == [
        (node.op, node.name, node.inputs) for node in other.nodes
    ]
    for name, tensor in one.tensors.items():
        if tensor.data is not None:
            np.testing.assert_array_equal(tensor.data, other.tensors[name].data)


def test_a_convolution_bears_its_layers_name_and_class() -> None:
    node = named(net("ste_sign"), "quant_conv2d")
    assert (node.op, node.layer, node.inputs[0]) == ("conv2d", "QuantConv2D", "quant_conv2d/input_quantizer")
    assert node.params["window"]["pad_bottom"] == 1


def test_a_layer_inside_a_model_is_named_after_both() -> None:
    graph = importers.load(DATA / "n_nested.h5")
    assert named(graph, "tail/tail_conv").op == "conv2d"


def test_ste_sign_is_a_step_and_its_kernel_is_plus_and_minus_one() -> None:
    graph = net("ste_sign")
    step = named(graph, "quant_conv2d/input_quantizer")
    assert (step.op, step.params) == ("step", {"threshold": 0.0, "low": -1.0, "high": 1.0})
    kernel = graph.tensors["quant_conv2d/kernel"].data
    assert kernel is not None
    assert kernel.shape == (32, 3, 3, 32)
    assert set(np.unique(kernel)) == {-1.0, 1.0}


def test_one_bit_dorefa_is_a_clip_and_a_rounding() -> None:
    graph = net("dorefa")
    assert named(graph, "quant_conv2d/input_quantizer/clip").params == {"lo": 0.0, "hi": 1.0}
    assert named(graph, "quant_conv2d/input_quantizer").op == "unary"


def test_the_source_is_told() -> None:
    graph = net("float")
    assert graph.source_format == "Keras .h5 (tf_keras 2.16.0)"
    assert graph.source_bytes == (MODELS / "seed_float.h5").stat().st_size


def test_heaviside_is_zero_at_denormals() -> None:
    assert np.float32(TINY) == np.finfo(np.float32).smallest_normal


def test_a_layer_called_twice_shares_its_weights() -> None:
    graph = importers.load(DATA / "tfk_nested3.h5")
    twice = [node for node in graph.nodes if node.name.startswith("in2/in1/deep")]
    assert [node.name for node in twice] == ["in2/in1/deep", "in2/in1/deep:1"]
    assert twice[0].inputs[1:] == twice[1].inputs[1:]


@pytest.mark.parametrize(
    ("name", "expected"), [("Conv2D", "conv2d"), ("PReLU", "p_re_lu"), ("TFOpLambda", "tf_op_lambda"), ("ELU", "elu")]
)
def test_class_names_as_keras_spells_them(name: str, expected: str) -> None:
    assert snake(name) == expected


def test_a_custom_quantiser_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedModel, match=r"corpus>HalfSign01.*quant_conv2d.*--objects") as caught:
        importers.load(DATA / "v_half_sign_custom.keras")
    assert caught.value.operations == ("corpus>HalfSign01",)


def test_a_custom_quantiser_may_be_one_that_is_known(tmp_path: Path) -> None:
    path = tmp_path / "objects.yaml"
    path.write_text("objects:\n  HalfSign01: {quantizer: DoReFa, parameters: {k_bit: 3}}\n", "utf-8")
    graph = importers.load(DATA / "v_half_sign_custom.keras", path)
    assert named(graph, "quant_conv2d/input_quantizer/round").op == "unary"


def test_custom_weights_may_be_scaled_by_the_whole_tensor() -> None:
    fields = Fields("here", {})
    plain, scaled = (
        quantizers.find(Named("mine", (), fields), Objects(objects={"mine": Entry(values=(-1, 1), scale=scale)}))
        for scale in (None, "tensor")
    )
    assert plain is not None
    assert scaled is not None
    latent = np.array([[1, -2], [-3, 6]], np.float32)
    np.testing.assert_array_equal(scaled.weights(latent), 3 * plain.weights(latent))


@pytest.mark.parametrize("key", ["canary", "Lambda"])
def test_a_lambda_is_what_its_user_says_and_is_not_run(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "objects.yaml"
    path.write_text(f"objects: {{{key}: {{layer: Rescaling, parameters: {{scale: 3}}}}}}\n", "utf-8")
    graph = importers.load(DATA / "bad" / "lambda_canary.h5", path)
    scale = graph.tensors[str(named(graph, "canary").inputs[1])].data
    assert scale is not None
    np.testing.assert_array_equal(scale, np.float32(3))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("objects: [1", "not YAML"),
        ("things: {}", "things: Extra inputs"),
        ("objects: {A: {quantizer: SteSine}}", r"objects\.A\.quantizer: there is no quantizer 'SteSine'"),
        ("objects: {A: {values: [0]}}", r"objects\.A\.values"),
        ("objects: {A: {values: [0, .inf]}}", r"objects\.A\.values\.1"),
        ("objects: {A: {}}", r"objects\.A: give either"),
        ("objects: {A: {layer: Conv2D}}", r"objects\.A\.layer: there is no layer 'Conv2D'"),
        ("objects: {A: {layer: ReLU, scale: tensor}}", r"objects\.A: a scale"),
        ("objects: {A: {values: [0, 1], parameters: {k_bit: 1}}}", r"objects\.A: parameters belong"),
    ],
)
def test_a_wrong_mapping_names_file_and_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "objects.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        importers.load(DATA / "v_half_sign_custom.keras", path)
    assert "objects.yaml" in caught.value.what


def test_a_missing_mapping_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere.yaml"):
        importers.load(DATA / "base_seq.h5", tmp_path / "nowhere.yaml")
