# SPDX-License-Identifier: Apache-2.0
"""Promises about long runs, kept on a board that drifts, is throttled and meets interrupts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.bench import simulation, stats
from harness.bench.record import Settings

RUNS = 1200
ERROR = 2 * math.sqrt(0.05 * 0.95 / RUNS)
"""Two standard errors of a share of 5 % in so many runs."""


@pytest.mark.parametrize("rounds", [(7, 7), (10, 10), (7, 30)])
def test_false_alarms_are_as_rare_as_promised(rounds: tuple[int, int]) -> None:
    """With a fixed number of pairs, and when it stops as soon as the interval is narrow."""
    found = simulation.simulate(1.0, RUNS, Settings(rounds=rounds), seed=rounds[1])
    assert found.alarms <= 0.05 + ERROR
    assert found.covered >= 0.95 - ERROR


def test_a_difference_is_found_and_a_small_one_is_not_called_one() -> None:
    settings = Settings(rounds=(7, 30))
    five = simulation.simulate(1.05, 300, settings, seed=1)
    assert five.called > 0.95, "a slowdown of 5 % is called one"
    half = simulation.simulate(1.005, 300, settings, seed=2)
    assert half.called == 0, "a slowdown of half a percent is never called a regression"


def test_stopping_at_significance_would_cry_wolf() -> None:
    """Why the rule asks for precision: the same board, stopped when the interval first leaves out 1."""
    draw = np.random.default_rng(3)
    alarms = 0
    for _ in range(300):
        levels = simulation._levels(draw, 60)
        pairs = [
            (simulation._process(draw, a), simulation._process(draw, b))
            for a, b in zip(*[iter(levels)] * 2, strict=True)
        ]
        for count in range(7, 31):
            found = stats.ratio([b for _, b in pairs[:count]], [a for a, _ in pairs[:count]])
            if found.low is not None and found.high is not None and not found.low <= 1 <= found.high:
                alarms += 1
                break
    assert alarms / 300 > 0.12
