# SPDX-License-Identifier: Apache-2.0
"""A against A: how often a board makes a difference out of nothing, and how large.

The run holds many rounds of each model against itself; every block of rounds is judged as a run of its own would be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.bench import compare, contrast, stats
from harness.bench.record import Run
from harness.bench.stats import Interval, Verdict

BLOCK = 7
"""Rounds that are judged together: the least number that a verdict may rest on."""


ENOUGH = 10
"""Blocks below which a noise floor is itself noise, and is not kept."""


@dataclass(frozen=True)
class Noise:
    """What A against A found on a device.

    Attributes:
        false_alarms: blocks whose 95 % interval leaves out a ratio of 1; of `blocks`, 5 % are what was promised.
        verdicts: blocks that were called faster or slower, beyond delta: these would have been regressions.
        floor: 95 % of the blocks' ratios differ from 1 by less than this.
        others: false alarms of other tools' rules on the same processes.
    """

    device: str
    false_alarms: int
    verdicts: int
    blocks: int
    floor: float
    others: dict[str, int]


@dataclass(frozen=True)
class Planted:
    """What a comparison said of a slowdown that was planted; `exit_code` is what its command would have ended with."""

    exit_code: int
    verdict: Verdict
    ratio: Interval


def assess(run: Run) -> tuple[Noise, ...]:
    """The noise of every device that measured at least one block."""
    found = []
    for device in run.devices:
        ratios, judged = [], []
        for model in run.models:
            if model.baseline and not device.emulated:
                cases = [device.case(name) for name in (model.name, model.baseline)]
                ours, theirs = map(compare.medians, cases)
                shared = sorted(ours.keys() & theirs.keys())
                blocks = [shared[start : start + BLOCK] for start in range(0, len(shared) - BLOCK + 1, BLOCK)]
                ratios += [stats.ratio([ours[r] for r in block], [theirs[r] for r in block]) for block in blocks]
                judged += [
                    [p for case in cases if case for p in case.processes if p.round in block] for block in blocks
                ]
        if ratios:
            alarms = sum(not (r.low or 0) <= 1 <= (r.high or math.inf) for r in ratios)
            beyond = sum(stats.verdict(r, run.settings.delta) in ("faster", "slower") for r in ratios)
            floor = math.expm1(float(np.quantile([abs(math.log(r.estimate)) for r in ratios], 0.95)))
            found.append(Noise(device.name, alarms, beyond, len(ratios), floor, contrast.alarms(judged)))
    return tuple(found)
