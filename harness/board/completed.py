# SPDX-License-Identifier: Apache-2.0
"""How a command on a board ended."""

from __future__ import annotations

import signal as signals
from dataclasses import dataclass


@dataclass(frozen=True)
class Completed:
    """How a command on the board ended.

    Attributes:
        command: the shell text that ran.
        exit_code: as a shell reports it: 128+n when signal n ended it.
        stdout, stderr: what it wrote; of `stdout` what was not read as lines, of `stderr` the end.
        seconds: wall time seen from here, so with the network in it.
        timed_out: it was ended because it took longer than it was given.
    """

    command: str
    exit_code: int
    stdout: bytes
    stderr: bytes
    seconds: float
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and not self.timed_out

    @property
    def signal(self) -> str | None:
        """The name of the signal that ended the command, such as "SIGSEGV"."""
        try:
            return signals.Signals(self.exit_code - 128).name
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """`stdout` as text, without the last newline."""
        return self.stdout.decode("utf-8", "replace").rstrip("\n")

    @property
    def stderr_tail(self) -> str:
        """The last 20 lines of `stderr`."""
        return "\n".join(self.stderr.decode("utf-8", "replace").splitlines()[-20:])
