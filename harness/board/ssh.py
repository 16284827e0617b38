# SPDX-License-Identifier: Apache-2.0
"""Boards over SSH: Fabric on Paramiko, with the host keys, timeouts and cleanliness that they leave to their users.

Fabric accepts any host key; that is put right here. Its `run` is not used, for it leaves a process behind in every kind
of failure and answers -1 both for a signal and for a lost link: its connections carry plain channels.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import paramiko
from fabric import Config, Connection

from harness.board import known_hosts, lab, ssh_errors, ssh_settings
from harness.board.inventory import Device
from harness.board.process import Process
from harness.board.ssh_settings import Settings
from harness.board.transport import Transport

BEAT = 5.0  # seconds between questions whether the board is still there

# Paramiko logs every broken connection with a traceback, and a ProxyCommand with whatever secret is in it; what matters
# comes as an error. Without a handler of its own Python would print that.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Ssh(Transport):
    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self._connection: Connection | None = None
        self.reopen()

    def reopen(self) -> None:
        self._close()
        self._connection = open_connection(self.device)
        wire = self._wire = self._connection.client.get_transport()
        if isinstance(wire.sock, socket.socket):
            # Without this every command waits 40 ms for a delayed acknowledgement.
            wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self._keep_alive, args=(wire,), daemon=True).start()

    def _start(self, command: str, text: str, timeout: float, stdin: bytes | None) -> Process:
        try:
            channel = self._wire.open_session(timeout=self.device.timeouts.connect)
            channel.exec_command(text)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ssh_errors.lost(self.device, error) from error
        return SshProcess(self.device, channel, command, timeout, stdin)

    def _close(self) -> None:
        if self._connection:
            close_connection(self._connection)

    def _keep_alive(self, wire: paramiko.Transport) -> None:
        """Close a connection whose other end no longer answers; TCP itself would take minutes to notice."""
        while wire.is_active():
            watch = threading.Timer(self.device.timeouts.connect, wire.close)
            watch.daemon = True
            watch.start()
            with suppress(paramiko.SSHException, EOFError, OSError):
                wire.global_request("keepalive@openssh.com", wait=True)
            watch.cancel()
            time.sleep(BEAT)


class SshProcess(Process):
    def __init__(
        self, device: Device, channel: paramiko.Channel, command: str, timeout: float, stdin: bytes | None
    ) -> None:
        super().__init__(command, timeout)
        self._device = device
        self._channel = channel
        if stdin is not None:
            # In a thread, so that a command which writes before it has read everything cannot stop both.
            threading.Thread(target=_feed, args=(channel, stdin), daemon=True).start()

    def _read(self, seconds: float) -> bool:
        channel = self._channel
        select.select([channel], [], [], seconds)
        while channel.recv_ready():
            self._out += channel.recv(1 << 16)
        while channel.recv_stderr_ready():
            self._err += channel.recv_stderr(1 << 16)
        if channel.eof_received and not channel.exit_status_ready():
            channel.status_event.wait(min(seconds, 0.1))  # `select` no longer waits once the output has ended
        ended = channel.closed or (channel.eof_received and channel.exit_status_ready())
        return not ended or channel.recv_ready() or channel.recv_stderr_ready()

    def _exit_code(self) -> int:
        code = -1
        if not self._timed_out:
            code = self._channel.recv_exit_status() if self._channel.exit_status_ready() else -1
            wire = self._channel.get_transport()
            if code < 0:
                wire.join(1.0)  # a dying connection closes its channels a moment before it says so
                if not wire.is_active():
                    raise ssh_errors.lost(self._device, None)
        return code if code >= 0 else 137  # killed: by `end`, or with its whole group by the deadline on the board

    def send(self, data: bytes) -> None:
        try:
            self._channel.sendall(data)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ssh_errors.lost(self._device, error) from error

    def end(self) -> None:
        with suppress(paramiko.SSHException, EOFError, OSError):
            self._channel.close()


def _feed(channel: paramiko.Channel, content: bytes) -> None:
    with suppress(paramiko.SSHException, EOFError, OSError):  # the reader finds the broken link too, and reports it
        channel.sendall(content)
        channel.shutdown_write()


def open_connection(device: Device) -> Connection:
    """An open connection, through all jump hosts.

    Raises:
        Unreachable: nothing answers, or the login is refused.
        HostKeyRefused: the key of the board, or of a jump host, is not trusted.
        ConfigError: ~/.ssh/config or a known_hosts file has a mistake.
    """
    config = config_of(device)
    settings = ssh_settings.lookup(device.address, device.user, device.port, config)
    gateway: Connection | str | None = settings.proxy_command
    for hop in settings.jumps:
        user, _, rest = hop.rpartition("@")
        host, _, port = rest.rpartition(":") if rest.count(":") == 1 else (rest, "", "")
        at_hop = ssh_settings.lookup(host, user or None, int(port) if port else None, config)
        gateway = _opened(device, at_hop, gateway)
    return _opened(device, settings, gateway)


def config_of(device: Device) -> Path | None:
    """The ssh configuration that reaches the device; None for the user's own."""
    if device.lab:
        return lab.ssh_config(device.lab)
    return Path(device.ssh_config).expanduser() if device.ssh_config else None


def close_connection(connection: Connection) -> None:
    """Close it and the jump hosts it came through."""
    with suppress(Exception):  # whatever a broken link says about being closed
        connection.close()
    if isinstance(connection.gateway, Connection):
        close_connection(connection.gateway)


def _opened(device: Device, settings: Settings, gateway: Connection | str | None) -> Connection:
    seconds = device.timeouts.connect
    connection = Connection(
        settings.host,
        user=settings.user,
        port=settings.port,
        config=Config(ssh_config=paramiko.SSHConfig()),  # empty: `settings` has it all, and Fabric is not to guess
        gateway=gateway or False,
        connect_kwargs={
            "timeout": seconds,
            "banner_timeout": seconds,
            "auth_timeout": seconds,
            "channel_timeout": seconds,
            "key_filename": list(settings.identities),
            "allow_agent": settings.agent,
            "look_for_keys": not settings.identities_only,
        },
    )
    client = connection.client
    client.set_missing_host_key_policy(known_hosts.Strict(device.name, settings.key_name))
    asked = settings.host if settings.port == 22 else f"[{settings.host}]:{settings.port}"
    trusted = known_hosts.read([known_hosts.own_file(), *settings.known_hosts])
    for kind, key in (trusted.lookup(settings.key_name) or {}).items():
        client.get_host_keys().add(asked, kind, key)
    try:
        connection.open()
    except paramiko.BadHostKeyException as error:
        close_connection(connection)
        raise known_hosts.changed(device.name, settings.key_name, error.key) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        close_connection(connection)
        raise ssh_errors.unreachable(device, settings, error) from error
    except BaseException:
        close_connection(connection)
        raise
    return connection
