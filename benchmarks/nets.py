# SPDX-License-Identifier: Apache-2.0
"""Whole nets side by side: our runtime, the Larq Compute Engine, and the nets' float twins in onnxruntime."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import onnx_file, peers, twins
from benchmarks.layers import RELATIVE, ours, peer
from benchmarks.race import Entrant, Times, race
from harness.bench.corpus import Item, read
from harness.errors import JobFailed, UsageError
from harness.model import container, pipeline, reference

OURS = "bitrig"
LEAST_BYTES = 1_000_000
"""Of a model file that is a whole net and not a test of one layer."""
CALIBRATION = 8
"""Random images that the ranges of the int8 twin come from; its speed does not depend on them."""


@dataclass(frozen=True)
class Side:
    """One engine on one net.

    Attributes:
        ratio: its time over ours, with the interval; None for ours.
    """

    name: str
    times: Times
    ratio: tuple[float, float | None, float | None] | None


@dataclass(frozen=True)
class Profiled:
    """An operation of our runtime: its share of the time of a net, and the layer that takes most of it."""

    op: str
    layers: int
    share: float
    slowest: str


@dataclass(frozen=True)
class Result:
    net: str
    sides: tuple[Side, ...]
    profile: tuple[Profiled, ...]


def chosen(corpus: Path, names: Sequence[str]) -> list[Item]:
    """The nets of a corpus by name; all that are large enough where no names are given.

    Raises:
        UsageError: no such corpus, or no such net in it.
    """
    items = read(corpus)
    if unknown := set(names) - {item.name for item in items}:
        raise UsageError(f"{corpus} has no model {', '.join(sorted(unknown))}.")
    if names:
        return [item for item in items if item.name in names]
    return [item for item in items if item.strict and item.path.stat().st_size >= LEAST_BYTES]


def compare(
    items: Sequence[Item], binary: Path, folder: Path, rounds: int, seed: int, tell: Callable[[str], None]
) -> Iterator[Result]:
    """Races each net of a corpus, one thread each.

    The Larq Compute Engine takes part where the file is one of its own.

    Args:
        binary: our program for this machine.
        folder: where the files go.

    Raises:
        ModelError, UsageError: a net cannot be read, or its float twin cannot be written.
        WrongOutput, JobFailed: see race.
    """
    python = peers.python()
    for item in items:
        tell(f"{item.name}: preparing the twins")
        stem = folder / item.name
        entrants = [*_binary(item, binary, python, stem), *_float(item, binary, python, stem)]
        found = race(entrants, rounds, seed, partial(_tell, tell, item.name))
        sides = tuple(Side(name, times, _ratio(times, found[OURS], name)) for name, times in found.items())
        yield Result(item.name, sides, tuple(_profile(entrants[0].command)))


def _tell(tell: Callable[[str], None], net: str, line: str) -> None:
    tell(f"{net}: {line}")


def _ratio(times: Times, base: Times, name: str) -> tuple[float, float | None, float | None] | None:
    if name == OURS:
        return None
    interval = times.over(base)
    return interval.estimate, interval.low, interval.high


def _binary(item: Item, binary: Path, python: Path, stem: Path) -> Iterator[Entrant]:
    prepared = pipeline.prepare(item.path)
    sample = item.samples[0]
    (x,), (y,) = sample.inputs(prepared.graph.inputs), sample.outputs()
    stem.with_suffix(".bnn").write_bytes(prepared.bnn)
    stem.with_suffix(".x").write_bytes(np.ascontiguousarray(x, np.float32).tobytes())
    stem.with_suffix(".y").write_bytes(np.ascontiguousarray(y, np.float32).tobytes())
    atol = item.atol + item.rtol * float(np.abs(y).max())
    yield Entrant(OURS, ours(binary, stem, atol), atol)
    if item.format == "tflite":
        stem.with_suffix(".tflite").write_bytes(item.path.read_bytes())
        for engine, name in (("lce", "LCE"), ("lce-indirect", "LCE, indirect")):
            yield Entrant(name, peer(python, engine, stem, ".tflite"), atol)


def _float(item: Item, binary: Path, python: Path, stem: Path) -> Iterator[Entrant]:
    twin = twins.float_twin(pipeline.prepare(item.path).graph)
    twin_stem = stem.with_name(f"{stem.name}-float")
    (x,) = item.samples[0].inputs(twin.inputs)
    x = np.ascontiguousarray(x, np.float32).reshape(twin.tensors[twin.inputs[0]].shape)
    y = reference.run(twin, [x])[0]
    images = np.random.default_rng(1).standard_normal((CALIBRATION, *x.shape)).astype(np.float32)
    for suffix, content in {
        ".bnn": container.encode(twin),
        ".x": x.tobytes(),
        ".y": y.tobytes(),
        ".onnx": onnx_file.encode(twin),
        ".nchw.x": onnx_file.image(x).tobytes(),
        ".nchw.y": onnx_file.image(y).tobytes(),
        ".calibration": b"".join(onnx_file.image(image).tobytes() for image in images),
    }.items():
        twin_stem.with_suffix(suffix).write_bytes(content)
    atol = RELATIVE * float(np.abs(y).max())
    yield Entrant("float twin, bitrig", ours(binary, twin_stem, atol), atol)
    yield Entrant("float twin, onnxruntime", peer(python, "onnxruntime", twin_stem, ".onnx", ".nchw"), atol)
    files = [str(twin_stem.with_suffix(suffix)) for suffix in (".onnx", ".calibration", ".int8.onnx")]
    done = subprocess.run([str(python), str(peers.SCRIPT), "quantise", *files], capture_output=True, text=True)
    if done.returncode:
        raise JobFailed(f"{item.name}: onnxruntime does not quantise its float twin: {done.stderr.strip()[-300:]}")
    yield Entrant("int8 twin, onnxruntime", peer(python, "onnxruntime", twin_stem, ".int8.onnx", ".nchw"), None)


def _profile(command: Sequence[str]) -> Iterator[Profiled]:
    """Where our time goes, by operation, the largest share first."""
    done = subprocess.run([*command, "--profile"], capture_output=True, text=True, check=True)
    lines = {line["type"]: line for line in map(json.loads, done.stdout.splitlines())}
    layers = lines["profile"]["layers"]
    total = sum(layer["ns"] for layer in layers)
    by_op: dict[str, list[Mapping[str, float | str]]] = {}
    for layer in layers:
        by_op.setdefault(layer["op"], []).append(layer)
    shares = {op: sum(float(layer["ns"]) for layer in own) / total for op, own in by_op.items()}
    for op in sorted(shares, key=lambda op: -shares[op]):
        slowest = max(by_op[op], key=lambda layer: float(layer["ns"]))
        yield Profiled(op, len(by_op[op]), shares[op], str(slowest["name"]))
