# SPDX-License-Identifier: Apache-2.0
"""The order of processes, and when to stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest

from harness.bench import schedule
from harness.bench.record import Conditions, Process, Settings


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


def by_round(values: Iterable[float]) -> dict[int, float]:
    return dict(enumerate(values))


def test_precision_stops_and_significance_does_not() -> None:
    settings, pair = Settings(rounds=(7, 30), precision=0.01), {"a": "", "b": "a"}
    draw = np.random.default_rng(5)
    steady = [1000 * (1 + 0.001 * x) for x in draw.standard_normal(8)]
    halved = [t / 2 for t in steady]
    assert schedule.enough({"a": by_round(steady), "b": by_round(halved)}, pair, settings)
    few, fewer = by_round(steady[:7]), by_round(steady[:6])
    assert not schedule.enough({"a": fewer, "b": fewer}, pair, settings), "never before the least number of rounds"
    assert not schedule.enough({"a": few, "b": few}, pair, settings), "narrow for the first time may be luck"
    wild = by_round(300 * (1 + 0.1 * x) for x in draw.standard_normal(8))
    assert not schedule.enough({"a": by_round(steady), "b": wild}, pair, settings), "three times as fast, not precise"
    assert not schedule.enough({}, pair, settings)


def test_without_a_pair_the_medians_themselves_must_be_precise() -> None:
    settings = Settings(rounds=(7, 30), precision=0.01)
    narrow, wide = by_round(1000.0 + i for i in range(8)), by_round(1000.0 + 100 * i for i in range(8))
    assert schedule.enough({"a": narrow}, {"a": ""}, settings)
    assert not schedule.enough({"a": wide}, {"a": ""}, settings)
    assert schedule.enough({"b": narrow}, {"b": "a"}, settings), "its baseline came to nothing here"


def pilot(*samples: float) -> Process:
    return process(1, 1).model_copy(update={"samples": samples})


def test_samples_follow_the_scatter_of_the_pilot() -> None:
    draw = np.random.default_rng(6)
    calm, usual, wild = (pilot(*(1000 * (1 + scatter * draw.standard_normal(400)))) for scatter in (1e-4, 0.01, 0.1))
    assert schedule.samples(calm, 0.01) == schedule.FEWEST_SAMPLES
    assert schedule.samples(usual, 0.01) == pytest.approx(25, abs=6)  # (1.25 * 1 % / 0.25 %) squared
    assert schedule.samples(wild, 0.01) == schedule.MOST_SAMPLES


def test_a_board_is_waited_for_when_it_is_hot_or_crowded_and_says_so() -> None:
    first = Conditions(temperature=50.0, pressure=1.0)
    assert schedule.unfit(Conditions(), first) == {}
    assert schedule.unfit(Conditions(temperature=52.9, pressure=19.0), first) == {}
    assert set(schedule.unfit(Conditions(temperature=53.5, pressure=40.0), first)) == {"heat", "crowd"}
    assert schedule.unfit(Conditions(temperature=90.0), Conditions()) == {}, "what it was at the start nobody knows"
