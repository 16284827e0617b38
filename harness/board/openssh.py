# SPDX-License-Identifier: Apache-2.0
"""Boards by the system's own ssh: for servers so old that Paramiko refuses them, and whatever else only ssh can do.

One connection carries all commands (ControlMaster). Host keys are as strict as with the other transport.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.board import known_hosts, ssh_settings
from harness.board.client import Client
from harness.board.inventory import Device
from harness.board.ssh import config_of
from harness.errors import DeviceError, DeviceLost, HostKeyRefused, Unreachable, UsageError

FAILED = 255  # of ssh itself; a command that exits with it is told apart by what ssh says

# What ssh says, in the order of trust: text, error, what, why, remedy.
TABLE: tuple[tuple[str, type[DeviceError], str, str, str], ...] = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        HostKeyRefused,
        "shows another host key than the trusted one",
        "Either the board was installed anew, or SOMEONE IS POSING AS IT: such an attack looks exactly like this.",
        "Compare the fingerprint at the board itself; only if it matches: inv device.trust --device {device}",
    ),
    (
        "Host key verification failed",
        HostKeyRefused,
        "shows a host key that is not known",
        "This machine has not been connected to it before.",
        "If it is the right board: inv device.trust --device {device}",
    ),
    (
        "Permission denied",
        Unreachable,
        "refuses the login",
        "The board does not have this machine's public key, or the user name is wrong.",
        "Try `ssh-copy-id`, or set `user` or IdentityFile.",
    ),
    (
        "no matching",
        Unreachable,
        "has no encryption in common with this machine's ssh",
        "Its SSH server is very old.",
        "Allow its algorithms for that host in ~/.ssh/config (HostKeyAlgorithms, KexAlgorithms, Ciphers).",
    ),
    ("", Unreachable, "is not reached", "The board is off, or the network does not carry it.", "Try `ssh -v`."),
)


class OpenSsh(Client):
    def __init__(self, device: Device) -> None:
        super().__init__(device)
        if shutil.which("ssh") is None:
            raise UsageError("There is no ssh on this machine.", "", "Install it: apt install openssh-client")
        self._folder = Path(tempfile.mkdtemp(prefix="bitrig-"))  # short: the path of a socket has 104 bytes
        self._options = [*options(device), "-o", "ControlMaster=auto", "-o", f"ControlPath={self._folder}/%C"]
        self._options += ["-o", "ControlPersist=60"]
        self._open = False
        try:
            self.reopen()
        except BaseException:
            self.close()
            raise
        self._open = True

    def _close(self) -> None:
        subprocess.run([*self._argv("")[:-3], "-O", "exit", "--", self.device.address], capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _argv(self, text: str) -> Sequence[str]:
        return ["ssh", *self._options, "--", self.device.address, text]

    def _judge(self, code: int, stderr: bytes) -> DeviceError | None:
        said = stderr.decode("utf-8", "replace")
        if code != FAILED:
            return None
        if self._open:
            lines = said.splitlines() or ["ssh says nothing"]
            return DeviceLost(f"{self.device.name}: the connection broke ({lines[-1]}).", "", "Run it again.")
        return refused(self.device, said)


def options(device: Device) -> list[str]:
    """The options of ssh that make it strict, unattended and quick to notice a dead link."""
    config = config_of(device)
    settings = ssh_settings.lookup(device.address, device.user, device.port, config)
    trusted = " ".join(f'"{path}"' for path in (known_hosts.own_file(), *settings.known_hosts))
    seconds = max(1, round(device.timeouts.connect))
    said = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": trusted,
        "UpdateHostKeys": "no",
        "ConnectTimeout": seconds,
        "ServerAliveInterval": 5,
        "ServerAliveCountMax": 2,
        "RequestTTY": "no",
    }
    words = ["-F", str(config)] if config else []
    words += ["-l", device.user] if device.user else []
    words += ["-p", str(device.port)] if device.port else []
    return words + [word for key, value in said.items() for word in ("-o", f"{key}={value}")]


def refused(device: Device, said: str) -> DeviceError:
    """The error in what ssh said when it could not connect."""
    text, error, what, why, remedy = next(row for row in TABLE if row[0] in said)
    detail = next((line.strip() for line in said.splitlines() if text in line and line.strip()), "ssh says nothing")
    return error(f"{device.name} {what} ({detail}).", why, remedy.format(device=device.name))
