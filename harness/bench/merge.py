# SPDX-License-Identifier: Apache-2.0
"""Two stored runs, or two boards of one, made a run whose models are compared. Nothing was measured side by side, so it
is shown as what it is, unpaired, and gates nothing by time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from harness.bench import store
from harness.bench.record import Caveat, Device, Model, Run
from harness.errors import UsageError

if TYPE_CHECKING:  # a report compares too, and reaches no board
    from harness.board import inventory

# Facts that make two measurements of one board unlike, with how to find them in its record.
KEY_FACTS: dict[str, Callable[[Device], Any]] = {
    "target": lambda device: device.target,
    "emulated": lambda device: device.emulated,
    "processor": lambda device: device.facts.get("cpu"),
    "kernel": lambda device: device.facts.get("kernel"),
    "governor": lambda device: device.facts.get("governor"),
    "instruction sets": lambda device: device.host.get("isa"),
    "pointer size": lambda device: device.host.get("pointer_bits"),
}


def merge(baseline: Run, candidate: Run, new_id: str) -> Run:
    """Two stored runs as one, whose models of the same name are compared, unpaired.

    Raises:
        UsageError: they share no model on a device, or a device is not what it was.
    """
    shared_models = {model.name for model in baseline.models} & {model.name for model in candidate.models}
    boards = {device.name: device for device in baseline.devices}
    shared = [device for device in candidate.devices if device.name in boards]
    if not shared_models or not shared:
        raise UsageError(
            f"The runs {baseline.id} and {candidate.id} have no {'device' if shared_models else 'model'} in common.",
            "Runs are compared by the names of models and devices.",
        )
    if baseline.settings.cold != candidate.settings.cold:
        raise UsageError("The caches were emptied before each sample in one of the runs, and not in the other.")
    for device in shared:
        if unlike := unlike_facts(boards[device.name], device):
            raise UsageError(
                f"{device.name} was not the same in both runs: {', '.join(unlike)}.",
                "A ratio of times that were taken under unlike conditions would say nothing about the models.",
                "Measure both again on the board as it is: ./inv compare --baseline REVISION",
            )
    names = [model.name for model in candidate.models if model.name in shared_models]
    devices = [_joined(boards[device.name], device, names, baseline.id) for device in shared]
    gone = {device.name for device in candidate.devices} - {device.name for device in shared}
    caveats = tuple(caveat for caveat in candidate.caveats if caveat.subject.rpartition(" on ")[2] not in gone)
    kept = candidate.model_copy(update={"caveats": caveats})
    return _against(baseline, kept, names, baseline.id, devices, new_id)


def across(run: Run, before: str, after: str, new_id: str) -> Run:
    """One board of a run against another: their clocks, memories and kernels, not the models, make the difference.

    Raises:
        UsageError: one of them is emulated, so that its times say nothing.
    """
    old, new = (next(device for device in run.devices if device.name == name) for name in (before, after))
    real(old, new)
    names = [model.name for model in run.models]
    both = _joined(old, new, names, before).model_copy(update={"name": f"{after} against {before}"})
    made = _against(run, run, names, before, [both], new_id)
    differ = Caveat(
        code="BOARDS",
        weight="note",
        subject=both.name,
        evidence=f"{', '.join(unlike_facts(old, new)) or 'the boards tell no difference'}.",
        advice="This compares boards, one after the other, not models.",
    )
    return made.model_copy(update={"caveats": (*made.caveats, differ)})


def real(*devices: Device | inventory.Device) -> None:
    """Refuses to compare boards of which one is emulated.

    Raises:
        UsageError: one is.
    """
    for device in devices:
        if device.emulated:
            raise UsageError(f"{device.name} is emulated.", "Its times prove nothing, so there is nothing to compare.")


def _named(model: str, where: str) -> str:
    return f"{model} [{where}]"


def earlier(baseline: Model) -> bool:
    """Whether a baseline is the same model in an earlier run, and not on another board."""
    return re.fullmatch(rf".* \[{store.ID.pattern}\]", baseline.name) is not None


def _joined(before: Device, after: Device, names: Iterable[str], where: str) -> Device:
    """A device with the cases of both, those of the baseline renamed."""
    old = (case.model_copy(update={"model": _named(case.model, where)}) for case in before.cases if case.model in names)
    return after.model_copy(update={"cases": (*old, *(case for case in after.cases if case.model in names))})


def _against(
    baseline: Run, candidate: Run, names: Iterable[str], where: str, devices: Iterable[Device], new_id: str
) -> Run:
    models: list[Model] = []
    for name in names:
        models.append(baseline.model(name).model_copy(update={"name": _named(name, where), "baseline": ""}))
        models.append(candidate.model(name).model_copy(update={"baseline": _named(name, where)}))
    changes = {"id": new_id, "kind": "compare", "paired": False, "models": tuple(models), "devices": tuple(devices)}
    return candidate.model_copy(update=changes)


def unlike_facts(before: Device, after: Device) -> list[str]:
    """What differs between two states of a board that matters for times, in words."""
    found = []
    for name, look in KEY_FACTS.items():
        old, new = look(before), look(after)
        if old is not None and new is not None and old != new:
            found.append(f"{name} {_in_words(old)} before, {_in_words(new)} after")
    return found


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(_in_words(part) for part in value.values())[:80]
    return ", ".join(map(str, value))[:80] if isinstance(value, list | tuple) else str(value)
