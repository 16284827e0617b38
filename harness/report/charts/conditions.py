# SPDX-License-Identifier: Apache-2.0
"""What a board was like while it was measured: heat, clock, load and the canary, over time."""

from __future__ import annotations

from collections.abc import Callable

from harness.bench.record import Device, Process
from harness.report import words
from harness.report.charts import EXACT, LINE, MUTED, SERIES, Chart, Spec, draw, literal, marks, number, plot, strips

# What is drawn where it was measured: title, value of a process, format of the table.
QUANTITIES: tuple[tuple[str, Callable[[Process], float | None], str], ...] = (
    ("temperature, °C", lambda p: p.before.temperature, ".1f"),
    ("clock, GHz", lambda p: p.before.frequency / 1e6 if p.before.frequency else None, ".2f"),
    ("load", lambda p: p.before.load, ".2f"),
    ("pressure, %", lambda p: p.before.pressure, ".1f"),
    ("canary, ms", lambda p: max(p.canary) / 1e6 if p.canary else None, ".3f"),
)


def chart(device: Device) -> Chart | None:
    """One strip a quantity that the board told and that changed, a dot a process; discarded processes are hollow."""
    counted = [(p, True) for case in device.cases for p in case.processes]
    everything = counted + [(p, False) for case in device.cases for p in case.discarded]
    everything.sort(key=lambda pair: pair[0].seconds)
    known = [(t, of, form) for t, of, form in QUANTITIES if sum(of(p) is not None for p, _ in everything) > 1]
    if not known or device.emulated:
        return None
    moving = [(t, of, form) for t, of, form in known if len({of(p) for p, _ in everything}) > 1] or known
    constant = [f"{t} {_cell(of(everything[0][0]), form)}" for t, of, form in known if (t, of, form) not in moving]
    drawn = []
    for title, of, form in moving:
        rows: list[Spec] = [
            {
                "s": p.seconds,
                "v": of(p),
                "fill": SERIES[0] if kept else "transparent",
                "tip": f"{p.seconds:.1f} s: {title} {_cell(of(p), form)}{'' if kept else ', discarded'}",
            }
            for p, kept in everything
            if of(p) is not None
        ]
        last = title == moving[-1][0]
        x = number("s", "seconds" if last else None, EXACT, labels=last, ticks=last, grid=False)
        y = number("v", title, tickCount=3)
        line = marks(rows, "line", {"color": LINE}, x=x, y=y)
        look = {"size": 30, "stroke": MUTED, "strokeWidth": 0.8, "opacity": 1}
        drawn.append(plot([line, marks(rows, "point", look, x=x, y=y, fill=literal("fill"))], 66))
    return Chart(
        title="Conditions over time",
        description="A dot is a process; a hollow one belongs to a round that was discarded."
        + (f" Always the same: {'; '.join(constant)}." if constant else ""),
        svg=draw(strips(drawn), f"Conditions of {words.place(device)}"),
        header=("seconds", *(title for title, *_ in known), "counted"),
        rows=tuple(
            (f"{p.seconds:.1f}", *(_cell(of(p), form) for _, of, form in known), "yes" if kept else "no")
            for p, kept in everything
        ),
    )


def _cell(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
