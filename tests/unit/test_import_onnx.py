# SPDX-License-Identifier: Apache-2.0
"""`.onnx` files: recorded outputs of real exports."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ModelError
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
