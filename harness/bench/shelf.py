# SPDX-License-Identifier: Apache-2.0
"""Where a command finds runs and leaves them: this machine's folder, and the database of a fleet where one is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.bench import database, store
from harness.bench.database import Database
from harness.bench.history import Line
from harness.bench.record import Run


class Shelf:
    """The runs of a folder, or, where a database is named, of everybody who leaves theirs there.

    Raises:
        UsageError: the database refuses.
    """

    def __init__(self, runs: Path, url: str = "") -> None:
        self.runs = runs
        self.shared = Database(url) if url else None

    def keep(self, run: Run) -> None:
        """Leaves a finished run, which is in the folder already, in the database, too."""
        if self.shared:
            self.shared.put(run)

    def ids(self) -> list[str]:
        """The ids of all runs, the newest first."""
        return self.shared.ids() if self.shared else list(store.ids(self.runs))

    def has(self, name: str) -> bool:
        """Whether a word means a stored run; a git revision may look like the beginning of an id."""
        return store.is_run(self.runs, name) or (self.shared is not None and self.shared.has(name))

    def load(self, name: str) -> Run:
        """A run by its id, the beginning of one, or "last"; of the database first, if there is one.

        Raises:
            UsageError: no run, or several, go by this name; or its record cannot be read.
        """
        if self.shared and self.shared.has(name):
            return self.shared.load(name)
        return store.load(store.find(self.runs, name))

    def lines(self, devices: Sequence[str], models: Sequence[str]) -> list[Line]:
        """Every result whose device and model match one of the names or globs, the oldest first."""
        return (self.shared or database.local(self.runs)).lines(devices, models)
