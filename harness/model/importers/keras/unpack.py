# SPDX-License-Identifier: Apache-2.0
"""Unpacks an HDF5 file that nobody vouches for; runs as a process of its own, started by `hdf5`.

    python -P unpack.py FILE ROOT BUDGET

FILE is a path, or - for standard input; ROOT the group that holds the weights; BUDGET how many bytes may be unpacked.

The HDF5 library loops for ever or crashes on some damaged files (found by flipping bytes), so it is kept out of the
process that the user talks to and has limits on its time and memory. Of what HDF5 can do, Keras needs groups, arrays of
floats and attributes of text, and NIR a few integers and texts in place of attributes; links out of the file, external
storage, virtual datasets and filter plugins are refused.

Standard output: the arrays one after the other as little-endian float32, a JSON object, its length in 8 bytes.

    {"error": text}                                    nothing could be read, or
    {"attributes": [[group, name, [text, ...]], ...],  of the file and of the groups below ROOT; an array of texts is
                                                       like an attribute without a name
     "arrays": [[path, shape, offset], ...],
     "integers": [[path, [number, ...]], ...],         short ones
     "problems": [[path, text], ...]}                  what is there but is refused or damaged
"""

from __future__ import annotations

import io
import json
import math
import re
import resource
import signal
import sys
from typing import Any, BinaryIO

import h5py
import numpy as np

DAMAGED = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    MemoryError,
    AttributeError,
    OverflowError,
    IndexError,
)

_ATTRIBUTES = re.compile(r"model_config|keras_version|(layer|weight)_names\d*")
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_MAX_OBJECTS = 200_000
_MAX_DEPTH = 80
_MAX_INTEGERS = 64
_MAX_TEXTS = 40_000


def limit(budget: int) -> None:
    """Bounds what this process may use from now on, at far more than a sound file needs."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, 1.0 + budget / 100e6)  # seconds of CPU, after which SIGPROF ends the process
    for what, most in ((resource.RLIMIT_AS, (2 << 30) + 2 * budget), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


class Unpacking:
    """What was found so far.

    Args:
        out: where the arrays go.
        budget: bytes that may still be unpacked.
    """

    def __init__(self, out: BinaryIO, budget: int) -> None:
        self._out = out
        self._left = budget
        self._written = 0
        self._objects = 0
        self.attributes: list[tuple[str, str, list[str]]] = []
        self.arrays: list[tuple[str, list[int], int]] = []
        self.integers: list[tuple[str, list[int]]] = []
        self.problems: list[tuple[str, str]] = []

    def group(self, group: Any, path: str, depth: int = 0) -> None:
        """Takes the attributes of a group and everything below it."""
        self.texts(group, path)
        for name in group if depth < _MAX_DEPTH else ():
            self._objects += 1
            if self._objects > _MAX_OBJECTS:
                raise ValueError(f"it holds more than {_MAX_OBJECTS:,} objects")
            below = f"{path}/{name}"
            try:
                self._object(group, name, below, depth)
            except DAMAGED as error:
                self.problems.append((below, f"cannot be read: {str(error)[:160]}"))

    def texts(self, group: Any, path: str) -> None:
        """Takes the text attributes that Keras writes."""
        for name in group.attrs:
            if not _ATTRIBUTES.fullmatch(name):
                continue
            self._spend(int(group.attrs.get_id(name).get_storage_size()))
            value = group.attrs[name]
            items = list(value.ravel()) if isinstance(value, np.ndarray) else [value]
            if items and not all(isinstance(item, str | bytes) for item in items):
                self.problems.append((f"{path}@{name}", f"holds {type(items[0]).__name__}, not text"))
                continue
            texts = [item.decode("utf-8") if isinstance(item, bytes) else item for item in items]
            self._spend(sum(map(len, texts)))
            self.attributes.append((path, name, texts))

    def _object(self, group: Any, name: str, path: str, depth: int) -> None:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            self.problems.append((path, "is a link to somewhere else, which is not followed"))
            return
        found = group[name]
        if isinstance(found, h5py.Group):
            self.group(found, path, depth + 1)
        elif isinstance(found, h5py.Dataset):
            problem = self._array(found, path)
            if problem:
                self.problems.append((path, problem))

    def _array(self, data: Any, path: str) -> str | None:
        """Writes an array out; returns what is wrong with it instead."""
        text = h5py.check_string_dtype(data.dtype) is not None
        floats = data.dtype.kind == "f" and data.dtype.itemsize <= 8
        if data.shape is None or not (floats or text or data.dtype.kind in "iu"):
            return f"holds {str(data.dtype)[:40]}, not floats"
        plist = data.id.get_create_plist()
        if data.is_virtual or plist.get_external_count():
            return "lies in another file, which is not read"
        size = math.prod(data.shape) * data.dtype.itemsize
        filters = {plist.get_filter(index)[0] for index in range(plist.get_nfilters())}
        if not filters <= _FILTERS:
            return "is compressed with a filter that is not loaded"
        stored = data.id.get_storage_size()
        if not filters and stored < size:
            return f"claims {size:,} bytes, of which the file holds {stored:,}"
        if size > self._left:
            return f"claims {size:,} bytes, far more than the file's size allows"
        self._spend(size)
        if not floats:
            self._small(data, path, text)
            return f"holds {str(data.dtype)[:40]}, not floats"
        values = np.ascontiguousarray(data[()], dtype="<f4").tobytes()
        self.arrays.append((path, list(data.shape), self._written))
        self._out.write(values)
        self._written += len(values)
        return None

    def _small(self, data: Any, path: str, text: bool) -> None:
        """Takes integers or texts, if they are few."""
        if text and data.size <= _MAX_TEXTS:
            items = [item.decode("utf-8") for item in np.ravel(data[()])]
            self._spend(sum(map(len, items)))
            self.attributes.append((path, "", items))
        elif not text and data.size <= _MAX_INTEGERS:
            self.integers.append((path, np.ravel(data[()]).tolist()))

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError("it unpacks to far more than its size")


def main(source: str, root: str, budget: int) -> None:
    limit(budget)
    out = sys.stdout.buffer
    trailer: dict[str, Any]
    try:
        with h5py.File(io.BytesIO(sys.stdin.buffer.read()) if source == "-" else source, "r") as opened:
            found = Unpacking(out, budget)
            found.texts(opened, "")
            if isinstance(opened.get(root, getlink=True), h5py.HardLink) and isinstance(opened[root], h5py.Group):
                found.group(opened[root], root)
        trailer = {
            "attributes": found.attributes,
            "arrays": found.arrays,
            "integers": found.integers,
            "problems": found.problems,
        }
    except DAMAGED as error:
        trailer = {"error": str(error)[:200] or type(error).__name__}
    text = json.dumps(trailer).encode()
    out.write(text + len(text).to_bytes(8, "little"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
