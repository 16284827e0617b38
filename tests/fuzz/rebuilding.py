# SPDX-License-Identifier: Apache-2.0
"""NIR files taken to pieces, changed and written anew, for flipped bits seldom leave HDF5 whole: other numbers, shapes,
kinds, edges, fields and nodes."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import h5py
import numpy as np

from harness.model.importers.nir.network import FUNCTIONS

Content = dict[str, Any]
"""By its path in the file: texts, whole numbers (lists) or floats (an array)."""

NUMBERS = (-(1 << 62), -(1 << 31), -1, 0, 1, 2, 3, 7, 64, 65_535, 1 << 20, 1 << 31, 1 << 40)
VALUES = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 1e-45, 1e-30, 1e30, -1e38)
KINDS = ("Input", "Output", "NIRGraph", "", *FUNCTIONS)


def rebuilt(unpacked: bytes, chance: Random) -> bytes:
    """A file with one to three differences from what `unpack` gave for another; empty where that was no HDF5."""
    content = pieces(unpacked)
    for _ in range(chance.randint(1, 3)):
        if content:
            chance.choice(CHANGES)(content, chance)
    return written(content) if content else b""


def pieces(unpacked: bytes) -> Content:
    """Everything in the output of `unpack`."""
    length = int.from_bytes(unpacked[-8:], "little")
    trailer: Any = json.loads(unpacked[-8 - length : -8]) if length else {"error": "a crash"}
    if "error" in trailer:
        return {}
    content: Content = {path: texts for path, name, texts in trailer["attributes"] if not name}
    content |= dict(trailer["integers"])
    for path, shape, offset in trailer["arrays"]:
        content[path] = np.frombuffer(unpacked, "<f4", math.prod(shape), offset).reshape(shape).copy()
    return content


def written(content: Content) -> bytes:
    """The bytes of a file of these."""
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        for path, value in content.items():
            with suppress(ValueError, OverflowError, TypeError):  # no name, no number or no place for HDF5
                opened.create_dataset(path, data=_data(value))
    return file.getvalue()


def _data(value: Any) -> Any:
    """One text or number is written as such, several as an array."""
    if isinstance(value, np.ndarray) or len(value) != 1:
        texts = not isinstance(value, np.ndarray) and any(isinstance(item, str) for item in value)
        return np.array(value, h5py.string_dtype() if texts else None)
    return value[0]


def _of(content: Content, chance: Random, wanted: Callable[[str, Any], bool]) -> str | None:
    found = [path for path, value in content.items() if wanted(path, value)]
    return chance.choice(found) if found else None


def _numbers(content: Content, chance: Random) -> None:
    path = _of(content, chance, lambda _, value: isinstance(value, list) and bool(value) and isinstance(value[0], int))
    if path:
        numbers = [*content[path]]
        numbers[chance.randrange(len(numbers))] = chance.choice(NUMBERS)
        content[path] = chance.choice((numbers, numbers, [*numbers, chance.choice(NUMBERS)], numbers[:-1] or numbers))


def _shape(content: Content, chance: Random) -> None:
    path = _of(content, chance, lambda _, value: isinstance(value, np.ndarray))
    if path:
        array = content[path]
        axis = chance.randrange(max(array.ndim, 1))
        content[path] = chance.choice(
            (
                lambda: array.reshape(-1),
                lambda: array.swapaxes(0, axis) if array.ndim else array[None],
                lambda: np.expand_dims(array, axis),
                lambda: array.take(range(array.shape[axis] // 2), axis) if array.ndim else array,
                lambda: array.take(0, axis) if array.size and array.ndim else array,
                lambda: np.full(array.shape[:axis], chance.choice(VALUES), np.float32),
            )
        )()


def _value(content: Content, chance: Random) -> None:
    path = _of(content, chance, lambda _, value: isinstance(value, np.ndarray) and value.size > 0)
    if path:
        array = content[path].copy()
        array.flat[slice(None) if chance.random() < 0.3 else chance.randrange(array.size)] = chance.choice(VALUES)
        content[path] = array


def _kind(content: Content, chance: Random) -> None:
    path = _of(content, chance, lambda path, _: path.endswith("/type"))
    if path:
        content[path] = [chance.choice(KINDS)]


def _edge(content: Content, chance: Random) -> None:
    path = _of(content, chance, lambda path, _: path.endswith("/edges"))
    names = [path.split("/")[-2] for path in content if path.endswith("/type")]
    if path and names:
        ends = [str(end) for end in content[path]]
        if ends and chance.random() < 0.6:
            ends[chance.randrange(len(ends))] = chance.choice(names)
        elif chance.random() < 0.5:
            ends += [chance.choice(names), chance.choice(names)]
        else:
            ends = ends[2:]
        content[path] = ends


def _drop(content: Content, chance: Random) -> None:
    del content[chance.choice([*content])]


def _field(content: Content, chance: Random) -> None:
    """One field becomes what another one is."""
    paths = [*content]
    content[chance.choice(paths)] = content[chance.choice(paths)]


def _node(content: Content, chance: Random) -> None:
    """A node, or a whole graph, once more: under another name or inside another one."""
    path = _of(content, chance, lambda path, _: path.endswith("/type"))
    other = _of(content, chance, lambda path, _: path.endswith("/type"))
    if path and other:
        start, (beside, _, _) = path.removesuffix("type"), other.rpartition("/")[0].rpartition("/")
        place = chance.choice((f"{beside}/copy/", f"{other.removesuffix('type')}nodes/copy/"))
        content |= {place + at.removeprefix(start): value for at, value in content.items() if at.startswith(start)}


CHANGES = (_numbers, _numbers, _shape, _shape, _value, _kind, _edge, _drop, _field, _node)
