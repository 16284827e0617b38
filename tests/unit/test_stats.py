# SPDX-License-Identifier: Apache-2.0
"""The statistics against published examples, and by simulation where a promise is about long runs."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from scipy.stats import quantile_test

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
    assert stats._cut(stats._signed_rank_counts(n), 0.05) == critical + 1


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


@pytest.mark.parametrize("count", [1, 5, 6, 7, 20, 41, 200])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.9975])
def test_median_interval_is_that_of_scipy(count: int, confidence: float) -> None:
    values = np.random.default_rng(count).lognormal(size=count).round(1)  # with ties
    found, expected = stats.median(values.tolist(), confidence), quantile_test(values, p=0.5)
    bounds = [math.nan if bound is None else bound for bound in (found.low, found.high)]
    np.testing.assert_array_equal(bounds, expected.confidence_interval(confidence))


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


@pytest.mark.parametrize(("n", "m", "critical"), [(5, 5, 2), (7, 7, 8), (8, 10, 17), (10, 10, 23), (15, 12, 49)])
def test_rank_sum_follows_the_published_critical_values(n: int, m: int, critical: int) -> None:
    """Two-sided 5 % critical values of Mann and Whitney's U, as in any table of them."""
    assert stats._cut(stats._rank_sum_counts(n, m), 0.05) == critical + 1


def test_unpaired_ratio_gives_the_published_estimate_and_interval() -> None:
    """Permeability of a membrane at term and earlier (Hollander, Wolfe & Chicken, table 4.1): the estimate is 0.305,
    and R's wilcox.test gives the 95 % interval (-0.15, 0.76)."""
    term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    early = [1.15, 0.88, 0.90, 0.74, 1.21]
    found = stats.unpaired_ratio(np.exp(term).tolist(), np.exp(early).tolist())
    assert found.low is not None
    assert found.high is not None
    assert math.log(found.estimate) == pytest.approx(0.305)
    assert math.log(found.low) == pytest.approx(-0.15)
    assert math.log(found.high) == pytest.approx(0.76)


def test_many_comparisons_need_more_evidence_each() -> None:
    """Seven pairs can prove three comparisons at once and not twenty."""
    times = (2.0 * (1 + 0.001 * np.random.default_rng(3).standard_normal(7))).tolist()
    comparison = (partial(stats.ratio, times, [1.0] * 7), 0.03)
    assert stats.verdicts([comparison] * 3) == ["slower"] * 3
    assert stats.verdicts([comparison] * 20) == ["slight"] * 20


def test_chance_does_not_make_a_verdict_among_many() -> None:
    """Runs of ten equal models each: at most 5 % of the runs, not of the models, may hold a false verdict."""
    draw = np.random.default_rng(11)
    alarms = 0
    for _ in range(200):
        family = []
        for _ in range(10):
            candidate, baseline = np.exp(draw.normal(0, 0.01, (2, 20)))
            family.append((partial(stats.ratio, candidate.tolist(), baseline.tolist()), 0.0))
        alarms += any(each in ("faster", "slower") for each in stats.verdicts(family))
    assert alarms / 200 <= 0.08


def test_many_hypotheses_fall_as_in_the_published_examples() -> None:
    """Fifteen comparisons of treatments: four are discoveries (Benjamini & Hochberg 1995, section 3.2)."""
    published = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    published += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000]
    assert stats.discoveries(published) == [True] * 4 + [False] * 11
    assert stats.discoveries(published[::-1]) == [False] * 11 + [True] * 4
    assert stats.discoveries([]) == []


@pytest.mark.parametrize(
    ("p_values", "falls"),
    [
        ([0.01, 0.04, 0.03, 0.005], [True, False, False, True]),
        ([0.02, 0.02, 0.02], [False, False, False]),
        ([0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278], [True] * 6),
        ([0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278] + 9 * [0.9], [True] * 3 + [False] * 12),
    ],
)
def test_verdicts_step_down_as_holm_did(p_values: list[float], falls: list[bool]) -> None:
    """Each interval lies beyond delta at every confidence up to 1 - p."""

    def known(p: float) -> stats.Ratio:
        return lambda confidence: Interval(2.0, 1.5 if 1 - confidence >= p else 0.5, 3.0, 9, confidence)

    found = stats.verdicts([(known(p), 0.03) for p in p_values])
    assert [each == "slower" for each in found] == falls


def test_beyond_asks_whether_a_ratio_is_larger_than_delta() -> None:
    assert stats.beyond([1.10, 1.11, 1.12, 1.10, 1.09, 1.13, 1.14], 0.03) == pytest.approx(2 / 2**7)
    assert stats.beyond([0.90, 0.91, 0.92, 0.90, 0.89, 0.93, 0.94], 0.03) == pytest.approx(2 / 2**7)
    assert stats.beyond([1.01, 1.02, 1.01, 1.02, 1.01, 1.02, 1.01], 0.03) == 1


def test_few_discoveries_are_false() -> None:
    """Forty layers, of which five are 10 % slower: of those called changed, on average 5 % may be wrong."""
    draw = np.random.default_rng(17)
    false, missed, runs = 0.0, 0, 60
    for _ in range(runs):
        truth = [1.10] * 5 + [1.03] * 35
        ratios = [(each * np.exp(draw.normal(0, 0.01, 12))).tolist() for each in truth]
        found = stats.discoveries([stats.beyond(own, 0.03) for own in ratios])
        false += sum(found[5:]) / max(sum(found), 1)
        missed += 5 - sum(found[:5])
    assert false / runs <= 0.07
    assert missed / (5 * runs) < 0.02
