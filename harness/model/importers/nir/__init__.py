# SPDX-License-Identifier: Apache-2.0
"""NIR files: spiking networks as snnTorch, SpikingJelly, Sinabs and others export them.

Read as HDF5, without the package `nir`, which refuses what exporters write (grouped convolutions) and trusts what a
file says. One time step of the network becomes the graph; its neurons remember from step to step.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness import abi
from harness.errors import UnsupportedModel
from harness.model import simulation
from harness.model.graph import Builder, Graph
from harness.model.importers.nir import layers, neurons
from harness.model.importers.nir.container import Entry, read
from harness.model.importers.nir.layers import Site, Value, spatial
from harness.model.simulation import PRESETS, Simulation

_FUNCTIONS = {**layers.FUNCTIONS, **neurons.FUNCTIONS}
_SPIKES = (0.0, 1.0)


@np.errstate(all="ignore")  # a constant that overflows becomes infinite, and is refused as such
def load(path: Path, rules: Simulation | str = "") -> Graph:
    """The graph of one time step of a `.nir` file. Inputs and outputs keep the file's layout, a batch of one in front.

    Args:
        rules: what the file does not say of its simulation, or a command line's words for it.

    Raises:
        ModelError, UnsupportedModel: see `importers.load`.
        UsageError: the words mean nothing.
    """
    entries = read(path)
    unknown = sorted({entry.kind for entry in entries} - {*_FUNCTIONS, "Input", "Output"})
    if unknown:
        raise UnsupportedModel(
            f"{path.name!r} has nodes that bitrig does not know: {', '.join(map(repr, unknown))}.",
            "",
            f"It knows {', '.join(sorted(_FUNCTIONS))}.",
            operations=tuple(unknown),
        )
    build = Builder(path.stem)
    if isinstance(rules, str):
        rules = _rules(build, entries, rules)
    values: dict[str, Value] = {}
    for entry in entries:
        if entry.kind == "Input":
            values[entry.name] = _input(build, entry, rules)
            continue
        x = _sum(build, entry, [values[source] for source in entry.sources])
        if entry.kind == "Output":
            _output(build, entry, x)
        else:
            values[entry.name] = _FUNCTIONS[entry.kind](Site(build, rules, entry, x))
    return build.graph(path.stat().st_size, "NIR")


def _rules(build: Builder, entries: tuple[Entry, ...], words: str) -> Simulation:
    """The rules in a user's words; where no framework is named, those of the one that the file seems to come from."""
    named = any(name in words.split(",") for name in PRESETS)
    guess = "" if named else _writer(entries)
    found = simulation.parse(words, PRESETS.get(guess))
    if guess and not words:
        build.notes.append(
            "A NIR file does not say how its neurons are simulated; "
            f"this one looks as if {guess} wrote it, and --sim {guess} is assumed."
        )
    return found


def _writer(entries: tuple[Entry, ...]) -> str:
    """The framework that writes such constants: Sinabs counts time in steps, SpikingJelly calls its first node _0."""
    for entry in entries:
        if entry.kind == "IF" and np.all(entry.floats("r") == 1):
            return "sinabs"
        if entry.kind in ("IF", "LIF"):
            return "spikingjelly" if entry.name.startswith("_") else "snntorch"
    return "snntorch"


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
