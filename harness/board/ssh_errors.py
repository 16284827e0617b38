# SPDX-License-Identifier: Apache-2.0
"""What Paramiko and the operating system say when a board cannot be reached, in words that help."""

from __future__ import annotations

import socket

import paramiko

from harness.board.inventory import Device
from harness.board.ssh_settings import Settings
from harness.errors import DeviceLost, Unreachable

# The first row that fits counts, so a class comes before its base: exception, what, why, remedy.
TABLE: tuple[tuple[type[BaseException], str, str, str], ...] = (
    (
        paramiko.PasswordRequiredException,
        "the private key is locked by a passphrase",
        "bitrig never asks for one.",
        "Unlock it in the agent: ssh-add",
    ),
    (
        paramiko.AuthenticationException,
        "the login of {user} was refused",
        "The board does not have this machine's public key, or the user name is wrong.",
        "Try `ssh-copy-id {login}`, or set `user` or IdentityFile.",
    ),
    (
        paramiko.ssh_exception.IncompatiblePeer,
        "no encryption in common ({error})",
        "The board's SSH server is so old that Paramiko refuses it.",
        "Update the SSH server of the board.",
    ),
    (
        paramiko.ProxyCommandFailure,  # its text has the command in it, and the command may have a secret
        "the ProxyCommand of the ssh configuration failed",
        "It ended, or what it connects to hung up.",
        "Run it by hand and see what it says.",
    ),
    (
        socket.gaierror,
        "no such host name",
        "The board is off, on another network, or does not announce its name.",
        "Give its IP address as `host` in devices.local.yaml.",
    ),
    (
        ConnectionRefusedError,
        "the connection is refused",
        "The machine is up but no SSH server listens on port {port}.",
        "Start sshd on the board, or correct `port`.",
    ),
    (
        TimeoutError,
        "no answer within {seconds:g} s",
        "The board is off, hangs, or a firewall drops the packets.",
        "Try `ping {host}`; a slow board needs a larger `timeouts.connect`.",
    ),
    (
        paramiko.SSHException,
        "the SSH connection could not be made ({error})",
        "Something else listens there, or the server is overloaded and hung up.",
        "Compare with `ssh -v -p {port} {login}`.",
    ),
    (EOFError, "the SSH server hung up", "It is overloaded, or blocks this machine.", "Read the board's sshd log."),
    (OSError, "{error}", "The network between here and there does not carry it.", "Try `ping {host}`."),
)


def unreachable(device: Device, settings: Settings, error: BaseException) -> Unreachable:
    """The error for a connection that could not be opened."""
    if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        error = next(iter(error.errors.values()))  # one for each address of the name; they rarely differ
    _, *texts = next(row for row in TABLE if isinstance(error, row[0]))
    where = f"{settings.user}@{settings.host}"
    words = {
        "error": str(error) or type(error).__name__,
        "user": settings.user,
        "host": settings.host,
        "port": settings.port,
        "login": where,
        "seconds": device.timeouts.connect,
    }
    what, why, remedy = (text.format(**words) for text in texts)
    return Unreachable(f"{device.name}: {what} ({where}, port {settings.port}).", why, remedy)


def lost(device: Device, error: BaseException | None) -> DeviceLost:
    """The error for a connection that broke while it was used."""
    said = "its ProxyCommand failed" if isinstance(error, paramiko.ProxyCommandFailure) else str(error)
    detail = f" ({said or type(error).__name__})" if error else ""
    return DeviceLost(
        f"{device.name}: the connection broke{detail}.",
        "The board was switched off or hangs, or the network failed; what ran there is ended by the board itself.",
        "Run it again; what was sent already is not sent again.",
    )
