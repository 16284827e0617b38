# SPDX-License-Identifier: Apache-2.0
"""Runs the `bnn` program on graphs and files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.model import bits, container
from harness.model.graph import Array, Graph

_KINDS: dict[str, Any] = {"f32": np.float32, "i8": np.int8, "i32": np.int32, "bits": np.uint32}


@dataclass(frozen=True)
class Answer:
    """What one call of the program gave: its exit code and its JSON lines."""

    code: int
    lines: tuple[dict[str, Any], ...]

    def line(self, kind: str) -> dict[str, Any]:
        """The one line of this type."""
        (found,) = (line for line in self.lines if line["type"] == kind)
        return found


@dataclass(frozen=True)
class Runtime:
    """The program, and a folder for its files.

    Attributes:
        command: what starts it; an emulator may stand before it.
    """

    command: tuple[str, ...]
    folder: Path

    def call(self, *arguments: str | Path) -> Answer:
        done = subprocess.run([*self.command, *map(str, arguments)], capture_output=True, timeout=60, check=False)
        assert done.returncode >= 0, f"killed by signal {-done.returncode}: {done.stderr.decode()}"
        return Answer(done.returncode, tuple(json.loads(line) for line in done.stdout.decode().splitlines()))

    def info(self, model: bytes) -> Answer:
        path = self.folder / "info.bnn"
        path.write_bytes(model)
        return self.call("info", "--model", path)

    def run(self, graph: Graph, inputs: Sequence[Array], *options: str) -> list[Array]:
        """The outputs of a graph; inputs with more samples than the graph's batch run one after the other."""
        model = self.folder / "run.bnn"
        model.write_bytes(container.encode(graph))
        arguments: list[str | Path] = ["run", "--model", model, *options]
        for at, array in enumerate(inputs):
            path = self.folder / f"input{at}.bin"
            path.write_bytes(np.ascontiguousarray(array).tobytes())
            arguments += ["--input", path]
        paths = [self.folder / f"output{at}.bin" for at in range(len(graph.results))]
        for path in paths:
            arguments += ["--output", path]
        answer = self.call(*arguments)
        assert answer.code == 0, answer.lines
        return [self._read(path, graph, name) for path, name in zip(paths, graph.results, strict=True)]

    @staticmethod
    def _read(path: Path, graph: Graph, name: str) -> Array:
        tensor = graph.tensors[name]
        shape = tensor.shape
        if tensor.dtype == "bits":
            shape = (*shape[:-1], tensor.planes * bits.words(shape[-1]))
        array = np.fromfile(path, _KINDS[tensor.dtype])
        return array.reshape(-1, *shape[1:]) if shape else array.reshape(())
