# SPDX-License-Identifier: Apache-2.0
"""Boards that could be in devices.yaml and are not: hosts that this machine knows, asked whether an SSH server answers.

Only hosts are asked that this machine has had to do with (its ssh configuration, its neighbours on the network, adb);
no address range is searched.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.board import ssh_settings
from harness.board.inventory import Inventory

PATIENCE = 2.0  # seconds

# The names that boards are sold with, as far as they announce them.
USUAL = ("raspberrypi.local", "jetson.local", "orangepi.local", "odroid.local")

# The first three bytes of the network addresses that makers of boards have (IEEE's public list).
MAKERS = {
    "28:cd:c1": "Raspberry Pi",
    "2c:cf:67": "Raspberry Pi",
    "b8:27:eb": "Raspberry Pi",
    "d8:3a:dd": "Raspberry Pi",
    "dc:a6:32": "Raspberry Pi",
    "e4:5f:01": "Raspberry Pi",
    "00:04:4b": "NVIDIA",
    "48:b0:2d": "NVIDIA",
    "00:1e:06": "Odroid",
}


@dataclass(frozen=True)
class Found:
    """A candidate: what to write as `host` and `transport`, what it is, and where it was heard of."""

    host: str
    transport: str
    what: str
    source: str


def search(known: Inventory, config: Path = Path("~/.ssh/config")) -> tuple[Found, ...]:
    """The candidates that answer and that no device of the inventory has as its address."""
    have = {device.address for device in known.devices.values()}
    asked = {host: source for host, source in _heard_of(config.expanduser()) if host not in have}
    with ThreadPoolExecutor(16) as pool:
        banners = dict(zip(asked, pool.map(banner, asked), strict=True))
    found = [Found(host, "ssh", banners[host] or "", source) for host, source in asked.items() if banners[host]]
    return tuple(found + [phone for phone in _phones() if phone.host not in have])


def banner(host: str) -> str | None:
    """What the SSH server of a host, or of an alias of the ssh configuration, calls itself; None without one."""
    settings = ssh_settings.lookup(host)
    try:
        with socket.create_connection((settings.host, settings.port), timeout=PATIENCE) as wire:
            wire.settimeout(PATIENCE)
            said = wire.recv(255).decode("ascii", "replace").strip()
    except OSError:
        return None
    return said.removeprefix("SSH-2.0-") if said.startswith("SSH-") else None


def hosts_of_config(text: str) -> list[str]:
    """The aliases of an ssh configuration that name one host."""
    rows = re.findall(r"^\s*host(?:\s*=\s*|\s+)(.+)$", text, re.IGNORECASE | re.MULTILINE)
    return [word for row in rows for word in row.split() if not set(word) & set("*?!")]


def neighbours(table: str) -> list[tuple[str, str]]:
    """Address and maker of the boards in /proc/net/arp."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return [(row[0], MAKERS[row[3][:8].lower()]) for row in rows if len(row) > 3 and row[3][:8].lower() in MAKERS]


def phones(listing: str) -> list[str]:
    """The serial numbers in the output of `adb devices` that may be used."""
    return re.findall(r"^(\S+)\tdevice$", listing, re.MULTILINE)


def _heard_of(config: Path) -> Iterator[tuple[str, str]]:
    if config.is_file():
        yield from ((host, str(config)) for host in hosts_of_config(config.read_text("utf-8")))
    arp = Path("/proc/net/arp")
    if arp.exists():
        yield from ((host, f"on this network, made by {maker}") for host, maker in neighbours(arp.read_text("utf-8")))
    yield from ((host, "its usual name") for host in USUAL)


def _phones() -> Iterator[Found]:
    adb = shutil.which("adb")  # not fetched for this: who has a phone plugged in for it has adb
    if adb:
        done = subprocess.run([adb, "devices"], capture_output=True, text=True, timeout=20)
        yield from (Found(serial, "adb", "Android", "adb devices") for serial in phones(done.stdout))
