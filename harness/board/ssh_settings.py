# SPDX-License-Identifier: Apache-2.0
"""What ~/.ssh/config says about a host.

OpenSSH itself is asked (`ssh -G`) where it is installed, for only it knows Include, Match and canonical names in full;
Paramiko's reader stands in elsewhere.
"""

from __future__ import annotations

import getpass
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from paramiko import ConfigParseError, SSHConfig

from harness.errors import ConfigError

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")


@dataclass(frozen=True)
class Settings:
    """How to reach one host.

    Attributes:
        identities: private key files that exist, in order.
        identities_only: no other key of ~/.ssh is to be tried.
        jumps: hosts to go through, the nearest first, as `[user@]host[:port]`.
        known_hosts: files of trusted host keys that exist.
        key_name: the name under which the host's key is kept: `host`, `[host]:port`, or HostKeyAlias.
    """

    host: str
    port: int
    user: str
    identities: tuple[str, ...]
    identities_only: bool
    agent: bool
    jumps: tuple[str, ...]
    proxy_command: str | None
    known_hosts: tuple[Path, ...]
    key_name: str


def lookup(address: str, user: str | None = None, port: int | None = None, config: Path | None = None) -> Settings:
    """The settings for an address or alias; `user` and `port` win over the configuration.

    Raises:
        ConfigError: the ssh configuration has a mistake.
    """
    said = _by_openssh(address, user, port, config) if shutil.which("ssh") else _by_paramiko(address, config)
    one = {key: values[-1] for key, values in said.items() if values and values[-1].lower() != "none"}
    host = one.get("hostname", address)
    number = port or int(one.get("port", 22))
    jumps = one.get("proxyjump", "")
    files = " ".join(said.get("userknownhostsfile", ["~/.ssh/known_hosts"]) + said.get("globalknownhostsfile", []))
    return Settings(
        host=host,
        port=number,
        user=user or one.get("user") or getpass.getuser(),
        identities=tuple(str(path) for path in map(_home, said.get("identityfile", [])) if path.is_file()),
        identities_only=one.get("identitiesonly") == "yes",
        agent="identityagent" not in said or "identityagent" in one,
        jumps=tuple(jumps.split(",")) if jumps else (),
        proxy_command=one.get("proxycommand"),
        known_hosts=tuple(path for path in map(_home, files.split()) if path.is_file()),
        key_name=one.get("hostkeyalias") or (host if number == 22 else f"[{host}]:{number}"),
    )


def _home(path: str) -> Path:
    return Path(path.strip('"')).expanduser()


def _by_openssh(address: str, user: str | None, port: int | None, config: Path | None) -> dict[str, list[str]]:
    options = ["-F", str(config)] if config else []
    options += ["-p", str(port)] if port else []
    options += ["-l", user] if user else []
    done = subprocess.run(["ssh", *options, "-G", "--", address], capture_output=True, text=True)
    if done.returncode != 0:
        raise _mistake(done.stderr.strip() or f"no such host name: {address}", config)
    said: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        said.setdefault(key.lower(), []).append(value)
    return said


def _by_paramiko(address: str, config: Path | None) -> dict[str, list[str]]:
    reader = SSHConfig()
    try:
        for path in [config] if config else [Path.home() / ".ssh/config", SYSTEM_CONFIG]:
            if path.is_file():
                reader.parse(path.open(encoding="utf-8"))
        said = reader.lookup(address)
    except (ConfigParseError, OSError) as error:
        raise _mistake(str(error), config) from None
    return {key: value if isinstance(value, list) else [value] for key, value in said.items()}


def _mistake(text: str, config: Path | None) -> ConfigError:
    return ConfigError(
        f"ssh cannot read its configuration: {text.splitlines()[-1]}", "", f"Correct {config or '~/.ssh/config'}."
    )
