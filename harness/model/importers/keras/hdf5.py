# SPDX-License-Identifier: Apache-2.0
"""The text and the arrays of an HDF5 file, unpacked by another process so that a bad file can do no harm here."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import ModelError

SIGNATURE = b"\x89HDF\r\n\x1a\n"

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "HDF5_PLUGIN_PRELOAD": "::"}
"""Of the process that unpacks. The second keeps HDF5 from loading filters."""

_SCRIPT = Path(__file__).with_name("unpack.py")
_AGAIN = "Save the model again with {save}, or fetch the file again and compare its size."


def allowance(size: int) -> int:
    """Bytes that may be unpacked from a file of `size` bytes, for weights hardly compress."""
    return 4 * size + (16 << 20)


class Store:
    """What an HDF5 file holds.

    Args:
        source: the file, or its bytes.
        root: the group that holds the weights.
        writer, save: what writes such files, and by which call.

    Raises:
        ModelError: it cannot be read as HDF5.
    """

    def __init__(self, source: Path | bytes, root: str, writer: str = "Keras", save: str = "model.save(...)") -> None:
        self._writer, self._again = writer, _AGAIN.format(save=save)
        self._data = _unpacked(source, root, self._again)
        length = int.from_bytes(self._data[-8:], "little")
        trailer = json.loads(self._data[-8 - length : -8])
        if "error" in trailer:
            raise ModelError(
                f"The file cannot be read as HDF5: {trailer['error']}.",
                "It was cut (an unfinished download or copy) or damaged.",
                self._again,
            )
        self._texts: dict[tuple[str, str], tuple[str, ...]] = {
            (group, name): tuple(texts) for group, name, texts in trailer["attributes"]
        }
        self._arrays: dict[str, tuple[tuple[int, ...], int]] = {
            path: (tuple(shape), offset) for path, shape, offset in trailer["arrays"]
        }
        self._integers: dict[str, tuple[int, ...]] = {path: tuple(items) for path, items in trailer["integers"]}
        self._problems: dict[str, str] = dict(trailer["problems"])

    def below(self, path: str) -> tuple[str, ...]:
        """The names of what a group holds, in order, whether it can be read or not."""
        texts = (group for group, _ in self._texts)
        places = (*self._arrays, *self._integers, *texts, *(place.split("@")[0] for place in self._problems))
        start = f"{path}/"
        return tuple(sorted({place[len(start) :].split("/")[0] for place in places if place.startswith(start)}))

    def integers(self, path: str) -> tuple[int, ...] | None:
        """A few integers; None where there are none at `path`."""
        return self._integers.get(path)

    def floats(self, path: str) -> NDArray[np.float32]:
        """The floats at `path`, of whatever shape; raises as `array` does."""
        return self.array(path, self._arrays[path][0] if path in self._arrays else ())

    def has(self, path: str) -> bool:
        """Whether there is something at `path`, even if it cannot be used."""
        return path in self._arrays or path in self._integers or path in self._problems

    def text(self, group: str, key: str) -> str | None:
        """A text attribute of a group (the file itself is ""); None where it is absent."""
        self._check(f"{group}@{key}", f"The attribute {key!r}")
        return (*self._texts.get((group, key), ()), None)[0]

    def texts(self, group: str, key: str) -> tuple[str, ...] | None:
        """A list of texts, which Keras splits into key0, key1, ... where it is longer than an HDF5 attribute."""
        self._check(f"{group}@{key}", f"The attribute {key!r}")
        whole = self._texts.get((group, key))
        if whole is not None:
            return whole
        parts: list[str] = []
        index = 0
        while (part := self._texts.get((group, f"{key}{index}"))) is not None:
            parts += part
            index += 1
        return tuple(parts) if index else None

    def array(self, path: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """The floats at `path`.

        Raises:
            ModelError: they are missing, not floats, not of this shape, not finite, or not really in the file.
        """
        steps = path.split("/")
        label = f"The weights {path[-160:]!r}"
        for depth in range(1, len(steps) + 1):
            self._check("/".join(steps[:depth]), label)
        if path not in self._arrays:
            raise ModelError(f"{label} are missing.", "The file was saved in part, or edited.", self._again)
        stored, offset = self._arrays[path]
        if stored != shape:
            raise ModelError(
                f"{label} have the shape {list(stored)}; the layer wants {list(shape)}.",
                "The architecture and the weights in the file do not belong together.",
                self._again,
            )
        values = np.frombuffer(self._data, "<f4", math.prod(shape), offset).reshape(shape)
        if not np.isfinite(values).all():
            raise ModelError(
                f"{label} hold NaN or infinity.",
                "Training diverged, or the file is damaged.",
                "Load the model in the framework that wrote it and look at that layer.",
            )
        return values

    def _check(self, place: str, label: str) -> None:
        if place in self._problems:
            raise ModelError(
                f"{label} cannot be used: {place.rsplit('/', 1)[-1][-80:]!r} {self._problems[place]}.",
                f"{self._writer} writes plain arrays and text, all into one file; this one was edited or is damaged.",
                self._again,
            )


def _unpacked(source: Path | bytes, root: str, again: str) -> bytes:
    """The output of `unpack`."""
    content = source if isinstance(source, bytes) else b""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    file = "-" if isinstance(source, bytes) else str(source.absolute())
    done = _run([file, root, str(allowance(size))], content)
    if done.returncode == 0 and len(done.stdout) >= 8:
        return done.stdout
    if done.returncode == -signal.SIGPROF:
        what = "The HDF5 library found no end in the file."
    elif done.returncode < 0:
        what = f"The HDF5 library crashed on the file ({signal.Signals(-done.returncode).name})."
    else:
        what = f"The file cannot be read as HDF5: {done.stderr.decode(errors='replace').strip()[-160:]}"
    raise ModelError(what, "It was cut (an unfinished download or copy) or damaged.", again)


def _run(arguments: Sequence[str], content: bytes) -> subprocess.CompletedProcess[bytes]:
    """`unpack` as a process of its own; a fuzzer puts a faster one in its place."""
    command = [sys.executable, "-P", str(_SCRIPT), *arguments]  # -P: this folder is not searched for modules
    environment = {**os.environ, **ENVIRONMENT}
    return subprocess.run(command, input=content, capture_output=True, check=False, env=environment)
