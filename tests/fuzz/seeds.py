# SPDX-License-Identifier: Apache-2.0
"""Sound files for a fuzzer to begin with: python -m tests.fuzz.seeds NAME FOLDER LARGEST.

NAME is a format or `loader`, LARGEST a number of bytes. Files come from models/ and the tests' data; for what reads
`.bnn`, those are compiled, and every operation's cases are added: floats, bits, planes, codes of int8 and spikes, each
in a net of a kilobyte.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from harness.cross.toolchain import ROOT
from harness.errors import UnsupportedModel
from harness.model import container, importers, pipeline
from harness.model.graph import Builder
from tests.kernels import cases, test_int8

_COMPILED = frozenset({"loader", "bnn"})


def main(name: str, folder: str, largest: str) -> None:
    for label, content in _compiled() if name in _COMPILED else _files([f".{name}"]):
        if len(content) <= int(largest):
            Path(folder, label).write_bytes(content)


def _paths(suffixes: list[str]) -> list[Path]:
    found = (path for folder in ("models", "tests/data") for path in (ROOT / folder).rglob("*"))
    return sorted(path for path in found if path.suffix in suffixes and path.parent.name != "bad")


def _label(path: Path) -> str:
    return "-".join(path.relative_to(ROOT).parts)


def _files(suffixes: list[str]) -> Iterator[tuple[str, bytes]]:
    for path in _paths(suffixes):
        yield _label(path), path.read_bytes()


def _compiled() -> Iterator[tuple[str, bytes]]:
    for path in _paths([suffix for suffix in importers.suffixes() if suffix != ".bnn"]):
        with suppress(UnsupportedModel):  # it needs an --objects file
            yield _label(path), pipeline.prepare(path).bnn
    for module in (cases, test_int8):
        for index, case in enumerate(module.CASES.values()):
            build = Builder("case")
            case(build, np.random.default_rng(index))
            yield f"{module.__name__}-{index}", container.encode(build.graph())


if __name__ == "__main__":
    main(*sys.argv[1:])
