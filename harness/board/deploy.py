# SPDX-License-Identifier: Apache-2.0
"""Files on a board, stored by their content: what is there already is not sent again.

A file is `<workdir>/cas/<sha256>`. It gets that name only once all of it is there and its checksum was computed on the
board; until then it is `<sha256>.part`, from whose end a broken transfer goes on.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.board.transport import Transport
from harness.errors import DeviceLost, DeviceUnfit

# Asks in one round trip for all that can go wrong before a byte is sent, and for what is there already.
PREFLIGHT = """\
mkdir -p {store} && cd {store} || exit 1
printf '#!/bin/sh\\n' >.exec && chmod 755 .exec || exit 1
./.exec 2>/dev/null && echo exec yes || echo exec no
rm -f .exec
echo free $(df -Pk . | tail -n 1 | awk '{{print $4}}')
for name in {names}; do
  [ -f $name ] && echo have $name $(stat -c %s $name)
  [ -f $name.part ] && echo part $name $(stat -c %s $name.part)
done
exit 0
"""

SETTLE = """\
cd {store} && sum=$(sha256sum {name}.part) || exit 1
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


def push(transport: Transport, files: Mapping[str, Path]) -> Pushed:
    """Bring files into the board's store; each name maps to its absolute path there.

    ELF files become executable. Hold the board's lock meanwhile: two writers of one part spoil each other's.

    Raises:
        DeviceUnfit: no space, no execution from the work directory, or the checksum differs on the board.
        DeviceLost: the connection broke; a second push sends only the rest.
    """
    store = f"{transport.workdir}/cas"
    local = {name: _describe(path) for name, path in files.items()}
    have, parts = _preflight(transport, store, local)
    sent = skipped = 0
    done: set[str] = set()
    for file in local.values():
        if file.name in done or have.get(file.name) == file.size:
            skipped += file.size
            continue
        offset = parts.get(file.name, 0)
        offset = offset if offset < file.size else 0
        transport.put(file.path, f"{store}/{file.name}.part", offset=offset)
        _settle(transport, store, file)
        sent += file.size - offset
        skipped += offset
        done.add(file.name)
    return Pushed({name: f"{store}/{file.name}" for name, file in local.items()}, sent, skipped)


@contextmanager
def scratch(transport: Transport) -> Iterator[str]:
    """A fresh directory on the board for a job's own output; removed at the end."""
    base = shlex.quote(f"{transport.workdir}/scratch")
    made = transport.run(f"mkdir -p {base} && mktemp -d {base}/XXXXXX")
    if not made.ok:
        raise DeviceUnfit(f"{transport.device.name}: no directory can be made: {made.stderr_tail}.")
    try:
        yield made.text
    finally:
        with suppress(DeviceLost):  # the error that broke the connection is the one to tell
            transport.run(["rm", "-rf", made.text])


def _describe(path: Path) -> _File:
    content = path.read_bytes()
    mode = "755" if content.startswith(b"\x7fELF") else "644"
    return _File(path, hashlib.sha256(content).hexdigest(), len(content), mode)


def _preflight(transport: Transport, store: str, local: Mapping[str, _File]) -> tuple[dict[str, int], dict[str, int]]:
    """The sizes of whole and of partial files on the board, by name; nothing has been sent when this raises."""
    device = transport.device.name
    files = {file.name: file for file in local.values()}
    asked = transport.run(PREFLIGHT.format(store=shlex.quote(store), names=" ".join(files)))
    rows = [line.split() for line in asked.text.splitlines()]
    if not asked.ok:
        raise DeviceUnfit(
            f"{device}: nothing can be written to {store} ({asked.stderr_tail}).",
            "Its file system is full or read-only.",
            "Free some space there, or give another `workdir` in devices.local.yaml.",
        )
    if ["exec", "no"] in rows and any(file.mode == "755" for file in files.values()):
        raise DeviceUnfit(
            f"{device}: nothing can be executed in {store}.",
            "Its file system is mounted noexec.",
            "Give another `workdir` in devices.local.yaml.",
        )
    have = {row[1]: int(row[2]) for row in rows if row[0] == "have"}
    parts = {row[1]: int(row[2]) for row in rows if row[0] == "part"}
    free = next((int(row[1]) * 1024 for row in rows if row[0] == "free" and len(row) == 2), None)
    need = sum(file.size - parts.get(file.name, 0) for file in files.values() if have.get(file.name) != file.size)
    if free is not None and need > free:
        raise DeviceUnfit(
            f"{device}: {need / 1e6:.1f} MB are to be sent, and {store} has {free / 1e6:.1f} MB left.",
            "The board's file system is nearly full.",
            "Free some space there, or give another `workdir` in devices.local.yaml.",
        )
    return have, parts


def _settle(transport: Transport, store: str, file: _File) -> None:
    """Check the transferred part on the board and give it its name."""
    done = transport.run(SETTLE.format(store=shlex.quote(store), name=file.name, mode=file.mode))
    if not done.ok:
        raise DeviceUnfit(
            f"{transport.device.name}: {file.path.name} did not arrive as it was sent "
            f"({'its checksum differs' if done.text == 'damaged' else done.stderr_tail}).",
            "The board's storage or memory is failing, or its file system is full.",
            "Run it again; if it happens twice, replace the memory card.",
        )
