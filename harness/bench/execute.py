# SPDX-License-Identifier: Apache-2.0
"""Running a model on a board once, for its outputs."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness import abi
from harness.bench.record import Peak, Problem
from harness.board import deploy, job
from harness.board.transport import Transport
from harness.errors import BitrigError, JobFailed
from harness.model.graph import Array

DTYPES: Mapping[str, Any] = {"f32": "<f4", "i8": "i1", "i32": "<i4", "bits": "<u4"}


def outputs(
    transport: Transport, binary: str, model: str, inputs: Sequence[Array], options: Sequence[str] = ()
) -> list[Array]:
    """Runs a model on the board.

    Args:
        binary, model: absolute paths on the board.
        inputs: C-ordered arrays in the model's dtypes; n times the model's input runs it n times.

    Returns:
        The outputs in the model's dtypes and shapes (bits as uint32 words), with a leading axis of runs.

    Raises:
        JobFailed: the runtime refused or crashed.
        DeviceError: the board cannot do it, or was lost.
    """
    with deploy.scratch(transport) as folder:
        arguments = ["run", "--model", model, *options]
        for index, array in enumerate(inputs):
            transport.again(partial(transport.put, array.tobytes(), f"{folder}/in{index}"))
            arguments += ["--input", f"{folder}/in{index}"]
        info, _ = checked(transport, binary, ["info", "--model", model])
        described = next(event for event in info if event["type"] == "model")
        names = [f"{folder}/out{index}" for index in range(len(described["outputs"]))]
        for name in names:
            arguments += ["--output", name]
        events, _ = checked(transport, binary, arguments)
        done = next(event for event in events if event["type"] == "run")
        return [
            np.frombuffer(transport.get(name), DTYPES[out["dtype"]]).reshape(done["runs"], *_stored(out))
            for name, out in zip(names, done["outputs"], strict=True)
        ]


def _stored(output: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape of an output file: bits are stored as words."""
    shape = tuple(output["shape"])
    return shape if output["dtype"] != "bits" else (*shape[:-1], -(-shape[-1] // 32))


def checked(
    transport: Transport, binary: str, arguments: Sequence[str], *, timeout: float | None = None
) -> tuple[list[dict[str, Any]], job.Ended]:
    """The events of a job of `bnn` that must end well.

    Raises:
        JobFailed: it did not.
    """
    events, ended = job.collect(transport, binary, arguments, timeout=timeout)
    if not ended.ok:
        raise failure(transport.device.name, arguments[0], events, ended)
    return events, ended


def check(transport: Transport, binary: str, options: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The events of `bnn check`: every kernel of the board against the scalar one. A failure is an event.

    Raises:
        JobFailed: it ended otherwise than by finding a wrong kernel.
    """
    seen: list[dict[str, Any]] = []
    for event in job.run(transport, binary, ["check", *options]):
        if isinstance(event, job.Ended):
            if not event.ok and not any(each["type"] == "failure" for each in seen):
                raise failure(transport.device.name, "check", seen, event)
        else:
            seen.append(event)
            yield event


def peaks(transport: Transport, binary: str) -> list[Peak]:
    """What the board can do at most, by `bnn peaks`.

    Raises:
        JobFailed, DeviceError.
    """
    events, _ = checked(transport, binary, ["peaks"])
    return [Peak.model_validate(event) for event in events if event["type"] == "peak"]


def failure(device: str, verb: str, events: Sequence[Mapping[str, Any]], ended: job.Ended) -> JobFailed:
    """Why a job of `bnn` ended badly, in words."""
    said = next((event for event in events if event.get("type") == "error"), None)
    if said is not None:
        sentence = abi.statuses().get(int(said["code"]), "")
        return JobFailed(f"{device}: bnn {verb} refused: {said['message']}.", f"The runtime says: {sentence}.")
    if ended.signal == "SIGILL":
        why, remedy = (
            "It holds an instruction that this CPU does not have.",
            "Check the device's target in devices.yaml.",
        )
    elif ended.signal:
        why, remedy = "This is a defect of the runtime.", "Please report it with the model file."
    elif ended.timed_out:
        why, remedy = (
            "The board is slower than expected, or hangs.",
            "Raise timeouts.run of the device in devices.yaml.",
        )
    else:
        why, remedy = "", ""
    tail = f" It said: {ended.stderr}" if ended.stderr else ""
    return JobFailed(f"{device}: bnn {verb}: {ended.reason}.{tail}", why, remedy)


def problem(error: BitrigError) -> Problem:
    """An error as a value of the record."""
    return Problem(what=error.what, why=error.why, remedy=error.remedy, exit_code=error.exit_code)


def unexpected(error: Exception) -> Problem:
    """An error that nobody foresaw, as a value of the record."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return Problem(
        what=f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno}).",
        why="This is a defect of bitrig.",
        remedy="Please report it; BITRIG_DEBUG=1 shows all of it.",
        exit_code=BitrigError.exit_code,
    )
