# SPDX-License-Identifier: Apache-2.0
"""Which layers made a model slower or faster: their times in profiled rounds, judged together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.bench import stats
from harness.bench.record import Device, Model, Run
from harness.bench.stats import Interval


@dataclass(frozen=True)
class LayerChange:
    """A layer whose time differs from the baseline's by more than delta, beyond doubt; `ratio`: ours / theirs."""

    model: str
    device: str
    layer: str
    ratio: Interval


def find(run: Run) -> tuple[LayerChange, ...]:
    """The layers that changed, in running order, by device and model; the layers of a model are a family of tests."""
    return tuple(
        change
        for device in run.devices
        for model in run.models
        if model.baseline and not device.emulated and run.paired
        for change in _of(run, device, model)
    )


def _of(run: Run, device: Device, model: Model) -> Iterator[LayerChange]:
    ours, theirs = _rounds(device, model.name), _rounds(device, model.baseline)
    delta = max(run.settings.delta, device.noise_floor or 0.0)
    both = [name for name in ours if len(ours[name]) == len(theirs.get(name, ())) > 1 and min(theirs[name]) > 0]
    ratios = {name: [a / b for a, b in zip(ours[name], theirs[name], strict=True)] for name in both}
    judged = {name: own for name, own in ratios.items() if min(own) > 0}
    found = stats.discoveries([stats.beyond(own, delta) for own in judged.values()])
    for (name, own), changed in zip(judged.items(), found, strict=True):
        if changed:
            yield LayerChange(model.name, device.name, name, stats.ratio(own, [1.0] * len(own)))


def _rounds(device: Device, model: str) -> dict[str, tuple[float, ...]]:
    case = device.case(model)
    return {layer.name: layer.rounds for layer in case.profile.layers} if case and case.profile else {}
