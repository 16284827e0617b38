# SPDX-License-Identifier: Apache-2.0
"""The order of processes, and when to stop."""

from __future__ import annotations

from collections import Counter

import numpy as np

from harness.bench import schedule
from harness.bench.record import Process, Settings


def process(before: int, after: int) -> Process:
    return Process(round=0, position=0, seconds=0, first=1, batch=1, samples=(1.0,), canary=(before, after))


def test_every_round_holds_every_model_and_the_seed_repeats_it() -> None:
    models = ["a", "b", "c"]
    orders = [schedule.order(models, 1, "pi", index) for index in range(60)]
    assert all(sorted(order) == models for order in orders)
    assert orders == [schedule.order(models, 1, "pi", index) for index in range(60)]
    assert orders != [schedule.order(models, 2, "pi", index) for index in range(60)]
    first = Counter(order[0] for order in orders)
    assert min(first.values()) >= 10


def test_a_moving_canary_spoils_a_round_and_a_slow_model_does_not() -> None:
    assert schedule.spoiled([process(1000, 1010), process(1000, 995)]) == ""
    assert "canary" in schedule.spoiled([process(1000, 1010), process(1000, 1030)])


def test_precision_stops_and_significance_does_not() -> None:
    settings = Settings(rounds=(7, 30), precision=0.01)
    draw = np.random.default_rng(5)
    steady = [1000 * (1 + 0.001 * x) for x in draw.standard_normal(7)]
    assert schedule.enough([steady, [t / 2 for t in steady]], settings)
    assert not schedule.enough([steady[:6], steady[:6]], settings), "never before the least number of rounds"
    wild = [1000 * (1 + 0.1 * x) for x in draw.standard_normal(7)]
    assert not schedule.enough([steady, [t / 3 for t in wild]], settings), "three times as fast, and not precise"
    assert not schedule.enough([], settings)


def test_a_single_model_is_measured_until_its_own_median_is_precise() -> None:
    settings = Settings(rounds=(7, 30), precision=0.01)
    assert schedule.enough([[1000.0, 1001, 1002, 1003, 1004, 1005, 1006]], settings)
    assert not schedule.enough([[1000.0, 1100, 1200, 1300, 1400, 1500, 1600]], settings)
