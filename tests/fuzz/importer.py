# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of an importer: python -m tests.fuzz.importer FORMAT [libFuzzer's options] [corpus folder].

Whatever the bytes are, the answer is a graph or a ModelError, within two seconds. Needs the `fuzz` extra (atheris).
"""

from __future__ import annotations

import io
import random
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

    if suffix == ".keras":  # its weights are unpacked in a process of their own, which takes a hundred times the rest
        hdf5._unpacked = lru_cache(64)(hdf5._unpacked)
    mutator = {"custom_mutator": change_member} if suffix == ".keras" else {}
    atheris.Setup(sys.argv, once, **mutator)
    atheris.Fuzz()


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
    return packed.getvalue()


if __name__ == "__main__":
    main()
