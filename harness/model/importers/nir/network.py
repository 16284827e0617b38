# SPDX-License-Identifier: Apache-2.0
"""One time step of a whole NIR network: its nodes in their order, and what feeds back from the step before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from harness import abi
from harness.model.graph import Builder
from harness.model.importers.nir import layers, neurons
from harness.model.importers.nir.container import Entry
from harness.model.importers.nir.layers import Site, Value, spatial
from harness.model.simulation import Simulation

FUNCTIONS = {**layers.FUNCTIONS, **neurons.FUNCTIONS}
_SPIKES = (0.0, 1.0)


def write(build: Builder, rules: Simulation, entries: Iterable[Entry]) -> None:
    """Writes the graph of one time step.

    Raises:
        ModelError: the nodes do not fit together.
    """
    network = _Network(build, rules, {entry.name: entry for entry in entries})
    if any(entry.late for entry in network.entries.values()):  # once without what feeds back, which tells the shapes
        forward = {name: replace(entry, late=()) for name, entry in network.entries.items()}
        network.draft = _Network(Builder(build.name), rules, forward)
        network.draft.translate(set(forward), set())
    network.translate(*network.wanted())


class _Network:
    """One translation.

    Attributes:
        now: what each node gives in this step.
        before: what it gave in the step before, where that is read.
        draft: a translation without what feeds back.
    """

    def __init__(self, build: Builder, rules: Simulation, entries: Mapping[str, Entry]) -> None:
        self.build = build
        self.rules = rules
        self.entries = entries
        self.now: dict[str, Value] = {}
        self.before: dict[str, Value] = {}
        self.draft = self

    def wanted(self) -> tuple[set[str], set[str]]:
        """The nodes whose values of this step are read, and those whose values of the step before are."""
        now: set[str] = set()
        before: set[str] = set()
        pending = [(name, now) for name, entry in self.entries.items() if entry.kind == "Output"]
        while pending:
            name, when = pending.pop()
            if name in when:
                continue
            when.add(name)
            entry = self.entries[name]
            if when is before and _is_kept(entry):
                pending.append((name, now))
                continue
            pending += [(source, when) for source in entry.sources]
            pending += [(source, before) for source in entry.late]
        return now, before

    def translate(self, now: set[str], before: set[str]) -> None:
        kept = [name for name in self.entries if name in before and _is_kept(self.entries[name])]
        for name, entry in self.entries.items():
            if name in kept:
                self.before[name] = self._state(entry)
            elif name in before:
                self.before[name] = self._node(entry, [self.before[source] for source in entry.sources])
        for name, entry in self.entries.items():
            if name not in now:
                continue
            late = [self.before[source] for source in entry.late]
            value = self._node(entry, [*(self.now[source] for source in entry.sources), *late])
            if entry.kind == "Output":
                _output(self.build, entry, value)
            self.now[name] = value
        for name in kept:
            self.build.loop(self.before[name].tensor, self.now[name].tensor)

    def _node(self, entry: Entry, values: list[Value]) -> Value:
        if entry.kind == "Input":
            if entry.sources or entry.late:
                raise entry.broken("an edge leads to it")
            return _input(self.build, entry, self.rules)
        x = _sum(self.build, entry, values)
        return FUNCTIONS[entry.kind](Site(self.build, self.rules, entry, x)) if entry.kind in FUNCTIONS else x

    def _state(self, entry: Entry) -> Value:
        known = self.draft.now[entry.name]
        state = self.build.state(f"{entry.name}/before", self.draft.build.shape(known.tensor))
        spikes = entry.kind in neurons.SPIKING and self.rules.spike == "single"
        if spikes or (entry.kind == "Input" and self.rules.input == "spikes"):
            self.build.levels[state] = _SPIKES
        return known.of(state)


def _is_kept(entry: Entry) -> bool:
    """Whether what a node gave is kept for the next step. What stands between neurons is computed from theirs again: so
    a bias is there in the first step too, when none has spiked yet."""
    return entry.kind in neurons.FUNCTIONS or entry.kind == "Input" or bool(entry.late)


def _input(build: Builder, entry: Entry, rules: Simulation) -> Value:
    shape = entry.shape("shape")
    if shape is None or not 1 <= len(shape) <= 3:
        raise entry.broken("its shape is neither an image [C, H, W] nor a signal [C, L] nor a vector [F]")
    name = build.input(entry.name, (1, *shape))
    if rules.input == "spikes":
        build.levels[name] = _SPIKES
    if len(shape) == 1:
        return Value(name, shape)
    if len(shape) == 2:
        name = build.node("reshape", f"{entry.name}/row", (name,), (1, *spatial(shape)))
    image = build.node("transpose", f"{entry.name}/nhwc", (name,), permutation=[0, 2, 3, 1, 4, 5])
    return Value(image, shape)


def _sum(build: Builder, entry: Entry, values: list[Value]) -> Value:
    """What arrives at a node: the sum of what its sources give."""
    if not values:
        raise entry.broken("nothing leads to it")
    total = values[0]
    for value in values[1:]:
        if (value.shape, value.image) != (total.shape, total.image):
            raise entry.broken(f"it reads {list(total.shape)} and {list(value.shape)} at once")
        name = f"{entry.name}/sum"
        both = build.node("arith", name, (total.tensor, value.tensor), kind=abi.constant("BNN_ADD"))
        total = total.of(both)
    return total


def _output(build: Builder, entry: Entry, x: Value) -> None:
    tensor, places = x.tensor, x.image or x.shape
    if len(places) > 1:
        channels, height, width = spatial(places)
        if x.image:
            tensor = build.node("reshape", f"{entry.name}/image", (tensor,), (1, height, width, channels))
        tensor = build.node("transpose", f"{entry.name}/chw", (tensor,), permutation=[0, 3, 1, 2, 4, 5])
    if x.image or len(places) == 2:
        tensor = build.node("reshape", entry.name, (tensor,), (1, *x.shape))
    build.output(tensor)
