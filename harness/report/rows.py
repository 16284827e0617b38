# SPDX-License-Identifier: Apache-2.0
"""How far a bench is on each device: its events folded into a row a device, which a live table shows."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.bench.events import Event, Failed, Gated, Prepared, Profiled, Ready, Round, Stopped, Told
from harness.report import live


@dataclass
class Row:
    """One device.

    Attributes:
        rounds: as many as there will be at most.
        models: as many are to be measured.
        state: the last thing that happened there.
        end: why its rounds ended.
        failed: the device came to nothing.
        gated, profiled: the models that are past that.
        gone: the models that failed there, or answered wrong.
    """

    rounds: int
    models: int
    state: str = "waiting"
    end: str = "done"
    failed: bool = False
    ready: bool = False
    measured: int = 0
    gated: set[str] = field(default_factory=set)
    profiled: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    @property
    def share(self) -> float:
        """Of the work, in equal parts: the files there, an answer a model, a round, a profile a model."""
        done = self.ready + len(self.gated | self.gone) + self.measured + len(self.profiled | self.gone)
        return done / (1 + 2 * self.models + self.rounds)

    @property
    def over(self) -> bool:
        return self.failed or self.share >= 1


class Rows:
    """The rows by device name, and what happens on the host meanwhile."""

    def __init__(self) -> None:
        self.by_device: dict[str, Row] = {}
        self.host = ""

    def add(self, event: Event) -> None:
        said, row = live.text(event), self.by_device.get(live.device_of(event))
        if row:
            row.state = said or row.state
        match event:
            case Prepared(models=models, rounds=rounds):
                self.by_device = {device: Row(most, len(models)) for device, most in rounds.items()}
            case Told(device="", text=sentence):
                self.host = sentence
            case Ready() if row:
                row.ready, self.host = True, ""
            case Gated(model=model, agreement=agreement) if row:
                (row.gated if agreement.ok else row.gone).add(model)
            case Round(processes=processes) if row:
                row.measured = max((process.round + 1 for process in processes.values()), default=row.measured)
                row.measured = min(row.measured, row.rounds)
            case Stopped() if row:
                row.measured, row.end = row.rounds, row.state
            case Profiled(model=model) if row:
                row.profiled.add(model)
            case Failed(model=None) if row:
                row.failed = True
            case Failed(model=str(model)) if row:
                row.gone.add(model)
        if row and row.over and not row.failed:
            row.state = row.end
