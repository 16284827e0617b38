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
    """One model on one device in one run; times in ns; None where nothing was timed, or counted."""

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
    instructions: int | None


def lines(runs: Sequence[Run], devices: Sequence[str] = (), models: Sequence[str] = ()) -> Iterator[Line]:
    """Every result of these runs whose device and model match one of the names or globs (all where none are given)."""
    for run in runs:
        for result in compare.results(run):
            device, model, time = result.device, result.model.name, result.time
            if matches(device.name, devices) and matches(model, models):
                yield Line(
                    run=run.id,
                    created=run.created,
                    revision=run.revision[:10],
                    device=device.name,
                    emulated=device.emulated,
                    model=model,
                    correct=result.case is not None and result.case.correct,
                    median=time.estimate if time else None,
                    low=time.low if time else None,
                    high=time.high if time else None,
                    instructions=result.case.counts.inference if result.case and result.case.counts else None,
                )


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is one of these, or matches one as a glob; with none, every name does."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
