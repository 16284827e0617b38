# SPDX-License-Identifier: Apache-2.0
"""The other shapes of a run: each can be read by what it is for, and holds what the page holds."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from harness.bench.record import Run
from harness.report import export, verdicts
from tests.unit.records import story
from tests.unit.test_compare import counted, versus


def renamed(name: str) -> Run:
    run = story()
    models = tuple(m.model_copy(update={"name": name, "baseline": ""}) for m in run.models[:1])
    cases = tuple(case.model_copy(update={"model": name}) for case in run.devices[0].cases[:1])
    return run.model_copy(update={"models": models, "devices": (run.devices[0].model_copy(update={"cases": cases}),)})


def test_json_is_the_record() -> None:
    assert Run.model_validate_json(export.as_json(story())) == story()


def test_csv_has_a_line_a_case_and_numbers_in_base_units() -> None:
    rows = list(csv.DictReader(io.StringIO(export.as_csv(story()))))
    assert len(rows) == 12
    first, second = rows[:2]
    assert float(first["median_ns"]) == pytest.approx(1_250_000, rel=0.02)
    assert first["ratio"] == ""
    assert 0.3 < float(second["ratio_low"]) < float(second["ratio_high"]) < 0.4
    assert second["verdict"] == "faster"
    assert next(row for row in rows if row["device"] == "pi4" and row["model"] == "seed_ste_sign")["correct"] == "False"
    assert {row["ratio"] for row in rows if row["emulated"] == "True"} == {""}


@pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "-2"])
def test_csv_holds_no_formula(name: str) -> None:
    (row,) = csv.DictReader(io.StringIO(export.as_csv(renamed(name))))
    assert row["model"] == f"'{name}"


def test_markdown_says_the_verdicts_and_survives_its_own_signs() -> None:
    text = export.as_markdown(story())
    assert str(verdicts.sentences(story())[0]).replace("_", "\\_") in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 13 + 4
    (row,) = [row for row in rows if row.startswith("| conv\\_1 (seed\\_float, seed\\_ste\\_sign, seed\\_dorefa)")]
    assert "leave it: a first layer in float" in row
    lines = export.as_markdown(renamed("a|b<script>")).splitlines()
    (row,) = [line for line in lines if "script" in line and line.startswith("|") and "125 kB" in line]
    assert row.startswith("| a\\|b\\<script\\> |")


def test_junit_fails_where_an_output_is_wrong_and_errs_where_there_is_none() -> None:
    suites = {suite.get("name"): suite for suite in ElementTree.fromstring(export.as_junit(story()))}
    assert suites["local"].get("failures") == suites["local"].get("errors") == "0"
    assert (suites["pi4"].get("failures"), suites["pi4"].get("errors")) == ("1", "1")
    assert suites["zero"].get("errors") == "3"
    assert suites["local"][0].get("time") is not None


def test_github_annotations_stay_on_their_line() -> None:
    lines = export.as_github(story()).splitlines()
    assert sum(line.startswith("::error") for line in lines) == 3
    assert sum(line.startswith("::warning") for line in lines) == 1
    assert all(line.startswith("::") for line in export.as_github(renamed("a\n::error::b")).splitlines())


def test_trace_lays_the_layers_end_to_end() -> None:
    events = json.loads(export.as_trace(story()))["traceEvents"]
    spans = [event for event in events if event["ph"] == "X" and event["pid"] == 1 and event["tid"] == 1]
    assert [span["name"] for span in spans] == ["conv_1", "conv_2", "conv_3", "dense", "pool_1"]
    for before, after in pairwise(spans):
        assert after["ts"] == pytest.approx(before["ts"] + before["dur"])


@pytest.mark.parametrize("form", export.FORMATS)
def test_a_run_that_has_only_begun_can_be_exported(form: str) -> None:
    assert export.FORMATS[form](story().model_copy(update={"devices": (), "models": ()}))


def test_junit_fails_for_more_instructions_and_shows_no_time_of_an_emulated_board() -> None:
    run = counted(versus(1.0), 100_000, 102_000)
    (suite,) = ElementTree.fromstring(export.as_junit(run))
    assert suite.get("failures") == "1"
    before, after = suite
    assert (before.get("time"), after.get("time")) == (None, None)
    assert before.find("failure") is None
    (failure,) = after
    assert failure.get("type") == "regression"
    assert "100,000 before, 102,000 now" in str(failure.get("message"))
