# SPDX-License-Identifier: Apache-2.0
"""What all stored runs say of a model on a device, one line a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.bench import compare
from harness.bench.record import Run


@dataclass(frozen=True)
class Line:
    """One model on one device in one run; times in ns, None where nothing was timed."""

    run: str
    created: str
    revision: str
    device: str
    emulated: bool
    model: str
    correct: bool
    median: float | None
    low: float | None
    high: float | None


def lines(runs: Sequence[Run], devices: Sequence[str] = (), models: Sequence[str] = ()) -> Iterator[Line]:
    """Every result of these runs whose device and model match one of the names or globs (all where none are given)."""
    for run in runs:
        for result in compare.results(run):
            device, model, time = result.device, result.model.name, result.time
            if _matches(device.name, devices) and _matches(model, models):
                yield Line(
                    run.id,
                    run.created,
                    run.revision[:10],
                    device.name,
                    device.emulated,
                    model,
                    result.case is not None and result.case.correct,
                    *((time.estimate, time.low, time.high) if time else (None, None, None)),
                )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
