# SPDX-License-Identifier: Apache-2.0
"""A running command, read line by line; what every transport's processes have in common."""

from __future__ import annotations

import shlex
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from harness.board.completed import Completed

STDERR_KEPT = 65536  # bytes: a job gone wild must not fill this machine's memory


def shell_text(command: Sequence[str] | str) -> str:
    """Words become quoted shell text; a string is shell text already."""
    return command if isinstance(command, str) else shlex.join(command)


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines of a stream of bytes, without their newlines; what follows the last newline is a line as well."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")


class Process(ABC):
    """A command that runs on the board now. Leaving its `with` block ends it.

    Iterate to get the lines of its standard output as they arrive, without their newlines; `wait` returns the rest.
    """

    def __init__(self, command: str, timeout: float) -> None:
        self.command = command
        self._started = time.monotonic()
        self._limit = self._started + timeout
        self._out = bytearray()
        self._err = bytearray()
        self._timed_out = False

    def chunks(self) -> Iterator[bytes]:
        """Its standard output as it arrives."""
        more = True
        while more:
            more = self._step()
            data = bytes(self._out)
            self._out.clear()
            if data:
                yield data

    def __iter__(self) -> Iterator[str]:
        return lines(self.chunks())

    def wait(self) -> Completed:
        """Wait for its end. Raises DeviceLost when the connection breaks first."""
        while self._step():
            pass
        code = self._exit_code()
        seconds = time.monotonic() - self._started
        return Completed(self.command, code, bytes(self._out), bytes(self._err), seconds, self._timed_out)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def _step(self) -> bool:
        """Take what has come; False when there is nothing more. A command past its time is ended here."""
        left = self._limit - time.monotonic()
        if left <= 0 and not self._timed_out:
            self._timed_out = True
            self.end()
        more = not self._timed_out and self._read(min(left, 1.0))
        del self._err[:-STDERR_KEPT]
        return more

    @abstractmethod
    def _read(self, seconds: float) -> bool:
        """Wait at most so long for output and append it to `_out` and `_err`; False at the end of both."""

    @abstractmethod
    def _exit_code(self) -> int:
        """The exit code as a shell gives it; called after the end of the output, or after `end`."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Write to its standard input. Raises DeviceLost when it no longer listens."""

    @abstractmethod
    def end(self) -> None:
        """End the command and everything it started; nothing happens when it is over already."""
