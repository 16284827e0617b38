# SPDX-License-Identifier: Apache-2.0
"""What every stand-in has: a process of its own, an SSH server on loopback, and keys that only its folder knows."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SSH_CONFIG = """\
Host *
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/login_key
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
"""


def new_key(file: Path) -> Ed25519PrivateKey:
    """A key pair in OpenSSH's format: the private half in `file`, the public one beside it, with the suffix .pub."""
    key = Ed25519PrivateKey.generate()
    file.unlink(missing_ok=True)
    file.touch(0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    file.with_suffix(".pub").write_text(public_line(key.public_key()), "utf-8")
    return key


def public_line(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + "\n"


def introduce(folder: Path, port: int, user: str, host_key: str) -> None:
    """Writes the ssh_config that reaches the stand-in, and its host key as one to trust."""
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}", "utf-8")
    (folder / "ssh_config").write_text(SSH_CONFIG.format(folder=folder, port=port, user=user), "utf-8")


def launch(command: Sequence[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Starts what outlives this program, and says all it says into a file."""
    with log.open("wb") as said:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, env=environment
        )


def wait(process: subprocess.Popen[bytes], port: int, seconds: float) -> bool:
    """Until it answers; ends it and says False where it does not."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and process.poll() is None:
        if answers(port, 1):
            return True
        time.sleep(0.02)
    process.kill()
    return False


def answers(port: int | None, seconds: float = 5) -> bool:
    """Whether an SSH server speaks there: a port may belong to anything, and qemu accepts before its guest does."""
    if port is None:
        return False
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as wire:
            return wire.recv(4) == b"SSH-"
    except OSError:
        return False
