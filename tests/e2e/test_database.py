# SPDX-License-Identifier: Apache-2.0
"""Runs in databases: SQLite and a real PostgreSQL server answer alike, and neither loses or shows what it must not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sql

from harness.bench import database, history, store
from harness.bench.database import Database
from harness.bench.record import Counts, Run
from harness.errors import UsageError
from tests.e2e.postgres import Postgres
from tests.e2e.test_commands import DOREFA, Inv
from tests.unit.records import story


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'fleet.sqlite'}"
    else:
        yield emptied(request.getfixturevalue("server").url)


def emptied(url: str) -> str:
    engine = sql.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    found = sql.MetaData()
    found.reflect(engine)
    found.drop_all(engine)
    engine.dispose()
    return url


def runs() -> list[Run]:
    """Runs as a fleet leaves them: names that are hard, a later one, one that counted instructions, one that began."""
    first = story()
    hard = first.models[0].model_copy(update={"name": "Größe 'x'; -- \\ % _ 日本", "baseline": ""})
    case = first.devices[0].cases[0].model_copy(update={"model": hard.name, "counts": Counts(inference=2**40)})
    board = first.devices[0].model_copy(update={"name": "PI-10", "cases": (case,)})
    second = first.model_copy(update={"id": "20261124-000000-00ff", "models": (hard,), "devices": (board,)})
    begun = first.model_copy(update={"id": "20261125-000000-0a00", "finished": None, "devices": ()})
    return [first, second, begun]


QUESTIONS: list[tuple[list[str], list[str]]] = [
    ([], []),
    (["local"], []),
    (["p*"], ["seed_*"]),
    (["PI-10", "local"], []),
    ([], ["Größe*"]),
    (["nothing"], []),
]


def test_both_give_the_answers_of_the_records_themselves(url: str) -> None:
    shared = Database(url)
    for run in reversed(runs()):
        shared.put(run)
    again = Database(url)
    assert again.ids() == [run.id for run in reversed(runs())]
    for run in runs():
        assert again.load(run.id[:15]) == run
    assert again.load("last") == runs()[-1]
    for devices, models in QUESTIONS:
        assert again.lines(devices, models) == list(history.lines(runs(), devices, models))
    with pytest.raises(UsageError, match="3 runs begin with '2026'"):
        again.load("2026")
    with pytest.raises(UsageError, match="no run 'x'"):
        again.load("x")


def test_what_has_begun_grows_and_what_is_finished_stays(url: str) -> None:
    shared, whole = Database(url), story()
    shared.put(whole.model_copy(update={"finished": None, "devices": whole.devices[:1]}))
    shared.put(whole)
    shared.put(whole)
    assert shared.load(whole.id) == whole
    assert len(shared.lines()) == 12
    with pytest.raises(UsageError, match="never changed"):
        shared.put(whole.model_copy(update={"seed": whole.seed + 1}))
    assert shared.load(whole.id) == whole


def test_fields_of_a_newer_version_survive_and_a_newer_schema_is_refused(url: str) -> None:
    data = json.loads(story().model_dump_json(by_alias=True)) | {"mood": "fine"}
    Database(url).put(Run.model_validate(data))
    assert json.loads(Database(url).load("last").model_dump_json(by_alias=True)) == data
    newer = Run.model_validate(data | {"schema": 999, "id": "20261130-000000-0000"})
    Database(url).put(newer)
    with pytest.raises(UsageError, match="schema 999"):
        Database(url).load("last")


def test_results_are_made_anew_where_they_would_be_others(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Database(url).put(story())
    monkeypatch.setattr(database, "RESULTS", database.RESULTS + 1)
    again = Database(url)
    assert again.lines() == list(history.lines([story()]))
    assert again.load("last") == story()


def test_a_database_that_refuses_is_one_clear_message_without_the_password(server: Postgres) -> None:
    wrong = server.url.replace("word", "guess")
    with pytest.raises(UsageError, match="refused") as told:
        Database(wrong)
    assert "guess" not in str(told.value)
    with pytest.raises(UsageError, match="does not know what 'oracool'"):
        Database("oracool://me:secret@host/x")
    with pytest.raises(UsageError, match="refused"):
        Database("postgresql://me@127.0.0.1:1/x")


def test_commands_leave_runs_there_and_find_them(inv: Inv, server: Postgres) -> None:
    url = emptied(server.url)
    done = inv("bench", "--model", DOREFA, "--device", "local", "--rounds", "1", "--store", url)
    assert done.returncode == 0, done.stderr
    kept = store.load(store.find(inv.folder / "runs", "last"))
    assert Database(url).load("last") == kept
    assert "p%40ss" not in kept.model_dump_json(), "the command is recorded without the password"
    here = inv.json("history")
    assert inv.json("history", "--store", url) == here
    assert here[0]["run"] == kept.id
    other = Inv(inv.folder / "elsewhere")
    other.folder.mkdir()
    assert other.json("history", "--store", url) == here
    exported = other("report", "--run", kept.id, "--format", "json", "--store", url)
    assert Run.model_validate_json(exported.stdout) == kept


@pytest.fixture
def inv(tmp_path: Path) -> Inv:
    return Inv(tmp_path)
