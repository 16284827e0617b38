# SPDX-License-Identifier: Apache-2.0
"""Connections to a real SSH server: who is trusted, what is refused, and in which words."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import pytest
from paramiko import ECDSAKey

from harness.board import discover, inventory, known_hosts, lab, ssh_settings, trust
from harness.board.inventory import Device, Inventory, Timeouts
from harness.board.lab import server
from harness.board.ssh_settings import Settings
from harness.board.transport import connect
from harness.errors import ConfigError, HostKeyRefused, Unreachable


@pytest.fixture(params=["ssh", "openssh"])
def stranger(request: pytest.FixtureRequest, board: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """The stand-in, reached by an ssh configuration that knows no host key."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    config = lab.ssh_config("loopback").read_text("utf-8")
    lines = [line for line in config.splitlines() if "UserKnownHostsFile" not in line]
    (tmp_path / "ssh_config").write_text("\n".join([*lines, "  UserKnownHostsFile /dev/null", ""]), "utf-8")
    fields = {"lab": None, "ssh_config": str(tmp_path / "ssh_config"), "transport": request.param}
    return board.model_copy(update=fields)


def test_an_unknown_host_key_is_refused_until_it_is_trusted(stranger: Device) -> None:
    with pytest.raises(HostKeyRefused, match=r"not known.*inv device.trust --device qemu-aarch64"):
        connect(stranger)
    key = trust.fetch(stranger)
    assert not key.known
    assert key.fingerprint.startswith("SHA256:")
    trust.accept(key)
    assert trust.fetch(stranger).known
    with connect(stranger) as transport:
        assert transport.run(["echo", "hello"]).text == "hello"


def test_a_changed_host_key_is_refused_with_a_warning(stranger: Device) -> None:
    shown = trust.fetch(stranger)
    known_hosts.store(shown.name, ECDSAKey.generate())
    with pytest.raises(HostKeyRefused, match="POSING"):
        connect(stranger)
    trust.accept(shown)
    with connect(stranger):
        assert trust.fetch(stranger).known


def test_a_login_key_that_the_board_does_not_have_is_refused(stranger: Device, tmp_path: Path) -> None:
    trust.accept(trust.fetch(stranger))
    server.new_key(tmp_path / "other")
    config = Path(stranger.ssh_config or "")
    lines = [line for line in config.read_text("utf-8").splitlines() if "IdentityFile" not in line]
    config.write_text("\n".join([*lines, f"  IdentityFile {tmp_path / 'other'}", ""]), "utf-8")
    with pytest.raises(Unreachable, match=r"login.*ssh-copy-id"):
        connect(stranger)


@pytest.mark.parametrize("stranger", ["ssh"], indirect=True)  # ssh itself keeps the keys of its jump hosts
def test_a_jump_host_is_gone_through_and_its_key_is_checked_too(stranger: Device, tmp_path: Path) -> None:
    config = Path(stranger.ssh_config or "")
    jump = "Host inner\n  ProxyJump jump\n\nHost jump\n  HostKeyAlias the-jump-host\n\n"
    config.write_text(jump + config.read_text("utf-8"), "utf-8")
    inner = stranger.model_copy(update={"host": "inner"})
    first = trust.fetch(inner)
    assert first.name == "the-jump-host"
    trust.accept(first)
    second = trust.fetch(inner)
    assert second.name.startswith("[127.0.0.1]:")
    trust.accept(second)
    with connect(inner) as transport:
        assert transport.run(["echo", "through"]).text == "through"


@pytest.mark.parametrize("transport", ["ssh", "openssh"])
def test_a_proxy_command_that_fails_is_not_shown(
    board: Device, tmp_path: Path, transport: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """It may hold a secret, and Paramiko puts it into its errors and its log."""
    (tmp_path / "config").write_text("Host far\n  ProxyCommand sh -c 'exit 3' --token planted-secret\n", "utf-8")
    fields = {"lab": None, "host": "far", "ssh_config": str(tmp_path / "config"), "transport": transport}
    with pytest.raises(Unreachable) as caught:
        connect(board.model_copy(update=fields))
    printed = capfd.readouterr()
    assert "planted-secret" not in f"{caught.value}{printed.out}{printed.err}"
    assert "Traceback" not in printed.err


def test_nothing_listens(board: Device) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    away = board.model_copy(update={"lab": None, "host": "127.0.0.1", "port": port})
    with pytest.raises(Unreachable, match=f"refused.*port {port}"):
        connect(away)


def test_a_server_that_says_nothing_is_given_up(board: Device) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        patience = Timeouts(connect=0.5)
        device = board.model_copy(update={"lab": None, "host": "127.0.0.1", "port": port, "timeouts": patience})
        with pytest.raises(Unreachable):
            connect(device)


def test_a_host_name_that_does_not_exist(board: Device) -> None:
    away = board.model_copy(update={"lab": None, "host": "no-such-board.invalid"})
    with pytest.raises(Unreachable, match="no such host name"):
        connect(away)


def test_a_mistake_in_the_ssh_configuration(board: Device, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("Host *\n  Prot 22\n", "utf-8")
    broken = board.model_copy(update={"lab": None, "ssh_config": str(tmp_path / "broken")})
    with pytest.raises(ConfigError, match="broken"):
        connect(broken)


def test_a_stand_in_that_is_not_up(boards: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(Unreachable, match=r"inv lab.up"):
        connect(boards.devices["qemu-aarch64"])


def test_the_lab_goes_up_once_and_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    list(lab.up(["loopback"]))
    assert [standing.up for standing in lab.status() if standing.name == "loopback"] == [True]
    assert "up already" in next(iter(lab.up(["loopback"])))
    list(lab.down(["loopback"]))
    assert [standing.up for standing in lab.status() if standing.name == "loopback"] == [False]
    assert list(lab.down(["loopback"])) == ["loopback: was not up"]


def test_the_local_device_is_a_board_like_any_other(boards: Inventory, tmp_path: Path) -> None:
    local = boards.devices["local"].model_copy(update={"workdir": str(tmp_path / "work")})
    with connect(local) as transport:
        assert transport.workdir == str(tmp_path / "work")
        assert transport.run("echo a; exit 3").exit_code == 3
    assert inventory.load(Path(__file__).resolve().parents[2]).devices["local"].target == "host"


def test_a_board_that_is_not_in_the_inventory_is_discovered(
    boards: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = next(standing.address for standing in lab.status() if standing.name == "loopback")
    found = Settings("127.0.0.1", int(address.split(":")[1]), "me", (), False, True, (), None, (), "new-board")
    silent = dataclasses.replace(found, port=1)
    monkeypatch.setattr(ssh_settings, "lookup", lambda host: found if host == "new-board" else silent)
    monkeypatch.setattr(discover, "PATIENCE", 20)
    (tmp_path / "config").write_text("Host new-board\nHost pi4.local\nHost silent\n", "utf-8")
    candidates = [each for each in discover.search(boards, tmp_path / "config") if each.transport == "ssh"]
    assert [(each.host, each.transport) for each in candidates] == [("new-board", "ssh")]
    assert candidates[0].what.startswith("OpenSSH")
