# SPDX-License-Identifier: Apache-2.0
"""How the times of a device scatter, and how each round compared."""

from __future__ import annotations

from statistics import median

import altair as alt
import numpy as np

from harness.bench import compare, stats
from harness.bench.record import Device, Run
from harness.report import words
from harness.report.charts import MUTED, SERIES, Chart, colour, data, draw, shape

SAMPLES_SHOWN = 240


def scatter(run: Run, device: Device) -> Chart | None:
    """Every sample and every process's median, in percent around the median of its model.

    One sample in a thousand meets an interrupt and takes ten times as long; the drawing leaves out what would squeeze
    all the rest into a line, and the table counts it.
    """
    points, medians, rows = [], [], []
    for model in run.models:
        case = device.case(model.name)
        if not case or not case.processes:
            continue
        heads = [median(process.samples) for process in case.processes]
        centre = median(heads)
        samples = np.concatenate([process.samples for process in case.processes])
        marks = np.percentile(samples, [5, 95, 99])
        reach = 3 * max(max(heads) - min(heads), 0.005 * centre)
        inside = samples[(samples >= min(heads) - reach) & (samples <= max(heads) + reach)]
        thinned = inside[:: max(1, len(inside) // SAMPLES_SHOWN)]
        points += [{"model": words.short(model.name, 30), "percent": _percent(ns, centre)} for ns in thinned]
        medians += [{"model": words.short(model.name, 30), "percent": _percent(ns, centre)} for ns in heads]
        beyond = f"{len(samples) - len(inside)} of {len(samples)}"
        told = (centre, stats.mad(heads), *marks)
        rows.append((words.short(model.name, 30), *(words.duration(ns) for ns in told), str(len(heads)), beyond))
    if not rows:
        return None
    x = alt.X(
        "percent:Q",
        title="from the model's median, %",
        axis=alt.Axis(tickCount=6),
        scale=alt.Scale(nice=True, zero=False),
    )
    y = alt.Y("model:N", title=None, sort=[row[0] for row in rows])
    cloud = data(points).mark_tick(color=MUTED, opacity=0.35, thickness=1, size=22)
    dots = data(medians).mark_point(filled=True, color=SERIES[0], size=55, opacity=0.9)
    return Chart(
        title="Every sample",
        description="A line is a sample, a dot the median of a process; the dots are what the interval is made of.",
        svg=draw(
            cloud.encode(x=x, y=y) + dots.encode(x=x, y=y),
            height=46 * len(rows) + 20,
            label=f"Samples of every model on {words.place(device)}",
        ),
        header=("model", "median", "MAD of the medians", "5 %", "95 %", "99 %", "processes", "samples left out"),
        rows=tuple(rows),
    )


def ratios(run: Run, device: Device) -> Chart | None:
    """The speed-up of every round, in the order in which they ran: a drift would show as a slope."""
    points, bands, names, rows = [], [], [], []
    for model in run.models:
        at = compare.ratio(run, device, model)
        if at is None or not run.paired:
            continue
        interval = at(0.95)
        ours, baseline = (compare.medians(device.case(name)) for name in (model.name, model.baseline))
        names.append(words.short(model.name, 30))
        factor = interval.inverse()
        for index in sorted(ours.keys() & baseline.keys()):
            points.append(
                {"model": words.short(model.name, 30), "round": index + 1, "factor": baseline[index] / ours[index]}
            )
            rows.append((words.short(model.name, 30), str(index + 1), f"{baseline[index] / ours[index]:.4f}"))
        bands.append(
            {
                "model": words.short(model.name, 30),
                "low": factor.low or factor.estimate,
                "high": factor.high or factor.estimate,
            }
        )
    if not points:
        return None
    bases = {model.baseline for model in run.models if model.baseline}
    against = words.short(bases.pop(), 30) if len(bases) == 1 else "its baseline"
    scale = alt.Scale(zero=False, nice=True)
    band = (
        data(bands)
        .mark_rect(opacity=0.16)
        .encode(
            y=alt.Y("low:Q", scale=scale, title=f"times as fast as {against}"),
            y2="high:Q",
            color=colour(names),
        )
    )
    dots = (
        data(points)
        .mark_point(filled=True, size=60, opacity=1)
        .encode(
            x=alt.X(
                "round:Q", title="round, in the order they ran", axis=alt.Axis(tickMinStep=1, format="d"), scale=scale
            ),
            y=alt.Y("factor:Q", scale=scale),
            color=colour(names),
            shape=shape(names),
        )
    )
    return Chart(
        title="Round by round",
        description="A dot is one round, both models back to back; the band is the 95 % interval. A slope is drift.",
        svg=draw(band + dots, height=220, label=f"Speed-up of every round on {words.place(device)}"),
        header=("model", "round", f"times as fast as {against}"),
        rows=tuple(rows),
    )


def _percent(value: float, centre: float) -> float:
    return round(100 * (value / centre - 1), 4)
