# SPDX-License-Identifier: Apache-2.0
"""One way to reach a board: run a command there, put a file, get a file.

Every transport keeps three promises. A command that outlives its caller is ended on the board, with its whole process
group. Everything that can go wrong on the wire is a `DeviceError`. Nothing is ever interpolated unquoted.
"""

from __future__ import annotations

import signal as signals
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from harness.board.inventory import Device


@dataclass(frozen=True)
class Completed:
    """How a command on the board ended.

    Attributes:
        command: the shell text that ran.
        exit_code: as a shell reports it: 128+n when signal n ended it.
        stdout, stderr: what it wrote; `stdout` is empty when the lines were streamed.
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


class Process(Protocol):
    """A command that runs on the board now. Leaving its `with` block ends it."""

    def __iter__(self) -> Iterator[str]:
        """The lines of its standard output as they arrive, without their newlines."""

    def wait(self) -> Completed:
        """Wait for its end. Raises DeviceLost when the connection breaks first."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the command and its process group if it still runs."""


class Transport(Protocol):
    """A connection to one board. Use it as a context manager; errors are of the DeviceError tree."""

    device: Device
    workdir: str
    """The absolute path of the work directory on the board."""

    def run(
        self, command: Sequence[str] | str, *, timeout: float | None = None, stdin: bytes | None = None
    ) -> Completed:
        """Run a command to its end.

        Args:
            command: words, which are quoted, or one string of POSIX shell.
            timeout: seconds until it is ended; the device's `timeouts.run` when None.
            stdin: what it reads; nothing when None.
        """

    def start(self, command: Sequence[str] | str, *, timeout: float | None = None) -> Process:
        """Start a command whose standard output is read line by line."""

    def put(self, source: Path | bytes, remote: str) -> None:
        """Write a file on the board. Not atomic: `deploy.push` is."""

    def get(self, remote: str) -> bytes:
        """The bytes of a file on the board."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the connection; what still runs there is ended."""


def connect(device: Device) -> Transport:
    """Open the device's transport. Raises Unreachable, HostKeyRefused or DeviceUnfit."""
    raise NotImplementedError
