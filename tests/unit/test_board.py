# SPDX-License-Identifier: Apache-2.0
"""The pure parts of reaching a board: parsers, quoting, names of signals, what ssh is configured to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.board import discover, doctor, job, probe, ssh_settings
from harness.board.completed import Completed
from harness.board.inventory import Device
from harness.board.process import shell_text

CASES = Path(__file__).resolve().parents[1] / "data/facts"


def device(**fields: Any) -> Device:
    return Device.model_validate({"name": "board", "target": "host", **fields})


@pytest.mark.parametrize("path", sorted(CASES.glob("*.json")), ids=lambda path: path.stem)
def test_facts_of_boards(path: Path) -> None:
    """A case is what each command printed on a board, the facts that follow, and what the doctor finds in them."""
    case: dict[str, Any] = json.loads(path.read_text("utf-8"))
    text = "".join(f"\n{probe.MARK}{name}\n{printed}\n" for name, printed in case["printed"].items())
    assert probe.parsed(text) == case["facts"]
    assert [finding.what for finding in doctor.judge(device(target=case["target"]), case["facts"])] == case["findings"]


def test_every_fact_has_a_case() -> None:
    cases = [json.loads(path.read_text("utf-8")) for path in CASES.glob("*.json")]
    assert {fact.name for fact in probe.FACTS} == {name for case in cases for name in case["facts"]}


def test_every_rule_of_the_doctor_has_a_case() -> None:
    cases = [json.loads(path.read_text("utf-8")) for path in CASES.glob("*.json")]
    for rule in doctor.RULES:
        found = [finding for case in cases for finding in rule(device(target=case["target"]), case["facts"])]
        assert found, rule.__name__


def test_a_board_that_prints_nothing_or_nonsense_has_no_facts() -> None:
    assert probe.parsed("") == {}
    nonsense = "".join(f"\n{probe.MARK}{fact.name}\n\n\n" for fact in probe.FACTS)
    assert probe.parsed(nonsense) == {}


def test_a_job_is_quoted_pinned_and_put_behind_its_runner() -> None:
    plain = job.command(device(runner="qemu -cpu 'a b'"), ["/x y/bnn", "$HOME"], None)
    assert plain == "exec qemu -cpu 'a b' '/x y/bnn' '$HOME'"
    pinned = job.command(device(), ["bnn"], "0,4-5")
    assert "taskset -c 0,4-5 bnn" in pinned
    assert "taskset 31 bnn" in pinned
    assert shell_text(["a b", "it's"]) == """'a b' 'it'"'"'s'"""


@pytest.mark.parametrize(("code", "name"), [(139, "SIGSEGV"), (132, "SIGILL"), (0, None), (11, None), (255, None)])
def test_the_signal_is_in_the_exit_code(code: int, name: str | None) -> None:
    assert Completed("", code, b"", b"", 0.0).signal == name


@pytest.mark.parametrize("openssh", [True, False])
def test_what_ssh_is_configured_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, openssh: bool) -> None:
    if not openssh:
        which = shutil.which
        monkeypatch.setattr(shutil, "which", lambda name: None if name == "ssh" else which(name))
    (tmp_path / "key").touch()
    (tmp_path / "config").write_text(
        f"""Host alias
          HostName board.lan
          User pi
          Port 2222
          IdentityFile {tmp_path}/key
          IdentityFile {tmp_path}/missing
          IdentitiesOnly yes
          ProxyJump me@gate:2200,inner
        """,
        "utf-8",
    )
    found = ssh_settings.lookup("alias", config=tmp_path / "config")
    assert (found.host, found.port, found.user) == ("board.lan", 2222, "pi")
    assert found.identities == (str(tmp_path / "key"),)
    assert found.identities_only
    assert found.jumps == ("me@gate:2200", "inner")
    assert found.key_name == "[board.lan]:2222"
    assert ssh_settings.lookup("alias", "root", 22, tmp_path / "config").key_name == "board.lan"


def test_where_boards_are_heard_of() -> None:
    config = "Host pi5 lab-*\n  User pi\nhost = old\nHOST jetson !secret\n"
    assert discover.hosts_of_config(config) == ["pi5", "old", "jetson"]
    rows = ["10.0.0.7 0x1 0x2 DC:A6:32:01:02:03 * eth0", "10.0.0.1 0x1 0x2 00:11:22:33:44:55 * eth0"]
    arp = "\n".join(["IP address HW type Flags HW address Mask Device", *rows])
    assert discover.neighbours(arp) == [("10.0.0.7", "Raspberry Pi")]
    assert discover.phones("List of devices attached\nR58M\tdevice\nX1\tunauthorized\n\n") == ["R58M"]
