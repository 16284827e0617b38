# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of an importer: python -m tests.fuzz.importer FORMAT [libFuzzer's options] [corpus folder].

Whatever the bytes are, the answer is a graph or a ModelError, within two seconds. Needs the `fuzz` extra (atheris).
"""

from __future__ import annotations

import io
import random
import re
import sys
import tempfile
import time
import zipfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["harness.model"]):
    from harness.errors import ModelError
    from harness.model import importers

    # Loaded late, these would go unseen.
    from harness.model.importers import bnn, keras, nir, onnx, tflite  # noqa: F401
    from harness.model.importers.keras import hdf5
    from tests.fuzz import rebuilding
    from tests.fuzz.unpacker import Unpacker

SLOWEST = 2.0
"""Seconds of processor time that one file may take; doubled here for the instrumentation."""


def main() -> None:
    suffix = f".{sys.argv.pop(1)}"
    folder = Path(tempfile.mkdtemp())
    path = folder / f"fuzzed{suffix}"

    def once(data: bytes) -> None:
        path.write_bytes(data)
        began = time.process_time()
        with suppress(ModelError):
            importers.load(path)
        took = time.process_time() - began
        if took > 2 * SLOWEST:
            raise TimeoutError(f"{len(data)} bytes took {took:.1f} s")

    hdf5._run = Unpacker().run
    if suffix == ".keras":  # whose weights change seldom, and take ten times the rest
        hdf5._unpacked = lru_cache(64)(hdf5._unpacked)
    mutator = {"custom_mutator": MUTATORS[suffix]} if suffix in MUTATORS else {}
    atheris.Setup(sys.argv, once, **mutator)
    atheris.Fuzz()


def change_text(data: bytes, max_size: int, seed: int) -> bytes:
    """Changes the JSON within an HDF5 file and keeps its length, which is written elsewhere; now and then any byte."""
    chance = random.Random(seed)
    found = re.search(rb"\{[ -~]{64,}\}", data)
    if found is None or chance.random() < 0.2:
        return bytes(atheris.Mutate(data, max_size))
    text = found.group().rstrip()
    changed = bytes(atheris.Mutate(text, len(text)))
    return data[: found.start()] + changed.ljust(len(found.group())) + data[found.end() :]


def change_member(data: bytes, max_size: int, seed: int) -> bytes:
    """Changes one file of a zip archive, whose checksums would let nothing else through; now and then the archive."""
    chance = random.Random(seed)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name)[:max_size] for name in archive.namelist()[:8]}
    except Exception:  # whatever Python's own reader makes of a broken archive
        members = {}
    if not members or chance.random() < 0.02:
        return bytes(atheris.Mutate(data, max_size))
    chosen = "config.json" if "config.json" in members and chance.random() < 0.9 else chance.choice(sorted(members))
    others = sum(len(content) for name, content in members.items() if name != chosen)
    members[chosen] = bytes(atheris.Mutate(members[chosen], max(max_size - others, 1)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue() if packed.tell() <= max_size else bytes(atheris.Mutate(data, max_size))


def change_net(data: bytes, max_size: int, seed: int) -> bytes:
    """Changes what a NIR file says, and writes it anew; now and then any byte."""
    chance = random.Random(seed)
    changed = rebuilding.rebuilt(_unpacked(data), chance) if chance.random() < 0.9 else b""
    return changed if 0 < len(changed) <= max_size else bytes(atheris.Mutate(data, max_size))


@lru_cache(256)
def _unpacked(data: bytes) -> bytes:
    return hdf5._run(["-", "node", str(hdf5.allowance(len(data)))], data).stdout


MUTATORS = {".h5": change_text, ".keras": change_member, ".nir": change_net}

if __name__ == "__main__":
    main()
