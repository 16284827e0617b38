# SPDX-License-Identifier: Apache-2.0
"""Records on disk: whole or not there, found by the names people use, refused when they are from the future."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from harness.bench import store
from harness.bench.compare import results
from harness.bench.record import Agreement, Layer
from harness.errors import UsageError
from harness.report import export, verdicts
from tests.unit.records import story


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    run = story()
    path = store.save(tmp_path, run)
    assert store.load(path) == run
    assert [entry.name for entry in path.parent.iterdir()] == ["record.json"]
    assert json.loads(path.read_text("utf-8"))["schema"] == 1


def test_a_failing_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    store.write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        store.write(path, "\ud800")
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_fields_of_a_newer_version_survive_and_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = store.save(tmp_path, story())
    data = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(data | {"mood": "fine"}), "utf-8")
    again = store.save(tmp_path, store.load(path))
    assert json.loads(again.read_text("utf-8")) == data | {"mood": "fine"}
    path.write_text(json.dumps(data | {"schema": 999}), "utf-8")
    with pytest.raises(UsageError, match="999"):
        store.load(path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1}', '{"schema": "one"}', "null"])
def test_a_damaged_record_is_one_clear_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(content, "utf-8")
    with pytest.raises(UsageError, match="cannot be read"):
        store.load(path)


def test_runs_are_found_by_id_beginning_folder_and_last(tmp_path: Path) -> None:
    first, second = story(), story().model_copy(update={"id": "20261124-000000-0001"})
    for run in (first, second):
        store.save(tmp_path, run)
    assert store.find(tmp_path, "last").parent.name == second.id
    assert store.find(tmp_path, "20261123").parent.name == first.id
    assert store.find(tmp_path, str(tmp_path / first.id)).parent.name == first.id
    with pytest.raises(UsageError, match="2 runs"):
        store.find(tmp_path, "2026")
    with pytest.raises(UsageError, match="no run 'x'"):
        store.find(tmp_path, "x")
    assert list(store.ids(tmp_path)) == [second.id, first.id]


def test_ids_sort_by_time() -> None:
    assert store.ID.fullmatch(store.new_id())


def test_what_is_not_a_number_survives_as_json(tmp_path: Path) -> None:
    bad = Agreement(ok=False, wrong=1, elements=1, max_abs=math.inf, max_rel=math.nan, got=math.nan)
    text = bad.model_dump_json()
    assert json.loads(text, parse_constant=pytest.fail)["max_abs"] == "Infinity"
    assert math.isnan(Agreement.model_validate_json(text).got)


def test_names_from_strangers_can_be_shown_anywhere() -> None:
    layer = Layer(name="\x1b[31mred\x9b \u202egnp.exe \ud800 é 日本 😀", op="conv2d")
    assert layer.name == "�[31mred� �gnp.exe � é 日本 😀"
    assert layer.model_dump_json()


def test_a_record_of_the_first_schema_still_tells_its_story() -> None:
    """Written by the first version that had this schema; it lacks every field that was added since."""
    run = store.load(Path(__file__).parents[1] / "data" / "records" / "schema-1.json")
    assert run.schema_version == 1
    slow, fast = results(run)
    assert [len(result.case.processes) for result in (slow, fast) if result.case] == [7, 7]
    assert (slow.verdict, fast.verdict) == (None, "faster")
    assert any("improved, 5" in str(sentence) for sentence in verdicts.sentences(run))
    assert all(export.FORMATS[form](run) for form in export.FORMATS)
