# SPDX-License-Identifier: Apache-2.0
"""Commands that put the verdicts to the test: what they say and keep of a stored run, without measuring for an hour."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from harness.bench import aa, store
from harness.bench.aa import Planted
from harness.bench.stats import Interval
from harness.report import trials
from tests.e2e.test_commands import Inv
from tests.unit.records import processes
from tests.unit.test_compare import versus


@pytest.mark.parametrize(("blocks", "kept"), [(2, False), (aa.ENOUGH, True)])
def test_noise_is_shown_beside_other_rules_and_kept_where_it_is_known(tmp_path: Path, blocks: int, kept: bool) -> None:
    inv, draw, run = Inv(tmp_path), random.Random(3), versus(1.0)
    (board,) = run.devices
    cases = (c.model_copy(update={"processes": processes(draw, 1e6, aa.BLOCK * blocks)}) for c in board.cases)
    measured = board.model_copy(update={"cases": tuple(cases)})
    store.save(tmp_path / "runs", run.model_copy(update={"kind": "aa", "devices": (measured,)}))
    (found,) = inv.json("bench.aa", "--resume", run.id)
    assert found["blocks"] == blocks
    assert set(found["others"]) == {"hyperfine", "google/benchmark"}
    said = inv("bench.aa", "--resume", run.id).stdout
    assert f"of {blocks} intervals leave out 1" in said
    assert "google/benchmark: " in said
    assert (store.noise_floor(tmp_path / "runs", "pi4") is not None) == kept


def test_the_simulated_board_answers_in_json(tmp_path: Path) -> None:
    done = Inv(tmp_path)("bench.simulate", "--runs", "5", "--json")
    assert [each["truth"] for each in json.loads(done.stdout)] == [1.0, 1.005, 1.02, 1.05]


def test_planted_slowdowns_are_counted_by_what_was_said_of_them() -> None:
    found = [Planted(3, "slower", Interval(1.05, 1.04, 1.06, 9)), Planted(0, "slight", Interval(1.04, 1.01, 1.07, 9))]
    said = trials.planted([*found, found[0]])
    assert said == "3 comparisons: 2 regression, 1 small change; 2 ended with exit code 3; ratios 1.040 to 1.050"
