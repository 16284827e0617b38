# SPDX-License-Identifier: Apache-2.0
"""The nodes and edges of a `.nir` file, which is HDF5, in an order in which they can run.

A graph may be a node of another one, as recurrent layers are written: its nodes are taken out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np

from harness.errors import ModelError
from harness.model.graph import Array
from harness.model.importers.keras import hdf5

PORT = "Port"
"""The kind of an Input or Output inside a graph: it hands on what it gets."""
_ROOT = "node"
_AGAIN = "Write the file again with nir.write(...), or fetch it again and compare its size."
_MAX_NODES = 10_000


@dataclass(frozen=True, eq=False)
class Entry:
    """One node of the file.

    Attributes:
        name: unique; what lies in a graph `g` of the file is `g.x`.
        path: its group in the file.
        kind: its class in NIR ("Conv2d", "LIF"), or PORT.
        sources: the nodes whose outputs it reads; several are added.
        late: those that feed back to it: it reads what they gave in the step before.
    """

    store: hdf5.Store
    name: str
    path: str
    kind: str
    sources: tuple[str, ...] = ()
    late: tuple[str, ...] = ()

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
        return f"{self.path}/{field}"


def read(path: Path) -> tuple[Entry, ...]:
    """The nodes that lie on a way from an input to an output, each after those it reads.

    Raises:
        ModelError: no HDF5, no NIR, an edge to nowhere, no input or no output.
    """
    with path.open("rb") as file:
        if file.read(len(hdf5.SIGNATURE)) != hdf5.SIGNATURE:
            raise ModelError(f"{path.name!r} is no NIR file: it is not HDF5.", "", _AGAIN)
    entries: dict[str, Entry] = {}
    _gather(hdf5.Store(path, _ROOT, "NIR", "nir.write(...)"), _ROOT, path.name, "", entries)
    wanted = _reaching(entries, [name for name, entry in entries.items() if entry.kind == "Output"])
    if not any(entries[name].kind == "Input" for name in wanted):
        raise ModelError(f"No way leads from an Input to an Output of {path.name!r}.", "It was saved in part.", _AGAIN)
    forward = _forward({name: entry for name, entry in entries.items() if name in wanted})
    order = TopologicalSorter({name: entry.sources for name, entry in forward.items()})
    return tuple(forward[name] for name in order.static_order())


def _gather(store: hdf5.Store, path: str, told: str, prefix: str, entries: dict[str, Entry]) -> None:
    """Adds the nodes of the graph at `path`, with their edges; `told` is what to call it."""
    names, edges = store.below(f"{path}/nodes"), store.texts(f"{path}/edges", "")
    if not names or edges is None or len(edges) % 2 or len(entries) + len(names) > _MAX_NODES:
        raise ModelError(f"{told!r} is no NIR file: it holds no graph of nodes and edges.", "", _AGAIN)
    graphs: set[str] = set()
    for name in names:
        place, full = f"{path}/nodes/{name}", f"{prefix}{name}"
        kind = _kind(store, place)
        if kind == "NIRGraph":
            graphs.add(name)
            _gather(store, place, full, f"{full}.", entries)
        else:
            entries[full] = Entry(store, full, place, PORT if prefix and kind in ("Input", "Output") else kind)
    for source, target in zip(edges[::2], edges[1::2], strict=True):
        ends = []
        for end, port in ((source, "Output"), (target, "Input")):
            whole = _port(entries, f"{prefix}{end}", port) if end in graphs else f"{prefix}{end}"
            if whole not in entries:
                raise ModelError(
                    f"The edge from {source[:80]!r} to {target[:80]!r} ends at a node that does not exist.",
                    "The file was edited or is damaged.",
                    _AGAIN,
                )
            ends.append(whole)
        reader = entries[ends[1]]
        entries[reader.name] = replace(reader, sources=(*reader.sources, ends[0]))


def _port(entries: Mapping[str, Entry], graph: str, kind: str) -> str:
    """Where an edge to a graph, or from it, ends in it: at its only port of that kind."""
    inside = [entry for entry in entries.values() if entry.kind == PORT and entry.name.rpartition(".")[0] == graph]
    ports = [entry.name for entry in inside if _kind(entry.store, entry.path) == kind]
    if len(ports) != 1:
        raise ModelError(
            f"An edge ends at {graph!r}, a graph with {len(ports)} nodes {kind}.",
            "Which of them it means cannot be told.",
            "Name the node in the edge, or write the graph with one.",
        )
    return ports[0]


def _kind(store: hdf5.Store, path: str) -> str:
    found = store.texts(f"{path}/type", "")
    if not found:
        store.floats(path)  # says what is there instead
    return (found or ("",))[0][:80]


def _reaching(entries: Mapping[str, Entry], pending: list[str]) -> set[str]:
    """The nodes that the pending ones depend on, and these."""
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(entries[name].sources)
    return found


def _forward(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The same without circles: an edge that leads back to where a walk from the inputs came from is a late one.

    Where every circle is entered at one node only, as in layers that feed back, these edges do not depend on the order
    of the walk.
    """
    readers: dict[str, list[str]] = {name: [] for name in entries}
    for entry in entries.values():
        for source in entry.sources:
            readers[source].append(entry.name)
    back: set[tuple[str, str]] = set()
    seen: set[str] = set()
    for start in sorted(entries, key=lambda name: entries[name].kind != "Input"):
        way: set[str] = set()
        pending = [(start, False)]
        while pending:
            name, leaving = pending.pop()
            if leaving:
                way.remove(name)
            elif name not in seen:
                seen.add(name)
                way.add(name)
                back.update((name, reader) for reader in readers[name] if reader in way)
                pending.append((name, True))
                pending.extend((reader, False) for reader in reversed(readers[name]) if reader not in seen)
    return {
        name: replace(
            entry,
            sources=tuple(source for source in entry.sources if (source, name) not in back),
            late=tuple(source for source in entry.sources if (source, name) in back),
        )
        for name, entry in entries.items()
    }
