# SPDX-License-Identifier: Apache-2.0
"""What the list of all runs shows of each, and which of them a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from harness.bench import store
from harness.bench.record import Run
from harness.errors import UsageError
from harness.report import verdicts, words
from harness.report.charts import Chart, history
from harness.report.verdicts import Sentence

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
    """The runs of a folder, read again when their record changes."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs

    def entries(self) -> list[Entry]:
        """Every run, the newest first."""
        return [_entry(path, path.stat().st_mtime_ns) for path in self._records()]

    def search(self, query: str) -> tuple[list[Entry], int]:
        """The newest runs whose text has every word, at most MOST, and how many have."""
        wanted = query.lower().split()
        found = [entry for entry in self.entries() if all(word in entry.text for word in wanted)]
        return found[:MOST], len(found)

    def history(self, device: str = "", model: str = "") -> tuple[Chart, ...]:
        """Every model over all runs, a chart a device; device and model may be globs."""
        runs = [_only(run, model) for run in store.everything(self.runs) if run.kind == "bench"]
        names = sorted({each.name for run in runs for each in run.devices if fnmatchcase(each.name, device or "*")})
        return tuple(chart for name in names if (chart := history.chart(runs, name, newest=False)))

    def _records(self) -> list[Path]:
        return [path for id in store.ids(self.runs) if (path := self.runs / id / store.RECORD).exists()]


def _only(run: Run, model: str) -> Run:
    """A run without the models that a glob leaves out."""
    if not model:
        return run
    devices = (
        device.model_copy(update={"cases": tuple(case for case in device.cases if fnmatchcase(case.model, model))})
        for device in run.devices
    )
    return run.model_copy(update={"devices": tuple(devices)})


@lru_cache(maxsize=4096)
def _entry(path: Path, changed: int) -> Entry:
    """The line of a record as it was when it changed at this time (ns)."""
    try:
        run = store.load(path)
    except UsageError as error:
        return Entry(path.parent.name, problem=error.what)
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
