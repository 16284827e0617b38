# SPDX-License-Identifier: Apache-2.0
"""How the time of each model went from run to run on a device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.bench import compare, stats
from harness.bench.record import Run
from harness.bench.stats import Interval
from harness.report import words
from harness.report.charts import EXACT, MUTED, SERIES, Chart, Spec, draw, marks, number, plot, strips


@dataclass(frozen=True)
class Point:
    """The median time (ns) of a model on a device in a run."""

    run: str
    revision: str
    device: str
    model: str
    time: Interval

    @property
    def commit(self) -> str:
        return self.revision[:7] or "–"

    @property
    def interval(self) -> str:
        return words.duration_range(self.time.low, self.time.high)


def points(runs: Sequence[Run]) -> Iterator[Point]:
    """Everything that these runs timed and that was right, in their order."""
    for run in runs:
        for device in run.devices:
            for case in device.cases if not device.emulated else ():
                times = list(compare.medians(case).values())
                if times and case.correct:
                    yield Point(run.id, run.revision, device.name, case.model, stats.median(times))


def chart(found: Sequence[Point], device: str, newest: str = "") -> Chart | None:
    """Median and interval, on a device, of every model that two runs or more measured; the newest run is the last.

    Args:
        newest: a run: only models that it measured are shown; "" for all.
    """
    here = [point for point in found if point.device == device]
    seen = Counter(point.model for point in here)
    own = {point.model for point in here if point.run == newest} if newest else set(seen)
    lasting = sorted(model for model in own if seen[model] > 1)
    shown = [point for point in here if point.model in lasting]
    if not shown:
        return None
    drawn = [_strip([point for point in shown if point.model == model]) for model in lasting]
    return Chart(
        title=f"History on {words.place(device)}",
        description="A dot is the median of a run with its 95 % interval and the commit that it ran, the newest on the "
        "right. Runs are not paired: a small step is noise.",
        svg=draw(strips(drawn), f"History of the times on {words.place(device)}"),
        header=("run", "commit", "model", "median", "interval"),
        rows=tuple(
            (p.run, p.revision[:10], words.short(p.model, 30), words.duration(p.time.estimate), p.interval)
            for p in shown
        ),
    )


def _strip(points: Sequence[Point]) -> Spec:
    """The points of a model; each strip has a scale of its own, for a small net stands beside a large one."""
    size, unit = words.time_scale(max(point.time.high or point.time.estimate for point in points))
    rows: list[Spec] = [
        {
            "at": at,
            "time": p.time.estimate / size,
            "low": (p.time.low or p.time.estimate) / size,
            "high": (p.time.high or p.time.estimate) / size,
            "commit": p.commit,
            "tip": f"run {p.run}, commit {p.commit}: {words.duration(p.time.estimate)} {p.interval}",
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
