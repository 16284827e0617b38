# SPDX-License-Identifier: Apache-2.0
"""Folds the events of a bench into its record, and keeps the record on disk after each that carries a result."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.bench import caveats, store
from harness.bench.events import (
    Built,
    Counted,
    Event,
    Failed,
    Finished,
    Gated,
    Hosted,
    Noticed,
    Peaked,
    Piloted,
    Prepared,
    Profiled,
    Ready,
    Round,
    Stopped,
    Told,
)
from harness.bench.record import Case, Device, Run
from harness.bench.value import shown


class Recorder:
    """The record of a run as it grows. Every `add` replaces the frozen value and, but for mere news, the file."""

    def __init__(self, runs: Path, run: Run) -> None:
        self.runs = runs
        self.run = run
        self._folds: dict[type[Any], Callable[[Any], None]] = {
            Prepared: lambda event: self._run(models=event.models),
            Built: self._built,
            Ready: self._ready,
            Gated: lambda event: self._case(event.device, event.model, agreement=event.agreement),
            Hosted: self._hosted,
            Piloted: lambda event: self._case(event.device, event.model, pilot=event.process),
            Counted: lambda event: self._case(event.device, event.model, counts=event.counts),
            Round: self._round,
            Profiled: lambda event: self._case(event.device, event.model, profile=event.profile),
            Peaked: lambda event: self._device(event.device, peaks=event.peaks),
            Failed: self._failed,
            Stopped: lambda event: self._device(event.device, stopped=event.why),
            Noticed: lambda event: self._run(
                caveats=(*(c for c in self.run.caveats if c != event.caveat), event.caveat)
            ),
        }

    def add(self, event: Event) -> None:
        if not isinstance(event, Told | Finished):
            self._folds[type(event)](event)
            store.save(self.runs, self.run)

    def finish(self) -> Run:
        """Closes the record: its caveats are found, its end is set."""
        found = dict.fromkeys((*self.run.caveats, *caveats.find(self.run)))
        self._run(caveats=tuple(found), finished=datetime.now(UTC).isoformat(timespec="seconds"))
        store.save(self.runs, self.run)
        return self.run

    def _run(self, **changes: Any) -> None:
        self.run = self.run.model_copy(update=changes)

    def _device(self, name: str, **changes: Any) -> None:
        devices = [d.model_copy(update=changes) if d.name == name else d for d in self.run.devices]
        self._run(devices=tuple(devices))

    def _case(self, device: str, model: str, **changes: Any) -> None:
        def changed(board: Device) -> Device:
            cases = {case.model: case for case in board.cases}
            cases[model] = cases.get(model, Case(model=model)).model_copy(update=changes)
            return board.model_copy(update={"cases": tuple(cases.values())})

        self._run(devices=tuple(changed(d) if d.name == device else d for d in self.run.devices))

    def _found(self, device: str, model: str) -> Case:
        board = next(d for d in self.run.devices if d.name == device)
        return board.case(model) or Case(model=model)

    def _built(self, event: Built) -> None:
        builds = {(build.target, build.asked): build for build in self.run.builds}
        self._run(builds=tuple((builds | {(event.build.target, event.build.asked): event.build}).values()))

    def _ready(self, event: Ready) -> None:
        self._device(
            event.device,
            problem=None,
            facts=shown(event.facts),
            bytes_sent=event.bytes_sent,
            bytes_kept=event.bytes_kept,
        )

    def _hosted(self, event: Hosted) -> None:
        self._device(event.device, host=shown(event.host))
        self._case(event.device, event.model, kernels=shown(event.kernels), arena_bytes=event.arena_bytes)

    def _round(self, event: Round) -> None:
        which = "discarded" if event.spoiled else "processes"
        for model, process in event.processes.items():
            self._case(event.device, model, **{which: (*getattr(self._found(event.device, model), which), process)})

    def _failed(self, event: Failed) -> None:
        if event.model is None:
            self._device(event.device, problem=event.problem)
        else:
            self._case(event.device, event.model, problem=event.problem)
