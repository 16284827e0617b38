# SPDX-License-Identifier: Apache-2.0
"""A bench from models and devices to a record: devices side by side, one failing being a row and never the end."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from harness.bench import measure, process, record, store, subject, variants
from harness.bench.events import Built, Event, Failed, Finished, Noticed, Prepared, Told
from harness.bench.execute import problem, unexpected
from harness.bench.outline import Outline, outline
from harness.bench.record import Run, Settings
from harness.bench.recorder import Recorder
from harness.bench.revision import build as revision_build
from harness.bench.subject import Subject
from harness.bench.variants import Entrant
from harness.board import lab
from harness.board.inventory import Device
from harness.errors import BitrigError, UsageError


@dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
        toolchains: the compiler of each target.
        objects: mapping of the user's own classes to known quantisers, or None.
        sim: how spiking networks are simulated, as simulation.parse takes it.
        command: as it was typed, for the report.
    """

    entrants: tuple[Entrant, ...]
    devices: tuple[Device, ...]
    toolchains: Mapping[str, str]
    settings: Settings
    seed: int
    command: tuple[str, ...] = ()
    objects: Path | None = None
    sim: str = ""
    kind: Literal["bench", "compare", "aa"] = "bench"


def bench(plan: Plan, runs: Path) -> Iterator[Event]:
    """Runs a plan; the record is in `runs/<id>/` and the last event is Finished.

    Raises:
        ModelError: a model cannot be read. Nothing is left behind.
    """
    devices = (
        record.Device(
            name=d.name,
            target=d.target,
            transport=d.transport,
            emulated=d.emulated,
            noise_floor=store.noise_floor(runs, d.name),
        )
        for d in plan.devices
    )
    run = Run(
        id=store.new_id(),
        kind=plan.kind,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("bitrig"),
        command=plan.command,
        seed=plan.seed,
        settings=plan.settings,
        objects=str(plan.objects or ""),
        sim=plan.sim,
        devices=tuple(devices),
    )
    return resume(plan, runs, run)


def resume(plan: Plan, runs: Path, run: Run) -> Iterator[Event]:
    """Goes on with a run: what is in its record is not measured again.

    Raises:
        ModelError: a model cannot be read.
        UsageError: a model is not what it was when the run began.
    """
    yield Told("", f"Reading {', '.join(dict.fromkeys(entrant.path.name for entrant in plan.entrants))}")
    subjects = list(subject.prepare(plan.entrants, plan.objects, plan.sim))
    _same_models(run, subjects)
    recorder = Recorder(runs, run)
    for event in _events(plan, run, subjects, runs / run.id):
        recorder.add(event)
        yield event
    yield Finished(recorder.finish())


def dry(plan: Plan) -> Iterator[Outline]:
    """What a plan would do, a device each: models are read and runtimes compiled, no board is touched, nothing is kept.

    Raises:
        ModelError, BuildError.
    """
    subjects = list(subject.prepare(plan.entrants, plan.objects, plan.sim))
    revisions = dict.fromkeys(each.model.variant.revision for each in subjects)
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, Path] = {}
        for index, each in enumerate(subjects):
            files |= {f"{each.model.name}/{name}": path for name, path in each.write(Path(folder, str(index))).items()}
        for device in plan.devices:
            toolchain = plan.toolchains[device.target]
            made = {r: revision_build(device.target, toolchain, r).binary for r in revisions}
            programs = {process.program_name(revision): binary for revision, binary in made.items()}
            yield outline(device, files | programs, subjects, plan.settings)


def _same_models(run: Run, subjects: Sequence[Subject]) -> None:
    known = {model.name: model.bnn_sha256 for model in run.models}
    for each in subjects:
        if known.get(each.model.name, each.model.bnn_sha256) != each.model.bnn_sha256:
            raise UsageError(
                f"{each.model.source} is not what it was when the run {run.id} began.",
                "The file changed, or bitrig converts it in another way now.",
                "Start a new run.",
            )


def _events(plan: Plan, run: Run, subjects: Sequence[Subject], folder: Path) -> Iterator[Event]:
    most = {device.name: measure.settings_on(device, plan.settings).rounds[1] for device in plan.devices}
    yield Prepared(tuple(each.model for each in subjects), most)
    files: dict[str, Path] = {}
    for each in subjects:
        yield from (Noticed(caveat) for caveat in subject.caveats(each))
        parts = each.write(folder / "models" / each.model.bnn_sha256[:12])
        files |= {f"{each.model.name}/{name}": path for name, path in parts.items()}
    programs: dict[str, dict[str, Path]] = {}
    revisions = dict.fromkeys(each.model.variant.revision for each in subjects)
    for target in dict.fromkeys(device.target for device in plan.devices):
        yield from _build(plan, target, list(revisions), programs)
    ready = [device for device in plan.devices if device.target in programs]
    yield from _side_by_side(plan, run, ready, subjects, {d.name: {**files, **programs[d.target]} for d in ready})


def _build(plan: Plan, target: str, revisions: Sequence[str], programs: dict[str, dict[str, Path]]) -> Iterator[Event]:
    """Compiles every revision for a target; where that fails, its devices fail and the others go on."""
    made_here: dict[str, Path] = {}
    for revision in revisions:
        yield Told("", f"Building the runtime for {target}" + (f" at {revision}" if revision else ""))
        try:
            made = revision_build(target, plan.toolchains[target], revision)
        except BitrigError as error:
            yield from (Failed(device.name, None, problem(error)) for device in plan.devices if device.target == target)
            return
        made_here[process.program_name(revision)] = made.binary
        described = record.Build(
            target=target,
            asked=revision,
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
    programs[target] = made_here


def _machine(device: Device, devices: Sequence[Device]) -> str:
    """What devices share that would disturb each other; they take turns.

    Stand-in boards run on this machine and so disturb `local`. Those whose time is counted in instructions are not
    disturbed themselves, and may run beside each other.
    """
    here = any(other.transport == "local" for other in devices)
    if device.transport == "local" or (device.lab and (here or device.lab not in lab.UNDISTURBED)):
        return ""
    return device.lab or device.name


def _side_by_side(
    plan: Plan,
    run: Run,
    devices: Sequence[Device],
    subjects: Sequence[Subject],
    files: Mapping[str, Mapping[str, Path]],
) -> Iterator[Event]:
    """One worker a machine."""
    events: queue.Queue[Event | None] = queue.Queue()
    past = {device.name: device for device in run.devices}
    machines: dict[str, list[Device]] = {}
    for device in devices:
        machines.setdefault(_machine(device, devices), []).append(device)

    def work(own: Sequence[Device]) -> None:
        for device in own:
            arguments = (past[device.name], device, files[device.name], subjects, plan.settings, plan.seed, events.put)
            try:
                measure.measure(*arguments)
            except BitrigError as error:
                events.put(Failed(device.name, None, problem(error)))
            except Exception as error:  # a defect of ours ends this device, never the others' measurements
                events.put(Failed(device.name, None, unexpected(error)))
        events.put(None)

    for own in machines.values():
        threading.Thread(target=work, args=(own,), daemon=True).start()
    for _ in machines:
        while (event := events.get()) is not None:
            yield event


def again(run: Run, devices: tuple[Device, ...]) -> Plan:
    """The plan of a run that was begun, to go on with it."""
    toolchains = {build.target: build.toolchain for build in run.builds}
    return Plan(
        entrants=variants.again(run),
        devices=devices,
        toolchains={device.target: toolchains.get(device.target, "zig") for device in devices},
        settings=run.settings,
        seed=run.seed,
        command=run.command,
        objects=Path(run.objects) if run.objects else None,
        sim=run.sim,
        kind=run.kind,
    )
