# SPDX-License-Identifier: Apache-2.0
"""Model files in, one typed graph out. A model file is data: nothing in it is ever executed.

One module a format, registered here by suffix. Each has `load(path, objects) -> Graph`, where objects is the user's
mapping of custom classes; for a spiking format it is how the network is simulated instead.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from harness.errors import ModelError, UsageError
from harness.model.graph import Graph
from harness.model.simulation import Simulation

MAX_FILE_BYTES = 1 << 30

_MODULES = {
    ".h5": "keras",
    ".hdf5": "keras",
    ".keras": "keras",
    ".tflite": "tflite",
    ".bnn": "bnn",
    ".onnx": "onnx",
    ".nir": "nir",
}


_SPIKING = frozenset({"nir"})


def suffixes() -> tuple[str, ...]:
    return tuple(_MODULES)


def check(path: Path) -> str:
    """Whether there is a file that can be read; returns the module that reads it.

    Raises:
        ModelError: the file is missing, may not be read, or is of an unknown kind, or its size makes no sense.
    """
    if not path.is_file():
        raise ModelError(
            f"There is no model file {str(path)!r}.",
            "The name is misspelt, or the path is relative to another folder.",
            f"Formats that can be read: {', '.join(_MODULES)}.",
        )
    module = _MODULES.get(path.suffix.lower())
    if module is None:
        raise ModelError(
            f"{path.name!r} has a suffix that bitrig does not know.",
            "",
            f"Formats that can be read: {', '.join(_MODULES)}.",
        )
    try:
        with path.open("rb"):
            size = path.stat().st_size
    except OSError as error:
        raise ModelError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    if size == 0 or size > MAX_FILE_BYTES:
        raise ModelError(f"{path.name!r} has {size:,} bytes; a model has between 1 and {MAX_FILE_BYTES:,}.")
    return module


def load(path: Path, objects: Path | None = None, sim: Simulation | str = "") -> Graph:
    """Reads a model file.

    Args:
        objects: the user's mapping of custom classes to known quantisers (Keras only).
        sim: how a spiking network is simulated, as `simulation.parse` takes it (NIR only).

    Raises:
        UsageError: `sim` means nothing, or the file is of no spiking network.
        ModelError: the file is missing, damaged, of an unknown kind, or holds something that is refused.
        UnsupportedModel: it is sound, but has operations that bitrig does not know.
    """
    module = check(path)
    reader: Callable[[Path, Path | Simulation | str | None], Graph] = import_module(f"{__name__}.{module}").load
    if module in _SPIKING:
        return reader(path, sim)
    if sim:
        raise UsageError(f"{path.name!r} is no spiking network, so that it has no simulation.", "", "Leave out --sim.")
    return reader(path, objects)
