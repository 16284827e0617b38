# SPDX-License-Identifier: Apache-2.0
"""The nodes and edges of a `.nir` file, which is HDF5, in an order in which they can run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import ModelError, UnsupportedModel
from harness.model.graph import Array
from harness.model.importers.keras import hdf5

_ROOT = "node"
_NODES = f"{_ROOT}/nodes"
_AGAIN = "Write the file again with nir.write(...), or fetch it again and compare its size."
_MAX_NODES = 10_000


@dataclass(frozen=True, eq=False)
class Entry:
    """One node of the file.

    Attributes:
        kind: its class in NIR ("Conv2d", "LIF").
        sources: the nodes whose outputs it reads; several are added.
    """

    store: hdf5.Store
    name: str
    kind: str
    sources: tuple[str, ...]

    def has(self, field: str) -> bool:
        return self.store.has(self._path(field))

    def floats(self, field: str) -> Array:
        """Raises ModelError where the field is missing or does not hold finite numbers."""
        whole = self.store.integers(self._path(field))
        return self.store.floats(self._path(field)) if whole is None else np.asarray(whole, np.float32)

    def integers(self, field: str, count: int, default: int | None = None) -> tuple[int, ...]:
        """`count` integers; a single one in the file stands for all of them.

        Raises:
            ModelError: they are missing and have no default, or are another number of them.
        """
        found = self.store.integers(self._path(field))
        if found is None and default is not None and not self.has(field):
            found = (default,)
        if found is None or len(found) not in (1, count):
            raise self.broken(f"its {field} is not {count} whole number{'s' * (count > 1)}")
        return found if len(found) == count else found * count

    def text(self, field: str) -> str | None:
        return (*(self.store.texts(self._path(field), "") or ()), None)[0]

    def shape(self, field: str) -> tuple[int, ...] | None:
        """Sizes, as many as there are; None where there are none."""
        return self.store.integers(self._path(field))

    def broken(self, what: str) -> ModelError:
        return ModelError(
            f"The node {self.name!r} ({self.kind}): {what}.", "The file was edited or is damaged.", _AGAIN
        )

    def _path(self, field: str) -> str:
        return f"{_NODES}/{self.name}/{field}"


def read(path: Path) -> tuple[Entry, ...]:
    """The nodes that lie on a way from an input to an output, each after those it reads.

    Raises:
        ModelError: no HDF5, no NIR, an edge to nowhere, no input or no output.
        UnsupportedModel: the network feeds back into itself.
    """
    with path.open("rb") as file:
        if file.read(len(hdf5.SIGNATURE)) != hdf5.SIGNATURE:
            raise ModelError(f"{path.name!r} is no NIR file: it is not HDF5.", "", _AGAIN)
    store = hdf5.Store(path, _ROOT, "NIR", "nir.write(...)")
    names, edges = store.below(_NODES), store.texts(f"{_ROOT}/edges", "")
    if not names or edges is None or len(edges) % 2 or len(names) > _MAX_NODES:
        raise ModelError(f"{path.name!r} is no NIR file: it holds no graph of nodes and edges.", "", _AGAIN)
    sources: dict[str, list[str]] = {name: [] for name in names}
    for source, target in zip(edges[::2], edges[1::2], strict=True):
        for end in (source, target):
            if end not in sources:
                raise ModelError(
                    f"The edge from {source[:80]!r} to {target[:80]!r} ends at a node that does not exist.",
                    "The file was edited or is damaged.",
                    _AGAIN,
                )
        sources[target].append(source)
    entries = {name: Entry(store, name, _kind(store, name), tuple(sources[name])) for name in names}
    wanted = _reaching(entries, [name for name, entry in entries.items() if entry.kind == "Output"])
    if not any(entries[name].kind == "Input" for name in wanted):
        raise ModelError(f"No way leads from an Input to an Output of {path.name!r}.", "It was saved in part.", _AGAIN)
    return _sorted(path.name, [entries[name] for name in names if name in wanted])


def _kind(store: hdf5.Store, name: str) -> str:
    found = store.texts(f"{_NODES}/{name}/type", "")
    if not found:
        store.floats(f"{_NODES}/{name}")  # says what is there instead
    return (found or ("",))[0][:80]


def _reaching(entries: dict[str, Entry], pending: list[str]) -> set[str]:
    """The nodes that the pending ones depend on, and these."""
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(entries[name].sources)
    return found


def _sorted(file: str, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    placed: dict[str, Entry] = {}
    waiting = list(entries)
    while waiting:
        ready = [entry for entry in waiting if all(source in placed for source in entry.sources)]
        if not ready:
            raise UnsupportedModel(
                f"{file!r} is a recurrent network: {', '.join(repr(entry.name) for entry in waiting[:4])} feed back.",
                "An edge leads from a later node to an earlier one.",
                "Feed-forward networks can be read.",
                operations=("recurrence",),
            )
        placed |= {entry.name: entry for entry in ready}
        waiting = [entry for entry in waiting if entry.name not in placed]
    return tuple(placed.values())
