# SPDX-License-Identifier: Apache-2.0
"""NIR files: spiking networks as snnTorch, SpikingJelly, Sinabs and others export them.

Read as HDF5, without the package `nir`, which refuses what exporters write (grouped convolutions) and trusts what a
file says. One time step of the network becomes the graph; its neurons remember from step to step.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.errors import UnsupportedModel
from harness.model import simulation
from harness.model.graph import Builder, Graph
from harness.model.importers.nir import network
from harness.model.importers.nir.container import PORT, Entry, read
from harness.model.importers.nir.network import FUNCTIONS
from harness.model.simulation import PRESETS, Simulation


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
    unknown = sorted({entry.kind for entry in entries} - {*FUNCTIONS, "Input", "Output", PORT})
    if unknown:
        raise UnsupportedModel(
            f"{path.name!r} has nodes that bitrig does not know: {', '.join(map(repr, unknown))}.",
            "",
            f"It knows {', '.join(sorted(FUNCTIONS))}.",
            operations=tuple(unknown),
        )
    build = Builder(path.stem)
    if isinstance(rules, str):
        rules = _rules(build, entries, rules)
    network.write(build, rules, entries)
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
