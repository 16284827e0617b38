# SPDX-License-Identifier: Apache-2.0
"""What networks and people do to a board while it works, each against a real SSH server."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.board import conditions, deploy, job, lab, lock, ssh
from harness.board.inventory import Device
from harness.board.transport import connect
from harness.errors import DeviceLost
from tests.e2e.proxy import Proxy
from tests.e2e.scripts import COUNT, patience, script


@pytest.fixture
def wire(boards: object) -> Iterator[Proxy]:
    port = next(int(standing.address.split(":")[1]) for standing in lab.status() if standing.name == "loopback")
    with Proxy(port) as proxy:
        yield proxy


@pytest.fixture
def far(board: Device, wire: Proxy, tmp_path: Path) -> Device:
    """The stand-in behind the proxy, with an empty work directory."""
    port = lab.ssh_config("loopback").read_text("utf-8").split("Port ")[1].split()[0]
    config = lab.ssh_config("loopback").read_text("utf-8").replace(f"Port {port}", f"Port {wire.port}")
    (tmp_path / "ssh_config").write_text(config + f"  HostKeyAlias [127.0.0.1]:{port}\n", "utf-8")
    fields = {"lab": None, "ssh_config": str(tmp_path / "ssh_config"), "workdir": str(tmp_path / "work")}
    return board.model_copy(update=fields)


def test_cuts_while_uploading_cost_only_the_rest(far: Device, wire: Proxy, tmp_path: Path) -> None:
    content = os.urandom(6_000_000)
    (tmp_path / "model").write_bytes(content)
    with connect(far) as transport, lock.hold(transport, "upload"):
        wire.quotas = iter([1_000_000] * 3)
        pushed = deploy.push(transport, {"model": tmp_path / "model"})
        assert pushed.bytes_sent == len(content)
        assert transport.get(pushed.paths["model"]) == content
    assert next(wire.quotas, None) is None, "all cuts were made"
    assert wire.sent < 9_000_000, "what had arrived was not sent again"


def test_a_line_that_never_gets_further_is_given_up(far: Device, wire: Proxy, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(os.urandom(6_000_000))
    with connect(far) as transport:
        wire.quotas = itertools.repeat(20_000)  # enough to connect and ask, too little to get anything across
        with pytest.raises(DeviceLost):
            deploy.push(transport, {"model": tmp_path / "model"})
        wire.quotas = iter(())
    with connect(far) as transport:
        assert deploy.push(transport, {"model": tmp_path / "model"}).bytes_sent > 5_900_000


def test_what_a_dead_connection_delivers_late_does_no_harm(
    far: Device, wire: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "BEAT", 0.3)
    content = os.urandom(20_000_000)
    (tmp_path / "model").write_bytes(content)

    def freeze() -> None:
        patience(transport, 1)
        wire.frozen = True
        time.sleep(3)
        patience(transport, 30)
        wire.frozen = False

    with connect(far) as transport, lock.hold(transport, "upload"):
        threading.Timer(0.1, freeze).start()
        pushed = deploy.push(transport, {"model": tmp_path / "model"})
        assert transport.get(pushed.paths["model"]) == content


def test_what_may_run_twice_is_asked_again_for_a_while(
    far: Device, wire: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(far) as transport:
        wire.quotas = iter([200, 200])
        assert transport.ask(["echo", "x" * 300]).text == "x" * 300
        assert next(wire.quotas, None) is None, "both cuts were made"
        monkeypatch.setattr("harness.board.transport.AWAY", 2)
        wire.quotas = itertools.repeat(200)
        with pytest.raises(DeviceLost):
            transport.ask("true")


def test_a_cut_while_running_loses_nothing(far: Device, wire: Proxy, tmp_path: Path) -> None:
    with connect(far) as transport, lock.hold(transport, "count"):
        counting = script(transport, tmp_path, COUNT)
        seen = []
        for event in job.run(transport, counting, []):
            seen.append(event)
            if event in ({"n": 2}, {"n": 5}):
                wire.cut()
    assert seen[:-1] == [{"n": n} for n in range(1, 9)]
    assert isinstance(seen[-1], job.Ended)
    assert seen[-1].ok


def test_a_link_that_hangs_is_noticed_and_made_anew(
    far: Device, wire: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "BEAT", 0.3)

    def thaw() -> None:
        patience(transport, 30)
        wire.frozen = False

    with connect(far) as transport, lock.hold(transport, "count"):
        counting = script(transport, tmp_path, COUNT)
        seen = []
        for event in job.run(transport, counting, []):
            seen.append(event)
            if event == {"n": 2}:
                patience(transport, 1)
                wire.frozen = True
                threading.Timer(4, thaw).start()
    assert seen[:-1] == [{"n": n} for n in range(1, 9)]


def test_a_far_board_works_the_same(far: Device, wire: Proxy, tmp_path: Path) -> None:
    wire.delay = 0.2
    with connect(far) as transport, lock.hold(transport, "count"):
        counting = script(transport, tmp_path, COUNT)
        events, ended = job.collect(transport, counting, [])
    assert ended.ok
    assert events == [{"n": n} for n in range(1, 9)]


def test_a_link_that_stays_away_ends_the_job_within_the_lease(
    far: Device,
    board: Device,
    wire: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    running: Callable[[str], bool],
) -> None:
    monkeypatch.setattr(lock, "LEASE", 6)
    monkeypatch.setattr("harness.board.transport.AWAY", 1)
    with connect(far) as transport, lock.hold(transport, "sleep"):
        sleeping = script(transport, tmp_path, "echo {}; sleep 4715.1")
        events = job.run(transport, sleeping, [])
        assert next(events) == {}
        patience(transport, 0.5)
        wire.cut()
        wire.frozen = True
        with pytest.raises(DeviceLost):
            list(events)
    assert not running("sleep 4715.1")
    with connect(board.model_copy(update={"workdir": far.workdir})) as transport:
        limit = time.monotonic() + 30
        while lock.holder(transport) and time.monotonic() < limit:
            time.sleep(0.1)
        assert lock.holder(transport) is None


def test_a_killed_harness_frees_the_board_and_puts_its_settings_back(
    board: Device, tmp_path: Path, running: Callable[[str], bool]
) -> None:
    board = board.model_copy(update={"workdir": str(tmp_path / "work")})
    (tmp_path / "governor").write_text("performance\n", "utf-8")
    code = f"""
        import shlex
        from pathlib import Path
        from harness.board import deploy, job, lock
        from harness.board.inventory import Device
        from harness.board.transport import connect
        lock.LEASE = 6
        Path({str(tmp_path / "job")!r}).write_text("#!/bin/sh\\nsleep 4716.1")
        with connect(Device.model_validate({board.model_dump()!r})) as transport, lock.hold(transport, "a long job"):
            transport.run(f"echo {tmp_path}/governor ondemand >{{shlex.quote(transport.workdir)}}/session/changed")
            path = deploy.push(transport, {{"job": Path({str(tmp_path / "job")!r})}}).paths["job"]
            transport.run(["chmod", "755", path])
            print("started", flush=True)
            job.collect(transport, path, [])
    """
    harness = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
    assert harness.stdout is not None
    assert harness.stdout.readline() == b"started\n"
    time.sleep(1)
    with connect(board) as transport:
        assert "a long job" in (lock.holder(transport) or "")
        harness.kill()
        harness.wait()
        harness.stdout.close()
        waits: list[str] = []
        begun = time.monotonic()
        with lock.hold(transport, "the next", waits.append):
            assert time.monotonic() - begun < 30
            assert not running("sleep 4716.1")
    assert "a long job" in waits[0]
    assert (tmp_path / "governor").read_text("utf-8") == "ondemand\n"


def test_a_session_without_a_keeper_is_cleaned_up_with_a_note(board: Device, tmp_path: Path) -> None:
    with connect(board.model_copy(update={"workdir": str(tmp_path / "work")})) as transport:
        lock.take(transport, "by hand", 3600)
        transport.run("kill -KILL $(cat session/keeper)".replace("session", f"{transport.workdir}/session"))
        notes: list[str] = []
        with lock.hold(transport, "the next", notes.append):
            pass
    assert any("cleaned up after" in note and "by hand" in note for note in notes)


def test_a_board_taken_by_hand_is_freed_by_anyone(board: Device, tmp_path: Path) -> None:
    with connect(board.model_copy(update={"workdir": str(tmp_path / "work")})) as transport:
        lock.take(transport, "soldering", 3600)
        assert "soldering" in (lock.holder(transport) or "")
        lock.free(transport)
        assert lock.holder(transport) is None


def test_two_harnesses_never_run_at_once(board: Device, tmp_path: Path) -> None:
    """The board's own record has every begin answered by its end before the next begins."""
    device = board.model_copy(update={"workdir": str(tmp_path / "work")})

    def work(number: int) -> None:
        (tmp_path / f"{number}").mkdir()
        with connect(device) as transport:
            for _ in range(2):
                with lock.hold(transport, f"worker {number}"):
                    path = script(transport, tmp_path / f"{number}", f"sleep 0.2 # {number}")
                    assert job.collect(transport, path, [])[1].ok

    workers = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    history = (tmp_path / "work/history").read_text("utf-8").splitlines()
    words = [line.split()[1:3] for line in history]
    pairs = list(zip(words[::2], words[1::2], strict=True))
    assert len(pairs) == 6
    assert all(first == ["begin", then[1]] and then[0] == "end" for first, then in pairs)


def test_settings_are_set_for_a_session_and_put_back(board: Device, tmp_path: Path) -> None:
    device = board.model_copy(update={"workdir": str(tmp_path / "work"), "frequency_mhz": 1500})
    policy = tmp_path / "cpufreq/policy0"
    policy.mkdir(parents=True)
    before = {"scaling_governor": "ondemand", "scaling_min_freq": "600000", "scaling_max_freq": "1800000"}
    for name, value in before.items():
        (policy / name).write_text(f"{value}\n", "utf-8")
    with connect(device) as transport, lock.hold(transport, "bench"):
        every = conditions.steady(transport, f"{tmp_path}/cpufreq/policy*")
        settings = [setting for setting in every if setting.file.startswith(f"{tmp_path}")]
        assert all(setting.controlled for setting in settings)
        assert [setting.before for setting in settings] == list(before.values())
        assert (policy / "scaling_governor").read_text("utf-8") == "performance\n"
        assert (policy / "scaling_max_freq").read_text("utf-8") == "1500000\n"
    assert {name: (policy / name).read_text("utf-8").strip() for name in before} == before
    shipped = device.model_copy(update={"conditions": "as-shipped"})
    with connect(shipped) as transport, lock.hold(transport, "bench"):
        assert conditions.steady(transport, f"{tmp_path}/cpufreq/policy*") == ()
