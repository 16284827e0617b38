# SPDX-License-Identifier: Apache-2.0
"""The statistics of a verdict. The unit is the process: callers pass one number for each.

Signed-rank intervals follow Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, 3rd ed., section 3.2 (the
Hodges-Lehmann estimate) and 3.3 (Tukey's interval from the Walsh averages).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

Verdict = Literal["faster", "slower", "same", "slight", "unclear"]


Ratio = Callable[[float], "Interval"]
"""A ratio of times as a function of the confidence that its interval is to have."""


@dataclass(frozen=True)
class Interval:
    """An estimate and the bounds that hold it with `confidence`; bounds are None where too few values can give any."""

    estimate: float
    low: float | None
    high: float | None
    count: int
    confidence: float = 0.95

    @property
    def half_width(self) -> float:
        """Half the interval's width as a fraction of the estimate; infinite without bounds."""
        if self.low is None or self.high is None:
            return math.inf
        return (self.high - self.low) / 2 / self.estimate

    def inverse(self) -> Interval:
        """The interval of 1 / x."""
        low, high = (None if bound is None else 1 / bound for bound in (self.high, self.low))
        return Interval(1 / self.estimate, low, high, self.count, self.confidence)


@cache
def _signed_rank_counts(n: int) -> tuple[int, ...]:
    """In how many of the 2**n sign patterns the positive ranks 1..n sum to 0, 1, 2, ..."""
    counts = [1]
    for rank in range(1, n + 1):
        longer = counts + [0] * rank
        for total, count in enumerate(counts):
            longer[total + rank] += count
        counts = longer
    return tuple(counts)


@cache
def _rank_sum_counts(n: int, m: int) -> tuple[int, ...]:
    """In how many of the interleavings of n and m values a value of the first precedes 0, 1, 2, ... of the second."""
    if n == 0 or m == 0:
        return (1,)
    counts = [0] * (n * m + 1)
    for shift, part in ((m, _rank_sum_counts(n - 1, m)), (0, _rank_sum_counts(n, m - 1))):
        for total, count in enumerate(part):
            counts[total + shift] += count
    return tuple(counts)


def _cut(counts: Sequence[int], alpha: float) -> int:
    """How many ordered values to leave out at each end: the largest c with P(statistic <= c - 1) <= alpha / 2."""
    allowed, seen = alpha / 2 * sum(counts), 0
    for c, count in enumerate(counts):
        seen += count
        if seen > allowed:
            return c
    raise AssertionError("the distribution sums to 1")


def signed_rank(differences: Sequence[float], confidence: float = 0.95) -> Interval:
    """Hodges-Lehmann estimate of the centre of paired differences, with its exact signed-rank interval.

    Fewer than 6 differences have no interval at 95 %.
    """
    values = np.asarray(differences, dtype=float)
    rows, columns = np.triu_indices(len(values))
    walsh = np.sort((values[rows] + values[columns]) / 2)
    estimate = float(np.median(walsh))
    trim = _cut(_signed_rank_counts(len(values)), 1 - confidence)
    if trim == 0:
        return Interval(estimate, None, None, len(values), confidence)
    return Interval(estimate, float(walsh[trim - 1]), float(walsh[-trim]), len(values), confidence)


def ratio(candidate: Sequence[float], baseline: Sequence[float], confidence: float = 0.95) -> Interval:
    """candidate / baseline from paired times (element i of each belongs to round i), by their log ratios."""
    logs = signed_rank(np.log(np.asarray(candidate, float) / np.asarray(baseline, float)).tolist(), confidence)
    low, high = (None if bound is None else math.exp(bound) for bound in (logs.low, logs.high))
    return Interval(math.exp(logs.estimate), low, high, logs.count, confidence)


def paired_ratio(
    candidate: Mapping[int, float], baseline: Mapping[int, float], confidence: float = 0.95
) -> Interval | None:
    """candidate / baseline over the rounds that both have; None where there are none."""
    shared = sorted(candidate.keys() & baseline.keys())
    return ratio([candidate[r] for r in shared], [baseline[r] for r in shared], confidence) if shared else None


def unpaired_ratio(candidate: Sequence[float], baseline: Sequence[float], confidence: float = 0.95) -> Interval:
    """candidate / baseline from times that were not taken side by side: the estimate of Hodges and Lehmann for two
    samples, with the exact interval of the rank sum (Hollander, Wolfe & Chicken, sections 4.2 and 4.3)."""
    differences = np.sort(np.subtract.outer(np.log(candidate), np.log(baseline)).ravel())
    estimate = math.exp(float(np.median(differences)))
    count = min(len(candidate), len(baseline))
    trim = _cut(_rank_sum_counts(len(candidate), len(baseline)), 1 - confidence)
    if trim == 0:
        return Interval(estimate, None, None, count, confidence)
    low, high = math.exp(float(differences[trim - 1])), math.exp(float(differences[-trim]))
    return Interval(estimate, low, high, count, confidence)


def median(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The median with its distribution-free interval: two order statistics, for as many values lie below the median as
    a fair coin falls heads (Hollander, Wolfe & Chicken, section 3.6).

    SciPy's quantile_test gives the same bounds; a report of 3 boards and 30 pairs would take a second more than three.
    """
    ordered = sorted(values)
    count = len(ordered)
    trim = _cut([math.comb(count, heads) for heads in range(count + 1)], 1 - confidence)
    low, high = (float(ordered[trim - 1]), float(ordered[-trim])) if trim else (None, None)
    return Interval(float(np.median(ordered)), low, high, count, confidence)


def mad(values: Sequence[float]) -> float:
    """Median absolute deviation from the median, unscaled."""
    centred = np.asarray(values, float) - np.median(values)
    return float(np.median(np.abs(centred)))


def verdict(interval: Interval, delta: float) -> Verdict:
    """What a ratio of times means in practice.

    faster, slower: the whole interval lies beyond delta; same: the whole interval lies within; slight: the sign of the
    difference is sure and it is not surely larger than delta; unclear: everything else.
    """
    if interval.low is None or interval.high is None:
        return "unclear"
    least, most = 1 / (1 + delta), 1 + delta
    if interval.high < least:
        return "faster"
    if interval.low > most:
        return "slower"
    if least <= interval.low and interval.high <= most:
        return "same"
    return "slight" if interval.high < 1 or interval.low > 1 else "unclear"


def verdicts(comparisons: Sequence[tuple[Ratio, float]], alpha: float = 0.05) -> list[Verdict]:
    """The verdicts of comparisons that are judged together: with twenty of them one would be faster by chance alone.

    Faster and slower are given by Holm's step-down procedure (Scandinavian Journal of Statistics 6, 1979): a hypothesis
    falls when its interval at 1 - alpha / (how many are left) lies beyond delta.

    Args:
        comparisons: each an interval as a function of its confidence, and its delta.
    """
    found: dict[int, Verdict] = {}
    while left := [index for index in range(len(comparisons)) if index not in found]:
        judged = {i: verdict(comparisons[i][0](1 - alpha / len(left)), comparisons[i][1]) for i in left}
        sure = {index: each for index, each in judged.items() if each in ("faster", "slower")}
        if not sure:
            break
        found |= sure
    for index, (ratio_at, delta) in enumerate(comparisons):
        if index not in found:
            plain = verdict(ratio_at(1 - alpha), delta)
            found[index] = "slight" if plain in ("faster", "slower") else plain
    return [found[index] for index in range(len(comparisons))]


def beyond(ratios: Sequence[float], delta: float) -> float:
    """How surprising paired ratios would be if the true one lay within delta of 1: two exact signed-rank tests, one for
    each side (Hollander, Wolfe & Chicken, section 3.1), the smaller p doubled."""
    from scipy.stats import wilcoxon

    logs, edge = np.log(np.asarray(ratios, float)), math.log1p(delta)
    above = wilcoxon(logs - edge, alternative="greater", method="exact").pvalue
    below = wilcoxon(logs + edge, alternative="less", method="exact").pvalue
    return min(1.0, 2 * float(min(above, below)))


def discoveries(p_values: Sequence[float], rate: float = 0.05) -> list[bool]:
    """Which of many hypotheses fall if at most this share of those that do may do so by chance (Benjamini & Hochberg,
    Journal of the Royal Statistical Society B 57, 1995): for layers, of which some may change and many do not."""
    from scipy.stats import false_discovery_control

    if not p_values:
        return []
    return [bool(p <= rate) for p in false_discovery_control(p_values, method="bh")]
