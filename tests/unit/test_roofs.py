# SPDX-License-Identifier: Apache-2.0
"""What a layer would gain on a board, by its peaks; and what is told of a model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from harness.bench import explanations, roofs
from harness.bench.record import Layer, Model, Peak
from harness.errors import UsageError
from harness.model import pipeline
from harness.report.layers import layers as rows_of
from tests.unit.records import PEAKS, model, story

ROOT = Path(__file__).resolve().parents[2]
LIMIT = roofs.Roof(bits=100.0, floats=10.0, bandwidth=4.0)


def conv(size: int, channels: int, filters: int = 64, kind: str = "float") -> Layer:
    macs = size * size * filters * 9 * channels
    return Layer(
        name=f"conv{channels}",
        op="conv2d",
        kind=kind,
        bits=1 if kind == "binary" else 32,
        remedy="" if kind == "binary" else "Give it a quantiser.",
        reason_text="its weights are real",
        macs=macs,
        param_bytes=filters * 9 * channels * 4,
        param_bytes_float=filters * 9 * channels * 4,
        input_shape=(1, size, size, channels),
        kernel_shape=(filters, 3, 3, channels),
    )


def of(*found: Layer) -> Model:
    return model("net").model_copy(update={"layers": found})


def test_the_best_of_each_peak_counts_and_a_multiply_add_is_one_mac() -> None:
    slower = Peak(name="popcount", isa="scalar", value=4.0, unit="GMAC/s")
    assert roofs.roof((*PEAKS, slower)) == roofs.Roof(120.0, 12.0, 6.0)
    assert not roofs.roof(PEAKS[:2]).known


def test_a_gain_is_the_float_time_less_that_of_the_bits_and_of_packing() -> None:
    (layer,) = roofs.judged(of(conv(16, 64)), "board", LIMIT).layers
    packing = 4 * 16 * 16 * 64 / 4.0
    assert layer.saves_ns == pytest.approx(layer.macs / 10 - layer.macs / 100 - packing)
    assert layer.remedy


def test_three_channels_cost_a_whole_word() -> None:
    narrow, wide = conv(16, 3), conv(16, 32)
    assert roofs.as_bits(narrow, LIMIT) == pytest.approx(wide.macs / 100 + 4 * 16 * 16 * 3 / 4.0)


def test_a_small_gain_takes_the_place_of_the_advice() -> None:
    large, tiny = roofs.judged(of(conv(64, 128), conv(1, 3)), "board", LIMIT).layers
    assert large.reason != "too-small"
    assert tiny.reason == "too-small"
    assert tiny.remedy == ""
    assert tiny.reason_text.startswith("its weights are real; as bits it would save less than 1% of")
    assert " on board" in tiny.reason_text


def test_bits_gain_nothing() -> None:
    (layer,) = roofs.judged(of(conv(16, 64, kind="binary")), "board", LIMIT).layers
    assert layer.saves_ns is None


def test_the_report_says_what_is_too_small() -> None:
    run = story()
    small = {
        row.layer.name: row.layer.reason
        for block in rows_of(run)
        for row in block.rows
        if row.layer.reason == "too-small"
    }
    told = [row.layer for block in rows_of(run) for row in block.rows if row.layer.remedy]
    assert small, "the dense layer of 640 MACs"
    assert "dense" in small
    assert told
    assert "dense" not in {layer.name for layer in told}


def test_peaks_that_nobody_measured_are_told() -> None:
    prepared = pipeline.prepare(ROOT / "models" / "seed_dorefa.h5")
    told = explanations.explain(prepared, "net", "board")
    assert any("not known" in note and "./inv bench --device board" in note for note in told.model.notes)
    assert told.document["device"] == {"name": "board", "peaks": []}
    known = explanations.explain(prepared, "net", "board", PEAKS).document
    gains = {layer["name"]: (layer["saves_bytes"], layer["saves_ns"]) for layer in known["layers"]}
    assert gains["quant_conv2d"] == (0, None)
    assert gains["conv2d"][0] == 9728 - 9728 // 32


def test_a_file_and_its_decisions_belong_together(tmp_path: Path) -> None:
    prepared = pipeline.prepare(ROOT / "models" / "seed_dorefa.h5")
    file, beside = explanations.write(prepared, tmp_path / "net.bnn")
    document = json.loads(beside.read_text("utf-8"))
    assert document["bnn"] == {"bytes": len(prepared.bnn), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    assert [layer["kind"] for layer in document["layers"]] == ["float", "binary01", "binary01", "float"]
    assert document["proof"]["flips"] == 0
    again = pipeline.prepare(file)
    x = prepared.random_inputs()
    np.testing.assert_allclose(again.golden(x)[0], prepared.golden(x)[0], atol=1e-6)


@pytest.mark.parametrize(("name", "said"), [("net.h5", "no name of a .bnn"), ("gone/net.bnn", "no folder")])
def test_a_wrong_place_to_write_is_told_before_anything_is_written(name: str, said: str, tmp_path: Path) -> None:
    prepared = pipeline.prepare(ROOT / "models" / "seed_float.h5")
    with pytest.raises(UsageError, match=said):
        explanations.write(prepared, tmp_path / name)
    assert not list(tmp_path.iterdir())
