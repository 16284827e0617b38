# SPDX-License-Identifier: Apache-2.0
"""The device's end of adb, as far as its shell service goes, on loopback: what the real `adb` is tested against.

Protocol: AOSP packages/modules/adb, protocol.txt and SERVICES.TXT. A message is six words, then its data; a shell
stream carries packets of a type byte, a length and the bytes of one of the three streams, or the exit code.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

CNXN, OPEN, OKAY, CLSE, WRTE = (
    int.from_bytes(name, "little") for name in (b"CNXN", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)
STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)
BANNER = b"device::ro.product.name=stand-in;ro.product.model=stand-in;features=shell_v2,cmd"
MOST = 1 << 16


class Adbd:
    """A device on `port`; every shell command is run by this machine's sh."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=_Link(self._server.accept()[0]).run, daemon=True).start()


class _Link:
    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._file = wire.makefile("rb")
        self._sending = threading.Lock()
        self._shells: dict[int, _Shell] = {}

    def run(self) -> None:
        with suppress(OSError, struct.error):
            while True:
                command, first, second, length, _, _ = struct.unpack("<6I", self._file.read(24))
                self._handle(command, first, second, self._file.read(length))
        for shell in self._shells.values():
            shell.close()

    def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        header = struct.pack("<6I", command, first, second, len(data), sum(data) & 0xFFFFFFFF, command ^ 0xFFFFFFFF)
        with self._sending:
            self._wire.sendall(header + data)

    def _handle(self, command: int, first: int, second: int, data: bytes) -> None:
        if command == CNXN:
            self.send(CNXN, 0x01000001, MOST, BANNER)
        elif command == OPEN and data.startswith(b"shell,v2"):
            self.send(OKAY, first, first)
            self._shells[first] = _Shell(self, first, data.rstrip(b"\0").split(b":", 1)[1])
        elif command == OPEN:
            self.send(CLSE, 0, first)
        elif command == WRTE and second in self._shells:
            self._shells[second].take(data)
            self.send(OKAY, second, first)
        elif command == OKAY and second in self._shells:
            self._shells[second].ready.release()
        elif command == CLSE and second in self._shells:
            self._shells.pop(second).close()


class _Shell:
    """A stream with the same number at both ends."""

    def __init__(self, link: _Link, number: int, command: bytes) -> None:
        pipe = subprocess.PIPE
        self.ready = threading.Semaphore(1)  # one message may be under way until the other end says OKAY
        self._link = link
        self._number = number
        self._rest = b""
        self._popen = subprocess.Popen(["sh", "-c", command.decode()], stdin=pipe, stdout=pipe, stderr=pipe)
        threading.Thread(target=self._carry, daemon=True).start()

    def take(self, data: bytes) -> None:
        self._rest += data
        stdin = self._popen.stdin
        assert stdin is not None
        while len(self._rest) >= 5 and len(self._rest) >= 5 + (length := struct.unpack("<I", self._rest[1:5])[0]):
            kind, body, self._rest = self._rest[0], self._rest[5 : 5 + length], self._rest[5 + length :]
            with suppress(OSError, ValueError):
                if kind == STDIN:
                    stdin.write(body)
                    stdin.flush()
                elif kind == CLOSE_STDIN:
                    stdin.close()

    def close(self) -> None:
        assert self._popen.stdin is not None
        with suppress(OSError):
            self._popen.stdin.close()

    def _carry(self) -> None:
        streams = [(STDOUT, self._popen.stdout), (STDERR, self._popen.stderr)]
        threads = [threading.Thread(target=self._pump, args=pair) for pair in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        code = self._popen.wait()
        self._write(EXIT, bytes([code if code >= 0 else 128 - code]))
        with suppress(OSError):
            self._link.send(CLSE, self._number, self._number)

    def _pump(self, kind: int, stream: IO[bytes]) -> None:
        while data := stream.read1(MOST - 5):  # type: ignore[attr-defined]
            self._write(kind, data)

    def _write(self, kind: int, data: bytes) -> None:
        with suppress(OSError):
            self.ready.acquire()
            self._link.send(WRTE, self._number, self._number, bytes([kind]) + struct.pack("<I", len(data)) + data)
