# SPDX-License-Identifier: Apache-2.0
"""What the list of all runs shows of each, and which of them a search finds."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from harness.bench.record import Run
from harness.bench.shelf import Shelf
from harness.bench.stats import Interval
from harness.errors import UsageError
from harness.report import verdicts, words
from harness.report.charts import Chart, history
from harness.report.verdicts import Sentence

PAST = 40
"""Runs before one that its history shows."""
MOST = 200
"""Rows of a page; a search looks at all runs."""


@dataclass(frozen=True)
class Entry:
    """A line of the list.

    Attributes:
        said: its first verdict; None where it holds no result.
        problem: why its record cannot be read; "" where it can.
    """

    id: str
    created: str = ""
    kind: str = ""
    revision: str = ""
    models: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    said: Sentence | None = None
    tally: str = ""
    problem: str = ""

    @property
    def text(self) -> str:
        """What a search looks at."""
        told = str(self.said or "")
        return " ".join((self.id, self.kind, self.revision, *self.models, *self.devices, told, self.tally)).lower()


class Catalogue:
    """The runs of a shelf. What was read of a finished one is kept, for it never changes."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._known: dict[str, Entry] = {}

    def entries(self) -> list[Entry]:
        """Every run, the newest first."""
        return [self._known.get(name) or self._read(name) for name in self.shelf.ids()]

    def search(self, query: str) -> tuple[list[Entry], int]:
        """The newest runs whose text has every word, at most MOST, and how many have."""
        wanted = query.lower().split()
        found = [entry for entry in self.entries() if all(word in entry.text for word in wanted)]
        return found[:MOST], len(found)

    def load(self, name: str) -> Run:
        """A run by its id alone: what comes from a browser never names a file.

        Raises:
            UsageError: there is none, or its record cannot be read.
        """
        if name not in self.shelf.ids():
            raise UsageError(f"There is no run {name!r}.", "", "Choose one of the list.")
        return self.shelf.load(name)

    def before(self, run: Run) -> list[Run]:
        """The newest runs before one, the oldest of them first; what cannot be read is passed over."""
        found = []
        for name in [name for name in self.shelf.ids() if name < run.id][:PAST]:
            with suppress(UsageError):
                found.append(self.shelf.load(name))
        return found[::-1]

    def history(self, device: str = "", model: str = "") -> tuple[Chart, ...]:
        """Every model over all runs, a chart a device; device and model may be globs."""
        lines = self.shelf.lines([device] if device else [], [model] if model else [])
        points = [
            history.Point(
                line.run, line.revision, line.device, line.model, Interval(line.median, line.low, line.high, 0)
            )
            for line in lines
            if line.median is not None and line.correct and not line.emulated
        ]
        devices = sorted({point.device for point in points})
        return tuple(chart for name in devices if (chart := history.chart(points, name)))

    def _read(self, name: str) -> Entry:
        try:
            run = self.shelf.load(name)
        except UsageError as error:
            return Entry(name, problem=error.what)
        entry = _entry(run)
        if run.finished:
            self._known[name] = entry
        return entry


def _entry(run: Run) -> Entry:
    said = verdicts.sentences(run)
    return Entry(
        id=run.id,
        created=run.created[:16].replace("T", " "),
        kind=run.kind,
        revision=run.revision[:7],
        models=tuple(words.short(model.name, 30) for model in run.models),
        devices=tuple(words.short(device.name, 30) for device in run.devices),
        said=said[0] if said else None,
        tally=verdicts.tally(run),
    )
