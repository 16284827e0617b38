# SPDX-License-Identifier: Apache-2.0
"""The layers of a model as the page shows them: what each runs as, why, how long, and what a change would save."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from harness.bench.record import BIT_KINDS, Device, Layer, LayerTime, Model, Profile, Run
from harness.report.charts import roofline


@dataclass(frozen=True)
class Timed:
    """A layer's time on a device; `roof` is the share of what the board could do, None where that is not known."""

    time: LayerTime
    roof: float | None


@dataclass(frozen=True)
class LayerRow:
    """A layer and its times, one a profiled device; None where that profile has no such layer.

    Attributes:
        saves_ns: about what it would save as bits, by the pace of the binary layers of this run; one a device.
    """

    layer: Layer
    times: tuple[Timed | None, ...]
    saves_ns: tuple[float | None, ...]

    @property
    def saves_bytes(self) -> int:
        """What its weights would save as bits."""
        if self.layer.kind in BIT_KINDS:
            return 0
        return max(0, self.layer.param_bytes - self.layer.param_bytes_float // 32)


@dataclass(frozen=True)
class Part:
    """A piece of a bar: a layer with weights by its kind, everything else as "rest"."""

    name: str
    kind: str
    ns: float
    share: float


@dataclass(frozen=True)
class Bar:
    device: Device
    total: float
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class ModelLayers:
    """The layers of a model; `rest` are the nodes without weights: (name, op, times as in LayerRow)."""

    model: Model
    devices: tuple[Device, ...]
    bars: tuple[Bar, ...]
    rows: tuple[LayerRow, ...]
    rest: tuple[tuple[str, str, tuple[LayerTime | None, ...]], ...]


def layers(run: Run) -> tuple[ModelLayers, ...]:
    paces = {device.name: _pace(run, device) for device in run.devices}
    return tuple(_model_layers(run, model, paces) for model in run.models)


def _model_layers(run: Run, model: Model, paces: Mapping[str, float | None]) -> ModelLayers:
    profiled = [(d, case.profile) for d in run.devices if (case := d.case(model.name)) and case.profile]
    measured = [{layer.name: layer for layer in profile.layers} for _, profile in profiled]
    devices = tuple(device for device, _ in profiled)
    known = {layer.name: layer for layer in model.layers}
    rest = {name: layer.op for times in measured for name, layer in times.items() if name not in known}
    return ModelLayers(
        model=model,
        devices=devices,
        bars=tuple(_bar(device, profile, known) for device, profile in profiled),
        rows=tuple(
            _row(layer, devices, [times.get(name) for times in measured], paces) for name, layer in known.items()
        ),
        rest=tuple((name, op, tuple(times.get(name) for times in measured)) for name, op in rest.items()),
    )


def _row(
    layer: Layer, devices: tuple[Device, ...], times: list[LayerTime | None], paces: Mapping[str, float | None]
) -> LayerRow:
    found, saved = [], []
    for device, time in zip(devices, times, strict=True):
        found.append(Timed(time, roofline.share(device, layer, time)) if time else None)
        pace = paces[device.name]
        gain = time.ns - layer.macs / pace if time and pace and layer.kind not in BIT_KINDS else 0.0
        saved.append(gain if gain > 0 else None)
    return LayerRow(layer, tuple(found), tuple(saved))


def _pace(run: Run, device: Device) -> float | None:
    """Median MACs a nanosecond of the binary layers on a device; None where there are none, or it is emulated."""
    rates = []
    for model in run.models:
        case = device.case(model.name)
        times = {time.name: time.ns for time in case.profile.layers} if case and case.profile else {}
        rates += [layer.macs / times[layer.name] for layer in model.binary if times.get(layer.name)]
    return median(rates) if rates and not device.emulated else None


def _bar(device: Device, profile: Profile, known: Mapping[str, Layer]) -> Bar:
    total = sum(layer.ns for layer in profile.layers)
    parts = [
        Part(layer.name, known[layer.name].kind if layer.name in known else "rest", layer.ns, layer.ns / total)
        for layer in profile.layers
        if total
    ]
    return Bar(device, total, tuple(parts))
