# SPDX-License-Identifier: Apache-2.0
"""How the time of each model went from run to run on a device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.bench import compare, stats
from harness.bench.record import Run
from harness.bench.stats import Interval
from harness.report import words
from harness.report.charts import EXACT, MUTED, SERIES, Chart, Spec, draw, marks, number, plot, strips


@dataclass(frozen=True)
class Point:
    index: int
    run: Run
    model: str
    time: Interval

    @property
    def revision(self) -> str:
        return self.run.revision[:7] or "–"

    @property
    def interval(self) -> str:
        return words.duration_range(self.time.low, self.time.high)


def chart(runs: Sequence[Run], device: str, newest: bool = True) -> Chart | None:
    """Median and interval, on a device, of every model that two runs or more measured; the newest run is the last.

    Args:
        newest: only models that the newest run measured too.
    """
    found = [point for index, run in enumerate(runs) for point in _points(index, run, device)]
    many = {p.model for p in found if sum(other.model == p.model for other in found) > 1}
    lasting = many & {p.model for p in found if p.index == len(runs) - 1} if newest else many
    points = [point for point in found if point.model in lasting]
    if not points:
        return None
    drawn = [_strip([p for p in points if p.model == model], model == max(lasting)) for model in sorted(lasting)]
    return Chart(
        title=f"History on {words.place(device)}",
        description="A dot is the median of a run with its 95 % interval and the commit that it ran, the newest on the "
        "right. Runs are not paired: a small step is noise.",
        svg=draw(strips(drawn), f"History of the times on {words.place(device)}"),
        header=("run", "commit", "model", "median", "interval"),
        rows=tuple(
            (p.run.id, p.run.revision[:10], words.short(p.model, 30), words.duration(p.time.estimate), p.interval)
            for p in points
        ),
    )


def _strip(points: Sequence[Point], last: bool) -> Spec:
    """The points of a model; each strip has a scale of its own, for a small net stands beside a large one."""
    size, unit = words.time_scale(max(point.time.high or point.time.estimate for point in points))
    rows: list[Spec] = [
        {
            "at": at,
            "time": p.time.estimate / size,
            "low": (p.time.low or p.time.estimate) / size,
            "high": (p.time.high or p.time.estimate) / size,
            "commit": p.revision,
            "tip": f"run {p.run.id}, commit {p.revision}: {words.duration(p.time.estimate)} {p.interval}",
        }
        for at, p in enumerate(points)
    ]
    title = {"text": words.short(points[0].model, 40), "anchor": "start", "fontSize": 12, "color": MUTED, "offset": 6}
    x = number("at", None, {"domain": [-0.4, len(points) - 0.6], **EXACT}, labels=False, ticks=False, grid=False)
    y = number("time", unit, tickCount=3)
    layers = [
        marks(rows, "line", {"color": SERIES[0], "opacity": 0.35}, x=x, y=y),
        marks(rows, "rule", {"color": SERIES[0], "strokeWidth": 2}, x=x, y=number("low", unit), y2={"field": "high"}),
        marks(rows, "point", {"filled": True, "size": 55, "opacity": 1, "color": SERIES[0]}, x=x, y=y),
    ]
    if len(points) <= 8:
        below = {"align": "center", "dy": 12, "color": MUTED, "fontSize": 10}
        layers.append(marks(rows, "text", below, x=x, y={"value": 70}, text={"field": "commit", "type": "nominal"}))
    return plot(layers, 70, title=title)


def _points(index: int, run: Run, name: str) -> Iterator[Point]:
    for device in run.devices:
        for case in device.cases if device.name == name and not device.emulated else ():
            times = list(compare.medians(case).values())
            if times and case.correct:
                yield Point(index, run, case.model, stats.median(times))
