# SPDX-License-Identifier: Apache-2.0
"""How the times of a device scatter, and how each round compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from harness.bench import compare, stats
from harness.bench.record import Case, Device, Model, Run
from harness.bench.stats import Interval
from harness.report import words
from harness.report.charts import EXACT, LINE, MUTED, SERIES, Chart, Key, Spec, draw, keys, marks, number, plot, strips

Array = NDArray[np.float64]

BINS = 72
STRIP = 46


@dataclass(frozen=True)
class _Spread:
    """How the samples of a model spread, in nanoseconds; in a drawing, in percent around its median.

    Attributes:
        heads: the median of each process; `interval` is that of their median.
        tails: the 5th, 95th and 99th percentile of all samples.
        low, high: what a drawing shows: one sample in a thousand meets an interrupt and takes ten times as long, which
            would squeeze all the rest into a line.
    """

    name: str
    heads: list[float]
    interval: Interval
    samples: Array
    tails: Array
    low: float
    high: float

    @property
    def shown(self) -> Array:
        return self.samples[(self.samples >= self.low) & (self.samples <= self.high)]

    def percent(self, ns: float) -> float:
        return round(100 * (float(ns) / self.interval.estimate - 1), 3)


def _spread(model: Model, case: Case) -> _Spread:
    heads = [median(process.samples) for process in case.processes]
    interval = stats.median(heads)
    samples = np.concatenate([process.samples for process in case.processes])
    first, last = np.percentile(heads, [5, 95])
    reach = max(last - first, 0.01 * interval.estimate)
    tails = np.percentile(samples, [5, 95, 99])
    return _Spread(words.short(model.name, 44), heads, interval, samples, tails, first - reach, last + 1.5 * reach)


def scatter(run: Run, device: Device) -> Chart | None:
    """How the samples of each model spread, and every process's median, in percent around the median of its model."""
    cases = ((model, device.case(model.name)) for model in run.models)
    found = [_spread(model, case) for model, case in cases if case and case.processes]
    if not found:
        return None
    hills = [part for row, spread in enumerate(found) for part in _hill(spread, row)]
    dots = [dot for row, spread in enumerate(found) for dot in _dots(spread, row)]
    bars = [bar for row, spread in enumerate(found) for bar in _bar(spread, row)]
    names = [{"name": spread.name, "y": -row - 0.24} for row, spread in enumerate(found)]
    x = number("x", "from the model's median, %", tickCount=6)
    rise = {"type": "quantitative", "axis": None, "scale": {"domain": [-len(found), 0], **EXACT}}
    y = rise | {"field": "y"}
    hill = {"color": MUTED, "opacity": 0.3, "interpolate": "monotone"}
    bar = {"color": SERIES[0], "strokeWidth": 9, "opacity": 0.25, "strokeCap": "round"}
    dot = {"filled": True, "color": SERIES[0], "size": 42, "opacity": 0.9}
    label = {"align": "left", "baseline": "middle", "color": MUTED, "fontSize": 12}
    base, each = {"field": "base"}, {"field": "row", "type": "nominal"}
    layers = [
        marks(hills, "area", hill, x=x, y=rise | {"field": "top"}, y2=base, detail=each),
        marks(bars, "rule", bar, x=number("low"), x2={"field": "high"}, y=y),
        marks(dots, "point", dot, x=x, y=y),
        marks(names, "text", label, x={"value": 4}, y=y, text={"field": "name", "type": "nominal"}),
    ]
    return Chart(
        title="Every sample",
        description="The hill is how the samples spread, a dot the median of a process, the bar behind the dots their "
        "95 % interval. A dot at the edge lies beyond it.",
        svg=draw(plot(layers, STRIP * len(found)), f"Samples of every model on {words.place(device)}"),
        header=("model", "median", "MAD of the medians", "5 %", "95 %", "99 %", "processes", "samples left out"),
        rows=tuple(map(_told, found)),
    )


def _hill(spread: _Spread, row: int) -> list[Spec]:
    counts, edges = np.histogram(spread.shown, BINS)
    tops = 0.12 + 0.5 * np.convolve(counts, [0.25, 0.5, 0.25], "same") / max(1, counts.max())
    return [
        {"x": spread.percent(at), "top": -row - 1 + float(top), "base": -row - 0.88, "row": row}
        for at, top in zip((edges[1:] + edges[:-1]) / 2, tops, strict=True)
    ]


def _dots(spread: _Spread, row: int) -> list[Spec]:
    return [
        {
            "x": spread.percent(min(max(ns, spread.low), spread.high)),
            "y": -row - 0.88,
            "tip": f"{spread.name}, process {at}: {words.duration(ns)}",
        }
        for at, ns in enumerate(spread.heads, 1)
    ]


def _bar(spread: _Spread, row: int) -> list[Spec]:
    low, high = spread.interval.low, spread.interval.high
    return [{"low": spread.percent(low), "high": spread.percent(high), "y": -row - 0.88}] if low and high else []


def _told(spread: _Spread) -> tuple[str, ...]:
    times = (spread.interval.estimate, stats.mad(spread.heads), *spread.tails)
    left_out = f"{len(spread.samples) - len(spread.shown)} of {len(spread.samples)}"
    return (spread.name, *map(words.duration, times), str(len(spread.heads)), left_out)


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
