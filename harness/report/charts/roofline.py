# SPDX-License-Identifier: Apache-2.0
"""How near each layer comes to what the board can do at all, by its own measured peaks.

A layer cannot run faster than its arithmetic (popcounts for bits, multiply-adds for float) nor than its data arrive:
Williams, Waterman & Patterson, Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import altair as alt

from harness.bench.record import BIT_KINDS, Device, Layer, LayerTime, Run
from harness.report import words
from harness.report.charts import MUTED, Chart, colour, data, draw, shape

KINDS = tuple(words.KINDS)


@dataclass(frozen=True)
class Roof:
    """The peaks of a device in MACs and bytes a nanosecond; 0 where one was not measured."""

    bits: float
    floats: float
    bandwidth: float

    def over(self, layer: Layer) -> float:
        """The arithmetic that the layer's kind is limited by, in MACs a nanosecond.

        The slope of memory is drawn and not counted: weights that stay in a cache arrive faster than it says.
        """
        return self.bits if layer.kind in BIT_KINDS else self.floats


def roof(device: Device) -> Roof:
    best: dict[str, float] = {}
    for peak in device.peaks:
        best[peak.name] = max(best.get(peak.name, 0.0), peak.value)
    # A multiply-add counts as two floating-point operations, and as one MAC.
    return Roof(best.get("popcount", 0.0), best.get("fma", 0.0) / 2, best.get("bandwidth", 0.0))


def intensity(layer: Layer) -> float:
    """MACs a byte that the layer reads or writes at least once: weights, input, output."""
    width = layer.bits / 8 if layer.kind in BIT_KINDS else 4
    return layer.macs / (layer.param_bytes + math.prod(layer.input_shape) * width + math.prod(layer.output_shape) * 4)


def share(device: Device, layer: Layer, time: LayerTime) -> float | None:
    """A layer's rate as a share of its arithmetic peak; None where nothing was measured, or the board is emulated."""
    limit = roof(device).over(layer)
    return layer.macs / time.ns / limit if limit and time.ns and layer.macs and not device.emulated else None


def chart(run: Run, device: Device) -> Chart | None:
    """Every layer of every model under the roofs of one device."""
    found = list(_points(run, device))
    if not found or device.emulated:
        return None
    limits = roof(device)
    at = [layer_intensity for _, layer_intensity, *_ in found]
    reach = (min(at) / 2, max(at) * 2)
    lines = []
    for name, peak in (("popcount", limits.bits), ("multiply-add", limits.floats)):
        if peak:
            edge = min(max(peak / limits.bandwidth, reach[0]), reach[1]) if limits.bandwidth else reach[0]
            corners = (reach[0], edge, reach[1])
            lines += [{"roof": name, "x": x, "y": min(peak, limits.bandwidth * x or peak)} for x in corners]
    present = [words.KINDS[kind] for kind in KINDS if any(kind == layer.kind for layer, *_ in found)]
    colours = [f"var(--k-{kind})" for kind in KINDS if words.KINDS[kind] in present]
    points = [
        {"kind": words.KINDS.get(layer.kind, layer.kind), "x": x, "y": rate, "layer": name}
        for layer, x, rate, name in found
    ]
    logs = alt.Scale(type="log", nice=False)
    x = alt.X("x:Q", title="MACs a byte", scale=logs, axis=alt.Axis(tickCount=5, format="~s"))
    y = alt.Y("y:Q", title="GMAC/s", scale=logs, axis=alt.Axis(tickCount=5, format="~g"))
    roofs = data(lines).mark_line(color=MUTED, strokeWidth=1.5).encode(x=x, y=y, detail="roof:N")
    ends = [line | {"label": line["roof"]} for line in lines if line["x"] == reach[1]]
    labels = data(ends).mark_text(align="right", dy=-7, color=MUTED, fontSize=11).encode(x=x, y=y, text="label:N")
    dots = data(points).mark_point(filled=True, size=60, opacity=0.9)
    dots = dots.encode(x=x, y=y, color=colour(present, colours, "kind"), shape=shape(present, "kind"))
    return Chart(
        title="Roofline",
        description="A dot is a layer; the lines are what this board can do at most, measured on it. "
        "Under the flat part arithmetic is the limit; under the slope it is memory, unless the data stay in a cache.",
        svg=draw(roofs + labels + dots, f"Roofline of {words.place(device)}", 240),
        header=("layer", "runs as", "MACs a byte", "GMAC/s", "of the peak"),
        rows=tuple(
            (name, words.kind(layer), f"{x:.1f}", f"{rate:.2f}", f"{rate / limits.over(layer):.0%}")
            for layer, x, rate, name in found
        ),
    )


def _points(run: Run, device: Device) -> Iterator[tuple[Layer, float, float, str]]:
    """(layer, MACs a byte, MACs a nanosecond, name) of every layer that was profiled."""
    if not device.peaks:
        return
    for model in run.models:
        case = device.case(model.name)
        times = {time.name: time.ns for time in case.profile.layers} if case and case.profile else {}
        for layer in model.layers:
            if times.get(layer.name) and layer.macs:
                name = f"{words.short(model.name, 24)}: {words.short(layer.name, 32)}"
                yield layer, intensity(layer), layer.macs / times[layer.name], name
