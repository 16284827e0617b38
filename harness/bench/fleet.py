# SPDX-License-Identifier: Apache-2.0
"""A bench from models and devices to a record: devices side by side, one failing being a row and never the end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from harness.bench import measure, record, store, subject
from harness.bench.events import Built, Event, Failed, Finished, Noticed, Prepared, Told
from harness.bench.execute import problem, unexpected
from harness.bench.record import Run, Settings
from harness.bench.recorder import Recorder
from harness.bench.subject import Subject
from harness.board.inventory import Device
from harness.cross import build
from harness.errors import BitrigError


@dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
        models: files; the first is the baseline.
        toolchains: the compiler of each target.
        objects: a Python file with the user's own quantisers, or None.
        command: as it was typed, for the report.
    """

    models: tuple[Path, ...]
    devices: tuple[Device, ...]
    toolchains: dict[str, str]
    settings: Settings
    seed: int
    command: tuple[str, ...] = ()
    objects: Path | None = None


def bench(plan: Plan, runs: Path) -> Iterator[Event]:
    """Runs a plan; the record is in `runs/<id>/` and the last event is Finished.

    Raises:
        ModelError: a model cannot be read. Nothing is left behind.
    """
    subjects = []
    for path, name in zip(plan.models, subject.names(plan.models), strict=True):
        yield Told("", f"Reading {path.name}")
        subjects.append(subject.prepare(path, name, plan.objects))
    run = _begin(plan)
    recorder = Recorder(runs, run)
    for event in _events(plan, run, subjects, runs / run.id):
        recorder.add(event)
        yield event
    yield Finished(recorder.finish())


def _begin(plan: Plan) -> Run:
    devices = (
        record.Device(name=d.name, target=d.target, transport=d.transport, emulated=d.emulated) for d in plan.devices
    )
    return Run(
        id=store.new_id(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("bitrig"),
        command=plan.command,
        seed=plan.seed,
        settings=plan.settings,
        devices=tuple(devices),
    )


def _events(plan: Plan, run: Run, subjects: Sequence[Subject], folder: Path) -> Iterator[Event]:
    files: dict[str, Path] = {}
    for number, each in enumerate(subjects):
        yield Prepared(each.model)
        yield from (Noticed(caveat) for caveat in subject.caveats(each))
        parts = each.write(folder / "models" / str(number))
        files |= {f"{each.model.name}/{name}": path for name, path in parts.items()}
    programs: dict[str, Path] = {}
    for target in dict.fromkeys(device.target for device in plan.devices):
        yield from _build(plan, target, programs)
    ready = [device for device in plan.devices if device.target in programs]
    yield from _side_by_side(plan, ready, subjects, {d.name: {**files, "bnn": programs[d.target]} for d in ready})


def _build(plan: Plan, target: str, programs: dict[str, Path]) -> Iterator[Event]:
    """Compiles for a target; where that fails, its devices fail and the others go on."""
    yield Told("", f"Building the runtime for {target}")
    try:
        made = build.build(target, toolchain=plan.toolchains[target])
    except BitrigError as error:
        yield from (Failed(device.name, None, problem(error)) for device in plan.devices if device.target == target)
        return
    programs[target] = made.binary
    described = record.Build(
        target=target,
        toolchain=made.toolchain,
        compiler=made.compiler,
        compiler_version=made.compiler_version,
        flags=made.flags,
        revision=made.revision,
        dirty=made.dirty,
        binary_sha256=made.sha256,
        binary_bytes=made.bytes,
    )
    yield Built(described, made.seconds, made.up_to_date)


def _side_by_side(
    plan: Plan, devices: Sequence[Device], subjects: Sequence[Subject], files: Mapping[str, Mapping[str, Path]]
) -> Iterator[Event]:
    """One worker a machine. Stand-in boards run on this machine, so they and `local` take turns: side by side each
    would disturb the other."""
    events: queue.Queue[Event | None] = queue.Queue()
    machines: dict[str, list[Device]] = {}
    for device in devices:
        machines.setdefault("" if device.transport == "local" or device.lab else device.name, []).append(device)

    def work(own: Sequence[Device]) -> None:
        try:
            for device in own:
                try:
                    measure.measure(device, files[device.name], subjects, plan.settings, plan.seed, events.put)
                except BitrigError as error:
                    events.put(Failed(device.name, None, problem(error)))
                except Exception as error:  # a defect of ours ends this device, never the others' measurements
                    events.put(Failed(device.name, None, unexpected(error)))
        finally:
            events.put(None)

    workers = [threading.Thread(target=work, args=(own,), daemon=True) for own in machines.values()]
    for worker in workers:
        worker.start()
    for _ in workers:
        while (event := events.get()) is not None:
            yield event
