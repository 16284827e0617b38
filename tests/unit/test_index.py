# SPDX-License-Identifier: Apache-2.0
"""The index of a folder of runs: it follows the records, and can always be made anew."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.bench import database, history, store
from tests.unit.records import story


def test_the_index_follows_the_records(tmp_path: Path) -> None:
    first = story()
    second = first.model_copy(update={"id": "20261124-000000-0001"})
    assert database.local(tmp_path).lines() == []
    store.save(tmp_path, first.model_copy(update={"devices": first.devices[:1]}))
    assert len(database.local(tmp_path).lines()) == 3
    for run in (first, second):
        store.save(tmp_path, run)
    assert database.local(tmp_path).lines() == list(history.lines([first, second]))
    shutil.rmtree(tmp_path / first.id)
    (tmp_path / second.id / store.RECORD).write_text("{", "utf-8")
    assert database.local(tmp_path).lines(["pi*"]) == list(history.lines([second], ["pi*"])), "the last that was whole"


def test_a_folder_without_an_index_answers_all_the_same(tmp_path: Path) -> None:
    assert database.local(tmp_path / "none").lines() == []
    assert not (tmp_path / "none").exists()
    store.save(tmp_path, story())
    (tmp_path / "index.sqlite").write_bytes(b"no database" * 1000)
    assert database.local(tmp_path).lines() == list(history.lines([story()]))
