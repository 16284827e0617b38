# SPDX-License-Identifier: Apache-2.0
"""Damaged and hostile Keras files: one clear error each, quickly, and nothing executed."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from harness.errors import ModelError, UnsupportedModel
from harness.model import importers
from harness.model.importers.keras import config, container, topology

DATA = Path(__file__).parent.parent / "data" / "keras"
BASES = ("base_seq.h5", "base_fun.h5", "base_fun.keras")
KERNEL = "model_weights/quant_conv2d/quant_conv2d/kernel:0"

BAD = {
    "truncated_50.h5": "truncated file",
    "weights_truncated.keras": "truncated file",
    "noise_named.h5": "bad superblock",
    "hdf5_never_ends.h5": "found no end",
    "hdf5_crashes.h5": "HDF5",
    "deep_nesting.h5": "nested too deeply",
    "external_link.h5": "link to somewhere else",
    "softlink_loop.h5": "link to somewhere else",
    "external_storage.h5": "lies in another file",
    "dataset_declared_huge.h5": "of which the file holds 0",
    "traversal_only.keras": "outside of the archive",
    "duplicate_member.keras": "holds a member twice",
    "member_declared_4GB.keras": "claims to unpack to 4,294,967,040",
    "lambda_canary.h5": "Lambda .*'canary'",
}


@pytest.mark.parametrize("name", BASES)
def test_the_sound_files_are_accepted(name: str) -> None:
    assert importers.load(DATA / name).nodes


@pytest.mark.parametrize("name", BAD)
def test_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=BAD[name]):
        importers.load(DATA / "bad" / name)
    assert not list(tmp_path.iterdir())


def test_every_bad_file_is_tested() -> None:
    assert {path.name for path in (DATA / "bad").iterdir()} == set(BAD)


def changed(tmp_path: Path, base: str, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of an `.h5` file whose architecture was changed; layers are given by name."""
    path = tmp_path / base
    shutil.copyfile(DATA / base, path)
    with h5py.File(path, "r+") as file:
        architecture = json.loads(file.attrs["model_config"])
        change({layer["config"]["name"]: layer for layer in architecture["config"]["layers"]} | {"": architecture})
        file.attrs["model_config"] = json.dumps(architecture)
    return path


@pytest.mark.parametrize("version", ["", "2I.1", "².0", "9" * 5000, "10.", "x" * 5000])
def test_a_version_that_is_none_changes_nothing(version: str, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    shutil.copyfile(DATA / "base_seq.h5", path)
    with h5py.File(path, "r+") as file:
        for place in (file, file["model_weights"]):
            place.attrs["keras_version"] = version
    assert importers.load(path).nodes


def field(layer: str, key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda layers: layers[layer]["config"].__setitem__(key, value)


FUNCTION = {"module": "os", "class_name": "function", "config": "system", "registered_name": "function"}
LOOKALIKE = {"module": "theirs", "class_name": "SteSign", "config": {}, "registered_name": "SteSign"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (field("quant_conv2d", "filters", 2**31), r"'quant_conv2d' .*filters is 2147483648"),
        (field("quant_conv2d", "filters", "many"), "filters is 'many'"),
        (field("quant_conv2d", "filters", True), "filters is True"),
        (field("quant_conv2d", "strides", [0, -2]), "strides"),
        (field("quant_conv2d", "kernel_size", [3, 10**9]), "have the shape"),
        (field("quant_conv2d", "pad_values", [1.0]), "pad_values"),
        (field("quant_conv2d", "data_format", "channels_first"), "keeps its channels first"),
        (field("quant_conv2d", "dtype", "mixed_float16"), "computes in mixed_float16"),
        (field("batch_normalization", "epsilon", float("nan")), "epsilon is nan"),
        (field("batch_normalization", "axis", [1]), "another axis"),
        (field("input_1", "batch_input_shape", [None, None, None, 12]), r"not fixed.*Input\(shape="),
        (field("input_1", "batch_input_shape", [None, 2**31, 2**31, 12]), "elements"),
        (field("dense", "name", "batch_normalization"), "two layers named 'batch_normalization'"),
        (field("dense", "name", "a\x1b[31m"), "printable"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        importers.load(changed(tmp_path, "base_seq.h5", change))


@pytest.mark.parametrize(
    ("change", "operation"),
    [
        (lambda layers: layers["re_lu"].__setitem__("class_name", "LSTM"), "LSTM"),
        (field("dense", "activation", "their_own"), "their_own"),
        (field("dense", "activation", FUNCTION), "os.system"),
        (field("quant_conv2d", "kernel_quantizer", LOOKALIKE), "theirs.SteSign"),
        (field("quant_conv2d", "input_quantizer", {"class_name": "Foo>SteSign", "config": {}}), "Foo>SteSign"),
    ],
)
def test_an_unknown_class_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], None], operation: str) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        importers.load(changed(tmp_path, "base_seq.h5", change))
    assert caught.value.operations == (operation,)


def test_an_unknown_activation_may_be_a_layer(tmp_path: Path) -> None:
    mapping = tmp_path / "objects.yaml"
    mapping.write_text("objects: {my_clip: {layer: ReLU, parameters: {max_value: 1}}}", "utf-8")
    path = changed(tmp_path, "base_seq.h5", field("quant_conv2d", "activation", "my_clip"))
    (node,) = (node for node in importers.load(path, mapping).nodes if node.name == "quant_conv2d/activation")
    assert (node.op, node.params["hi"]) == ("clamp", 1.0)


def test_all_unknown_parts_are_named_at_once(tmp_path: Path) -> None:
    def change(layers: dict[str, Any]) -> None:
        layers["re_lu"]["class_name"] = "LSTM"
        layers["dense"]["config"]["activation"] = "their_own"

    with pytest.raises(UnsupportedModel) as caught:
        importers.load(changed(tmp_path, "base_seq.h5", change))
    assert caught.value.operations == ("LSTM", "their_own")


def inbound(layer: str, *sources: list[Any]) -> Callable[[dict[str, Any]], None]:
    return lambda layers: layers[layer].__setitem__("inbound_nodes", [list(sources)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (inbound("batch_normalization", ["nobody", 0, 0, {}]), "call 0 of the layer 'nobody'"),
        (inbound("batch_normalization", ["conv2d", 99, 0, {}]), "call 99"),
        (inbound("batch_normalization", ["conv2d", 0, 7, {}]), "no output 7"),
        (inbound("conv2d", ["dense", 0, 0, {}]), "cycle"),
        (inbound("conv2d"), "connected to"),
        (inbound("conv2d", ["input_1", 0, 0, {}], ["input_1", 0, 0, {}]), "gets 2 tensors"),
        (inbound("batch_normalization", ["conv2d", 0, 0, {"training": True}]), "training=True"),
        (lambda layers: layers[""]["config"].__setitem__("output_layers", [["ghost", 0, 0]]), "'ghost'"),
        (lambda layers: layers[""]["config"].__setitem__("input_layers", [["dense", 0, 0]]), "no such input"),
    ],
)
def test_a_wrong_connection_is_told(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        importers.load(changed(tmp_path, "base_fun.h5", change))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.full((3, 3, 17, 12), np.nan, np.float32), "NaN"),
        (np.zeros((3, 2, 17, 12), np.float32), "have the shape"),
        (np.zeros((3, 3, 17, 12), np.int64), "int64, not floats"),
        (None, "missing"),
    ],
)
def test_wrong_weights_are_named(tmp_path: Path, value: Any, message: str) -> None:
    path = changed(tmp_path, "base_seq.h5", lambda _: None)
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        if value is not None:
            file[KERNEL] = value
    with pytest.raises(ModelError, match=rf"kernel:0.*{message}"):
        importers.load(path)


def test_weights_may_not_unpack_to_more_than_the_file_allows(tmp_path: Path) -> None:
    path = changed(tmp_path, "base_seq.h5", lambda _: None)
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file.create_dataset(KERNEL, shape=(1 << 24,), dtype="f4", compression="gzip", fillvalue=0.0)
        file[KERNEL][:1024] = 1.0
    with pytest.raises(ModelError, match="far more than the file's size"):
        importers.load(path)


def test_compressed_weights_are_read(tmp_path: Path) -> None:
    path = changed(tmp_path, "base_seq.h5", lambda _: None)
    with h5py.File(path, "r+") as file:
        values = file[KERNEL][()]
        del file[KERNEL]
        file.create_dataset(KERNEL, data=values, compression="gzip", shuffle=True)
    assert importers.load(path).nodes


def test_a_variance_below_zero_is_refused(tmp_path: Path) -> None:
    path = changed(tmp_path, "base_seq.h5", lambda _: None)
    with h5py.File(path, "r+") as file:
        file["model_weights/batch_normalization/batch_normalization/moving_variance:0"][0] = -1.0
    with pytest.raises(ModelError, match="variance is not positive"):
        importers.load(path)


def test_a_file_of_weights_alone_says_what_to_do(tmp_path: Path) -> None:
    path = changed(tmp_path, "base_seq.h5", lambda _: None)
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
    with pytest.raises(ModelError, match=r"no architecture.*save_weights"):
        importers.load(path)


def test_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "archive.h5"
    shutil.copyfile(DATA / "base_fun.keras", path)
    assert importers.load(path).source_format.startswith("Keras .keras")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(40 << 20))
    with pytest.raises(ModelError, match="claims to unpack to"):
        importers.load(path)


def test_models_inside_models_are_run_a_bounded_number_of_times() -> None:
    relu = {"class_name": "ReLU", "config": {"name": "r"}}
    inner: dict[str, Any] = {"class_name": "Sequential", "config": {"name": "m", "layers": [relu]}}
    for _ in range(40):
        inner = {"class_name": "Sequential", "config": {"name": "m", "layers": [inner]}}
    with pytest.raises(ModelError, match="models deep"):
        topology.model(inner, keras3=False)


def test_random_changes_of_the_architecture_end_in_a_graph_or_a_model_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short run; whatever else escapes is a defect of the importer."""
    rng = random.Random(2)
    odd: list[Any] = [
        None,
        0,
        -1,
        3,
        2**63,
        1e308,
        float("nan"),
        True,
        "",
        "same",
        [],
        [1, 2],
        {},
        ["x", 0, 0],
        "\0",
        [[1, 2], [3, 4]],
    ]
    opened = [
        container.read(DATA / name)
        for name in (*BASES, "n_nested.keras", "k3_plus_op.keras", "tfk_op_where.h5", "tfk_norms.h5", "k3_ops.keras")
    ]
    started, accepted = time.monotonic(), 0
    for _ in range(600):
        base = rng.choice(opened)
        architecture = config.parse(json.dumps(base.architecture), "it")
        for _ in range(rng.choice((1, 1, 2, 3))):
            holder, key = rng.choice(places(architecture))
            holder[key] = copy.deepcopy(rng.choice(odd))
        file = container.Opened(architecture, base.weights, base.keras3, base.format)
        monkeypatch.setattr(container, "read", lambda _, file=file: file)
        with contextlib.suppress(ModelError):
            importers.load(DATA / BASES[0])
            accepted += 1
    assert accepted
    assert time.monotonic() - started < 60


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in nested lists and dicts."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in ((value, key), *places(value[key]))]
