# SPDX-License-Identifier: Apache-2.0
"""A bench that is killed loses nothing it reported, and goes on where it was."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.bench import store
from harness.bench.record import Run

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 4


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "invoke", "--search-root", str(ROOT), "bench", *words]
    environment = os.environ | {"BITRIG_RUNS": str(folder / "runs")}
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def killed(folder: Path, rounds: int, delay: float) -> tuple[Run, int]:
    """Kills a bench some time after it reported its n-th round.

    Returns:
        Its record, and how many rounds it had reported by then.
    """
    nets = [word for name in ("float", "dorefa") for word in ("--model", str(ROOT / "models" / f"seed_{name}.h5"))]
    process = start(folder, *nets, "--device", "local", "--rounds", str(ROUNDS), "--seed", "3")
    assert process.stderr
    for line in process.stderr:
        if f"round {rounds}" in line or (rounds == 0 and "answers right" in line):
            break
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    said = process.stderr.read()
    process.wait()
    reported = [int(number) for number in re.findall(r"round (\d+)", said)]
    return store.load(store.find(folder / "runs", "last")), max([rounds, *reported])


def rounds_of(run: Run) -> list[int]:
    return sorted({p.round for case in run.devices[0].cases for p in (*case.processes, *case.discarded)})


def test_a_killed_bench_loses_nothing_and_goes_on(tmp_path: Path, kill: int) -> None:
    """`pytest tests/e2e/test_resume.py --kills 20` does it so often, each time at another moment."""
    draw = random.Random(kill)
    broken, reported = killed(tmp_path, draw.choice([0, ROUNDS - 1]) if kill > 1 else kill * 3, draw.uniform(0, 3))
    assert len(rounds_of(broken)) >= reported
    process = start(tmp_path, "--resume", broken.id)
    _, said = process.communicate(timeout=900)
    assert process.returncode == 0, said
    whole = store.load(store.find(tmp_path / "runs", broken.id))
    assert whole.finished
    assert all(len(case.processes) >= ROUNDS and case.profile and case.pilot for case in whole.devices[0].cases)
    for before, after in zip(broken.devices[0].cases, whole.devices[0].cases, strict=False):
        assert after.processes[: len(before.processes)] == before.processes, "measured once, kept as it was"
        assert after.pilot == before.pilot or before.pilot is None
    assert list(store.ids(tmp_path / "runs")) == [broken.id]


def test_a_finished_run_is_only_shown_again(tmp_path: Path) -> None:
    net = str(ROOT / "models" / "seed_dorefa.h5")
    assert start(tmp_path, "--model", net, "--device", "local", "--rounds", "1").wait() == 0
    done = store.load(store.find(tmp_path / "runs", "last"))
    assert start(tmp_path, "--resume", "last").wait() == 0
    again = store.load(store.find(tmp_path / "runs", "last"))
    assert again.devices[0].cases[0].processes == done.devices[0].cases[0].processes
