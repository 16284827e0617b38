# SPDX-License-Identifier: Apache-2.0
"""QONNX's truncation and its thresholds, against their definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import UnsupportedModel
from harness.model import analyse, importers
from tests.unit.onnx_writer import IMAGE, W, floats, network, op, run_ours

QONNX = "qonnx.custom_op.general"


@pytest.mark.parametrize("mode", ["FLOOR", "ROUND", "CEIL"])
def test_truncation_keeps_the_high_bits(mode: str, tmp_path: Path) -> None:
    node = op("Trunc", "x", "s", "z", "i", "c", "o", domain=QONNX, rounding_mode=mode, signed=1, narrow=1)
    given: dict[str, Any] = {"s": 0.1, "z": 0.0, "i": 6.0, "c": 0.4, "o": 3.0}
    given = {key: np.float32(value) for key, value in given.items()}
    x = 2 * floats(*IMAGE)
    model = network([node], IMAGE, domains=(QONNX,), **given)
    down = {"FLOOR": np.floor, "ROUND": np.rint, "CEIL": np.ceil}[mode]
    levels = np.clip(down(np.rint(x / np.float32(0.1)) / 4), -3, 3)
    np.testing.assert_allclose(run_ours(model, tmp_path, x), levels * np.float32(0.4), atol=1e-6)


def test_older_truncation_clips_nothing(tmp_path: Path) -> None:
    node = op("Trunc", "x", "s", "z", "i", "o", domain=QONNX, rounding_mode="FLOOR")
    x = 9 * floats(*IMAGE)
    given: dict[str, Any] = {"s": 0.5, "z": 1.0, "i": 6.0, "o": 4.0}
    given = {key: np.float32(value) for key, value in given.items()}
    model = network([node], IMAGE, domains=(QONNX,), **given)
    expected = (np.floor(np.rint(x / np.float32(0.5) + 1) / 4) - 1) * np.float32(0.5)
    np.testing.assert_array_equal(run_ours(model, tmp_path, x), expected)


@pytest.mark.parametrize(("layout", "rows"), [("NCHW", 6), ("", 1), ("NHWC", 5)])
def test_thresholds_are_counted(layout: str, rows: int, tmp_path: Path) -> None:
    limits, x = np.sort(floats(rows, 3), axis=1), floats(*IMAGE)
    node = op("MultiThreshold", "x", "t", domain=QONNX, data_layout=layout, out_scale=0.5, out_bias=-1.0)
    shape = (1, 1, 1, rows, 3) if layout == "NHWC" else (1, rows, 1, 1, 3)
    expected = (x[..., None] >= limits.reshape(shape)).sum(axis=-1) * 0.5 - 1
    np.testing.assert_array_equal(run_ours(network([node], IMAGE, domains=(QONNX,), t=limits), tmp_path, x), expected)


def test_thresholds_make_a_layer_of_planes(tmp_path: Path) -> None:
    nodes = [
        op("Conv", "x", "w", to="c", pads=[1] * 4),
        op("MultiThreshold", "c", "t", domain=QONNX, to="q"),
        op("Conv", "q", "v"),
    ]
    path = tmp_path / "model.onnx"
    limits = np.array([[-0.5, 0.25, 0.75]], np.float32)
    model = network(nodes, IMAGE, domains=(QONNX,), w=W, v=np.sign(floats(4, 4, 3, 3)), t=limits)
    path.write_bytes(model.SerializeToString())
    kinds = [verdict.kind for verdict in analyse.verdicts(importers.load(path)).values()]
    assert kinds == ["float", "kbit"]


def test_too_many_thresholds_are_named(tmp_path: Path) -> None:
    node = op("MultiThreshold", "x", "t", domain=QONNX)
    with pytest.raises(UnsupportedModel, match="of 255 thresholds"):
        run_ours(network([node], IMAGE, domains=(QONNX,), t=np.zeros((1, 255), np.float32)), tmp_path, floats(*IMAGE))
