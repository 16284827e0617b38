# SPDX-License-Identifier: Apache-2.0
"""How the time of each model went from run to run on a device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import altair as alt

from harness.bench import compare, stats
from harness.bench.record import Run
from harness.bench.stats import Interval
from harness.report import words
from harness.report.charts import Chart, colour, data, draw, shape


@dataclass(frozen=True)
class Point:
    index: int
    run: Run
    model: str
    time: Interval


def chart(runs: Sequence[Run], device: str) -> Chart | None:
    """Median and interval of every model that two runs or more measured on a device; the newest run is the last."""
    found = [point for index, run in enumerate(runs) for point in _points(index, run, device)]
    newest = len(runs) - 1
    lasting = {p.model for p in found if p.index == newest} & {p.model for p in found if p.index < newest}
    points = [point for point in found if point.model in lasting]
    if not points:
        return None
    names = [words.short(name, 30) for name in sorted(lasting)]
    rows = [
        {
            "index": point.index,
            "model": words.short(point.model, 30),
            "us": point.time.estimate / 1e3,
            "low": (point.time.low or point.time.estimate) / 1e3,
            "high": (point.time.high or point.time.estimate) / 1e3,
        }
        for point in points
    ]
    x = alt.X("index:Q", title="run, the newest on the right", axis=alt.Axis(tickMinStep=1, labels=False))
    y = alt.Y("us:Q", title="µs", scale=alt.Scale(zero=True, nice=True))
    line = data(rows).mark_line(opacity=0.5).encode(x=x, y=y, color=colour(names))
    bars = data(rows).mark_rule().encode(x=x, y="low:Q", y2="high:Q", color=colour(names))
    dots = data(rows).mark_point(filled=True, size=55, opacity=1)
    dots = dots.encode(x=x, y=y, color=colour(names), shape=shape(names))
    return Chart(
        title=f"History on {words.short(device)}",
        description="A dot is the median of a run with its 95 % interval. Runs are not paired: a small step is noise.",
        svg=draw(line + bars + dots, f"History of the times on {words.short(device)}", 220),
        header=("run", "revision", "model", "median", "interval"),
        rows=tuple(
            (
                point.run.id,
                point.run.revision[:10],
                words.short(point.model, 30),
                words.duration(point.time.estimate),
                words.duration_range(point.time.low, point.time.high),
            )
            for point in points
        ),
    )


def _points(index: int, run: Run, name: str) -> Iterator[Point]:
    for device in run.devices:
        for case in device.cases if device.name == name and not device.emulated else ():
            times = list(compare.medians(case).values())
            if times and case.correct:
                yield Point(index, run, case.model, stats.median(times))
