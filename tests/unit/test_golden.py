# SPDX-License-Identifier: Apache-2.0
"""Comparison with golden outputs, and golden outputs that do not hang on a tie."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.bench import golden
from harness.model import pipeline

MODELS = Path(__file__).parents[2] / "models"


def test_compare_counts_and_points_at_the_worst() -> None:
    expected = [np.array([1.0, 2.0, 3.0, 4.0], np.float32)]
    found = golden.compare([np.array([1.0, 2.5, 3.0, 8.0], np.float32)], expected, 0.1, 0.0)
    assert (found.ok, found.wrong, found.elements, found.at) == (False, 2, 4, 3)
    assert (found.got, found.expected, found.max_abs) == (8.0, 4.0, 4.0)


def test_compare_is_relative_to_the_golden_output() -> None:
    expected = [np.array([1000.0])]
    assert golden.compare([np.array([1001.0])], expected, 0.0, 1e-2).ok
    assert not golden.compare([np.array([1001.0])], expected, 0.0, 1e-4).ok


def test_nan_and_infinity_are_right_only_where_they_are_expected() -> None:
    odd = [np.array([np.nan, np.inf, -np.inf])]
    assert golden.compare(odd, odd, 0, 0).ok
    assert golden.compare([np.array([0.0, np.inf, np.inf])], odd, 1e9, 1).wrong == 2
    assert not golden.compare([np.array([np.nan])], [np.array([1.0])], 1e9, 0).ok


def test_another_size_is_wrong_everywhere() -> None:
    found = golden.compare([np.zeros(3)], [np.zeros(4)], 1, 1)
    assert not found.ok
    assert found.wrong == 4


def test_the_seed_nets_have_a_steady_golden_output() -> None:
    for path in sorted(MODELS.glob("*.h5")):
        settled = golden.settle(pipeline.prepare(path))
        assert settled.steady, path
        assert settled.atol < 1e-3 * max(abs(y).max() for y in settled.outputs)
