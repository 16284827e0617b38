# SPDX-License-Identifier: Apache-2.0
"""Transports that are a program on this machine: it runs shell text on the board and carries the three streams."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from harness.board.process import Process
from harness.board.transport import Transport
from harness.errors import DeviceError, DeviceLost

Judge = Callable[[int, bytes], DeviceError | None]


class Client(Transport):
    """A board that is reached by running a program for every command."""

    _environment: Mapping[str, str] = {}
    """What the program needs in its environment beside ours."""

    @abstractmethod
    def _argv(self, text: str) -> Sequence[str]:
        """The program and its arguments that run shell `text` on the board."""

    def _judge(self, code: int, stderr: bytes) -> DeviceError | None:
        """The error when it was not the command but the program that failed."""
        return None

    def _start(self, command: str, text: str, timeout: float, stdin: bytes | None) -> Process:
        program = Program(self._argv(text), self._environment, self._judge)
        return ClientProcess(command, program, timeout, stdin)

    def reopen(self) -> None:
        done = self.run(["true"], timeout=self.device.timeouts.connect)
        if not done.ok:
            raise DeviceLost(f"{self.device.name}: no answer ({done.stderr_tail}).")

    def _close(self) -> None:
        pass


@dataclass(frozen=True)
class Program:
    """What to run for a command, and how to tell its failure from the command's own exit code."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    judge: Judge


class ClientProcess(Process):
    def __init__(self, command: str, program: Program, timeout: float, stdin: bytes | None) -> None:
        super().__init__(command, timeout)
        pipe = subprocess.PIPE
        environment = {**os.environ, **program.environment}
        self._judge = program.judge
        self._popen = subprocess.Popen(
            program.argv, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, env=environment
        )
        self._selector = selectors.DefaultSelector()
        for stream in (self._popen.stdout, self._popen.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)
        if stdin is not None:
            # In a thread, so that a command which writes before it has read everything cannot stop both.
            threading.Thread(target=_feed, args=(self._popen.stdin, stdin), daemon=True).start()

    def _read(self, seconds: float) -> bool:
        if not self._selector.get_map():  # a selector of nothing would wait out its time
            return False
        for key, _ in self._selector.select(seconds):
            stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
            data = os.read(stream.fileno(), 65536)
            (self._out if stream is self._popen.stdout else self._err).extend(data)
            if not data:
                self._selector.unregister(stream)
        return bool(self._selector.get_map())

    def _exit_code(self) -> int:
        code = self._popen.wait()
        error = None if self._timed_out else self._judge(code, bytes(self._err))
        if error:
            raise error
        return code if code >= 0 else 128 - code

    def send(self, data: bytes) -> None:
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(data)
            self._popen.stdin.flush()
        except (OSError, ValueError) as error:
            raise DeviceLost(f"`{self.command}` no longer listens ({error}).") from None

    def end(self) -> None:
        if self._popen.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()
        for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self._selector.close()


def _feed(stream: IO[bytes], content: bytes) -> None:
    with suppress(BrokenPipeError), stream:
        stream.write(content)
