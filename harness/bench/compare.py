# SPDX-License-Identifier: Apache-2.0
"""What a run says in numbers: every model on every device against its baseline, and two stored runs made one.

An emulated board is never judged and a wrong output never timed: both rules live here, for page and terminal alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any

from harness.bench import stats
from harness.bench.record import Case, Device, Model, Problem, Run
from harness.bench.stats import Interval, Verdict
from harness.errors import UsageError

SIZE_DELTA = 0.01
"""Sizes have no noise; a change below one part in a hundred is still nobody's concern."""

# Facts that make two measurements of one board unlike, with how to find them in its record.
KEY_FACTS: dict[str, Callable[[Device], Any]] = {
    "target": lambda device: device.target,
    "emulated": lambda device: device.emulated,
    "processor": lambda device: device.facts.get("cpu"),
    "kernel": lambda device: device.facts.get("kernel"),
    "governor": lambda device: device.facts.get("governor"),
    "instruction sets": lambda device: device.host.get("isa"),
    "pointer size": lambda device: device.host.get("pointer_bits"),
}


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
    """A size of a candidate that differs from its baseline's; `what` is "file", "memory" or "program"."""

    what: str
    model: str
    device: str
    before: int
    after: int

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


def merge(baseline: Run, candidate: Run, new_id: str) -> Run:
    """Two stored runs as one, whose models of the same name are compared, unpaired.

    Raises:
        UsageError: they share no model on a device, or a device is not what it was.
    """
    names = [model.name for model in candidate.models if any(model.name == other.name for other in baseline.models)]
    boards = {device.name: device for device in baseline.devices}
    shared = [device for device in candidate.devices if device.name in boards]
    if not names or not shared:
        raise UsageError(
            f"The runs {baseline.id} and {candidate.id} have no {'device' if names else 'model'} in common.",
            "Runs are compared by the names of models and devices.",
        )
    for device in shared:
        if unlike := unlike_facts(boards[device.name], device):
            raise UsageError(
                f"{device.name} was not the same in both runs: {', '.join(unlike)}.",
                "A ratio of times that were taken under unlike conditions would say nothing about the models.",
                "Measure both again on the board as it is: ./inv compare --baseline REVISION",
            )
    old = {name: f"{name} [{baseline.id}]" for name in names}
    models = []
    for name in names:
        models.append(baseline.model(name).model_copy(update={"name": old[name], "baseline": ""}))
        models.append(candidate.model(name).model_copy(update={"baseline": old[name]}))
    devices = []
    for device in shared:
        before = [case for case in boards[device.name].cases if case.model in names]
        cases = [case.model_copy(update={"model": old[case.model]}) for case in before]
        cases += [case for case in device.cases if case.model in names]
        devices.append(device.model_copy(update={"cases": tuple(cases)}))
    changes = {"id": new_id, "kind": "compare", "paired": False, "models": tuple(models), "devices": tuple(devices)}
    return candidate.model_copy(update=changes)


def unlike_facts(before: Device, after: Device) -> list[str]:
    """What differs between two states of a board that matters for times, in words."""
    found = []
    for name, look in KEY_FACTS.items():
        old, new = look(before), look(after)
        if old is not None and new is not None and old != new:
            found.append(f"{name} {_in_words(old)} before, {_in_words(new)} after")
    return found


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(_in_words(part) for part in value.values())[:80]
    return ", ".join(map(str, value))[:80] if isinstance(value, list | tuple) else str(value)
