# SPDX-License-Identifier: Apache-2.0
"""Which process runs when, and when enough is measured. Everything random comes from the run's seed.

Rounds are randomised blocks: one fresh process a model, back to back, in an order drawn for each round. What is
compared was therefore measured at nearly the same time, and no model always comes first.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from harness.bench import stats
from harness.bench.record import Process, Settings

CANARY_DRIFT = 0.02
"""A fixed chain of operations that takes this much longer after than before: something else moved, not the model."""


def order(models: Sequence[str], seed: int, device: str, index: int) -> list[str]:
    """The order of the models in a round."""
    shuffled = list(models)
    random.Random(f"{seed}/{device}/{index}").shuffle(shuffled)
    return shuffled


def spoiled(processes: Sequence[Process]) -> str:
    """Why a round does not count; empty where it does. The measured latency is never a reason."""
    for process in processes:
        if process.canary:
            before, after = process.canary
            drift = after / before - 1
            if abs(drift) > CANARY_DRIFT:
                return f"the canary moved by {drift:+.1%}"
    return ""


def enough(medians: Sequence[Sequence[float]], settings: Settings) -> bool:
    """Whether every interval that will be shown is narrow enough. It asks for precision, never for a verdict: stopping
    when a result is significant finds differences where there are none.

    Args:
        medians: for every model the medians of its counted processes, the baseline first.
    """
    if not medians or len(medians[0]) < settings.rounds[0]:
        return False
    if len(medians) == 1:
        return stats.median(medians[0]).half_width <= settings.precision
    return all(_half_width(candidate, medians[0]) <= settings.precision for candidate in medians[1:])


def _half_width(candidate: Sequence[float], baseline: Sequence[float]) -> float:
    """Half-width of the ratio's interval on the log scale, where it is a fraction of the ratio."""
    interval = stats.ratio(candidate, baseline)
    if interval.low is None or interval.high is None:
        return math.inf
    return math.log(interval.high / interval.low) / 2
