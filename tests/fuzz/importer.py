# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of an importer: python -m tests.fuzz.importer FORMAT [libFuzzer's options] [corpus folder].

Whatever the bytes are, the answer is a graph or a ModelError, within two seconds. Needs the `fuzz` extra (atheris).
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["harness.model"]):
    from harness.errors import ModelError
    from harness.model import importers

    # Loaded late, these would go unseen.
    from harness.model.importers import bnn, keras, nir, onnx, tflite  # noqa: F401

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

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
