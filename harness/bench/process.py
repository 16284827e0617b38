# SPDX-License-Identifier: Apache-2.0
"""One process of `bnn bench` on a board: its command line, and its lines as a value of the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.bench import execute
from harness.bench.events import Event, Failed, Hosted
from harness.bench.record import Conditions, Problem, Process, Settings
from harness.bench.subject import Subject
from harness.board import job
from harness.board.inventory import Device
from harness.board.transport import Transport
from harness.errors import JobFailed, WrongOutput

Emit = Callable[[Event], None]


@dataclass
class Board:
    """A board in use: its connection, the files on it, and the models that still run."""

    link: Transport
    paths: Mapping[str, str]
    subjects: dict[str, Subject]
    settings: Settings
    emit: Emit
    hosted: set[str] = field(default_factory=set)

    @property
    def device(self) -> Device:
        return self.link.device

    def program(self, name: str) -> str:
        """The runtime of a model on the board."""
        revision = self.subjects[name].model.variant.revision
        return self.paths[program_name(revision)]

    def options(self, name: str) -> list[str]:
        """The options of a model's jobs: which kernels, how many threads."""
        return options(self.subjects[name], self.device)

    def drop(self, model: str, problem: Problem) -> None:
        """A model that failed here runs no further; the others do."""
        del self.subjects[model]
        self.emit(Failed(self.device.name, model, problem))


def options(subject: Subject, device: Device) -> list[str]:
    """What `bnn` is told about kernels and threads for a model on a device."""
    variant = subject.model.variant
    chosen = ["--threads", str(variant.threads or device.threads)]
    if variant.isa_mask is not None:
        chosen += ["--isa-mask", variant.isa_mask]
    return chosen + [word for kernel in variant.kernels for word in ("--kernel", kernel)]


def arguments(subject: Subject, device: Device, paths: Mapping[str, str], settings: Settings) -> list[str]:
    """The words of one `bnn bench` after the program's name; `paths` are the files on the board by their names."""
    name, variant = subject.model.name, subject.model.variant
    words = ["bench", "--model", paths[f"{name}/model.bnn"], *options(subject, device)]
    for index in range(len(subject.golden.inputs)):
        words += ["--input", paths[f"{name}/input{index}.bin"]]
    for index in range(len(subject.golden.outputs)):
        words += ["--golden", paths[f"{name}/golden{index}.bin"]]
    words += ["--atol", repr(subject.model.atol), "--rtol", repr(subject.model.rtol)]
    words += ["--samples", str(settings.samples), "--min-time", str(settings.min_time)]
    words += ["--max-time", str(settings.max_time)]
    # A runtime of an older revision does not know these: they are said only where they are asked for.
    words += ["--cold"] if settings.cold else []
    return words + (["--handicap", str(variant.handicap)] if variant.handicap else [])


def program_name(revision: str) -> str:
    """What a runtime is called among the files of a board."""
    return f"bnn@{revision}" if revision else "bnn"


def bench(board: Board, name: str, settings: Settings, *extra: str) -> dict[str, dict[str, Any]] | None:
    """The lines of one `bnn bench` by their type; None where it failed, after the model was dropped."""
    words = [*arguments(board.subjects[name], board.device, board.paths, settings), *extra]
    events, ended = job.collect(board.link, board.program(name), words)
    by_type = {event["type"]: event for event in events}
    if not ended.ok or "end" not in by_type:
        board.drop(name, execute.problem(_failure(board.device.name, by_type, events, ended)))
        return None
    if name not in board.hosted:
        board.hosted.add(name)
        kernels = {layer["name"]: layer["kernel"] for layer in by_type["model"].get("layers", [])}
        host = {key: value for key, value in by_type["host"].items() if key != "type"}
        arena = int(by_type["model"].get("arena_bytes", 0))
        board.emit(Hosted(board.device.name, name, host, kernels, arena))
    return by_type


def _failure(
    device: str, by_type: Mapping[str, Any], events: Sequence[Mapping[str, Any]], ended: job.Ended
) -> JobFailed | WrongOutput:
    gate = by_type.get("golden")
    if gate and not gate["ok"]:
        return WrongOutput(
            f"{device}: the output changed between two processes: {gate['got']} at {gate['at']}, "
            f"{gate['expected']} is right.",
            "The runtime reads memory that it did not write, or the board computes unreliably.",
            "Run inv check on the board.",
        )
    return execute.failure(device, "bench", events, ended)


def described(
    events: Mapping[str, Mapping[str, Any]], index: int, position: int, seconds: float, before: Conditions
) -> Process:
    """The lines of a process that ended well, as the record has them."""
    samples, warmup, canary = events["samples"], events.get("warmup", {}), events.get("canary")
    usage = {key: int(value) for key, value in events.get("rusage", {}).items() if key != "type"}
    return Process(
        round=index,
        position=position,
        seconds=round(seconds, 3),
        first=int(events["first"]["ns"]),
        batch=int(samples["batch"]),
        samples=tuple(samples["ns"]),
        warmup_iterations=int(warmup.get("iterations", 0)),
        warmup_seconds=float(warmup.get("seconds", 0.0)),
        steady=bool(warmup.get("steady", True)),
        canary=(int(canary["before_ns"]), int(canary["after_ns"])) if canary else None,
        rusage=usage,
        before=before,
    )
