# SPDX-License-Identifier: Apache-2.0
"""One command of the board binary `bnn`, run on a board, its JSON lines as events."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.board import affinity, lock
from harness.board.completed import Completed
from harness.board.detached import Detached
from harness.board.inventory import Device
from harness.board.transport import Transport
from harness.errors import DeviceUnfit


@dataclass(frozen=True)
class Ended:
    """The last event: how the job ended. A crash is this value, not an exception.

    Attributes:
        exit_code: of `bnn`: 0, or a value of status.def.
        signal: the name of the signal that killed it, if one did.
        timed_out: it took longer than it was given and was ended.
        stderr: the last 20 lines of its standard error.
        seconds: wall time seen from here, so with the network in it.
    """

    exit_code: int
    signal: str | None
    timed_out: bool
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and not self.timed_out

    @property
    def reason(self) -> str:
        """Why it did not end well, in a few words; empty when it did."""
        if self.timed_out:
            return f"not done after {self.seconds:.0f} s"
        if self.signal:
            return f"killed by {self.signal}"
        return f"exit code {self.exit_code}" if self.exit_code else ""


Event = dict[str, Any] | Ended


def run(
    transport: Transport, binary: str, arguments: Sequence[str], *, timeout: float | None = None
) -> Iterator[Event]:
    """Run `binary arguments` on the board with its runner prefix and pinning; yield each JSON line, then `Ended`.

    A line that is not JSON, which only a broken binary writes, becomes {"type": "garbled", "text": ...}. Closing the
    iterator ends the job. Where the board is not held, it is held for this job.

    Args:
        binary: absolute path on the board, from `deploy.push`.
        timeout: seconds; the device's `timeouts.run` when None.

    Raises:
        DeviceUnfit: the board cannot execute the binary.
        DeviceLost: the connection broke and could not be made again, or the board restarted.
    """
    device = transport.device
    with lock.hold(transport, f"bnn {' '.join(arguments[:1])}"):
        text = command(device, [binary, *arguments], affinity.cpus(transport))
        job = Detached(transport, text, timeout or device.timeouts.run)
        try:
            yield from map(_parsed, job.lines())
        finally:
            job.remove()
    done = job.done
    assert done is not None
    _refuse_unfit(device, binary, done)
    yield Ended(done.exit_code, done.signal, done.timed_out, done.stderr_tail, done.seconds)


def collect(
    transport: Transport, binary: str, arguments: Sequence[str], *, timeout: float | None = None
) -> tuple[list[dict[str, Any]], Ended]:
    """The same, all at once: the events and the end."""
    *events, ended = run(transport, binary, arguments, timeout=timeout)
    assert isinstance(ended, Ended)
    return [event for event in events if isinstance(event, dict)], ended


def command(device: Device, words: Sequence[str], cpus: str | None) -> str:
    """Shell text that runs `words` as the device wants it: pinned to CPUs, behind its runner."""
    plain = shlex.join([*device.runner, *words])
    if cpus is None:
        return f"exec {plain}"
    # Old busybox and toybox know no CPU list, only a mask; a board without taskset still runs, and its record has no
    # pinning in it because `bnn` reports the CPUs it was allowed.
    mask = sum(1 << cpu for cpu in affinity.numbers(cpus))
    return (
        f"if taskset -c {cpus} true 2>/dev/null; then exec taskset -c {cpus} {plain}; "
        f"elif taskset {mask:x} true 2>/dev/null; then exec taskset {mask:x} {plain}; else exec {plain}; fi"
    )


def _parsed(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"type": "garbled", "text": line}


def _refuse_unfit(device: Device, binary: str, done: Completed) -> None:
    """Tell a binary that the board cannot execute from one that ran and failed.

    A shell that is given an ELF file of another machine either says so with 126, or reads it as a script and fails on
    its first odd byte with 2.
    """
    said = done.stderr.decode("utf-8", "replace")
    if done.exit_code == 126 or (done.exit_code == 2 and "yntax error" in said) or "Invalid ELF image" in said:
        raise DeviceUnfit(
            f"{device.name}: the board cannot execute a binary for {device.target} ({done.stderr_tail}).",
            "It has another processor or a 32-bit system, or the work directory does not allow execution.",
            f"Correct `target` or `runner` of {device.name} in devices.yaml; see inv device.doctor.",
        )
    if done.exit_code == 127 and not done.timed_out:
        missing = device.runner[0] if device.runner else binary
        raise DeviceUnfit(
            f"{device.name}: {missing} is not on the board ({done.stderr_tail}).",
            "The runner is not installed there." if device.runner else "Someone removed it meanwhile.",
            "Install it, or correct `runner` in devices.yaml." if device.runner else "Run it again.",
        )
