# SPDX-License-Identifier: Apache-2.0
"""Stand-in boards: real SSH servers on this machine whose jobs run under an emulator.

Each keeps all it needs in one folder, `$XDG_STATE_HOME/bitrig/lab/<name>`: keys, the trusted host key, an `ssh_config`
that names them (so `ssh -F .../ssh_config board` works for people, too), logs, and the board's own home.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, Queue

from harness.board.lab import loopback, server, virtual
from harness.cross.progress import Progress
from harness.errors import ConfigError, Unreachable


@dataclass(frozen=True)
class Standing:
    """One stand-in: its name in `lab:` of devices.yaml, whether it answers, and where."""

    name: str
    up: bool
    address: str


@dataclass(frozen=True)
class Kind:
    """How a stand-in is started in its folder, on a port of loopback, and stopped."""

    up: Callable[[Path, int, Progress], None]
    down: Callable[[Path], None]


KINDS = {"loopback": Kind(loopback.up, loopback.down)} | {
    name: Kind(partial(virtual.up, machine), virtual.down) for name, machine in virtual.MACHINES.items()
}
UNDISTURBED = frozenset(virtual.MACHINES)  # time in them does not depend on what else this machine does
USUAL = ("loopback",)  # what is started when nothing is named: it costs nothing


def up(names: Sequence[str] = ()) -> Iterator[str]:
    """Start the stand-ins (the usual one when empty); yields what it does, one line each.

    Raises:
        ConfigError: no stand-in has that name.
        UsageError, DeviceUnfit: what it needs cannot be fetched or started here.
    """
    said: Queue[str] = Queue()
    with ThreadPoolExecutor() as pool:  # they hardly wait for the same thing
        starting = [pool.submit(_start, name, said.put) for name in _known(names or USUAL)]
        while not all(each.done() for each in starting) or not said.empty():
            with suppress(Empty):
                yield said.get(timeout=0.1)
    for each in starting:
        each.result()


def down(names: Sequence[str] = ()) -> Iterator[str]:
    """Stop the stand-ins (all when empty) and everything that runs in them; yields one line each."""
    for name in _known(names):
        folder = _folder(name)
        was_up = server.answers(_port(folder))
        if folder.exists():
            KINDS[name].down(folder)
            (folder / "port").unlink(missing_ok=True)
        yield f"{name}: {'stopped' if was_up else 'was not up'}"


def status() -> tuple[Standing, ...]:
    """Every stand-in, up or not."""
    ports = {name: _port(_folder(name)) for name in KINDS}
    return tuple(
        Standing(name, server.answers(port), f"127.0.0.1:{port}" if port else "") for name, port in ports.items()
    )


def ssh_config(name: str) -> Path:
    """The ssh configuration that reaches a stand-in. Raises Unreachable when it is not up."""
    folder = _folder(*_known([name]))
    if not server.answers(_port(folder)):
        raise Unreachable(f"The stand-in board {name} is not up.", "", "Start it: inv lab.up")
    return folder / "ssh_config"


def _start(name: str, tell: Progress) -> None:
    folder = _folder(name)
    if server.answers(_port(folder)):
        tell(f"{name}: up already, on 127.0.0.1 port {_port(folder)}")
        return
    KINDS[name].down(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = _free_port()
    KINDS[name].up(folder, port, lambda sentence: tell(f"{name}: {sentence}"))
    (folder / "port").write_text(f"{port}\n", "utf-8")
    tell(f"{name}: up, on 127.0.0.1 port {port}")


def _known(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in KINDS:
            raise ConfigError(f'There is no stand-in board "{name}".', f"There are {', '.join(KINDS)}.")
    return names or tuple(KINDS)


def _folder(name: str) -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(base) / "bitrig/lab" / name


def _port(folder: Path) -> int | None:
    file = folder / "port"
    return int(file.read_text("utf-8")) if file.exists() else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
