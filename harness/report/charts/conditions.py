# SPDX-License-Identifier: Apache-2.0
"""What a board was like while it was measured: heat, clock, load and the canary, over time."""

from __future__ import annotations

from collections.abc import Callable

import altair as alt

from harness.bench.record import Device, Process
from harness.report import words
from harness.report.charts import LINE, MUTED, SERIES, WIDTH, Chart, data, draw

# What is drawn where it was measured: title, value of a process, format of the table.
QUANTITIES: tuple[tuple[str, Callable[[Process], float | None], str], ...] = (
    ("temperature, °C", lambda p: p.before.temperature, ".1f"),
    ("clock, GHz", lambda p: p.before.frequency / 1e6 if p.before.frequency else None, ".2f"),
    ("load", lambda p: p.before.load, ".2f"),
    ("canary, ms", lambda p: max(p.canary) / 1e6 if p.canary else None, ".3f"),
)


def chart(device: Device) -> Chart | None:
    """One strip a quantity that the board told, a dot a process; discarded processes are hollow."""
    counted = [(p, True) for case in device.cases for p in case.processes]
    everything = counted + [(p, False) for case in device.cases for p in case.discarded]
    everything.sort(key=lambda pair: pair[0].seconds)
    known = [(t, of, form) for t, of, form in QUANTITIES if sum(of(p) is not None for p, _ in everything) > 1]
    if not known or device.emulated:
        return None
    strips = []
    for title, of, _ in known:
        rows = [{"s": p.seconds, "v": of(p), "counted": kept} for p, kept in everything if of(p) is not None]
        x = alt.X("s:Q", title="seconds" if title == known[-1][0] else None, scale=alt.Scale(nice=False))
        y = alt.Y("v:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=3))
        line = data(rows).mark_line(color=LINE).encode(x=x, y=y)
        fill = alt.condition("datum.counted", alt.value(SERIES[0]), alt.value("transparent"))
        dots = data(rows).mark_point(size=28, stroke=MUTED, strokeWidth=0.8, opacity=1).encode(x=x, y=y, fill=fill)
        strips.append((line + dots).properties(width=WIDTH, height=70))
    return Chart(
        title="Conditions over time",
        description="A dot is a process; a hollow one belongs to a round that was discarded.",
        svg=draw(alt.vconcat(*strips, spacing=12), f"Conditions of {words.place(device)}"),
        header=("seconds", *(title for title, *_ in known), "counted"),
        rows=tuple(
            (f"{p.seconds:.1f}", *(_cell(of(p), form) for _, of, form in known), "yes" if kept else "no")
            for p, kept in everything
        ),
    )


def _cell(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
