# SPDX-License-Identifier: Apache-2.0
"""How the times of a device scatter, and how each round compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

import numpy as np

from harness.bench import compare, stats
from harness.bench.record import Case, Device, Model, Run
from harness.bench.stats import Interval
from harness.report import words
from harness.report.charts import EXACT, LINE, MUTED, SERIES, Chart, Key, Spec, draw, keys, marks, number, plot, strips

BINS = 72
STRIP = 46


def scatter(run: Run, device: Device) -> Chart | None:
    """How the samples of each model spread, and every process's median, in percent around the median of its model.

    One sample in a thousand meets an interrupt and takes ten times as long; the drawing leaves out what would squeeze
    all the rest into a line, and the table counts it.
    """
    hills: list[Spec] = []
    medians: list[Spec] = []
    bands: list[Spec] = []
    names: list[Spec] = []
    rows: list[tuple[str, ...]] = []
    for model in run.models:
        case = device.case(model.name)
        if not case or not case.processes:
            continue
        name, base = words.short(model.name, 44), len(rows)
        heads = [median(process.samples) for process in case.processes]
        interval = stats.median(heads)
        centre = interval.estimate
        samples = np.concatenate([process.samples for process in case.processes])
        tails = np.percentile(samples, [5, 95, 99])
        first, last = np.percentile(heads, [5, 95])
        reach = max(last - first, 0.01 * centre)
        low, high = first - reach, last + 1.5 * reach
        inside = samples[(samples >= low) & (samples <= high)]
        counts, edges = np.histogram(inside, BINS)
        tops = 0.12 + 0.5 * np.convolve(counts, [0.25, 0.5, 0.25], "same") / max(1, counts.max())
        hills += [
            {"x": _percent(at, centre), "top": -base - 1 + float(top), "base": -base - 0.88, "row": base}
            for at, top in zip((edges[1:] + edges[:-1]) / 2, tops, strict=True)
        ]
        medians += [
            {
                "x": _percent(min(max(ns, low), high), centre),
                "y": -base - 0.88,
                "tip": f"{name}, process {at}: {words.duration(ns)}",
            }
            for at, ns in enumerate(heads, 1)
        ]
        if interval.low and interval.high:
            ends = (_percent(interval.low, centre), _percent(interval.high, centre))
            bands.append({"low": ends[0], "high": ends[1], "y": -base - 0.88})
        names.append({"name": name, "y": -base - 0.24})
        beyond = f"{len(samples) - len(inside)} of {len(samples)}"
        told = (centre, stats.mad(heads), *tails)
        rows.append((name, *(words.duration(ns) for ns in told), str(len(heads)), beyond))
    if not rows:
        return None
    x = number("x", "from the model's median, %", tickCount=6)
    rise = {"type": "quantitative", "axis": None, "scale": {"domain": [-len(rows), 0], **EXACT}}
    label = {"align": "left", "baseline": "middle", "color": MUTED, "fontSize": 12}
    layers = [
        marks(
            hills,
            "area",
            {"color": MUTED, "opacity": 0.3, "interpolate": "monotone"},
            x=x,
            y=rise | {"field": "top"},
            y2={"field": "base"},
            detail={"field": "row", "type": "nominal"},
        ),
        marks(
            bands,
            "rule",
            {"color": SERIES[0], "strokeWidth": 9, "opacity": 0.25, "strokeCap": "round"},
            x=number("low"),
            x2={"field": "high"},
            y=rise | {"field": "y"},
        ),
        marks(
            medians,
            "point",
            {"filled": True, "color": SERIES[0], "size": 42, "opacity": 0.9},
            x=x,
            y=rise | {"field": "y"},
        ),
        marks(names, "text", label, x={"value": 4}, y=rise | {"field": "y"}, text={"field": "name", "type": "nominal"}),
    ]
    return Chart(
        title="Every sample",
        description="The hill is how the samples spread, a dot the median of a process, the bar behind the dots their "
        "95 % interval. A dot at the edge lies beyond it.",
        svg=draw(plot(layers, STRIP * len(rows)), f"Samples of every model on {words.place(device)}"),
        header=("model", "median", "MAD of the medians", "5 %", "95 %", "99 %", "processes", "samples left out"),
        rows=tuple(rows),
    )


@dataclass(frozen=True)
class _Rounds:
    """How many times as fast as its baseline a model was: in all, and in each round, counted from 1.

    Attributes:
        delta: nearer to 1 than this is no difference.
    """

    model: Model
    interval: Interval
    factors: dict[int, float]
    delta: float

    @property
    def near(self) -> bool:
        """Whether the zone of no difference is near enough to be drawn."""
        return abs(math.log(self.interval.estimate)) < 2 * math.log1p(self.delta)


def ratios(run: Run, device: Device) -> Chart | None:
    """The speed-up of every round, in the order in which they ran: a drift would show as a slope."""
    delta = max(run.settings.delta, device.noise_floor or 0.0)
    found = []
    for model in run.models:
        at = compare.ratio(run, device, model) if run.paired else None
        if at is not None:
            factors = _by_round(device.case(model.name), device.case(model.baseline))
            found.append(_Rounds(model, at(0.95).inverse(), factors, delta))
    if not found:
        return None
    last = max(index for each in found for index in each.factors)
    legend = keys(words.short(each.model.name, 30) for each in found)
    drawn = [_strip(each, key, last, key is legend[-1]) for each, key in zip(found, legend, strict=True)]
    bases = {each.model.baseline for each in found}
    against = words.short(bases.pop(), 30) if len(bases) == 1 else "its baseline"
    zone = f" The grey zone, ±{delta:.0%}, is no difference in practice." if any(each.near for each in found) else ""
    floor = (
        f"A differs from A by {device.noise_floor:.1%} here."
        if device.noise_floor is not None
        else "The noise floor of this device is unknown: ./inv bench.aa measures it."
    )
    return Chart(
        title="Round by round",
        description=f"How many times as fast as {against}: a dot is one round, both models back to back; the band is "
        f"the 95 % interval. A slope is drift.{zone} {floor}",
        svg=draw(strips(drawn), f"Speed-up of every round on {words.place(device)}"),
        header=("model", "round", f"times as fast as {against}"),
        rows=tuple(
            (words.short(each.model.name, 30), str(index), f"{factor:.4f}")
            for each in found
            for index, factor in each.factors.items()
        ),
        legend=legend,
    )


def _by_round(ours: Case | None, baseline: Case | None) -> dict[int, float]:
    mine, theirs = compare.medians(ours), compare.medians(baseline)
    return {index + 1: theirs[index] / mine[index] for index in sorted(mine.keys() & theirs.keys())}


def _strip(rounds: _Rounds, key: Key, last: int, is_last: bool) -> Spec:
    """The rounds of a model; each strip has a scale of its own, or 5x would hide how 2x drifts."""
    interval = rounds.interval
    points = [
        {"round": index, "factor": factor, "tip": f"{key.name}, round {index}: {factor:.3f}x"}
        for index, factor in rounds.factors.items()
    ]
    x = number(
        "round",
        "round, in the order they ran" if is_last else None,
        {"domain": [0.5, last + 0.5], **EXACT},
        tickMinStep=1,
        format="d",
        labels=is_last,
        ticks=is_last,
        grid=False,
    )
    y = number("factor", None, tickCount=4)
    dots = {"filled": True, "size": 52, "opacity": 1, "color": key.colour, "shape": key.shape}
    layers = [
        _band(1 / (1 + rounds.delta), 1 + rounds.delta, MUTED, 0.14) if rounds.near else None,
        _band(interval.low or interval.estimate, interval.high or interval.estimate, key.colour, 0.16),
        marks([{"factor": interval.estimate}], "rule", {"color": key.colour, "opacity": 0.6}, y=y),
        marks(points, "line", {"color": LINE}, x=x, y=y),
        marks(points, "point", dots, x=x, y=y),
    ]
    return plot([layer for layer in layers if layer], 96)


def _band(low: float, high: float, colour: str, opacity: float) -> Spec:
    """From one factor to another, over all rounds."""
    look = {"color": colour, "opacity": opacity}
    return marks([{"low": low, "high": high}], "rect", look, y=number("low"), y2={"field": "high"})


def _percent(value: float, centre: float) -> float:
    return round(100 * (float(value) / centre - 1), 3)
