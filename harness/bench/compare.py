# SPDX-License-Identifier: Apache-2.0
"""What a run says in numbers: every model on every device against its baseline.

An emulated board is never judged and a wrong output never timed: both rules live here, for page and terminal alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Literal

from harness.bench import stats
from harness.bench.record import Case, Counts, Device, Model, Problem, Run
from harness.bench.stats import Interval, Verdict

SIZE_DELTA = 0.01
"""Sizes and counts have no noise; a change below one part in a hundred is still nobody's concern."""


@dataclass(frozen=True)
class Result:
    """One model on one device.

    Attributes:
        time: median time of an inference, ns; None where nothing was timed.
        ratio: its time / the baseline's; None for a baseline and where it is not judged.
        delta: a ratio nearer to 1 than this is no difference here.
        problem: why a part is missing, of the case or of its device.
    """

    model: Model
    device: Device
    case: Case | None
    time: Interval | None
    ratio: Interval | None
    delta: float
    problem: Problem | None
    verdict: Verdict | None = None

    @property
    def wrong(self) -> bool:
        return self.case is not None and self.case.agreement is not None and not self.case.agreement.ok


@dataclass(frozen=True)
class SizeChange:
    """A size of a candidate that differs from its baseline's.

    Attributes:
        what: file, memory or program, in bytes; or instructions, of an inference on an emulated board, whose time is
            not judged.
        most: the layer that contributes most to it, where that is known.
    """

    what: Literal["file", "memory", "program", "instructions"]
    model: str
    device: str
    before: int
    after: int
    most: str = ""

    @property
    def grown(self) -> bool:
        return self.after > self.before * (1 + SIZE_DELTA)


def medians(case: Case | None) -> dict[int, float]:
    """The median time of an inference of each process, by round."""
    return {process.round: median(process.samples) for process in case.processes} if case else {}


def ratio(run: Run, device: Device, model: Model) -> stats.Ratio | None:
    """A model's time / its baseline's as a function of the confidence; None where it is not judged."""
    if not model.baseline or device.emulated:
        return None
    ours, theirs = medians(device.case(model.name)), medians(device.case(model.baseline))
    if not run.paired:
        if not ours or not theirs:
            return None
        return partial(stats.unpaired_ratio, list(ours.values()), list(theirs.values()))
    shared = sorted(ours.keys() & theirs.keys())
    return partial(stats.ratio, [ours[r] for r in shared], [theirs[r] for r in shared]) if shared else None


def results(run: Run) -> tuple[Result, ...]:
    """All results, by device and within it by model; their verdicts are given together."""
    found, judged = [], []
    for device in run.devices:
        delta = max(run.settings.delta, device.noise_floor or 0.0)
        for model in run.models:
            case, at = device.case(model.name), ratio(run, device, model)
            times = list(medians(case).values())
            problem = (case.problem if case else None) or device.problem
            time = stats.median(times) if times else None
            found.append(Result(model, device, case, time, at(0.95) if at else None, delta, problem))
            if at:
                judged.append((at, delta))
    verdicts = iter(stats.verdicts(judged))
    return tuple(replace(result, verdict=next(verdicts)) if result.ratio else result for result in found)


def pairs_needed(result: Result) -> int | None:
    """About how many pairs would decide an unclear result: an interval narrows with the square root of their number."""
    if result.verdict != "unclear" or result.ratio is None or result.ratio.low is None or result.ratio.high is None:
        return None
    distance = min(abs(math.log(result.ratio.estimate) - edge) for edge in (0.0, *_edges(result.delta)))
    half = math.log(result.ratio.high / result.ratio.low) / 2
    return math.ceil(result.ratio.count * min((half / max(distance, 0.001)) ** 2, 100.0))


def _edges(delta: float) -> tuple[float, float]:
    return -math.log1p(delta), math.log1p(delta)


def sizes(run: Run) -> Iterator[SizeChange]:
    """Every size of a candidate that is not its baseline's."""
    for model in run.models:
        base = run.baseline(model)
        if base is None:
            continue
        if model.bnn_bytes != base.bnn_bytes:
            yield SizeChange("file", model.name, "", base.bnn_bytes, model.bnn_bytes)
        for device in run.devices:
            ours, theirs = device.case(model.name), device.case(base.name)
            if ours and theirs and ours.arena_bytes and theirs.arena_bytes and ours.arena_bytes != theirs.arena_bytes:
                yield SizeChange("memory", model.name, device.name, theirs.arena_bytes, ours.arena_bytes)
            new, old = run.build(device.target, model.variant.revision), run.build(device.target, base.variant.revision)
            if new and old and new.binary_bytes != old.binary_bytes:
                yield SizeChange("program", model.name, device.name, old.binary_bytes, new.binary_bytes)
            if device.emulated and ours and theirs and ours.counts and theirs.counts:
                yield from _instructions(model.name, device.name, theirs.counts, ours.counts)


def _instructions(model: str, device: str, before: Counts, after: Counts) -> Iterator[SizeChange]:
    """Exact, so that any change is one; on a board they are not judged, since there the time is."""
    if before.inference == after.inference:
        return
    old = {layer.name: layer.count for layer in before.layers}
    grown = {layer.name: layer.count - old.get(layer.name, 0) for layer in after.layers}
    sign = 1 if after.inference > before.inference else -1
    most = max(grown, key=lambda name: sign * grown[name], default="")
    yield SizeChange("instructions", model, device, before.inference, after.inference, most)
