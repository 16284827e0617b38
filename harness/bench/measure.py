# SPDX-License-Identifier: Apache-2.0
"""One board, from the connection to the last round. First the outputs are proved right; only then is time taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from harness.bench import conditions, execute, golden, record, schedule
from harness.bench.events import Event, Failed, Gated, Hosted, Peaked, Profiled, Ready, Round, Stopped, Told
from harness.bench.record import LayerTime, Problem, Process, Profile, Settings
from harness.bench.subject import Subject
from harness.board import conditions as settings_of_board
from harness.board import deploy, job, lock, probe, transport
from harness.board.inventory import Device
from harness.board.transport import Transport
from harness.errors import JobFailed, WrongOutput

Emit = Callable[[Event], None]

EMULATED = {"rounds": (1, 1), "samples": 3, "min_time": 0.0, "max_time": 1.0}
"""An emulated board proves function: one short round, so that the table has numbers to grey out."""


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
    name = subject.model.name
    words = ["bench", "--model", paths[f"{name}/model.bnn"], *options(subject, device)]
    for index in range(len(subject.golden.inputs)):
        words += ["--input", paths[f"{name}/input{index}.bin"]]
    for index in range(len(subject.golden.outputs)):
        words += ["--golden", paths[f"{name}/golden{index}.bin"]]
    words += ["--atol", repr(subject.model.atol), "--rtol", repr(subject.model.rtol)]
    words += ["--samples", str(settings.samples), "--min-time", str(settings.min_time)]
    return [*words, "--max-time", str(settings.max_time)]


def program_name(revision: str) -> str:
    """What a runtime is called among the files of a board."""
    return f"bnn@{revision}" if revision else "bnn"


def measure(
    past: record.Device,
    device: Device,
    files: Mapping[str, Path],
    subjects: Sequence[Subject],
    settings: Settings,
    seed: int,
    emit: Emit,
) -> None:
    """Measures all models on one board, or what is missing of that; what happens goes to `emit`.

    Args:
        past: what the record has of this device already.
        files: the programs, and every part of a subject as "<model>/<part>".

    Raises:
        DeviceError: the board came to nothing, or was lost on the way. What was emitted before stands.
    """

    def waiting(sentence: str) -> None:
        emit(Told(device.name, sentence))

    with transport.connect(device, waiting) as link, lock.hold(link, "bench", waiting):
        kept = [setting.text for setting in settings_of_board.steady(link)]  # first, so that the facts show it
        facts = probe.facts(link) | ({"settings": kept} if kept else {})
        pushed = deploy.push(link, files)
        emit(Ready(device.name, facts, pushed.bytes_sent, pushed.bytes_skipped))
        how = settings.model_copy(update=EMULATED) if device.emulated else settings
        board = Board(link, pushed.paths, {subject.model.name: subject for subject in subjects}, how, emit)
        _prove(board)
        if not past.stopped:
            _rounds(board, seed, past)
        _profile(board, {case.model for case in past.cases if case.profile})
        if not device.emulated and not past.peaks:
            emit(Peaked(device.name, tuple(execute.peaks(link, pushed.paths["bnn"]))))


def _prove(board: Board) -> None:
    """Every model once, its output against the golden one: a model that is wrong here is never timed here."""
    for name, subject in list(board.subjects.items()):
        model = board.paths[f"{name}/model.bnn"]
        try:
            found = execute.outputs(board.link, board.program(name), model, subject.golden.inputs, board.options(name))
        except JobFailed as error:
            board.drop(name, execute.problem(error))
            continue
        agreement = golden.compare(found, subject.golden.outputs, subject.model.atol, subject.model.rtol)
        board.emit(Gated(board.device.name, name, agreement))
        if not agreement.ok:
            del board.subjects[name]


def _rounds(board: Board, seed: int, past: record.Device) -> None:
    """Rounds until the intervals are narrow, the rounds are many, or the time is up; those of the past count."""
    least, most = board.settings.rounds
    processes = {case.model: list(case.processes) for case in past.cases if case.model in board.subjects}
    medians = {name: {p.round: median(p.samples) for p in processes.get(name, [])} for name in board.subjects}
    everything = [p for case in past.cases for p in (*case.processes, *case.discarded)]
    tried = max((p.round + 1 for p in everything), default=0)
    start = time.monotonic() - max((p.seconds for p in everything), default=0.0)
    counted = len({p.round for case in past.cases for p in case.processes})
    while True:
        why = _reason_to_stop(board, medians, counted, time.monotonic() - start)
        if why:
            break
        taken = _round(board, schedule.order(list(board.subjects), seed, board.device.name, tried), tried, start)
        # On a board that is never quiet every round is spoiled: once as many are discarded as are needed at least, the
        # rest count all the same, and the reader is told.
        patient = most > 1 and tried - counted < least
        spoiled = schedule.spoiled(list(taken.values())) if patient else ""
        board.emit(Round(board.device.name, taken, spoiled))
        tried += 1
        if not spoiled:
            counted += 1
            for name, process in taken.items():
                medians[name][process.round] = median(process.samples)
    board.emit(Stopped(board.device.name, why))


def _reason_to_stop(board: Board, medians: Mapping[str, Mapping[int, float]], counted: int, seconds: float) -> str:
    """Why no further round is needed; "" where one is."""
    least, most = board.settings.rounds
    if not board.subjects:
        return "no model is left to measure"
    baselines = {name: subject.model.baseline for name, subject in board.subjects.items()}
    if schedule.enough({name: medians[name] for name in board.subjects}, baselines, board.settings):
        return "every interval is narrow enough"
    if counted >= most:
        return f"{most} rounds were counted" if most > 1 else "one round is enough for an emulated board"
    if counted >= least and seconds > board.settings.budget:
        return f"{board.settings.budget:.0f} s were up"
    return ""


def _round(board: Board, names: Sequence[str], index: int, start: float) -> dict[str, Process]:
    """One process a model. A model whose process fails is dropped and is not in the result."""
    taken: dict[str, Process] = {}
    for position, name in enumerate(names):
        before = conditions.read(board.link)
        seconds = time.monotonic() - start
        events = _bench(board, name)
        if events is not None:
            process = _process(events, index, position, seconds)
            taken[name] = process.model_copy(update={"before": before})
    return taken


def _bench(board: Board, name: str, *extra: str) -> dict[str, dict[str, Any]] | None:
    """The events of one `bnn bench` by their type; None where it failed, after the model was dropped."""
    words = [*arguments(board.subjects[name], board.device, board.paths, board.settings), *extra]
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


def _process(events: Mapping[str, Mapping[str, Any]], index: int, position: int, seconds: float) -> Process:
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
    )


def _profile(board: Board, done: set[str]) -> None:
    """A pass of its own for the times of layers: a profiled process gives no samples."""
    for name in [name for name in board.subjects if name not in done]:
        events = _bench(board, name, "--profile")
        if events is None or "profile" not in events:
            continue
        rows = tuple(LayerTime.model_validate(layer) for layer in events["profile"]["layers"])
        overhead = float(events["profile"].get("overhead_ns", 0.0))
        board.emit(Profiled(board.device.name, name, Profile(layers=rows, overhead=overhead)))
