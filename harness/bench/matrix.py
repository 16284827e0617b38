# SPDX-License-Identifier: Apache-2.0
"""The runtime where it could go wrong: under sanitizers, and on emulated CPUs from the oldest to the widest.

Each place runs `bnn check` (every kernel against the definition, on random and extreme data, before a guard page) and
some whole models on two threads against their golden outputs.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.bench import golden
from harness.bench.subject import Subject
from harness.cross import build, debian
from harness.cross.progress import Progress, silent
from harness.errors import BitrigError

RUN_SECONDS = 3600
"""Of the longest program: an emulator on a busy machine is slow, but not that slow."""


@dataclass(frozen=True)
class Place:
    """Where the runtime runs.

    Attributes:
        sanitize: gcc's names of sanitizers; empty: zig builds the program as boards get it.
        emulator: what stands before the program.
    """

    name: str
    target: str
    sanitize: tuple[str, ...] = ()
    emulator: str = ""


def _arm(cpu: str, target: str, options: str = "") -> Place:
    emulator = "qemu-aarch64-static" if target == "aarch64" else "qemu-arm-static"
    return Place(f"{cpu}{options}", target, emulator=f"{emulator} -cpu {cpu}{options.replace('+', ',')}")


PLACES = (
    Place("address+undefined", "host", ("address", "undefined")),
    Place("thread", "host", ("thread",)),
    *(_arm(cpu, "aarch64") for cpu in ("cortex-a53", "cortex-a72", "cortex-a76")),
    *(_arm("max", "aarch64", f"+sve{bits}=on") for bits in (128, 256, 512)),
    _arm("cortex-a7", "armv7"),
    _arm("arm1176", "armv6"),
)


@dataclass(frozen=True)
class Visit:
    """What came of a place.

    Attributes:
        kernels, cases, failures: of `bnn check`.
        models: by name, whether the output was right.
        problem: why there is nothing, or what a sanitizer said; empty where all is well.
    """

    place: str
    kernels: int
    cases: int
    failures: int
    models: dict[str, bool]
    seconds: float
    problem: str = ""

    @property
    def ok(self) -> bool:
        return not (self.failures or self.problem) and self.cases > 0 and all(self.models.values())


def run(
    places: Sequence[Place], subjects: Sequence[Subject], options: Sequence[str] = (), progress: Progress = silent
) -> Iterator[Visit]:
    """Visits the places one after the other. One that cannot be built or emulated here is a result, too.

    Args:
        options: for `bnn check`.
    """
    for place in places:
        try:
            command = _command(place, progress)
        except BitrigError as error:
            yield Visit(place.name, 0, 0, 0, {}, 0.0, error.what)
        else:
            progress(f"{place.name}: checking")
            yield _visit(place, command, subjects, options)


def _command(place: Place, progress: Progress) -> list[str]:
    """What starts the program of a place."""
    toolchain = "gcc" if place.sanitize else "zig"
    made = build.build(place.target, toolchain=toolchain, sanitize=place.sanitize, progress=progress)
    emulator = shlex.split(place.emulator)
    return [*([str(debian.tool(emulator[0], progress)), *emulator[1:]] if emulator else []), str(made.binary)]


def _visit(place: Place, command: Sequence[str], subjects: Sequence[Subject], options: Sequence[str]) -> Visit:
    start = time.monotonic()
    done = _bnn(command, "check", *options)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    end: dict[str, Any] = next((event for event in events if event["type"] == "end"), {})
    failures = sum(event["type"] == "failure" for event in events)
    problem = "" if failures else _problem(done)  # failures have an exit code, too
    models: dict[str, bool] = {}
    for subject in subjects:
        with tempfile.TemporaryDirectory() as folder:
            models[subject.model.name], said = _model(command, subject, Path(folder))
        problem = problem or said
    counts = int(end.get("kernels", 0)), int(end.get("cases", 0)), failures
    return Visit(place.name, *counts, models, time.monotonic() - start, problem)


def _model(command: Sequence[str], subject: Subject, folder: Path) -> tuple[bool, str]:
    """Whether a model's outputs are right, and what the program had to say."""
    paths = subject.write(folder)
    given = [f"--input={paths[name]}" for name in sorted(paths) if name.startswith("input")]
    outputs = [folder / f"output{index}.bin" for index in range(len(subject.golden.outputs))]
    wanted = [f"--output={path}" for path in outputs]
    done = _bnn(command, "run", f"--model={paths['model.bnn']}", "--threads=2", *given, *wanted)
    if done.returncode:
        return False, _problem(done)
    found = [
        np.fromfile(path, array.dtype).reshape(array.shape)
        for path, array in zip(outputs, subject.golden.outputs, strict=True)
    ]
    settled = subject.golden
    return golden.compare(found, settled.outputs, settled.atol, settled.rtol).ok, ""


def _bnn(command: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired as error:
        return subprocess.CompletedProcess(error.cmd, 124, "", f"it still ran after {RUN_SECONDS} s")


def _problem(done: subprocess.CompletedProcess[str]) -> str:
    """How a program ended badly, and the first that it said; empty where it ended well."""
    if done.returncode == 0:
        return ""
    said = [line for line in done.stderr.splitlines() if line.strip("= ")] or ["it said nothing"]
    return f"ended with {done.returncode}: {said[0]}"
