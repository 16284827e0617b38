# SPDX-License-Identifier: Apache-2.0
"""`inv verify --bad`: files that must be refused are, each in a process of its own, and what is not is told."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from harness.bench import refusals
from harness.errors import UsageError
from tests.e2e.test_commands import ROOT, Inv

DATA = ROOT / "tests" / "data" / "keras"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    bad = tmp_path / "corpus" / "bad"
    bad.mkdir(parents=True)
    for path in (DATA / "base_seq.h5", DATA / "bad" / "lambda_canary.h5", DATA / "bad" / "truncated_50.h5"):
        shutil.copy(path, bad)
    listed = {
        "controls": [{"files": {"h5": "base_seq.h5"}, "expect": "accept"}],
        "files": [
            {"file": "lambda_canary.h5", "expect": "refuse"},
            {"file": "truncated_50.h5", "expected": "refuse or sort"},
        ],
    }
    (bad / "manifest.json").write_text(json.dumps(listed))
    return bad.parent


def test_what_is_refused_costs_little(corpus: Path, tmp_path: Path) -> None:
    inv = Inv(tmp_path)
    found = {row["name"]: row for row in inv.json("verify", "--bad", "--corpus", corpus)}
    assert [found[name]["exit_code"] for name in sorted(found)] == [0, 2, 2]
    assert all(row["fault"] == "" and 10 < row["megabytes"] < 500 and row["seconds"] > 0 for row in found.values())
    assert "Lambda" in found["lambda_canary.h5"]["said"]


def test_a_control_in_the_wrong_place_is_told(corpus: Path, tmp_path: Path) -> None:
    manifest = corpus / "bad" / "manifest.json"
    manifest.write_text(json.dumps({"files": [{"file": "base_seq.h5", "expect": "refuse"}]}))
    done = Inv(tmp_path)("verify", "--bad", "--corpus", corpus)
    assert done.returncode == 4
    assert "base_seq.h5: accepted" in done.stdout


@pytest.mark.parametrize(
    ("program", "fault"),
    [
        ("import sys; sys.exit(1)", "ended with 1"),
        ("import sys; print('two'); print('lines'); sys.exit(2)", "said 2 lines"),
        ("import os; os.abort()", "ended with -6"),
        ("import sys, time\nwhile time.process_time() < 2.2: pass\nprint(1)\nsys.exit(2)", "s of processor time"),
        ("import sys; a = b'x' * (600 << 20); print('large'); sys.exit(4)", "MB"),
        ("import sys; print('well'); sys.exit(4)", ""),
    ],
)
def test_every_way_to_refuse_badly_is_a_fault(program: str, fault: str, tmp_path: Path) -> None:
    (each,) = refusals.check({tmp_path: "refuse"}, [sys.executable, "-c", program])
    assert fault in each.fault if fault else each.fault == ""


def test_a_corpus_without_such_files_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no .*manifest"):
        refusals.read(tmp_path)
