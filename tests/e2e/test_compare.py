# SPDX-License-Identifier: Apache-2.0
"""Comparisons as a person asks for them: builds, slowdowns, threads; and instructions where there is no board."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.bench import fleet, store
from harness.bench.events import Finished
from harness.bench.record import Run, Settings, Variant
from harness.bench.variants import Entrant
from harness.board.inventory import Device
from harness.report import verdicts
from tests.e2e.test_commands import DOREFA, ROOT, Inv

QUICK = ("--device", "local", "--model", DOREFA)


@pytest.fixture
def inv(tmp_path: Path) -> Inv:
    return Inv(tmp_path)


def last(inv: Inv) -> Run:
    return store.load(store.find(inv.folder / "runs", "last"))


def test_a_planted_slowdown_of_a_build_ends_with_exit_code_3(inv: Inv) -> None:
    """The baseline is a revision, built and paired with the working tree on the board."""
    head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    done = inv("compare", "--baseline", "HEAD", "--candidate", "handicap=100", *QUICK, "--rounds", "7", "--seed", "1")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "regression" in done.stdout
    run = last(inv)
    assert [build.asked for build in run.builds] == ["HEAD", ""]
    assert run.builds[0].revision == head.strip()
    assert run.paired
    assert [model.variant.handicap for model in run.models] == [0, 100]
    assert {len(case.processes) for case in run.devices[0].cases} == {7}
    assert all(
        len(layer.rounds) == 12 for case in run.devices[0].cases if case.profile for layer in case.profile.layers
    )
    assert '<failure type="regression"' in inv("report", "--format", "junit").stdout


def test_threads_are_swept_and_caches_made_cold(inv: Inv) -> None:
    done = inv("bench", *QUICK, "--threads", "1,2", "--cold", "--rounds", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    run = last(inv)
    assert [model.name for model in run.models] == ["seed_dorefa [threads=1]", "seed_dorefa [threads=2]"]
    assert run.models[1].baseline == run.models[0].name
    assert run.settings.cold
    assert {process.batch for case in run.devices[0].cases for process in case.processes} == {1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare"], "needs a baseline"),
        (["compare", "--baseline", "no-such-branch"], "no git revision 'no-such-branch'"),
        (["compare", "--baseline", "device=pi4"], "Boards are compared with each other"),
        (["compare", "--baseline", "device=local", "--candidate", "device=qemu-armv7"], "qemu-armv7 is emulated"),
        (["bench", "--threads", "1,two"], "--threads takes a number"),
        (["bench", "--threads", "1,2", "--twin"], "two baselines"),
        (["history", "--store", "oracool://host/x"], "does not know what 'oracool' is"),
    ],
)
def test_a_mistake_gets_one_clear_message(inv: Inv, words: list[str], said: str) -> None:
    done = inv(*words)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_instructions_on_an_emulated_board_repeat_to_the_digit(guest: Device, tmp_path: Path) -> None:
    """A lane for CI without boards: the same again is the same, and a slower kernel is a regression."""
    field = (
        Entrant("old", DOREFA),
        Entrant("same", DOREFA, "old", Variant(threads=1)),
        Entrant("slow", DOREFA, "old", Variant(isa_mask="scalar")),
    )
    plan = fleet.Plan(field, (guest,), {guest.target: "zig"}, Settings(), seed=1, kind="compare")
    (run,) = (event.run for event in fleet.bench(plan, tmp_path) if isinstance(event, Finished))
    old, same, slow = (case.counts for case in run.devices[0].cases)
    assert old
    assert slow
    assert old == same
    assert sum(layer.count for layer in old.layers) == pytest.approx(old.inference, rel=0.02)
    assert slow.inference > 2 * old.inference > 100_000
    assert verdicts.exit_code(run) == 3
    (said,) = (str(each) for each in verdicts.sentences(run) if each.subject.startswith("instructions"))
    assert "regression, more" in said
