# SPDX-License-Identifier: Apache-2.0
"""The whole procedure on a board that does not exist, whose truth is therefore known: how often is it wrong?

The board warms up by 0-3 %, in a quarter of the runs it is throttled by 10 % at some moment, its speed wanders, every
process draws its own 1 %, every sample its own 0.5 %, and one sample in fifty meets an interrupt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.bench import schedule, stats
from harness.bench.record import Settings
from harness.bench.stats import Interval
from harness.model.graph import Array

SAMPLES = 30


@dataclass(frozen=True)
class Outcome:
    """What the procedure made of simulated runs with a true ratio.

    Attributes:
        covered: share of the runs whose 95 % interval holds the true ratio.
        alarms: share whose interval leaves out a ratio of 1: false alarms where the truth is 1, power where it is not.
        called: share that was called faster or slower, beyond delta.
        pairs: mean number of pairs until it stopped.
    """

    truth: float
    runs: int
    covered: float
    alarms: float
    called: float
    pairs: float


def simulate(truth: float, runs: int, settings: Settings, seed: int = 0) -> Outcome:
    """Runs the schedule's own stopping rule and statistics on the simulated board."""
    draw = np.random.default_rng(seed)
    found = [_run(draw, truth, settings) for _ in range(runs)]
    bounds = [(interval.low or 0.0, interval.high or math.inf) for interval in found]
    verdicts = [stats.verdict(interval, settings.delta) for interval in found]
    return Outcome(
        truth=truth,
        runs=runs,
        covered=sum(low <= truth <= high for low, high in bounds) / runs,
        alarms=sum(not low <= 1 <= high for low, high in bounds) / runs,
        called=sum(verdict in ("faster", "slower") for verdict in verdicts) / runs,
        pairs=sum(interval.count for interval in found) / runs,
    )


def _run(draw: np.random.Generator, truth: float, settings: Settings) -> Interval:
    """One run: pairs in random order until the schedule has enough."""
    most = settings.rounds[1]
    levels = iter(_levels(draw, 2 * most))
    baseline: dict[int, float] = {}
    candidate: dict[int, float] = {}
    for index in range(most):
        first, second = next(levels), next(levels)
        if draw.random() < 0.5:
            first, second = second, first
        baseline[index] = _process(draw, first)
        candidate[index] = _process(draw, second) * truth
        if schedule.enough({"a": baseline, "b": candidate}, {"a": "", "b": "a"}, settings):
            break
    interval = stats.paired_ratio(candidate, baseline)
    assert interval is not None
    return interval


def _levels(draw: np.random.Generator, processes: int) -> Array:
    """The board's slowness at each process in turn, as a factor."""
    time = np.linspace(0, 1, processes)
    ramp = draw.uniform(0, 0.03) * (1 - np.exp(-3 * time))
    step = 0.10 * (time > draw.random()) if draw.random() < 0.25 else np.zeros(processes)
    wander = np.zeros(processes)
    for index in range(1, processes):
        wander[index] = 0.9 * wander[index - 1] + draw.normal(0, 0.003)
    return np.asarray(np.exp(ramp + step + wander))


def _process(draw: np.random.Generator, level: float) -> float:
    """The median of a process's samples, in units of a quiet board's time."""
    samples = np.exp(draw.normal(0, 0.005, SAMPLES))
    samples *= np.where(draw.random(SAMPLES) < 0.02, 1.3, 1.0)
    return float(level * math.exp(draw.normal(0, 0.01)) * np.median(samples))
