# SPDX-License-Identifier: Apache-2.0
"""Trust in a board's host key: shown first, stored when a person says so."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from paramiko import PKey

from harness.board import known_hosts, labgrid, openssh, ssh, ssh_settings
from harness.board.inventory import Device
from harness.errors import UsageError


@dataclass(frozen=True)
class HostKey:
    """A host key as the board shows it.

    Attributes:
        name: what it is kept under: `host` or `[host]:port`; a jump host's when that one comes first.
        kind, fingerprint: as OpenSSH writes them, so that they can be compared at the board itself.
        known: it is trusted already.
    """

    name: str
    kind: str
    fingerprint: str
    known: bool
    key: PKey


def fetch(device: Device) -> HostKey:
    """The key that the board shows now.

    Raises:
        UsageError: the device is not reached by SSH.
        Unreachable: it does not answer.
    """
    with labgrid.placed(device) as placed:
        if device.transport == "openssh":
            return _by_openssh(placed)
        if device.transport != "ssh":
            raise UsageError(f"{device.name} has no host key.", f"It is reached by `{device.transport}`.")
        return _by_paramiko(placed)


def accept(key: HostKey) -> None:
    """Trust this key from now on, in place of any other for that name."""
    known_hosts.store(key.name, key.key)


def _by_paramiko(device: Device) -> HostKey:
    try:
        connection = ssh.open_connection(device)
    except known_hosts.Refused as refused:
        return _shown(refused.name, refused.key, known=False)
    try:
        return _shown(connection.host, connection.client.get_transport().get_remote_server_key(), known=True)
    finally:
        ssh.close_connection(connection)


def _by_openssh(device: Device) -> HostKey:
    """What ssh itself puts into an empty file of trusted keys."""
    settings = ssh_settings.lookup(device.address, device.user, device.port, ssh.config_of(device))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "known_hosts")
        # Of an option that is given twice ssh takes the first.
        words = ["StrictHostKeyChecking=accept-new", f"UserKnownHostsFile={file}", "GlobalKnownHostsFile=/dev/null"]
        words = [word for each in (*words, "HashKnownHosts=no") for word in ("-o", each)]
        command = ["ssh", *words, *openssh.options(device), "--", device.address, "true"]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        keys = known_hosts.read([file]).lookup(settings.key_name)
    if not keys:
        raise openssh.refused(device, done.stderr)
    key = next(iter(keys.values()))
    trusted = dict(known_hosts.read([known_hosts.own_file(), *settings.known_hosts]).lookup(settings.key_name) or {})
    return _shown(settings.key_name, key, known=trusted.get(key.get_name()) == key)


def _shown(name: str, key: PKey, known: bool) -> HostKey:
    return HostKey(name, key.get_name(), known_hosts.fingerprint(key), known, key)
