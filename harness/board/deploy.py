# SPDX-License-Identifier: Apache-2.0
"""Files on a board, stored by their content: what is there already is not sent again.

A file is `<workdir>/cas/<sha256>`. It gets that name only once all of it is there and its checksum was computed on the
board; until then it is `<sha256>.part`, from whose end a broken transfer goes on. A file's time is that of its last
use; when the store outgrows `store_mb`, or the file system has no room, the files that were not used for longest go.
"""

from __future__ import annotations

import hashlib
import secrets
import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.board.transport import ATTEMPTS, Transport
from harness.errors import DeviceLost, DeviceUnfit

# Asks in one round trip for all that can go wrong before a byte is sent, and for what is there already.
PREFLIGHT = """\
mkdir -p {store} && cd {store} || exit 1
echo '#!/bin/sh' >.exec && chmod 755 .exec || exit 1
./.exec 2>/dev/null && echo exec yes || echo exec no
rm -f .exec
touch -c {names}
echo free $(df -Pk . | tail -n 1)
stat -c 'file %Y %s %n' * 2>/dev/null
exit 0
"""

# When the answer to the first time was lost, the second finds it done.
SETTLE = """\
cd {store} || exit 1
[ -f {name}.part ] || {{ [ -f {name} ]; exit; }}
sum=$(sha256sum {name}.part) || exit 1
[ "${{sum%% *}}" = {name} ] || {{ rm -f {name}.part; echo damaged; exit 1; }}
chmod {mode} {name}.part && mv -f {name}.part {name}
"""


@dataclass(frozen=True)
class Pushed:
    """Where the files are on the board, and how many bytes that took."""

    paths: Mapping[str, str]
    bytes_sent: int
    bytes_skipped: int


@dataclass(frozen=True)
class _File:
    path: Path
    name: str
    size: int
    mode: str


@dataclass(frozen=True)
class _Store:
    """What is on the board: sizes by name, the least recently used first, and free bytes where `df` tells."""

    path: str
    sizes: Mapping[str, int]
    free: int | None
    executable: bool


def push(transport: Transport, files: Mapping[str, Path]) -> Pushed:
    """Bring files into the board's store; each name maps to its absolute path there.

    ELF files become executable. Hold the board's lock meanwhile: two writers of one part spoil each other's.

    Raises:
        DeviceUnfit: no space, no execution from the work directory, or the checksum differs on the board.
        DeviceLost: the connection broke and cannot be made anew; a second push sends only the rest.
    """
    described = {name: _describe(path) for name, path in files.items()}
    wanted = {file.name: file for file in described.values()}
    store = _look(transport, wanted)
    if not store.executable and any(file.mode == "755" for file in wanted.values()):
        raise DeviceUnfit(
            f"{transport.device.name}: nothing can be executed in {store.path}.",
            "Its file system is mounted noexec.",
            "Give another `workdir` in devices.local.yaml.",
        )
    missing = {name: file for name, file in wanted.items() if store.sizes.get(name) != file.size}
    begun = {name: store.sizes.get(f"{name}.part", 0) for name in missing}
    begun = {name: size for name, size in begun.items() if size < missing[name].size}
    need = sum(file.size - begun.get(name, 0) for name, file in missing.items())
    _make_room(transport, store, wanted, need)
    for name, file in missing.items():
        _upload(transport, file.path, f"{store.path}/{name}.part", begun.get(name, 0))
        _settle(transport, store.path, file)
    total = sum(file.size for file in described.values())
    return Pushed({name: f"{store.path}/{file.name}" for name, file in described.items()}, need, total - need)


def clean(transport: Transport) -> int:
    """Remove every stored file; the bytes that this freed. Hold the board's lock meanwhile."""
    store = _look(transport, {})
    _remove(transport, store.path, store.sizes)
    return sum(store.sizes.values())


@contextmanager
def scratch(transport: Transport) -> Iterator[str]:
    """A fresh directory on the board for a job's own output; removed at the end."""
    folder = f"{transport.workdir}/scratch/{secrets.token_hex(8)}"
    made = transport.ask(["mkdir", "-p", folder])
    if not made.ok:
        raise DeviceUnfit(f"{transport.device.name}: no directory can be made: {made.stderr_tail}.")
    try:
        yield folder
    finally:
        with suppress(DeviceLost):  # the error that broke the connection is the one to tell
            transport.run(["rm", "-rf", folder])


def _describe(path: Path) -> _File:
    content = path.read_bytes()
    mode = "755" if content.startswith(b"\x7fELF") else "644"
    return _File(path, hashlib.sha256(content).hexdigest(), len(content), mode)


def _look(transport: Transport, wanted: Collection[str]) -> _Store:
    """The state of the store; the wanted files are now the most recently used ones."""
    path = f"{transport.workdir}/cas"
    asked = transport.ask(PREFLIGHT.format(store=shlex.quote(path), names=" ".join(wanted) or "."))
    if not asked.ok:
        raise DeviceUnfit(
            f"{transport.device.name}: nothing can be written to {path} ({asked.stderr_tail}).",
            "Its file system is full or read-only.",
            "Free some space there, or give another `workdir` in devices.local.yaml.",
        )
    rows = [line.split() for line in asked.text.splitlines()]
    files = sorted((int(row[1]), row[3], int(row[2])) for row in rows if row[0] == "file")
    # df -P: file system, size, used and available kilobytes, capacity, mount point.
    free = next((int(row[4]) * 1024 for row in rows if row[0] == "free" and len(row) > 4 and row[4].isdigit()), None)
    return _Store(path, {name: size for _, name, size in files}, free, ["exec", "yes"] in rows)


def _make_room(transport: Transport, store: _Store, wanted: Collection[str], need: int) -> None:
    """Remove what was not used for longest until `need` bytes fit; nothing has been sent when this raises."""
    limit = transport.device.store_mb << 20
    free = need if store.free is None else store.free
    total = sum(store.sizes.values())
    gone: list[str] = []
    for name, size in store.sizes.items():
        if need <= free and total + need <= limit:
            break
        if name.removesuffix(".part") not in wanted:
            gone.append(name)
            free += size
            total -= size
    if need > free:
        raise DeviceUnfit(
            f"{transport.device.name}: {need / 1e6:.1f} MB are to be sent, and {store.path} has room for "
            f"{free / 1e6:.1f} MB.",
            "The board's file system is nearly full.",
            "Free some space there, or give another `workdir` in devices.local.yaml.",
        )
    _remove(transport, store.path, gone)


def _remove(transport: Transport, store: str, names: Collection[str]) -> None:
    if names:
        transport.ask(f"cd {shlex.quote(store)} && rm -f -- {shlex.join(names)}")


def _upload(transport: Transport, path: Path, part: str, offset: int) -> None:
    """Send a file from byte `offset` on, over as many connections as it takes while each brings it further."""
    left = ATTEMPTS
    while True:
        try:
            return transport.put(path, part, offset=offset)
        except DeviceLost as error:
            transport.reconnect(error)
            arrived = transport.ask(["stat", "-c", "%s", part])
            size = int(arrived.text) if arrived.ok else 0
            left = ATTEMPTS if size > offset else left - 1
            if not left:
                raise
            offset = min(size, path.stat().st_size)


def _settle(transport: Transport, store: str, file: _File) -> None:
    """Check the transferred part on the board and give it its name."""
    done = transport.ask(SETTLE.format(store=shlex.quote(store), name=file.name, mode=file.mode))
    if not done.ok:
        raise DeviceUnfit(
            f"{transport.device.name}: {file.path.name} did not arrive as it was sent "
            f"({'its checksum differs' if done.text == 'damaged' else done.stderr_tail}).",
            "The board's storage or memory is failing, or its file system is full.",
            "Run it again; if it happens twice, replace the memory card.",
        )
