# SPDX-License-Identifier: Apache-2.0
"""The list of all runs: of a folder and of a fleet's database, with the same answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bench import store
from harness.bench.database import Database
from harness.bench.shelf import Shelf
from harness.errors import UsageError
from harness.report.catalogue import Catalogue
from tests.unit.records import story

FIRST, SECOND = "20261123-041500-abcd", "20261124-041500-abcd"


@pytest.fixture(params=["folder", "database"])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Catalogue:
    runs = (story(), story(8).model_copy(update={"id": SECOND}))
    if request.param == "folder":
        for run in runs:
            store.save(tmp_path, run)
        return Catalogue(Shelf(tmp_path))
    url = f"sqlite:///{tmp_path / 'fleet.sqlite'}"
    for run in runs:
        Database(url).put(run)
    return Catalogue(Shelf(tmp_path / "none", url))


def test_runs_are_listed_and_found_by_their_words(catalogue: Catalogue) -> None:
    assert [entry.id for entry in catalogue.entries()] == [SECOND, FIRST]
    found, total = catalogue.search(f"PI4 seed_dorefa {FIRST[:8]}")
    assert [entry.id for entry in found] == [FIRST]
    assert total == 1
    assert str(found[0].said).startswith("seed_ste_sign on this machine: 2.7")
    assert catalogue.search("nothing like it") == ([], 0)


def test_a_run_is_had_by_its_id_alone(catalogue: Catalogue) -> None:
    assert catalogue.load(FIRST) == story()
    for name in ("last", FIRST[:4], "", ".", f"../{FIRST}"):
        with pytest.raises(UsageError, match="no run"):
            catalogue.load(name)
    assert [run.id for run in catalogue.before(catalogue.load(SECOND))] == [FIRST]


def test_the_history_is_of_what_was_right_and_is_no_emulator(catalogue: Catalogue) -> None:
    (local, pi4) = catalogue.history()
    assert local.title == "History on this machine"
    assert len(local.rows) == 6
    assert {row[2] for row in pi4.rows} == {"seed_float"}, "the others gave wrong answers there"
    assert [chart.title for chart in catalogue.history("loc*", "*dorefa")] == ["History on this machine"]
    assert catalogue.history("qemu*") == ()


def test_a_damaged_record_is_a_line_that_says_so(tmp_path: Path) -> None:
    store.save(tmp_path, story())
    (tmp_path / SECOND).mkdir()
    (tmp_path / SECOND / store.RECORD).write_text("{", "utf-8")
    broken, whole = Catalogue(Shelf(tmp_path)).entries()
    assert "cannot be read" in broken.problem
    assert whole.problem == ""
