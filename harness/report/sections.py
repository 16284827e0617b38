# SPDX-License-Identifier: Apache-2.0
"""The sections of a report: each is a function from a run to the value that its template shows, None to leave it out.

A new section is a function here, a row of SECTIONS and a template of the same name.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.bench.compare import Result, results
from harness.bench.record import BIT_KINDS, Build, Case, Caveat, Device, Layer, LayerTime, Model, Profile, Run
from harness.report import charts, verdicts, words
from harness.report.charts import Chart
from harness.report.verdicts import Sentence


@dataclass(frozen=True)
class Verdict:
    sentences: tuple[Sentence, ...]
    tally: str
    caveats: tuple[Caveat, ...]


def verdict(run: Run) -> Verdict:
    weights = {"stop": 0, "warn": 1, "note": 2}
    return Verdict(
        sentences=verdicts.sentences(run),
        tally=verdicts.tally(run),
        caveats=tuple(sorted(run.caveats, key=lambda caveat: weights[caveat.weight])),
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
    memory: str

    @property
    def icon(self) -> str:
        return words.ICONS[self.result.verdict] if self.result.verdict else ""


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
                memory=words.size(_memory(result.case)) if _memory(result.case) else "",
            )
        )
    return tuple(rows)


def _memory(case: Case | None) -> int:
    return max((process.rusage.get("max_rss_bytes", 0) for process in case.processes), default=0) if case else 0


@dataclass(frozen=True)
class DeviceCharts:
    device: Device
    charts: tuple[Chart, ...]


def distributions(run: Run) -> tuple[DeviceCharts, ...] | None:
    found = []
    for device in run.devices:
        drawn = tuple(chart for chart in (charts.scatter(run, device), charts.ratios(run, device)) if chart)
        if drawn and not device.emulated:
            found.append(DeviceCharts(device, drawn))
    return tuple(found) or None


@dataclass(frozen=True)
class LayerRow:
    """A layer and its times, one a profiled device; None where that profile has no such layer."""

    layer: Layer
    times: tuple[LayerTime | None, ...]

    @property
    def saves_bytes(self) -> int:
        """What its weights would save as bits."""
        if self.layer.kind in BIT_KINDS:
            return 0
        return max(0, self.layer.param_bytes - self.layer.param_bytes_float // 32)


@dataclass(frozen=True)
class Part:
    """A piece of a bar: a layer with weights by its kind, everything else as "rest"."""

    name: str
    kind: str
    ns: float
    share: float


@dataclass(frozen=True)
class Bar:
    device: Device
    total: float
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class ModelLayers:
    """The layers of a model; `rest` are the nodes without weights: (name, op, times as in LayerRow)."""

    model: Model
    devices: tuple[Device, ...]
    bars: tuple[Bar, ...]
    rows: tuple[LayerRow, ...]
    rest: tuple[tuple[str, str, tuple[LayerTime | None, ...]], ...]


def layers(run: Run) -> tuple[ModelLayers, ...]:
    return tuple(_model_layers(run, model) for model in run.models)


def _model_layers(run: Run, model: Model) -> ModelLayers:
    profiled = [(d, case.profile) for d in run.devices if (case := d.case(model.name)) and case.profile]
    measured = [{layer.name: layer for layer in profile.layers} for _, profile in profiled]
    known = {layer.name: layer for layer in model.layers}
    rest = {name: layer.op for times in measured for name, layer in times.items() if name not in known}
    return ModelLayers(
        model=model,
        devices=tuple(device for device, _ in profiled),
        bars=tuple(_bar(device, profile, known) for device, profile in profiled),
        rows=tuple(LayerRow(layer, tuple(times.get(name) for times in measured)) for name, layer in known.items()),
        rest=tuple((name, op, tuple(times.get(name) for times in measured)) for name, op in rest.items()),
    )


def _bar(device: Device, profile: Profile, known: Mapping[str, Layer]) -> Bar:
    total = sum(layer.ns for layer in profile.layers)
    parts = [
        Part(layer.name, known[layer.name].kind if layer.name in known else "rest", layer.ns, layer.ns / total)
        for layer in profile.layers
        if total
    ]
    return Bar(device, total, tuple(parts))


@dataclass(frozen=True)
class DeviceConditions:
    device: Device
    facts: tuple[tuple[str, str], ...]
    rounds: int
    discarded: int
    build: Build | None


def conditions(run: Run) -> tuple[DeviceConditions, ...]:
    found = []
    for device in run.devices:
        rounds = {process.round for case in device.cases for process in case.processes}
        spoiled = {process.round for case in device.cases for process in case.discarded}
        facts = tuple(words.facts({**device.facts, **device.host}))
        found.append(DeviceConditions(device, facts, len(rounds), len(spoiled), run.build(device.target)))
    return tuple(found)


@dataclass(frozen=True)
class Reproduce:
    command: str
    run: Run


def reproduce(run: Run) -> Reproduce:
    return Reproduce(shlex.join(run.command), run)


SECTIONS: dict[str, tuple[str, Callable[[Run], Any]]] = {
    "verdict": ("Verdict", verdict),
    "compare": ("Models by device", compare),
    "distributions": ("How steady the times are", distributions),
    "layers": ("Layer by layer", layers),
    "conditions": ("Conditions", conditions),
    "reproduce": ("How to reproduce this", reproduce),
}
