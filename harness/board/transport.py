# SPDX-License-Identifier: Apache-2.0
"""One way to reach a board: run a command there, put a file, get a file.

Every transport keeps three promises. A command that outlives its caller is ended on the board, with its whole process
group. Everything that can go wrong on the wire is a `DeviceError`. Nothing is ever interpolated unquoted.

Connections break: by bad lines, and by servers (dropbear hangs up when a command ends just as another begins). So what
may be done twice is done through `ask` and `again`, which connect anew and repeat it.
"""

from __future__ import annotations

import shlex
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from harness.board import labgrid, transports
from harness.board.completed import Completed
from harness.board.inventory import Device
from harness.board.process import Process, shell_text
from harness.board.supervise import watched
from harness.errors import DeviceError, DeviceLost, DeviceUnfit, HostKeyRefused, SessionOver

BOOT_ID = "{ cat /proc/sys/kernel/random/boot_id 2>/dev/null || true; }"
DEADLINE_SLACK = 30  # seconds: the board's own deadline only fires where ours could not be heard
AWAY = 30.0  # seconds for which a broken connection is made anew: the board is kept no longer (LEASE of lock.py)
PAUSE = 1.0  # seconds between two attempts at that
ATTEMPTS = 5  # at a step that breaks the connection each time

# Writes at a place and does not append, so that what a connection that was given up still delivers does no harm.
WRITE = "{{ dd bs=1 seek={offset} count=0 conv=notrunc 2>/dev/null; exec cat; }} 1<>{path}"

Result = TypeVar("Result")


class Transport(ABC):
    """A connection to one board. Use it as a context manager; errors are of the DeviceError tree."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.workdir = device.workdir
        """The absolute path of the work directory on the board."""
        self._boot = ""
        self._borrowed = ExitStack()  # what to give back
        self.session: str | None = None
        """The session on the board that `lock.hold` began; None when this connection does not hold the board."""

    def run(
        self, command: Sequence[str] | str, *, timeout: float | None = None, stdin: bytes | None = None
    ) -> Completed:
        """Run a command to its end.

        Args:
            command: words, which are quoted, or one string of POSIX shell.
            timeout: seconds until it is ended; the device's `timeouts.run` when None.
            stdin: what it reads; nothing when None.

        Raises:
            DeviceLost: the connection broke.
        """
        with self.start(command, timeout=timeout, stdin=stdin) as process:
            return process.wait()

    def start(
        self, command: Sequence[str] | str, *, timeout: float | None = None, stdin: bytes | None = None
    ) -> Process:
        """Start a command, as `run` does; its lines are read while it runs."""
        text = shell_text(command)
        seconds = timeout or self.device.timeouts.run
        if stdin is not None:  # the end of its input ends such a command, so that it needs no other watch
            return self._start(text, text, seconds, stdin)
        return self._start(text, watched(text, seconds + DEADLINE_SLACK), seconds, None)

    def ask(self, command: Sequence[str] | str, *, timeout: float | None = None) -> Completed:
        """Run a command that may run twice: it is begun again over a new connection when this one breaks.

        Raises:
            DeviceLost: the connection cannot be made anew, or breaks each time.
        """
        return self.again(lambda: self.run(command, timeout=timeout))

    def again(self, step: Callable[[], Result]) -> Result:
        """What `step` returns; it is done again over a new connection when this one breaks.

        Raises:
            DeviceLost: the connection cannot be made anew, or breaks each time.
        """
        for _ in range(ATTEMPTS - 1):
            try:
                return step()
            except DeviceLost as error:
                self.reconnect(error)
        return step()

    def reconnect(self, error: DeviceLost) -> None:
        """Connect anew after `error`, which stands where that fails for AWAY seconds.

        Raises:
            SessionOver: the board restarted meanwhile.
            HostKeyRefused: another board is there now.
        """
        if isinstance(error, SessionOver):
            raise error
        limit = time.monotonic() + AWAY
        while True:
            try:
                self.reopen()
                restarted = self.run(BOOT_ID).text != self._boot
                break
            except HostKeyRefused:
                raise
            except DeviceError:
                if time.monotonic() >= limit:
                    raise error from None
                time.sleep(PAUSE)
        if restarted:
            raise SessionOver(
                f"{self.device.name}: the board restarted while it was in use.",
                "Its supply is too weak, it overheated, or someone restarted it.",
                "Run it again; see inv device.doctor for under-voltage and heat.",
            )

    def converse(self, command: Sequence[str] | str) -> Process:
        """Start a command that `Process.send` talks to, and that must end by itself when it is spoken to no more."""
        text = shell_text(command)
        return self._start(text, text, float("inf"), None)

    def put(self, source: Path | bytes, remote: str, *, offset: int = 0) -> None:
        """Write a file on the board, from byte `offset` on. Not atomic: `deploy.push` is.

        Raises:
            DeviceUnfit: the board refuses it (no space, no permission).
            DeviceLost: the connection broke; what arrived is there.
        """
        content = source if isinstance(source, bytes) else source.read_bytes()
        path = shlex.quote(remote)
        text = WRITE.format(offset=offset, path=path) if offset else f"exec cat >{path}"
        done = self.run(text, stdin=content[offset:])
        if not done.ok:
            raise DeviceUnfit(
                f"{self.device.name}: {remote} cannot be written: {done.stderr_tail}.",
                "The file system is full or read-only, or belongs to another user.",
                f"See `inv device.doctor --device {self.device.name}`.",
            )

    def get(self, remote: str) -> bytes:
        """The bytes of a file on the board. Raises DeviceUnfit when it cannot be read."""
        done = self.ask(["cat", remote])
        if not done.ok:
            raise DeviceUnfit(f"{self.device.name}: {remote} cannot be read: {done.stderr_tail}.")
        return done.stdout

    @abstractmethod
    def _start(self, command: str, text: str, timeout: float, stdin: bytes | None) -> Process:
        """Start shell `text`; `command` is what it is called in messages."""

    @abstractmethod
    def reopen(self) -> None:
        """Connect anew after DeviceLost. Raises what `connect` raises."""

    def close(self) -> None:
        """Close the connection; what still runs there is ended, but for a session that is held."""
        self._close()
        self._borrowed.close()

    @abstractmethod
    def _close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _settle(self) -> None:
        """Make the work directory and learn its absolute path, which is all that a board must be able to do."""
        folder = self.device.workdir
        folder = f'"$HOME"/{shlex.quote(folder[2:])}' if folder.startswith("~/") else shlex.quote(folder)
        done = self.run(
            f"mkdir -p {folder} && cd {folder} && pwd -P && {BOOT_ID}", timeout=self.device.timeouts.connect
        )
        if not done.ok:
            raise DeviceUnfit(
                f"{self.device.name}: the work directory {self.device.workdir} cannot be used: {done.stderr_tail}.",
                "It belongs to another user, or its file system is read-only or full.",
                "Give another `workdir` in devices.local.yaml.",
            )
        self.workdir, _, self._boot = done.text.partition("\n")


def connect(device: Device, waiting: Callable[[str], None] | None = None) -> Transport:
    """Open the device's transport; a board of a shared lab is borrowed first, and given back on `close`.

    Args:
        waiting: is told who holds the boards of a shared lab that would do.

    Raises:
        Unreachable: no connection, or the login was refused.
        HostKeyRefused: the board's key is not trusted, or is another than the trusted one.
        DeviceUnfit: connected, but the work directory cannot be used; or the lab has no board to lend.
    """
    with ExitStack() as borrowed:
        placed = borrowed.enter_context(labgrid.placed(device, waiting))
        opened: Transport = transports.load(placed.transport)(placed)
        try:
            opened._settle()
        except BaseException:
            opened.close()
            raise
        opened._borrowed = borrowed.pop_all()
    return opened
