# SPDX-License-Identifier: Apache-2.0
"""One command of the board binary `bnn`, run on a board, its JSON lines as events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.board.transport import Transport


@dataclass(frozen=True)
class Ended:
    """The last event: how the job ended. A crash is this value, not an exception.

    Attributes:
        exit_code: of `bnn`: 0, or a value of status.def.
        signal: the name of the signal that killed it, if one did.
        timed_out: it took longer than it was given and was ended.
        stderr: the last 20 lines of its standard error.
        seconds: wall time seen from here.
    """

    exit_code: int
    signal: str | None
    timed_out: bool
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and not self.timed_out


def run(
    transport: Transport, binary: str, arguments: Sequence[str], *, timeout: float | None = None
) -> Iterator[dict[str, Any] | Ended]:
    """Run `binary arguments` on the board with its runner prefix and pinning; yield each JSON line, then `Ended`.

    Args:
        binary: absolute path on the board, from `deploy.push`.
        timeout: seconds; the device's `timeouts.run` when None.

    Raises DeviceUnfit when the board cannot execute the binary, DeviceLost when the connection breaks.
    """
    raise NotImplementedError


def collect(
    transport: Transport, binary: str, arguments: Sequence[str], *, timeout: float | None = None
) -> tuple[list[dict[str, Any]], Ended]:
    """The same, all at once: the events and the end."""
    raise NotImplementedError
