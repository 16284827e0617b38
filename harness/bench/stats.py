# SPDX-License-Identifier: Apache-2.0
"""The statistics of a verdict. The unit is the process: callers pass one number for each.

Signed-rank intervals follow Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, 3rd ed., section 3.2 (the
Hodges-Lehmann estimate) and 3.3 (Tukey's interval from the Walsh averages).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

Verdict = Literal["faster", "slower", "same", "slight", "unclear"]


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


def _trim(n: int, alpha: float) -> int:
    """How many Walsh averages to leave out at each end: the largest c with P(W+ <= c - 1) <= alpha / 2; 0 if none."""
    allowed, seen = alpha / 2 * 2**n, 0
    for c, count in enumerate(_signed_rank_counts(n)):
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
    trim = _trim(len(values), 1 - confidence)
    if trim == 0:
        return Interval(estimate, None, None, len(values), confidence)
    return Interval(estimate, float(walsh[trim - 1]), float(walsh[-trim]), len(values), confidence)


def ratio(candidate: Sequence[float], baseline: Sequence[float], confidence: float = 0.95) -> Interval:
    """candidate / baseline from paired times (element i of each belongs to round i), by their log ratios."""
    logs = signed_rank(np.log(np.asarray(candidate, float) / np.asarray(baseline, float)).tolist(), confidence)
    low, high = (None if bound is None else math.exp(bound) for bound in (logs.low, logs.high))
    return Interval(math.exp(logs.estimate), low, high, logs.count, confidence)


def paired_ratio(candidate: Mapping[int, float], baseline: Mapping[int, float]) -> Interval | None:
    """candidate / baseline over the rounds that both have; None where there are none."""
    shared = sorted(candidate.keys() & baseline.keys())
    return ratio([candidate[r] for r in shared], [baseline[r] for r in shared]) if shared else None


def median(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The median with its distribution-free interval (order statistics)."""
    from scipy.stats import quantile_test  # most of a second, which commands that judge nothing need not wait

    centre = float(np.median(values))
    bounds = quantile_test(values, q=centre, p=0.5).confidence_interval(confidence)
    low, high = (None if math.isnan(bound) else float(bound) for bound in bounds)
    return Interval(centre, low, high, len(values), confidence)


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
