# SPDX-License-Identifier: Apache-2.0
"""Charts as inline SVG, drawn on the host by Vega-Lite (Altair, vl-convert): the page needs neither script nor network.

Colours are CSS variables of the page, so a chart follows the theme. Every chart carries the table of what it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup, escape

WIDTH = 440
INK, MUTED, LINE = "var(--ink)", "var(--muted)", "var(--line)"
SERIES = tuple(f"var(--series-{number})" for number in range(1, 7))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


@dataclass(frozen=True)
class Chart:
    """A drawing, what it shows in one sentence, and its numbers as a table."""

    title: str
    description: str
    svg: Markup
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def data(rows: Iterable[dict[str, Any]]) -> alt.Chart:
    """A chart of rows that stand in the chart itself."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def colour(names: Sequence[str], palette: Sequence[str] = SERIES, field: str = "model") -> alt.Color:
    legend = alt.Legend(title=None, orient="top", columns=3)
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=names, range=cycle(palette, len(names))), legend=legend)


def shape(names: Sequence[str], field: str = "model") -> alt.Shape:
    """Never colour alone: the same legend tells both."""
    legend = alt.Legend(title=None, orient="top", columns=3)
    return alt.Shape(f"{field}:N", scale=alt.Scale(domain=names, range=cycle(SHAPES, len(names))), legend=legend)


def cycle(values: Sequence[str], count: int) -> list[str]:
    return [values[index % len(values)] for index in range(count)]


def draw(chart: Any, label: str, height: int | None = None) -> Markup:
    """The SVG of a chart in the page's colours, with a title for those who cannot see it.

    Args:
        height: of the plot; None for charts of several plots, which know their own.
    """
    sized = chart if height is None else chart.properties(width=WIDTH, height=height)
    styled = (
        sized.properties(background="transparent")
        .configure(font="system-ui, sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED,
            titleColor=MUTED,
            domainColor=LINE,
            tickColor=LINE,
            gridColor=LINE,
            titleFontWeight="normal",
            labelFontSize=12,
            titleFontSize=12,
            labelLimit=220,
        )
        .configure_legend(labelColor=INK, labelFontSize=12, symbolSize=70, symbolOpacity=1, columnPadding=18)
    )
    svg: str = vl_convert.vegalite_to_svg(styled.to_dict())
    opening, rest = svg.split(">", 1)
    opening = opening.replace("<svg ", '<svg role="img" focusable="false" ', 1)
    return Markup(opening) + Markup("><title>") + escape(label) + Markup("</title>") + Markup(rest)
