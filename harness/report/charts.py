# SPDX-License-Identifier: Apache-2.0
"""Charts as inline SVG, drawn on the host by Vega-Lite (Altair, vl-convert): the page needs neither script nor network.

Colours are CSS variables of the page, so a chart follows the theme. Every chart carries the table of what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import altair as alt
import numpy as np
import vl_convert
from markupsafe import Markup, escape

from harness.bench import compare, stats
from harness.bench.record import Device, Run
from harness.report import words

WIDTH = 440
_INK, _MUTED, _LINE = "var(--ink)", "var(--muted)", "var(--line)"
_SERIES = (
    "var(--series-1)",
    "var(--series-2)",
    "var(--series-3)",
    "var(--series-4)",
    "var(--series-5)",
    "var(--series-6)",
)
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_SAMPLES_SHOWN = 240


@dataclass(frozen=True)
class Chart:
    """A drawing, what it shows in one sentence, and its numbers as a table."""

    title: str
    description: str
    svg: Markup
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


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
        thinned = inside[:: max(1, len(inside) // _SAMPLES_SHOWN)]
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
    cloud = alt.Chart(alt.InlineData(values=points)).mark_tick(color=_MUTED, opacity=0.35, thickness=1, size=22)
    dots = alt.Chart(alt.InlineData(values=medians)).mark_point(filled=True, color=_SERIES[0], size=55, opacity=0.9)
    return Chart(
        title="Every sample",
        description="A line is a sample, a dot the median of a process; the dots are what the interval is made of.",
        svg=_draw(
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
    colour = alt.Color(
        "model:N",
        scale=alt.Scale(domain=names, range=_cycle(_SERIES, len(names))),
        legend=alt.Legend(title=None, orient="top"),
    )
    shape = alt.Shape(
        "model:N",
        scale=alt.Scale(domain=names, range=_cycle(_SHAPES, len(names))),
        legend=alt.Legend(title=None, orient="top"),
    )
    scale = alt.Scale(zero=False, nice=True)
    band = (
        alt.Chart(alt.InlineData(values=bands))
        .mark_rect(opacity=0.16)
        .encode(
            y=alt.Y("low:Q", scale=scale, title=f"times as fast as {against}"),
            y2="high:Q",
            color=colour,
        )
    )
    dots = (
        alt.Chart(alt.InlineData(values=points))
        .mark_point(filled=True, size=60, opacity=1)
        .encode(
            x=alt.X(
                "round:Q", title="round, in the order they ran", axis=alt.Axis(tickMinStep=1, format="d"), scale=scale
            ),
            y=alt.Y("factor:Q", scale=scale),
            color=colour,
            shape=shape,
        )
    )
    return Chart(
        title="Round by round",
        description="A dot is one round, both models back to back; the band is the 95 % interval. A slope is drift.",
        svg=_draw(band + dots, height=220, label=f"Speed-up of every round on {words.place(device)}"),
        header=("model", "round", f"times as fast as {against}"),
        rows=tuple(rows),
    )


def _percent(value: float, centre: float) -> float:
    return round(100 * (value / centre - 1), 4)


def _cycle(values: Sequence[str], count: int) -> list[str]:
    return [values[index % len(values)] for index in range(count)]


def _draw(chart: Any, height: int, label: str) -> Markup:
    """The SVG of a chart in the page's colours, scaling with the page, with a title for those who cannot see it."""
    font = "system-ui, sans-serif"
    styled = (
        chart.properties(width=WIDTH, height=height, background="transparent")
        .configure(font=font)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=_MUTED,
            titleColor=_MUTED,
            domainColor=_LINE,
            tickColor=_LINE,
            gridColor=_LINE,
            titleFontWeight="normal",
            labelFontSize=12,
            titleFontSize=12,
            labelLimit=220,
        )
        .configure_legend(labelColor=_INK, labelFontSize=12, symbolSize=70, symbolOpacity=1)
    )
    svg: str = vl_convert.vegalite_to_svg(styled.to_dict())
    opening, rest = svg.split(">", 1)
    opening = opening.replace("<svg ", '<svg role="img" focusable="false" ', 1)
    return Markup(opening) + Markup("><title>") + escape(label) + Markup("</title>") + Markup(rest)
