# SPDX-License-Identifier: Apache-2.0
"""What needs a board of one's own: a clock to set, a disk to fill, a power button to press."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness.bench import fleet, variants
from harness.bench.events import Finished, Ready
from harness.bench.record import Settings
from harness.bench.variants import AS_USUAL
from harness.board import affinity, conditions, deploy, doctor, job, lab, lock, probe, ssh
from harness.board import transport as transport_module
from harness.board.inventory import Device, Inventory
from harness.board.transport import connect
from harness.errors import DeviceLost, DeviceUnfit
from tests.e2e.scripts import patience, script

ROOT = Path(__file__).resolve().parents[2]
GOVERNOR = "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor"


@contextmanager
def mounted(device: Device, options: str) -> Iterator[Device]:
    """The board with its work directory on a small file system of its own."""
    with connect(device) as transport:
        assert transport.run(f"mkdir -p /mnt && mount -t tmpfs -o {options} tmpfs /mnt").ok
        try:
            yield device.model_copy(update={"workdir": "/mnt/work"})
        finally:
            transport.run("umount /mnt")


@contextmanager
def bad_line(device: Device) -> Iterator[Device]:
    """The board behind 200 ms that lose 2 % of what they carry. It is started anew afterwards, without them."""
    try:
        with connect(device) as transport:
            assert transport.run("/usr/bin/tc qdisc add dev eth0 root netem delay 200ms loss 2%").ok
        yield device
    finally:
        list(lab.down(["virt-pi4"]))
        list(lab.up(["virt-pi4"]))


def emulator() -> int:
    return int((lab.ssh_config("virt-pi4").parent / "pid").read_text("utf-8"))


def test_it_looks_like_a_board(guest: Device) -> None:
    with connect(guest) as transport:
        facts = probe.facts(transport)
    assert facts["model"].startswith("Raspberry Pi 4")
    assert facts["cpu"]["parts"] == ["Cortex-A72"]
    assert facts["frequency_max_khz"] == [1_800_000]
    assert doctor.examine(guest).fit


def test_the_governor_is_put_back_when_the_harness_is_killed(guest: Device) -> None:
    code = f"""
        from harness.board import conditions, lock
        from harness.board.inventory import Device
        from harness.board.transport import connect
        lock.LEASE = 6
        device = Device.model_validate({guest.model_dump()!r})
        with connect(device) as transport, lock.hold(transport, "bench"):
            (setting,) = [each for each in conditions.steady(transport) if each.file.endswith("scaling_governor")]
            print(setting.before, setting.controlled, flush=True)
            transport.run("sleep 1000")
    """
    with connect(guest) as transport:
        harness = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
        assert harness.stdout is not None
        before, controlled = harness.stdout.readline().decode().split()
        assert controlled == "True"
        assert transport.run(["cat", GOVERNOR]).text == "performance" != before
        harness.kill()
        harness.wait()
        harness.stdout.close()
        limit = time.monotonic() + 60
        while transport.run(["cat", GOVERNOR]).text != before and time.monotonic() < limit:
            time.sleep(0.2)
        assert transport.run(["cat", GOVERNOR]).text == before
        assert lock.holder(transport) is None


def test_a_frequency_is_pinned_and_read_back(guest: Device) -> None:
    device = guest.model_copy(update={"frequency_mhz": 1000})
    with connect(device) as transport, lock.hold(transport, "bench"):
        assert all(setting.controlled for setting in conditions.steady(transport))
        assert probe.facts(transport)["frequency_limit_khz"] == [1_000_000]
    with connect(guest) as transport:
        assert probe.facts(transport)["frequency_limit_khz"] == [1_800_000]


def test_memory_layouts_are_random_in_a_session_unless_the_board_is_to_be_as_shipped(guest: Device) -> None:
    with connect(guest) as transport:
        assert transport.run(f"echo 0 >{conditions.ASLR}").ok
        with lock.hold(transport, "bench"):
            assert "randomize_va_space 0 → 2" in [setting.text for setting in conditions.steady(transport)]
            assert probe.facts(transport)["aslr"] == 2
        assert probe.facts(transport)["aslr"] == 0
    with connect(guest.model_copy(update={"conditions": "as-shipped"})) as transport:
        with lock.hold(transport, "bench"):
            assert conditions.steady(transport) == ()
            assert probe.facts(transport)["aslr"] == 0
        assert transport.run(f"echo 2 >{conditions.ASLR}").ok


def test_the_doctor_finishes_what_a_killed_keeper_left(guest: Device) -> None:
    with connect(guest) as transport:
        before = transport.ask(["cat", GOVERNOR]).text
        with lock.hold(transport, "bench"):
            conditions.steady(transport)
            # The beat ends with the keeper, for which some servers hang up: hence `ask`.
            transport.ask(f"kill -KILL $(cat {transport.workdir}/session/keeper)")
        assert transport.ask(["cat", GOVERNOR]).text == "performance" != before
        found = doctor.examine(guest).findings
        assert any("had ended badly" in finding.what and "settings put back" in finding.what for finding in found)
        assert transport.ask(["cat", GOVERNOR]).text == before


def test_a_full_disk_is_told_before_a_byte_is_sent(guest: Device, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(os.urandom(3_000_000))
    with mounted(guest, "size=2m") as small, connect(small) as transport:
        with pytest.raises(DeviceUnfit, match=r"3\.0 MB are to be sent.*room for 2\.\d MB"):
            deploy.push(transport, {"model": tmp_path / "model"})
        assert transport.run(f"ls {transport.workdir}/cas").text == ""
        with pytest.raises(DeviceUnfit, match="No space left"):
            transport.put(tmp_path / "model", f"{transport.workdir}/model")


def test_noexec_is_told_before_a_byte_is_sent(guest: Device, tmp_path: Path) -> None:
    (tmp_path / "bnn").write_bytes(b"\x7fELF")
    with mounted(guest, "noexec") as inert, connect(inert) as transport:
        with pytest.raises(DeviceUnfit, match="noexec"):
            deploy.push(transport, {"bnn": tmp_path / "bnn"})
        assert any("noexec" in finding.what for finding in doctor.examine(inert).findings)


def test_a_bad_line_loses_nothing(guest: Device, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(os.urandom(200_000))
    with bad_line(guest) as far, connect(far) as transport, lock.hold(transport, "count"):
        deploy.push(transport, {"model": tmp_path / "model"})
        path = script(transport, tmp_path, 'for i in 1 2 3 4 5; do echo "{\\"n\\": $i}"; sleep 0.2; done')
        events, ended = job.collect(transport, path, [])
    assert events == [{"n": n} for n in range(1, 6)]
    assert ended.ok


def test_a_board_that_restarts_is_a_reason(guest: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "AWAY", 240)  # a busy machine takes a while to start it
    with connect(guest) as transport, lock.hold(transport, "bench"):
        path = script(transport, tmp_path, "echo {}; sleep 6; reboot -f; sleep 100")
        events = job.run(transport, path, [])
        assert next(events) == {}
        patience(transport, 15)
        with pytest.raises(DeviceLost, match="restarted while it was in use"):
            list(events)
    with connect(guest) as transport:
        assert lock.holder(transport) is None


def test_a_bench_whose_board_restarts_has_a_row_that_says_so(
    guest: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "AWAY", 240)
    board = guest.model_copy(update={"timeouts": guest.timeouts.model_copy(update={"connect": 15})})
    field = variants.side_by_side([ROOT / "models/seed_dorefa.h5"], AS_USUAL)
    plan = fleet.Plan(field, (board,), {"aarch64": "zig"}, Settings(), seed=1)
    for event in fleet.bench(plan, tmp_path / "runs"):
        if isinstance(event, Ready):
            with suppress(DeviceLost), connect(board) as other:
                patience(other, 5)
                other.run("reboot -f; sleep 100")
        if isinstance(event, Finished):
            assert event.run.devices[0].problem
            assert "the board restarted" in event.run.devices[0].problem.what


def test_a_board_that_hangs_is_given_up(guest: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "BEAT", 0.3)
    monkeypatch.setattr(transport_module, "AWAY", 2)
    pid = emulator()
    with connect(guest) as transport, lock.hold(transport, "bench"):
        path = script(transport, tmp_path, "echo {}; sleep 3; echo {}")
        events = job.run(transport, path, [])
        assert next(events) == {}
        patience(transport, 1)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(DeviceLost):
                list(events)
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_board_that_hangs_for_a_while_goes_on(guest: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "BEAT", 0.3)
    pid = emulator()
    with connect(guest) as transport:
        lock.free(transport)  # what the board that was given up still holds

        def thaw() -> None:
            patience(transport, 60)
            os.kill(pid, signal.SIGCONT)

        with lock.hold(transport, "bench"):
            path = script(transport, tmp_path, 'for i in 1 2 3; do echo "{\\"n\\": $i}"; sleep 0.5; done')
            events = job.run(transport, path, [])
            assert next(events) == {"n": 1}
            patience(transport, 1)
            os.kill(pid, signal.SIGSTOP)
            threading.Timer(4, thaw).start()
            rest = list(events)
    assert rest[:-1] == [{"n": 2}, {"n": 3}]


def test_jobs_are_kept_on_the_cluster_that_is_asked_for(boards: Inventory, tmp_path: Path) -> None:
    device = boards.devices["virt-biglittle"]
    list(lab.up(["virt-biglittle"]))
    try:
        with connect(device) as transport, lock.hold(transport, "bench"):
            show = 'sed -n \'s/^Cpus_allowed_list:.\\(.*\\)/{"cpus": "\\1"}/p\' /proc/self/status'
            path = script(transport, tmp_path, show)
            assert job.collect(transport, path, [])[0] == [{"cpus": "2-3"}]
        with connect(device.model_copy(update={"cpus": "little"})) as transport:
            assert affinity.cpus(transport) == "0,1"
    finally:
        list(lab.down(["virt-biglittle"]))
