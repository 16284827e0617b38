# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of a test's own: Debian's programs, a folder below /tmp, a free port of loopback, a password."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from harness.cross import debian

USER, PASSWORD = "fleet", "p@ss word"


def programs() -> Path:
    """The folder of initdb and pg_ctl, installed or fetched into the cache; there is one for each version."""
    where = "usr/lib/postgresql/*/bin"
    found = sorted(Path("/").glob(where)) or sorted(debian.root({"postgresql"}).glob(where))
    assert found, "Debian's package postgresql brings no programs"
    return found[-1]


class Postgres:
    """The server, from `with` to the end of it; `url` is where it answers."""

    def __init__(self) -> None:
        self.bin = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="bitrig-postgres-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{PASSWORD.replace('@', '%40').replace(' ', '%20')}@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Postgres:
        (self.folder / "password").write_text(PASSWORD, "utf-8")
        if os.getuid() == 0:  # the server refuses to be root
            nobody = pwd.getpwnam("nobody")
            for path in (self.folder, self.folder / "password"):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        self._run("initdb", "--username", USER, "--pwfile", f"{self.folder}/password", "--auth", "scram-sha-256")
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        words = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        self._run("pg_ctl", "--wait", "--log", f"{self.folder}/log", "--options", words, "start")
        return self

    def __exit__(self, *problem: object) -> None:
        self._run("pg_ctl", "--wait", "--mode", "immediate", "stop")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *words: str) -> None:
        own = ["runuser", "--user", "nobody", "--"] if os.getuid() == 0 else []
        path = self.bin / program
        environment = {**os.environ, **debian.environment(path), "LC_ALL": "C.UTF-8"}
        command = [*own, str(path), "--pgdata", f"{self.folder}/data", *words]
        log = self.folder / "said"  # a pipe would stay open for as long as the server runs
        with log.open("w") as said:
            done = subprocess.run(command, env=environment, cwd="/", stdout=said, stderr=said, check=False)
        assert done.returncode == 0, log.read_text("utf-8")
