# SPDX-License-Identifier: Apache-2.0
"""The manifest of a corpus of models with golden outputs: which files, which inputs, how near an output must come.

A manifest is `manifest.json`: {"models": [...]}, each entry with `name`, `input`, `golden`, `tolerance` {atol, rtol}
and either `file` or `files` by format; more samples may follow in `more_inputs`. Paths are relative to the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import UsageError
from harness.model import simulation
from harness.model.graph import Array
from harness.model.simulation import Simulation

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Sample:
    """Files of one input and its golden output."""

    input: Path
    golden: Path

    def inputs(self, names: tuple[str, ...]) -> list[Array]:
        """The input arrays in the order of `names`: an `.npz` holds one by each name, an `.npy` the only one."""
        return arrays(self.input, names)

    def outputs(self) -> list[Array]:
        """The golden arrays; an `.npz` holds out0, out1, ..."""
        return arrays(self.golden)


@dataclass(frozen=True)
class Item:
    """One model file of a corpus.

    Attributes:
        name: of the entry; several formats of one entry share it.
        required: how many of the samples must be right; fewer than all where one flipped sign changes the output and
            correct kernels differ.
        strict: False where the manifest itself says that only one particular rounding gives the golden output.
        sim: how a spiking network is to be simulated; None where the manifest does not say.
    """

    name: str
    format: str
    path: Path
    samples: tuple[Sample, ...]
    atol: float
    rtol: float
    required: int
    strict: bool = True
    sim: Simulation | None = None


def read(folder: Path, formats: tuple[str, ...] = ()) -> list[Item]:
    """Every model file of a corpus, of these formats ("h5", "tflite", ...) or of all.

    Raises:
        UsageError: no manifest, a damaged one, or nothing of these formats in it.
    """
    manifest = folder / MANIFEST
    try:
        models = json.loads(manifest.read_text("utf-8"))["models"]
        items = [item for model in models for item in _items(folder, model)]
    except FileNotFoundError:
        raise UsageError(f"There is no {manifest}.", "A corpus is a folder with a manifest.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{manifest} cannot be read: {type(error).__name__}: {error}.") from None
    chosen = [item for item in items if not formats or item.format in formats]
    if not chosen:
        found = ", ".join(sorted({item.format for item in items})) or "nothing"
        raise UsageError(f"{manifest} has no model of the format {', '.join(formats)}.", f"It has: {found}.")
    return chosen


def _items(folder: Path, model: Mapping[str, Any]) -> Iterator[Item]:
    files = model.get("files") or {Path(model["file"]).suffix.removeprefix("."): model["file"]}
    entries = [model, *model.get("more_inputs", [])]
    samples = tuple(Sample(folder / entry["input"], folder / entry["golden"]) for entry in entries)
    tolerance = model["tolerance"]
    zoo = model.get("kind") == "zoo" and len(samples) > 1
    for name, file in files.items():
        yield Item(
            name=model["name"],
            format=name,
            path=folder / file,
            samples=samples,
            atol=float(tolerance["atol"]),
            rtol=float(tolerance["rtol"]),
            required=len(samples) - 1 if zoo else len(samples),
            strict=bool(tolerance.get("strict", True)),
            sim=simulation.of(model["sim"]) if "sim" in model else None,
        )


def arrays(path: Path, names: tuple[str, ...] = ()) -> list[Array]:
    """The arrays of an `.npy` or `.npz` file, in the order of `names` where it has those.

    Raises:
        UsageError: no such file, or not arrays of numbers.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return [loaded]
        with loaded:
            keys = names if set(names) == set(loaded.files) else loaded.files
            return [loaded[key] for key in keys]
    except FileNotFoundError:
        raise UsageError(f"There is no file {str(path)!r}.") from None
    except (ValueError, OSError, EOFError) as error:
        raise UsageError(f"{path} holds no arrays that can be read: {error}.", "", "Save it with numpy.save.") from None
