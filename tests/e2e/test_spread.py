# SPDX-License-Identifier: Apache-2.0
"""Two lab hosts by Dask: one job a board at a time, and what a killed host had is run again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from harness.board.inventory import Device
from harness.board.spread import spread
from harness.errors import DeviceError, DeviceUnfit, Unreachable
from tests.e2e import dask_work

ROOT = Path(__file__).resolve().parents[2]
dask: Any = import_module("distributed")
DASK = Path(sys.executable).with_name("dask")


@pytest.fixture
def scheduler(state: object, tmp_path: Path) -> Iterator[str]:
    """A scheduler and two workers: host a has board-a, host b board-b."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    servers = [["scheduler", "--host", "127.0.0.1", "--port", f"{port}", "--no-dashboard", "--no-show"]]
    for host in "ab":
        offer = ["--resources", f"board-{host}=1 qemu-aarch64=1", "--nthreads", "2", "--no-dashboard", "--name", host]
        servers.append(["worker", address, "--host", "127.0.0.1", *offer])
    running: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BITRIG_RUNS": str(tmp_path / "runs")}
    for words in servers:
        with (tmp_path / f"{words[0]}-{len(running)}.log").open("wb") as log:
            running.append(subprocess.Popen([DASK, *words], cwd=ROOT, env=environment, stdout=log, stderr=log))
    wait_for_workers(address, 2)
    yield address
    for server in reversed(running):
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def wait_for_workers(address: str, count: int) -> None:
    with dask.Client(address, timeout=30) as client:
        client.wait_for_workers(count, timeout=30)


def job(board: Device, folder: Path, name: str, number: int) -> tuple[str, dict[str, str]]:
    device = board.model_copy(update={"name": name, "workdir": str(folder / name)})
    script = folder / "script"
    script.write_text('#!/bin/sh\nfor i in 1 2 3; do echo "{\\"n\\": $i}"; sleep 0.5; done\n', "utf-8")
    return name, {"device": device.model_dump_json(), "script": str(script), "number": f"{number}"}


def test_every_board_has_one_job_at_a_time_and_a_killed_host_loses_none(
    board: Device, scheduler: str, tmp_path: Path
) -> None:
    jobs = [job(board, tmp_path, name, number) for number, name in enumerate(["board-a", "board-b"] * 2)]

    def kill_a_host() -> None:
        history = tmp_path / "board-b/history"
        while not history.exists() or "begin" not in history.read_text("utf-8"):
            time.sleep(0.05)
        with dask.Client(scheduler) as client:
            processes = client.run(os.getpid)
            workers = client.scheduler_info(n_workers=-1)["workers"]
            (pid,) = [processes[address] for address, worker in workers.items() if "board-b" in worker["resources"]]
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_a_host)
    killer.start()
    results = list(spread(scheduler, dask_work.count, jobs))
    killer.join()
    assert sorted(device for device, _, _ in results) == ["board-a", "board-a", "board-b", "board-b"]
    assert all(result == [1, 2, 3] for _, _, result in results)
    for name, least in (("board-a", 2), ("board-b", 3)):
        lines = (tmp_path / name / "history").read_text("utf-8").splitlines()
        what = [line.split()[1] for line in lines]
        assert what == ["begin", "end"] * (len(what) // 2), lines
        assert len(what) >= 2 * least


def test_a_board_that_fails_is_a_result(board: Device, scheduler: str, tmp_path: Path) -> None:
    name, argument = job(board, tmp_path, "board-a", 0)
    ((_, _, result),) = spread(scheduler, dask_work.count, [(name, {**argument, "refuse": "yes"})])
    assert isinstance(result, DeviceError)
    with pytest.raises(DeviceUnfit, match=r"No lab host offers board-c.*board-a, board-b, qemu"):
        list(spread(scheduler, dask_work.count, [("board-c", argument)]))


def test_the_example_benches_on_a_lab_host(boards: object, scheduler: str) -> None:
    command = [sys.executable, "-m", "examples.spread", scheduler, "qemu-aarch64", "models/seed_dorefa.h5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert re.fullmatch(r"qemu-aarch64 \d{8}-\d{6}-\w+\n", done.stdout), done.stderr


def test_a_scheduler_that_is_down() -> None:
    with pytest.raises(Unreachable, match="scheduler"):
        list(spread("tcp://127.0.0.1:1", dask_work.count, []))
