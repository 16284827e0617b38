# SPDX-License-Identifier: Apache-2.0
"""This machine as a board."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
from contextlib import suppress
from typing import IO

from harness.board.process import Process
from harness.board.transport import Transport
from harness.errors import DeviceLost


class Local(Transport):
    def _start(self, command: str, text: str, timeout: float, stdin: bytes | None) -> Process:
        return LocalProcess(command, text, timeout, stdin)

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


class LocalProcess(Process):
    def __init__(self, command: str, text: str, timeout: float, stdin: bytes | None) -> None:
        super().__init__(command, timeout)
        pipe = subprocess.PIPE
        self._popen = subprocess.Popen(["sh", "-c", text], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        self._selector = selectors.DefaultSelector()
        for stream in (self._popen.stdout, self._popen.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)
        if stdin is not None:
            # In a thread, so that a command which writes before it has read everything cannot stop both.
            threading.Thread(target=_feed, args=(self._popen.stdin, stdin), daemon=True).start()

    def _read(self, seconds: float) -> bool:
        for key, _ in self._selector.select(seconds):
            stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
            data = os.read(stream.fileno(), 65536)
            (self._out if stream is self._popen.stdout else self._err).extend(data)
            if not data:
                self._selector.unregister(stream)
        return bool(self._selector.get_map())

    def _exit_code(self) -> int:
        code = self._popen.wait()
        return code if code >= 0 else 128 - code

    def send(self, data: bytes) -> None:
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(data)
            self._popen.stdin.flush()
        except OSError as error:
            raise DeviceLost(f"local: `{self.command}` no longer listens ({error.strerror}).") from None

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
