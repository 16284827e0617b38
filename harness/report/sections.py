# SPDX-License-Identifier: Apache-2.0
"""The sections of a report: each is a function from a run to the value that its template shows, None to leave it out.

A new section is a function here, a row of SECTIONS and a template of the same name.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.bench import merge
from harness.bench.compare import Result, results
from harness.bench.record import Build, Case, Caveat, Device, Run
from harness.report import verdicts, words
from harness.report.charts import Chart, roofline, times
from harness.report.charts import conditions as unrest
from harness.report.charts import history as story
from harness.report.graph import graph
from harness.report.layers import Bar, ModelLayers, by_device, changes
from harness.report.layers import layers as by_model
from harness.report.sizes import sizes
from harness.report.verdicts import Sentence


@dataclass(frozen=True)
class Verdict:
    sentences: tuple[Sentence, ...]
    tally: str
    caveats: tuple[Caveat, ...]


UNPAIRED = Caveat(
    code="UNPAIRED",
    weight="note",
    subject="Both runs",
    evidence="they were not measured side by side: what changed on the board between them is in these numbers.",
    advice="For a verdict that may fail a build: ./inv compare --baseline REVISION",
)


def verdict(run: Run) -> Verdict:
    weights = {"stop": 0, "warn": 1, "note": 2}
    caveats = (*run.caveats, UNPAIRED) if any(merge.earlier(model) for model in run.models) else run.caveats
    return Verdict(
        sentences=verdicts.sentences(run),
        tally=verdicts.tally(run),
        caveats=tuple(sorted(caveats, key=lambda caveat: weights[caveat.weight])),
    )


@dataclass(frozen=True)
class Row:
    """A line of the comparison.

    Attributes:
        speed, bounds: how many times as fast as the baseline, and the interval.
        bar: the median as a share of the slowest model's on that device.
    """

    result: Result
    time: str
    interval: str
    speed: str
    bounds: str
    bar: float
    memory_bytes: int

    @property
    def icon(self) -> str:
        return words.ICONS[self.result.verdict] if self.result.verdict else ""

    @property
    def word(self) -> str:
        return words.JUDGED[self.result.verdict] if self.result.verdict else ""


def compare(run: Run) -> tuple[Row, ...]:
    found = results(run)
    rows = []
    for result in found:
        slowest = max((r.time.estimate for r in found if r.device is result.device and r.time), default=0.0)
        speed, bounds = words.times_range(result.ratio.inverse()) if result.ratio else ("", "")
        rows.append(
            Row(
                result=result,
                time=words.duration(result.time.estimate) if result.time else "",
                interval=words.duration_range(result.time.low, result.time.high) if result.time else "",
                speed=speed
                or ("baseline" if any(r.ratio for r in found if r.device is result.device) and result.time else ""),
                bounds=bounds,
                bar=result.time.estimate / slowest if result.time and slowest else 0.0,
                memory_bytes=_memory(result.case),
            )
        )
    return tuple(rows)


def _memory(case: Case | None) -> int:
    return max((process.rusage.get("max_rss_bytes", 0) for process in case.processes), default=0) if case else 0


@dataclass(frozen=True)
class Layers:
    """Every layer: first where the time goes, all models of a device on one scale, then model by model."""

    bars: tuple[tuple[Device, tuple[Bar, ...]], ...]
    models: tuple[ModelLayers, ...]


def layers(run: Run) -> Layers:
    models = by_model(run)
    return Layers(by_device(models), models)


@dataclass(frozen=True)
class DeviceCharts:
    device: Device
    charts: tuple[Chart, ...]


def distributions(run: Run) -> tuple[DeviceCharts, ...] | None:
    return _charts(run, lambda device: (times.scatter(run, device), times.ratios(run, device)))


def roofs(run: Run) -> tuple[DeviceCharts, ...] | None:
    return _charts(run, lambda device: (roofline.chart(run, device),))


def _charts(run: Run, of: Callable[[Device], tuple[Chart | None, ...]]) -> tuple[DeviceCharts, ...] | None:
    drawn = [(device, tuple(chart for chart in of(device) if chart)) for device in run.devices if not device.emulated]
    return tuple(DeviceCharts(device, found) for device, found in drawn if found) or None


MAIN_FACTS = (
    "model",
    "cpu",
    "cpu parts",
    "cpus",
    "cores",
    "isa",
    "memory",
    "distribution",
    "system",
    "kernel",
    "userland bits",
    "governor",
    "settings",
    "emulator",
)


@dataclass(frozen=True)
class DeviceConditions:
    """A board; `main` are the facts that a time depends on most, `facts` the others."""

    device: Device
    main: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    rounds: int
    discarded: int
    build: Build | None
    chart: Chart | None


def conditions(run: Run) -> tuple[DeviceConditions, ...]:
    found = []
    for device in run.devices:
        rounds = {process.round for case in device.cases for process in case.processes}
        spoiled = {process.round for case in device.cases for process in case.discarded}
        facts = dict(words.facts({**device.facts, **device.host}))
        main = tuple((name, facts.pop(name)) for name in MAIN_FACTS if name in facts)
        build, chart = run.build(device.target), unrest.chart(device)
        found.append(DeviceConditions(device, main, tuple(facts.items()), len(rounds), len(spoiled), build, chart))
    return tuple(found)


def history(run: Run, past: Sequence[Run]) -> tuple[Chart, ...] | None:
    """Where the run stands among those before it that were of the same kind; None for a first one."""
    runs = [*(old for old in past if old.id < run.id and old.kind == run.kind == "bench"), run]
    points = list(story.points(runs))
    drawn = (story.chart(points, device.name, run.id) for device in run.devices)
    return tuple(chart for chart in drawn if chart) or None


@dataclass(frozen=True)
class Reproduce:
    command: str
    run: Run


def reproduce(run: Run) -> Reproduce:
    return Reproduce(shlex.join(run.command), run)


# Name of the template, short and long heading, and what it shows; `history` alone also asks for the runs before.
SECTIONS: dict[str, tuple[str, str, Callable[[Run], Any]]] = {
    "verdict": ("Verdict", "Verdict", verdict),
    "compare": ("Models", "Models by device", compare),
    "distributions": ("Times", "How steady the times are", distributions),
    "changes": ("Changes", "What is not binary, and what to change", changes),
    "layers": ("Layers", "Layer by layer", layers),
    "graph": ("Nets", "The nets", graph),
    "sizes": ("Size", "How large, and why", sizes),
    "roofs": ("Roofline", "How near to the board's limits", roofs),
    "conditions": ("Conditions", "Conditions", conditions),
    "history": ("History", "History", lambda run: None),
    "reproduce": ("Reproduce", "How to reproduce this", reproduce),
}


@dataclass(frozen=True)
class Section:
    """A section that has something to show; `short` is its heading in the navigation."""

    name: str
    short: str
    heading: str
    value: Any


def shown(run: Run, past: Sequence[Run] = ()) -> Iterator[Section]:
    """Every section that has something to show."""
    for name, (short, heading, section) in SECTIONS.items():
        value = history(run, past) if name == "history" else section(run)
        if value is not None:
            yield Section(name, short, heading, value)
