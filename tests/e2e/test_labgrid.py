# SPDX-License-Identifier: Apache-2.0
"""A shared lab: a real labgrid coordinator and exporter on loopback lend the stand-in board."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.board import lab, lock, trust
from harness.board.inventory import Device, Labgrid, Timeouts
from harness.board.transport import connect
from harness.errors import DeviceUnfit, Unreachable

TOOLS = Path(sys.executable).parent


def client(coordinator: str, *words: str, user: str = "") -> str:
    """What labgrid's own client says; as another user of another machine where one is named."""
    another = {"LG_USERNAME": user, "LG_HOSTNAME": "desk"} if user else {}
    command: list[str | Path] = [TOOLS / "labgrid-client", "-x", coordinator, *words]
    done = subprocess.run(command, env={**os.environ, **another}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def coordinator(boards: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a coordinator that has the loopback stand-in as place board-1, tagged model=pi4."""
    folder = tmp_path_factory.mktemp("labgrid")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    port = next(standing.address.split(":")[1] for standing in lab.status() if standing.name == "loopback")
    service = f"{{address: 127.0.0.1, port: {port}, username: {getpass.getuser()}}}"
    (folder / "exporter.yaml").write_text(f"board-1:\n  NetworkService: {service}\n", "utf-8")
    servers = []
    for words in (
        ["labgrid-coordinator", "-l", address],
        ["labgrid-exporter", "-c", address, "-n", "lab-1", "--hostname", "127.0.0.1", "exporter.yaml"],
    ):
        with (folder / f"{words[0]}.log").open("wb") as log:
            command: list[str | Path] = [TOOLS / words[0], *words[1:]]
            servers.append(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log))
        if len(servers) == 1:
            wait_until_open(address)
    client(address, "-p", "board-1", "create")
    client(address, "-p", "board-1", "add-match", "lab-1/board-1/NetworkService")
    client(address, "-p", "board-1", "set-tags", "model=pi4")
    limit = time.monotonic() + 20
    while "lab-1/board-1/NetworkService" not in client(address, "resources") and time.monotonic() < limit:
        time.sleep(0.2)
    yield address
    for server in reversed(servers):
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def wait_until_open(address: str) -> None:
    host, port = address.split(":")
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nothing listens on {address}")


@pytest.fixture
def lent(coordinator: str, board: Device, tmp_path: Path) -> Device:
    """A device whose address only the lab knows."""
    config = lab.ssh_config("loopback").read_text("utf-8").splitlines()
    kept = [line for line in config if line.split()[0] not in ("HostName", "Port", "User")]
    (tmp_path / "ssh_config").write_text("\n".join([*kept, ""]), "utf-8")
    fields = {
        "name": "lab-pi4",
        "lab": None,
        "ssh_config": str(tmp_path / "ssh_config"),
        "labgrid": Labgrid(coordinator=coordinator, tags={"model": "pi4"}),
        "workdir": str(tmp_path / "work"),
    }
    return board.model_copy(update=fields)


def holder(coordinator: str) -> str:
    shown = client(coordinator, "-p", "board-1", "show")
    return next(line.split(":", 1)[1].strip() for line in shown.splitlines() if "acquired:" in line)


def test_a_board_is_acquired_used_and_released(lent: Device, coordinator: str) -> None:
    with connect(lent) as transport, lock.hold(transport, "bench"):
        assert transport.run(["echo", "lent"]).text == "lent"
        assert holder(coordinator) == f"{socket.gethostname()}/{getpass.getuser()}"
    assert holder(coordinator) == "None"
    assert "Reservation" not in client(coordinator, "reservations")
    assert trust.fetch(lent).known
    assert holder(coordinator) == "None"


def test_the_holder_is_named_while_waiting(lent: Device, coordinator: str) -> None:
    client(coordinator, "-p", "board-1", "acquire", user="ada")
    heard: list[str] = []

    def release() -> None:
        time.sleep(2)
        client(coordinator, "-p", "board-1", "release", user="ada")

    thread = threading.Thread(target=release)
    thread.start()
    with connect(lent, heard.append) as transport:
        assert transport.run(["true"]).ok
    thread.join()
    assert heard == ["lab-pi4: waiting for a board with model=pi4: board-1 is held by desk/ada"]


def test_a_wait_that_is_over_names_the_holder_and_what_to_do(lent: Device, coordinator: str) -> None:
    client(coordinator, "-p", "board-1", "acquire", user="ada")
    try:
        with pytest.raises(DeviceUnfit, match=r"held by desk/ada.*--kick"):
            connect(lent.model_copy(update={"timeouts": Timeouts(queue=1)}))
    finally:
        client(coordinator, "-p", "board-1", "release", user="ada")
    assert "Reservation" not in client(coordinator, "reservations")


def test_no_place_has_the_tags(lent: Device, coordinator: str) -> None:
    wrong = Labgrid(coordinator=coordinator, tags={"model": "pi17"})
    with pytest.raises(DeviceUnfit, match="no place of labgrid .* has the tags model=pi17"):
        connect(lent.model_copy(update={"labgrid": wrong}))


def test_a_board_that_refuses_is_given_back(lent: Device, coordinator: str) -> None:
    with pytest.raises(DeviceUnfit, match="work directory"):
        connect(lent.model_copy(update={"workdir": "/proc/nowhere"}))
    assert holder(coordinator) == "None"


def test_a_coordinator_that_is_down(lent: Device) -> None:
    away = Labgrid(coordinator="127.0.0.1:1", tags={"model": "pi4"})
    with pytest.raises(Unreachable, match=r"coordinator at 127\.0\.0\.1:1 does not answer"):
        connect(lent.model_copy(update={"labgrid": away, "timeouts": Timeouts(connect=1)}))
