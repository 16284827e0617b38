# SPDX-License-Identifier: Apache-2.0
"""Which process runs when, and when enough is measured. Everything random comes from the run's seed.

Rounds are randomised blocks: one fresh process a model, back to back, in an order drawn for each round. What is
compared was therefore measured at nearly the same time, and no model always comes first.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.bench import stats
from harness.bench.record import Conditions, Process, Settings

CANARY_DRIFT = 0.02
"""A fixed chain of operations that takes this much longer after than before: something else moved, not the model."""

FEWEST_SAMPLES, MOST_SAMPLES = 10, 200


@dataclass(frozen=True)
class Limit:
    """When a board is not fit to be timed.

    Attributes:
        exceeded: why it is not, from its conditions now and at the start; "" where it is.
        patience: seconds that a run waits for it in all.
    """

    exceeded: Callable[[Conditions, Conditions], str]
    patience: float


def _heat(now: Conditions, first: Conditions) -> str:
    if now.temperature is None or first.temperature is None or now.temperature <= first.temperature + 3:
        return ""
    return f"it is {now.temperature - first.temperature:.1f} °C warmer than at the start"


def _crowd(now: Conditions, first: Conditions) -> str:
    if now.pressure is None or now.pressure <= 20:
        return ""
    return f"some process waited for a processor in {now.pressure:.0f} % of the last ten seconds"


LIMITS = {"heat": Limit(_heat, 60.0), "crowd": Limit(_crowd, 10.0)}


def order(models: Sequence[str], seed: int, device: str, index: int) -> list[str]:
    """The order of the models in a round."""
    shuffled = list(models)
    random.Random(f"{seed}/{device}/{index}").shuffle(shuffled)
    return shuffled


def unfit(now: Conditions, first: Conditions) -> dict[str, str]:
    """The limits that a board exceeds, with the reason; what it does not tell exceeds nothing."""
    reasons = {name: limit.exceeded(now, first) for name, limit in LIMITS.items()}
    return {name: why for name, why in reasons.items() if why}


def samples(pilot: Process, precision: float) -> int:
    """How many samples a process needs, so that the error of its median adds little to what differs between processes.

    The standard error of a median of n normal values is 1.25 sigma / sqrt(n); it is to be a quarter of the precision.
    """
    centre = stats.median(pilot.samples).estimate
    sigma = 1.4826 * stats.mad(pilot.samples) / centre
    wanted = (1.2533 * sigma / (max(precision, 0.001) / 4)) ** 2
    return min(max(math.ceil(wanted), FEWEST_SAMPLES), MOST_SAMPLES)


def spoiled(processes: Sequence[Process]) -> str:
    """Why a round does not count; empty where it does. The measured latency is never a reason."""
    for process in processes:
        if process.canary:
            before, after = process.canary
            drift = after / before - 1
            if abs(drift) > CANARY_DRIFT:
                return f"the canary moved by {drift:+.1%}"
    return ""


def enough(medians: Mapping[str, Mapping[int, float]], baselines: Mapping[str, str], settings: Settings) -> bool:
    """Whether every interval that will be shown is narrow enough, and was already one round ago.

    It asks for precision, never for a verdict: stopping when a result is significant finds differences where there are
    none. An interval that is narrow for the first time is sometimes so by luck; asking twice brings the rate of false
    alarms from 5.8 % to 5.3 % on the simulated board, where 5 % is promised.

    Args:
        medians: of each model the medians of its counted processes, by round.
        baselines: the model that each is compared with; "" for none.
    """
    newest = max((max(values, default=-1) for values in medians.values()), default=-1)
    earlier = {name: {r: ns for r, ns in values.items() if r != newest} for name, values in medians.items()}
    return _narrow(medians, baselines, settings) and _narrow(earlier, baselines, settings)


def _narrow(medians: Mapping[str, Mapping[int, float]], baselines: Mapping[str, str], settings: Settings) -> bool:
    if not medians or min(len(values) for values in medians.values()) < settings.rounds[0]:
        return False
    pairs = [(name, base) for name, base in baselines.items() if name in medians and base in medians]
    if not pairs:
        widths = [stats.median(list(values.values())).half_width for values in medians.values()]
    else:
        widths = [_half_width(medians[name], medians[base]) for name, base in pairs]
    return max(widths) <= settings.precision


def _half_width(candidate: Mapping[int, float], baseline: Mapping[int, float]) -> float:
    """Half-width of the ratio's interval on the log scale, where it is a fraction of the ratio."""
    interval = stats.paired_ratio(candidate, baseline)
    if interval is None or interval.low is None or interval.high is None:
        return math.inf
    return math.log(interval.high / interval.low) / 2
