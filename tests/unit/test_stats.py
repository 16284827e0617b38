# SPDX-License-Identifier: Apache-2.0
"""The statistics against published examples, and by simulation where a promise is about long runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.bench import stats
from harness.bench.stats import Interval

# Hamilton depression scale, nine patients (Hollander, Wolfe & Chicken, table 3.1; results in examples 3.3 and 3.4).
DEPRESSION = [-0.952, 0.147, -1.022, -0.430, -0.620, -0.590, -0.490, 0.080, -0.010]


def test_signed_rank_gives_the_published_estimate_and_interval() -> None:
    found = stats.signed_rank(DEPRESSION)
    assert found.estimate == pytest.approx(-0.46)
    assert found.low == pytest.approx(-0.786)
    assert found.high == pytest.approx(-0.010)


@pytest.mark.parametrize(
    ("n", "critical"), [(6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (12, 13), (15, 25), (20, 52), (30, 137)]
)
def test_trim_follows_the_published_critical_values(n: int, critical: int) -> None:
    """Two-sided 5 % critical values of Wilcoxon's T, as in any table of them."""
    assert stats._trim(n, 0.05) == critical + 1


def test_too_few_pairs_have_no_interval() -> None:
    found = stats.signed_rank([0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.low is None
    assert found.half_width == math.inf
    assert stats.verdict(found, 0.03) == "unclear"


def test_ratio_is_of_pairs_and_inverts() -> None:
    baseline = [100.0, 110, 120, 130, 140, 150, 160]
    found = stats.ratio([time / 2 for time in baseline], baseline)
    assert found.estimate == pytest.approx(0.5)
    assert found.inverse().estimate == pytest.approx(2)
    assert found.inverse().low == pytest.approx(2)


def test_median_interval_is_made_of_order_statistics() -> None:
    found = stats.median([5.0, 1, 4, 2, 3, 7, 6])
    assert (found.estimate, found.low, found.high) == (4, 1, 7)
    assert stats.median([1.0, 2, 3]).low is None


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.30, 0.35, "faster"),
        (1.05, 1.20, "slower"),
        (0.98, 1.01, "same"),
        (0.95, 0.99, "slight"),
        (0.90, 1.10, "unclear"),
        (0.96, 1.00, "unclear"),
    ],
)
def test_verdict_asks_for_more_than_significance(low: float, high: float, expected: str) -> None:
    assert stats.verdict(Interval((low + high) / 2, low, high, 9), 0.03) == expected


@pytest.mark.parametrize("n", [7, 10, 20])
def test_intervals_hold_the_truth_as_often_as_they_promise(n: int) -> None:
    """Pairs share the drift of the board, so it cancels: 95 % intervals miss a true ratio of 1 in about 5 %."""
    draw = np.random.default_rng(n)
    runs, missed = 1500, 0
    for _ in range(runs):
        drift = np.cumsum(draw.normal(0, 0.01, n))
        baseline, candidate = np.exp(drift + draw.standard_t(4, (2, n)) * 0.01)
        found = stats.ratio(candidate.tolist(), baseline.tolist())
        assert found.low is not None
        assert found.high is not None
        missed += not found.low <= 1 <= found.high
    assert 0.03 <= missed / runs <= 0.065
