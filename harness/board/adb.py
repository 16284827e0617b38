# SPDX-License-Identifier: Apache-2.0
"""Android devices, by the real `adb`: over USB by serial number, or over the network as host and port."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harness.board.client import Client
from harness.board.inventory import Device
from harness.cross import debian
from harness.errors import DeviceError, DeviceLost, Unreachable

# What adb says about the device rather than for it: text, what, why, remedy.
TABLE = (
    (
        "unauthorized",
        "does not trust this machine",
        "Nobody has allowed USB debugging from here yet.",
        "Unlock the device and confirm its question, then try again.",
    ),
    ("offline", "is offline", "Its adb daemon hangs.", "Plug it in again, or: adb reconnect"),
    (
        "",
        "is not there",
        "It is not plugged in, USB debugging is off, or `host` is not its serial number.",
        "See `adb devices`.",
    ),
)
OWN_ERRORS = ("error: ", "adb: ")


class Adb(Client):
    """`host` is the serial number, or host:port of a device on the network; commands run with adb's shell protocol,
    which keeps the streams apart and gives the exit code."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        adb = debian.tool("adb")
        self._adb = str(adb)
        self._environment = libraries(adb)
        self._open = False
        if ":" in device.address:
            with suppress(subprocess.TimeoutExpired):  # then the first command tells what is wrong
                subprocess.run(
                    [self._adb, "connect", device.address],
                    capture_output=True,
                    timeout=device.timeouts.connect,
                    env={**os.environ, **self._environment},
                )
        self.reopen()
        self._open = True

    def _argv(self, text: str) -> Sequence[str]:
        return [self._adb, "-s", self.device.address, "shell", "-T", text]

    def _judge(self, code: int, stderr: bytes) -> DeviceError | None:
        said = stderr.decode("utf-8", "replace").strip()
        if code == 0 or not said.startswith(OWN_ERRORS):
            return None
        if self._open:
            return DeviceLost(f"{self.device.name}: the connection broke ({said}).", "", "Run it again.")
        _, what, why, remedy = next(row for row in TABLE if row[0] in said)
        return Unreachable(f"{self.device.name} {what} ({said}).", why, remedy)


def libraries(adb: Path) -> Mapping[str, str]:
    """The environment in which adb finds its libraries where it was unpacked and not installed: Debian keeps them in a
    folder of their own, which its adb knows by an absolute path."""
    found = debian.environment(adb)
    folders = [f"{folder}/android" for folder in found.get("LD_LIBRARY_PATH", "").split(":") if folder]
    return {"LD_LIBRARY_PATH": ":".join([*folders, found["LD_LIBRARY_PATH"]])} if folders else {}
