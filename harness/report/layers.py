# SPDX-License-Identifier: Apache-2.0
"""The layers of a model as the page shows them: what each runs as, why, how long, and what a change would save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from harness.bench import roofs
from harness.bench.record import BIT_KINDS, Device, Layer, LayerTime, Model, Profile, Run
from harness.report import words
from harness.report.charts import roofline


@dataclass(frozen=True)
class Timed:
    """A layer's time on a device.

    Attributes:
        share: of the model's time there; bar: of its slowest layer's.
        roof: share of what the board could do, None where that is not known.
        instructions: that it takes, where something counted them.
    """

    time: LayerTime
    share: float
    bar: float
    roof: float | None
    instructions: int | None


@dataclass(frozen=True)
class LayerRow:
    """A layer and its times, one a profiled device; None where that profile has no such layer.

    Attributes:
        layer: where no device would notice its gain, it says that instead of a remedy.
        saves_ns: about what it would save as bits, by the pace of the binary layers of this run or, where there are
            none, by the device's peaks; one a device.
    """

    layer: Layer
    times: tuple[Timed | None, ...]
    saves_ns: tuple[float | None, ...]


@dataclass(frozen=True)
class Part:
    """A piece of a bar: a layer with weights by its kind, everything else by what it does."""

    name: str
    kind: str
    ns: float
    share: float


@dataclass(frozen=True)
class Bar:
    """The time of a model on a device, in pieces; `scale` is its total as a share of the slowest model's there."""

    model: Model
    device: Device
    total: float
    scale: float
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class ModelLayers:
    """The layers of a model; `rest` are the nodes without weights: (name, op, times as in LayerRow)."""

    model: Model
    devices: tuple[Device, ...]
    bars: tuple[Bar, ...]
    rows: tuple[LayerRow, ...]
    rest: tuple[tuple[str, str, tuple[LayerTime | None, ...]], ...]


@dataclass(frozen=True)
class Change:
    """A layer that is not binary, and what could be done; `saves_ns` by the name of the device."""

    models: tuple[Model, ...]
    layer: Layer
    saves_bytes: int
    saves_ns: Mapping[str, float]

    @property
    def gain(self) -> tuple[float, int]:
        """What to sort by: nanoseconds where they are known, then bytes."""
        return max(self.saves_ns.values(), default=0.0), self.saves_bytes


@dataclass(frozen=True)
class Changes:
    """What could be changed, the largest gain first.

    Attributes:
        devices: those that know what a change would save.
        small: layers that would gain too little for anybody to notice.
    """

    devices: tuple[Device, ...]
    changes: tuple[Change, ...]
    small: tuple[Change, ...]


@dataclass(frozen=True)
class _Seen:
    """What a device told of the layers of a model: times and instructions by name, and the pace of bits there."""

    device: Device
    times: Mapping[str, LayerTime]
    counts: Mapping[str, int]
    total: float
    slowest: float
    pace: float | None


def layers(run: Run) -> tuple[ModelLayers, ...]:
    paces = {device.name: _pace(run, device) for device in run.devices}
    return tuple(_model_layers(run, model, paces) for model in run.models)


def by_device(found: tuple[ModelLayers, ...]) -> tuple[tuple[Device, tuple[Bar, ...]], ...]:
    """The bars of all models on each device, to be drawn on one scale."""
    bars = [bar for block in found for bar in block.bars]
    devices = {bar.device.name: bar.device for bar in bars}
    return tuple((device, tuple(bar for bar in bars if bar.device is device)) for device in devices.values())


def changes(run: Run) -> Changes | None:
    """Every layer that a change could make binary; the same layer of several models once, and of variants of one."""
    found: dict[tuple[str, str, str], Change] = {}
    distinct = {block.model.bnn_sha256: block for block in layers(run)}
    for block in distinct.values():
        for row in block.rows:
            if row.layer.remedy or row.layer.reason == roofs.TOO_SMALL:
                key = (row.layer.name, row.layer.reason_text, row.layer.remedy)
                found[key] = _joined(found.get(key), block, row)
    ordered = sorted(found.values(), key=lambda change: change.gain, reverse=True)
    worth = tuple(change for change in ordered if change.layer.remedy)
    known = {name for change in worth for name in change.saves_ns}
    small = tuple(change for change in ordered if not change.layer.remedy)
    return Changes(tuple(d for d in run.devices if d.name in known), worth, small) if ordered else None


def _joined(same: Change | None, block: ModelLayers, row: LayerRow) -> Change:
    """A change with one more model whose layer it is; it saves what it saves at most."""
    saved = {device.name: ns for device, ns in zip(block.devices, row.saves_ns, strict=True) if ns}
    if same is None:
        return Change((block.model,), row.layer, row.layer.saves_bytes, saved)
    most = {name: max(saved.get(name, 0.0), ns) for name, ns in same.saves_ns.items()}
    return Change(
        (*same.models, block.model), row.layer, max(row.layer.saves_bytes, same.saves_bytes), {**saved, **most}
    )


def _model_layers(run: Run, model: Model, paces: Mapping[str, float | None]) -> ModelLayers:
    seen, bars = [], []
    for device in run.devices:
        case = device.case(model.name)
        if case and case.profile:
            times = {layer.name: layer for layer in case.profile.layers}
            counts = {layer.name: layer.count for layer in case.counts.layers} if case.counts else {}
            slowest = max((times[layer.name].ns for layer in model.layers if layer.name in times), default=0.0)
            seen.append(_Seen(device, times, counts, _total(case.profile), slowest, paces[device.name]))
            bars.append(_bar(model, device, case.profile))
    known = {layer.name for layer in model.layers}
    rest = {name: layer.op for each in seen for name, layer in each.times.items() if name not in known}
    return ModelLayers(
        model=model,
        devices=tuple(each.device for each in seen),
        bars=tuple(bars),
        rows=tuple(_row(layer, seen) for layer in model.layers),
        rest=tuple((name, op, tuple(each.times.get(name) for each in seen)) for name, op in rest.items()),
    )


def _row(layer: Layer, seen: Sequence[_Seen]) -> LayerRow:
    found: list[Timed | None] = []
    saved: list[float | None] = []
    small: list[str] = []
    for each in seen:
        time = each.times.get(layer.name)
        if time is None:
            found.append(None)
            saved.append(None)
            continue
        found.append(
            Timed(
                time,
                share=time.ns / each.total if each.total else 0.0,
                bar=time.ns / each.slowest if each.slowest else 0.0,
                roof=roofline.share(each.device, layer, time),
                instructions=each.counts.get(layer.name),
            )
        )
        bits = _as_bits(layer, each)
        gain = 0.0 if bits is None else time.ns - bits
        saved.append(gain if gain > 0 else None)
        if bits is not None:
            small.append(each.device.name if roofs.too_small(gain, each.total) else "")
    if small and all(small):
        layer = roofs.small(layer, " and ".join(small))
    return LayerRow(layer, tuple(found), tuple(saved))


def _as_bits(layer: Layer, seen: _Seen) -> float | None:
    """Nanoseconds that a layer would about take on the bit kernels; None where it does, or nothing tells."""
    if layer.kind in BIT_KINDS or not layer.remedy or seen.device.emulated:
        return None
    if seen.pace:
        return layer.macs / seen.pace
    limit = roofs.roof(seen.device.peaks)
    return roofs.as_bits(layer, limit) if limit.known else None


def _pace(run: Run, device: Device) -> float | None:
    """Median MACs a nanosecond of the binary layers on a device; None where there are none, or it is emulated."""
    rates = []
    for model in run.models:
        case = device.case(model.name)
        times = {time.name: time.ns for time in case.profile.layers} if case and case.profile else {}
        rates += [layer.macs / times[layer.name] for layer in model.binary if times.get(layer.name)]
    return median(rates) if rates and not device.emulated else None


def _total(profile: Profile) -> float:
    return sum(layer.ns for layer in profile.layers)


def _bar(model: Model, device: Device, profile: Profile) -> Bar:
    kinds = {layer.name: layer.kind for layer in model.layers}
    total = _total(profile)
    slowest = max(_total(case.profile) for case in device.cases if case.profile)
    parts = tuple(
        Part(layer.name, kinds.get(layer.name) or words.role(layer.op), layer.ns, layer.ns / total)
        for layer in profile.layers
        if total
    )
    return Bar(model, device, total, total / slowest if slowest else 0.0, parts)
