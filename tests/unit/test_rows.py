# SPDX-License-Identifier: Apache-2.0
"""How far each device is, as the table of a running bench shows it."""

from __future__ import annotations

from harness.bench.events import Event, Failed, Gated, Prepared, Profiled, Ready, Round, Stopped, Told
from harness.bench.record import Agreement, Problem
from harness.report.rows import Row, Rows
from tests.unit.records import story

RUN = story()
NAMES = [model.name for model in RUN.models]
RIGHT = Agreement(ok=True, elements=10, wrong=0, max_abs=0.0, max_rel=0.0)
WRONG = RIGHT.model_copy(update={"ok": False, "wrong": 3})
PROBLEM = Problem(what="pi4: no such host name.", exit_code=6)


def told(*events: Event) -> dict[str, Row]:
    rows = Rows()
    for event in (Prepared(RUN.models, {"pi4": 30, "pi5": 30}), *events):
        rows.add(event)
    return rows.by_device


def rounds(*counted: int) -> list[Event]:
    process = RUN.devices[0].cases[0].processes[0]
    return [Round("pi4", {NAMES[0]: process.model_copy(update={"round": index})}, "") for index in counted]


def test_the_share_grows_to_all_of_it() -> None:
    gates = [Gated("pi4", name, RIGHT) for name in NAMES]
    steps: list[Event] = [Ready("pi4", {}, 1, 0), *gates, *rounds(0, 1, 7), Stopped("pi4", "30 s were up")]
    steps += [Profiled("pi4", name, RUN.devices[0].cases[0].profile) for name in NAMES]  # type: ignore[arg-type]
    shares = [told(*steps[:count])["pi4"].share for count in range(len(steps) + 1)]
    assert shares == sorted(set(shares))
    assert (shares[0], shares[-1]) == (0, 1)
    done = told(*steps)
    assert (done["pi4"].over, done["pi4"].state) == (True, "done, 30 s were up")
    assert (done["pi5"].over, done["pi5"].state) == (False, "waiting")


def test_a_device_that_fails_is_a_row_and_the_others_go_on() -> None:
    rows = told(Failed("pi4", None, PROBLEM), Told("pi5", "pi5: in use by ada, for 3 s now"))
    assert (rows["pi4"].failed, rows["pi4"].state) == (True, "no such host name.")
    assert (rows["pi5"].over, rows["pi5"].state) == (False, "in use by ada, for 3 s now")


def test_models_that_are_dropped_are_not_waited_for() -> None:
    answers: list[Event] = [Gated("pi4", NAMES[0], WRONG), *(Failed("pi4", name, PROBLEM) for name in NAMES[1:])]
    gone = told(Ready("pi4", {}, 1, 0), *answers, Stopped("pi4", "no model is left to measure"))["pi4"]
    assert gone.gone == set(NAMES)
    assert gone.over


def test_the_host_is_told_of_until_a_device_is_ready() -> None:
    rows = Rows()
    rows.add(Told("", "Reading nets"))
    assert rows.host == "Reading nets"
    rows.add(Prepared(RUN.models, {"pi4": 30}))
    rows.add(Ready("pi4", {}, 0, 5))
    assert rows.host == ""
