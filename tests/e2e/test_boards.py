# SPDX-License-Identifier: Apache-2.0
"""A bench on boards as a person types it: side by side, quickly, twice the same, and nothing secret written down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from benchmarks.boards import overhead
from harness.bench import store
from harness.board import lab
from harness.board.inventory import Device
from harness.report import export

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "correct-horse-battery-staple"

Inv = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def inv(tmp_path: Path, boards: object) -> Inv:
    """`inv` with its runs in `tmp_path`, and secrets in its environment."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        planted = {"BITRIG_RUNS": str(tmp_path / "runs"), "SSH_PASSWORD": TOKEN, "API_TOKEN": TOKEN, "NO_COLOR": "1"}
        planted |= {"LG_TOKEN": TOKEN, "DASK_DISTRIBUTED__SECURITY__TOKEN": TOKEN}
        command = [sys.executable, "-m", "invoke", *words]
        return subprocess.run(command, cwd=ROOT, env=os.environ | planted, capture_output=True, text=True, timeout=600)

    return call


def bench(inv: Inv, *devices: str) -> dict[str, Any]:
    words = [word for device in devices for word in ("--device", device)]
    done = inv("bench", "--model", "models/seed_dorefa.h5", "--json", *words)
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    return record


def test_a_second_bench_sends_nothing(inv: Inv) -> None:
    bench(inv, "qemu-aarch64")
    (device,) = bench(inv, "qemu-aarch64")["devices"]
    assert device["problem"] is None
    assert device["bytes_sent"] == 0 < device["bytes_kept"]
    assert device["emulated"]


def test_nothing_secret_is_written_down(inv: Inv, tmp_path: Path) -> None:
    """Secrets are in the environment, in the ssh configuration and in the board's home; one device fails, too."""
    config = lab.ssh_config("loopback")
    private = config.parent / "home/.netrc"
    before = config.read_text("utf-8")
    config.write_text(f"{before}  SetEnv API_TOKEN={TOKEN}\n", "utf-8")
    private.write_text(f"machine lab password {TOKEN}\n", "utf-8")
    try:
        devices = ("--device", "qemu-aarch64", "--device", "virt-pi2")
        done = [inv("bench", "--model", "models/seed_dorefa.h5", *devices), inv("device.doctor", "--json", *devices)]
    finally:
        config.write_text(before, "utf-8")
        private.unlink()
    key = (config.parent / "login_key").read_text("utf-8").splitlines()[1]
    files = [path for folder in (tmp_path / "runs", config.parent) for path in folder.rglob("*") if path.is_file()]
    written = {path.name: path.read_bytes().decode("utf-8", "replace") for path in files if not path.match("*_key")}
    assert {"record.json", "report.html", "sshd.log"} <= written.keys()
    run = store.load(store.find(tmp_path / "runs", "last"))
    exported = [form(run) for form in export.FORMATS.values()]
    for text in (*written.values(), *exported, *(each.stdout + each.stderr for each in done)):
        assert TOKEN not in text
        assert key not in text
        assert "PRIVATE KEY" not in text


def test_two_benches_of_one_board_take_turns(inv: Inv) -> None:
    """Each is a process of its own; that they never run together is the board's own record."""
    words = ("bench", "--model", "models/seed_dorefa.h5", "--device", "qemu-aarch64")
    with ThreadPoolExecutor() as pool:
        done = [each.result() for each in [pool.submit(inv, *words) for _ in range(2)]]
    assert [each.returncode for each in done] == [0, 0], [each.stderr for each in done]
    history = lab.ssh_config("loopback").parent / "home/.cache/bitrig/history"
    lines = [line.split(" ", 4)[1:] for line in history.read_text("utf-8").splitlines()]
    for begin, end in zip(lines[::2], lines[1::2], strict=True):
        assert (begin[0], end[0], begin[1]) == ("begin", "end", end[1]), (begin, end)
    owners = [owner for owner, _ in groupby(" ".join(line[2:]) for line in lines if line[0] == "begin")][-2:]
    assert len(set(owners)) == 2, "one had the board to itself, then the other"
    waited = [each.stderr for each in done if "in use by" in each.stderr]
    assert any(owners[0] in said for said in waited), (owners, waited)


def test_whole_boards_are_measured_beside_each_other(inv: Inv, guest: Device) -> None:
    list(lab.up(["virt-pi2"]))
    try:
        done = inv("bench", "--model", "models/seed_dorefa.h5", "--device", "virt-pi4", "--device", "virt-pi2")
    finally:
        list(lab.down(["virt-pi2"]))
    assert done.returncode == 0, done.stderr
    lines = (done.stdout + done.stderr).splitlines()
    spans = [[at for at, line in enumerate(lines) if line.startswith(f"{name}: ")] for name in ("virt-pi4", "virt-pi2")]
    assert max(span[0] for span in spans) < min(span[-1] for span in spans), lines


def test_the_harness_costs_a_board_less_than_two_seconds(
    board: Device, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """All there is around a job that does nothing. What this machine does beside it only adds, so the least counts."""
    device = board.model_copy(update={"workdir": str(tmp_path / "work")})
    seconds = min(overhead(device)["all"] for _ in range(5))
    record_property("seconds", round(seconds, 3))
    assert seconds < 2
