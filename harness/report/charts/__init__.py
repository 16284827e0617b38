# SPDX-License-Identifier: Apache-2.0
"""Charts as inline SVG, drawn on the host by Vega-Lite: the page needs neither script nor network.

A chart is written as the Vega-Lite specification that it is (https://vega.github.io/vega-lite/docs/). Colours are CSS
variables of the page, so a chart follows the theme. Legends are HTML and names stand where there is room for any: the
browser's letters are wider or narrower than those that the drawing was laid out for. Every chart carries its table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert
from markupsafe import Markup, escape

WIDTH = 460
MUTED, LINE = "var(--muted)", "var(--line)"
SERIES = tuple(f"var(--series-{number})" for number in range(1, 7))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")

Spec = dict[str, Any]

NICE: Spec = {"zero": False, "nice": True}
EXACT: Spec = {"zero": False, "nice": False}

_LOOK: Spec = {
    "background": "transparent",
    "padding": 4,
    "config": {
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "axis": {
            "aria": False,
            "labelColor": MUTED,
            "titleColor": MUTED,
            "domainColor": LINE,
            "tickColor": LINE,
            "gridColor": LINE,
            "gridOpacity": 0.7,
            "titleFontWeight": "normal",
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titlePadding": 8,
        },
        "axisY": {"minExtent": 38},
        "mark": {"aria": False},
        "title": {"aria": False},
        "legend": {"disable": True},
    },
}


@dataclass(frozen=True)
class Key:
    """An entry of a legend: never colour alone, so a shape as well."""

    name: str
    colour: str
    shape: str


@dataclass(frozen=True)
class Chart:
    """A drawing, what it shows in one sentence, and its numbers as a table."""

    title: str
    description: str
    svg: Markup
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[Key, ...] = ()


def keys(names: Iterable[str], colours: Sequence[str] = SERIES) -> tuple[Key, ...]:
    """A colour and a shape for each name, in order."""
    return tuple(Key(name, colours[at % len(colours)], SHAPES[at % len(SHAPES)]) for at, name in enumerate(names))


def marks(rows: Iterable[Spec], kind: str, look: Spec | None = None, **channels: Any) -> Spec:
    """A layer of a drawing: marks of a kind, one a row; the `tip` of a point is what the pointer is told of it."""
    values = list(rows)
    told = {"description": {"field": "tip", "type": "nominal"}} if kind == "point" else {}
    mark = {"type": kind, **(look or {}), **({"aria": True} if told else {})}
    return {"data": {"values": values}, "mark": mark, "encoding": {**channels, **told}}


def number(field: str, title: str | None = None, scale: Spec | None = None, **axis: Any) -> Spec:
    """A quantity along an axis, which need not begin at zero."""
    return {"field": field, "type": "quantitative", "title": title, "scale": scale or NICE, "axis": axis}


def literal(field: str) -> Spec:
    """A colour or a shape that stands in the row itself."""
    return {"field": field, "type": "nominal", "scale": None}


def strips(drawings: Sequence[Spec]) -> Spec:
    """Drawings above one another, each with scales of its own."""
    return {"vconcat": list(drawings), "spacing": 14}


def plot(layers: Sequence[Spec], height: int, **more: Any) -> Spec:
    return {"width": WIDTH, "height": height, "layer": list(layers), **more}


def draw(spec: Spec, label: str) -> Markup:
    """The SVG of a specification, with a title for those who cannot see it."""
    svg: str = vl_convert.vegalite_to_svg({**_LOOK, **spec}, allowed_base_urls=[])
    opening, rest = svg.split(">", 1)
    opening = opening.replace("<svg ", '<svg role="img" focusable="false" ', 1)
    return Markup(opening) + Markup("><title>") + escape(label) + Markup("</title>") + Markup(rest)
