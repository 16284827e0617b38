# SPDX-License-Identifier: Apache-2.0
"""Engines side by side: fresh processes in interleaved rounds, each of which proves its output before it is timed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.bench import schedule, stats
from harness.bench.stats import Interval
from harness.errors import JobFailed, WrongOutput


@dataclass(frozen=True)
class Entrant:
    """A command that prints a `golden` and a `samples` line, as `bnn bench` does.

    Attributes:
        atol: how far its output may be from the golden one; None where nothing is expected of it (int8 approximates).
    """

    name: str
    command: tuple[str, ...]
    atol: float | None


@dataclass
class Times:
    """The median of each process in nanoseconds, by round."""

    by_round: dict[int, float] = field(default_factory=dict)

    @property
    def median(self) -> Interval:
        return stats.median(list(self.by_round.values()))

    @property
    def fastest(self) -> float:
        """Of all processes: what a machine that others use as well can do at least."""
        return min(self.by_round.values())

    def over(self, other: Times) -> Interval:
        """This time over another, paired by rounds."""
        found = stats.paired_ratio(self.by_round, other.by_round)
        assert found is not None, "both ran in every round"
        return found


def race(
    field: Sequence[Entrant], rounds: int, seed: int, tell: Callable[[str], None] = lambda line: None
) -> Mapping[str, Times]:
    """Times the entrants in `rounds` rounds, in an order drawn anew for each.

    Raises:
        WrongOutput: an answer is too far from the golden one: it has no time.
        JobFailed: a process ended badly.
    """
    found = {entrant.name: Times() for entrant in field}
    known = {entrant.name: entrant for entrant in field}
    for index in range(rounds):
        for name in schedule.order(list(known), seed, "race", index):
            found[name].by_round[index] = _run(known[name])
            tell(f"round {index + 1} of {rounds}: {name}: {found[name].by_round[index] / 1e6:.3f} ms")
    return found


def _run(entrant: Entrant) -> float:
    done = subprocess.run(entrant.command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise JobFailed(f"{entrant.name} ended with {done.returncode} and said: {said[-1]}")
    lines = {line["type"]: line for line in map(json.loads, done.stdout.splitlines())}
    error = float(lines["golden"]["max_abs"])
    if entrant.atol is not None and not error <= entrant.atol:
        raise WrongOutput(f"{entrant.name}: the output is off by {error:.3g}, {entrant.atol:g} are allowed.")
    return float(np.median(lines["samples"]["ns"]))
