# SPDX-License-Identifier: Apache-2.0
"""How near each layer comes to what the board can do at all, by its own measured peaks."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.bench.record import BIT_KINDS, Device, Layer, LayerTime, Run
from harness.bench.roofs import Roof, roof
from harness.report import words
from harness.report.charts import MUTED, Chart, Spec, draw, keys, literal, marks, number, plot

LOGARITHMIC = {"type": "log", "nice": False}


def intensity(layer: Layer) -> float:
    """MACs a byte that the layer reads or writes at least once: weights, input, output."""
    width = layer.bits / 8 if layer.kind in BIT_KINDS else 4
    return layer.macs / (layer.param_bytes + math.prod(layer.input_shape) * width + math.prod(layer.output_shape) * 4)


def share(device: Device, layer: Layer, time: LayerTime) -> float | None:
    """A layer's rate as a share of its arithmetic peak; None where nothing was measured, or the board is emulated."""
    limit = roof(device.peaks).over(layer)
    return layer.macs / time.ns / limit if limit and time.ns and layer.macs and not device.emulated else None


def chart(run: Run, device: Device) -> Chart | None:
    """Every layer of every model under the roofs of one device."""
    found = list(_points(run, device))
    if not found or device.emulated:
        return None
    limits = roof(device.peaks)
    at = [layer_intensity for _, layer_intensity, *_ in found]
    reach = (min(at) / 2, max(at) * 2)
    lines = list(_roofs(limits, reach))
    present = [kind for kind in words.KINDS if any(kind == layer.kind for layer, *_ in found)]
    legend = keys((words.KINDS[kind] for kind in present), [f"var(--k-{kind})" for kind in present])
    look = dict(zip(present, legend, strict=True))
    points: list[Spec] = [
        {
            "x": x,
            "y": rate,
            "colour": look[layer.kind].colour,
            "shape": look[layer.kind].shape,
            "tip": f"{name}: {rate:.3g} GMAC/s, {_of(limits.over(layer), rate)} of the peak",
        }
        for layer, x, rate, name in found
    ]
    x = number("x", "MACs a byte", LOGARITHMIC, values=_decades(*reach), format="~s")
    y = number("y", "GMAC/s", LOGARITHMIC, values=_decades(1e-6, 1e6), format="~g")
    ends = [line | {"label": line["roof"]} for line in lines if line["x"] == reach[1]]
    label = {"align": "right", "dx": -2, "dy": -8, "color": MUTED, "fontSize": 11}
    layers = [
        marks(lines, "line", {"color": MUTED, "strokeWidth": 1.5}, x=x, y=y, detail=literal("roof")),
        marks(ends, "text", label, x=x, y=y, text=literal("label")),
        marks(
            points,
            "point",
            {"filled": True, "size": 60, "opacity": 0.9},
            x=x,
            y=y,
            color=literal("colour"),
            shape=literal("shape"),
        ),
    ]
    above = sum(rate > 1.05 * limits.over(layer) for layer, _, rate, _ in found if limits.over(layer))
    return Chart(
        title="Roofline",
        description="A dot is a layer; the lines are what this board can do at most, measured on it. Under the flat "
        "part arithmetic is the limit; under the slope it is memory, unless the data stay in a cache."
        + (
            f" {above} of {len(found)} lie above: the board was busier while its peaks were measured, or their kernel "
            "takes fewer operations than the loop that measures them."
            if above
            else ""
        ),
        svg=draw(plot(layers, 240), f"Roofline of {words.place(device)}"),
        header=("layer", "runs as", "MACs a byte", "GMAC/s", "of the peak"),
        rows=tuple(
            (name, words.kind(layer), f"{x:.1f}", f"{rate:.2f}", _of(limits.over(layer), rate))
            for layer, x, rate, name in found
        ),
        legend=legend,
    )


def _roofs(limits: Roof, reach: tuple[float, float]) -> Iterator[Spec]:
    """The corners of each roof: the slope of memory, and from its edge on the flat part of arithmetic."""
    for name, peak in (("popcount", limits.bits), ("multiply-add", limits.floats)):
        if peak:
            edge = min(max(peak / limits.bandwidth, reach[0]), reach[1]) if limits.bandwidth else reach[0]
            for x in (reach[0], edge, reach[1]):
                yield {"roof": name, "x": x, "y": min(peak, limits.bandwidth * x or peak)}


def _of(limit: float, rate: float) -> str:
    return f"{rate / limit:.0%}" if limit else "–"


def _decades(low: float, high: float) -> list[float]:
    return [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


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
