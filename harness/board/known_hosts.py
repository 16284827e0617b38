# SPDX-License-Identifier: Apache-2.0
"""Host keys: which are trusted, and what to do about one that is not. Unknown keys are never accepted silently."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from paramiko import HostKeys, MissingHostKeyPolicy, PKey, SSHClient, SSHException
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

from harness.errors import ConfigError, HostKeyRefused


def own_file() -> Path:
    """The keys that `inv device.trust` stored: `$XDG_CONFIG_HOME/bitrig/known_hosts`."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "bitrig" / "known_hosts"


def fingerprint(key: PKey) -> str:
    """As OpenSSH shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def read(files: Iterable[Path]) -> HostKeys:
    """The keys of all files that are there; of two for one name the first file's counts.

    Raises:
        ConfigError: a line cannot be read.
    """
    keys = HostKeys()
    for path in files:
        try:
            keys.load(str(path)) if path.is_file() else None
        except (InvalidHostKey, SSHException, OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}.", "", "Correct that line, or remove it.") from None
    return keys


def store(name: str, key: PKey) -> None:
    """Keep this key for this name, in place of any other, in `own_file`."""
    path = own_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
    kept = [line for line in kept if not line.startswith(f"{name} ")]
    entry = HostKeyEntry([name], key).to_line()
    part = path.with_suffix(".part")
    part.write_text("".join([*kept, entry or ""]), "utf-8")
    part.replace(path)


class Refused(HostKeyRefused):
    """A host key that is not trusted, with what is needed to trust it."""

    def __init__(self, name: str, key: PKey, what: str, why: str, remedy: str) -> None:
        super().__init__(what, why, remedy)
        self.name = name
        self.key = key


class Strict(MissingHostKeyPolicy):
    """Refuses a key that nobody vouched for, and says how to vouch for it."""

    def __init__(self, device: str, name: str) -> None:
        self.device = device
        self.name = name

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        if client.get_host_keys().lookup(hostname):
            raise changed(self.device, self.name, key)  # of another kind than the trusted one
        raise Refused(
            self.name,
            key,
            f"{self.device}: the host key of {self.name} is not known ({key.get_name()} {fingerprint(key)}).",
            "This machine has not been connected to it before.",
            f"If it is the right board: inv device.trust --device {self.device}",
        )


def changed(device: str, name: str, key: PKey) -> Refused:
    """The error for a host that shows another key than the one that is trusted."""
    return Refused(
        name,
        key,
        f"{device}: {name} shows another host key than the trusted one (now {key.get_name()} {fingerprint(key)}).",
        "Either the board was installed anew, or SOMEONE IS POSING AS IT: such an attack looks exactly like this.",
        f"Compare the fingerprint at the board itself; only if it matches: inv device.trust --device {device}",
    )
