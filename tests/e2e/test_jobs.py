# SPDX-License-Identifier: Apache-2.0
"""Files and jobs on a real board: sent once, ended always, never two at a time."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.board import deploy, job, lock, probe
from harness.board.inventory import Device, Inventory, Timeouts
from harness.board.transport import Transport, connect
from harness.errors import DeviceLost, DeviceUnfit
from tests.e2e.scripts import script

# exit(7) for AArch64: mov x8, #93; mov x0, #7; svc #0.
CODE = struct.pack("<3I", 0xD2800BA8, 0xD28000E0, 0xD4000001)


@pytest.fixture(params=["ssh", "openssh", "adb", "local", "guest"])
def transport(
    request: pytest.FixtureRequest, board: Device, boards: Inventory, android: Device, guest: Device, tmp_path: Path
) -> Iterator[Transport]:
    """A board by each transport, with an empty work directory; a guest has busybox, and dropbear in sshd's place."""
    device = {
        "local": boards.devices["local"],
        "openssh": board.model_copy(update={"transport": "openssh"}),
        "adb": android,
        "guest": guest,
    }.get(request.param, board)
    with connect(device.model_copy(update={"workdir": str(tmp_path / "work")})) as transport:
        yield transport


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A whole AArch64 program: an ELF file of one segment that exits with 7."""
    size, base = 64 + 56 + len(CODE), 0x400000
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, 0xB7, 1, base + 120, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    (tmp_path / "program").write_bytes(header + segment + CODE)
    return tmp_path / "program"


def test_arm_code_runs_under_the_runner(boards: Inventory, program: Path) -> None:
    with connect(boards.devices["qemu-aarch64"]) as transport:
        path = deploy.push(transport, {"bnn": program}).paths["bnn"]
        events, ended = job.collect(transport, path, [])
    assert events == []
    assert (ended.exit_code, ended.signal) == (7, None)


@pytest.mark.parametrize("name", ["qemu-armv7", "local"])
def test_a_binary_for_another_machine_is_unfit(boards: Inventory, program: Path, tmp_path: Path, name: str) -> None:
    with connect(boards.devices[name].model_copy(update={"workdir": str(tmp_path / "work")})) as transport:
        path = deploy.push(transport, {"bnn": program}).paths["bnn"]
        with pytest.raises(DeviceUnfit, match="cannot execute a binary for"):
            job.collect(transport, path, [])


def test_a_runner_that_is_not_there_is_named(board: Device, program: Path) -> None:
    with connect(board.model_copy(update={"runner": ("qemu-of-tomorrow",)})) as transport:
        path = deploy.push(transport, {"bnn": program}).paths["bnn"]
        with pytest.raises(DeviceUnfit, match="qemu-of-tomorrow is not on the board"):
            job.collect(transport, path, [])


def test_any_name_and_any_bytes_survive_the_way(transport: Transport) -> None:
    path = f'{transport.workdir}/it\'s $HOME `a` "b" é;'
    content = os.urandom(1 << 20) + b"\r\n\0"
    transport.put(content, path)
    assert transport.get(path) == content
    assert transport.run(["cat", path]).stdout == content
    with pytest.raises(DeviceUnfit, match="cannot be read"):
        transport.get(path + "x")
    with pytest.raises(DeviceUnfit, match="cannot be written"):
        transport.put(b"", f"{transport.workdir}/no/such/folder")


def test_what_is_there_is_not_sent_again(transport: Transport, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * 1000)
    (tmp_path / "b").write_bytes(b"b" * 100)
    first = deploy.push(transport, {"a": tmp_path / "a", "b": tmp_path / "b", "again": tmp_path / "a"})
    assert (first.bytes_sent, first.bytes_skipped) == (1100, 1000)
    second = deploy.push(transport, {"a": tmp_path / "a", "b": tmp_path / "b"})
    assert (second.bytes_sent, second.bytes_skipped) == (0, 1100)
    (tmp_path / "b").write_bytes(b"c" * 100)
    third = deploy.push(transport, {"a": tmp_path / "a", "b": tmp_path / "b"})
    assert (third.bytes_sent, third.bytes_skipped) == (100, 1000)
    assert transport.get(third.paths["b"]) == b"c" * 100


def test_a_broken_transfer_goes_on_where_it_stopped(transport: Transport, tmp_path: Path) -> None:
    content = os.urandom(100_000)
    (tmp_path / "model").write_bytes(content)
    path = deploy.push(transport, {"model": tmp_path / "model"}).paths["model"]
    transport.run(f"head -c 60000 {path} > {path}.part && rm {path}")
    again = deploy.push(transport, {"model": tmp_path / "model"})
    assert (again.bytes_sent, again.bytes_skipped) == (40_000, 60_000)
    assert transport.get(path) == content


def test_a_tail_that_arrives_twice_is_there_once(transport: Transport) -> None:
    """A connection that was given up may deliver what it carried after another has begun to send the same."""
    content = b"a" * 60_000 + b"b" * 40_000
    path = f"{transport.workdir}/it's a part"
    transport.put(content[:70_000], path)
    for _ in range(2):
        transport.put(content, path, offset=60_000)
        assert transport.get(path) == content


def test_damage_on_the_way_is_found_and_mended(transport: Transport, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(os.urandom(1000))
    path = deploy.push(transport, {"model": tmp_path / "model"}).paths["model"]
    transport.run(f"rm {path}; printf 12345 > {path}.part")
    with pytest.raises(DeviceUnfit, match="checksum differs"):
        deploy.push(transport, {"model": tmp_path / "model"})
    assert not transport.run(["test", "-e", path]).ok
    assert deploy.push(transport, {"model": tmp_path / "model"}).bytes_sent == 1000


def test_the_store_keeps_what_was_used_last(transport: Transport, tmp_path: Path) -> None:
    small = transport.device.model_copy(update={"store_mb": 1})
    for name in "abc":
        (tmp_path / name).write_bytes(name.encode() * 400_000)
    with connect(small.model_copy(update={"workdir": transport.workdir})) as capped:
        first = deploy.push(capped, {"a": tmp_path / "a", "b": tmp_path / "b"}).paths
        transport.run(f"touch -d '1 hour ago' {first['a']}; touch -d '2 hours ago' {first['b']}")
        deploy.push(capped, {"c": tmp_path / "c"})
        assert not transport.run(["test", "-e", first["b"]]).ok
        assert deploy.push(capped, {"a": tmp_path / "a", "c": tmp_path / "c"}).bytes_sent == 0
        assert deploy.clean(capped) == 800_000
        assert deploy.push(capped, {"a": tmp_path / "a"}).bytes_sent == 400_000


def test_scratch_is_removed(transport: Transport) -> None:
    with deploy.scratch(transport) as folder:
        transport.put(b"1", f"{folder}/y.bin")
    assert not transport.run(["test", "-e", folder]).ok


def test_events_come_as_they_are_written(transport: Transport, tmp_path: Path) -> None:
    slow = script(transport, tmp_path, """echo '{"type":"a"}'; sleep 2; echo rubbish; printf '{"type":"b"}'""")
    started = time.monotonic()
    seen = [(event, time.monotonic() - started) for event in job.run(transport, slow, [])]
    assert [event for event, _ in seen[:-1]] == [{"type": "a"}, {"type": "garbled", "text": "rubbish"}, {"type": "b"}]
    assert seen[1][1] - seen[0][1] > 0.5
    assert isinstance(seen[-1][0], job.Ended)
    assert seen[-1][0].ok


def test_a_crash_is_a_value(transport: Transport, tmp_path: Path) -> None:
    crash = script(transport, tmp_path, """echo '{"type":"a"}'; echo why >&2; kill -SEGV $$""")
    events, ended = job.collect(transport, crash, [])
    assert events == [{"type": "a"}]
    assert ended.signal == "SIGSEGV"
    assert ended.reason == "killed by SIGSEGV"
    assert "why" in ended.stderr


def test_a_timeout_leaves_nothing_behind(transport: Transport, tmp_path: Path, running: Callable[[str], bool]) -> None:
    endless = script(transport, tmp_path, "sleep 4711.1 & sleep 4711.2")
    _, ended = job.collect(transport, endless, [], timeout=0.5)
    assert ended.timed_out
    assert not ended.ok
    assert not running("sleep 4711.")
    assert transport.run(["echo", "still here"]).text == "still here"


def test_what_a_job_leaves_running_is_ended(
    transport: Transport, tmp_path: Path, running: Callable[[str], bool]
) -> None:
    stray = script(transport, tmp_path, "sleep 4712.1 >/dev/null 2>&1 & echo '{}'")
    _, ended = job.collect(transport, stray, [])
    assert ended.ok
    assert not running("sleep 4712.")


def test_a_cut_connection_is_told_apart_from_a_crash(board: Device, running: Callable[[str], bool]) -> None:
    with connect(board) as transport:
        climb = "p=$$; while grep -qv sshd /proc/$p/comm; do p=$(cut -d' ' -f4 /proc/$p/stat); done; echo $p"
        session = transport.run(climb)
        with transport.start("sleep 4713.1") as process:
            os.kill(int(session.text), signal.SIGKILL)
            with pytest.raises(DeviceLost, match="connection broke"):
                process.wait()
        with pytest.raises(DeviceLost):
            transport.run(["true"])
    assert not running("sleep 4713.")


def test_nothing_survives_a_harness_that_is_killed(board: Device, running: Callable[[str], bool]) -> None:
    code = f"""
        from harness.board.inventory import Device
        from harness.board.transport import connect
        with connect(Device.model_validate({board.model_dump()!r})) as transport:
            print("started", flush=True)
            transport.run("sleep 4714.1")
    """
    harness = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
    assert harness.stdout is not None
    assert harness.stdout.readline() == b"started\n"
    time.sleep(0.5)
    harness.kill()
    harness.wait()
    harness.stdout.close()
    assert not running("sleep 4714.")


def test_two_never_hold_one_board(transport: Transport, tmp_path: Path) -> None:
    device = transport.device.model_copy(update={"timeouts": Timeouts(queue=0.1)})
    heard: list[str] = []
    with connect(device) as other:
        with lock.hold(transport, "the first"):
            with pytest.raises(DeviceUnfit, match=r"in use by .*the first"), lock.hold(other, "second", heard.append):
                raise AssertionError
            assert "the first" in heard[0]
        with lock.hold(other, "the second"):
            pass


def test_waiting_ends_when_the_holder_does(transport: Transport) -> None:
    order: list[str] = []
    with connect(transport.device) as other:
        released = threading.Event()

        def wait() -> None:
            with lock.hold(other, "the second", lambda _: released.set()):
                order.append("second")

        with lock.hold(transport, "the first"):
            thread = threading.Thread(target=wait)
            thread.start()
            assert released.wait(10)
            order.append("first")
        thread.join(10)
    assert order == ["first", "second"]


def test_facts_come_in_one_round_trip(transport: Transport) -> None:
    found = probe.facts(transport)
    assert found["system"] == "Linux"
    assert found["userland"]["bits"] in (32, 64)
    assert found["cpus"] >= 1
    assert found["memory_bytes"] > found["memory_free_bytes"] > 0
    assert found["free_bytes"] > 0
