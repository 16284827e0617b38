# SPDX-License-Identifier: Apache-2.0
"""The check under sanitizers and on an emulated CPU, and what is told when something is wrong there."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.bench import matrix, subject, variants
from harness.bench.record import Variant
from harness.bench.subject import Subject
from harness.cross.toolchain import ROOT

PLACES = {place.name: place for place in matrix.PLACES}


@pytest.fixture(scope="module")
def net() -> Subject:
    (made,) = subject.prepare(variants.side_by_side([ROOT / "models" / "seed_dorefa.h5"], Variant()))
    return made


@pytest.mark.parametrize(("name", "family"), [("address+undefined", "bconv2d"), ("cortex-a53", "bitpack")])
def test_kernels_and_a_model_are_sound(net: Subject, name: str, family: str) -> None:
    (visit,) = matrix.run([PLACES[name]], [net], ["--family", family])
    assert visit.ok, visit
    assert visit.cases >= 300
    assert visit.models == {"seed_dorefa": True}


def test_a_place_that_cannot_be_built_is_a_result(net: Subject) -> None:
    nowhere = replace(PLACES["thread"], name="nowhere", target="pdp11")
    (visit,) = matrix.run([nowhere], [net])
    assert not visit.ok
    assert "no target 'pdp11'" in visit.problem


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "RUN_SECONDS", 0.5)
    visit = matrix._visit(PLACES["thread"], program(tmp_path, "import time; time.sleep(60)"), [], [])
    assert "still ran" in visit.problem


def test_every_place_is_another() -> None:
    assert len(PLACES) == len(matrix.PLACES)
    assert {place.target for place in matrix.PLACES} == {"host", "aarch64", "armv7", "armv6"}


def program(folder: Path, body: str) -> list[str]:
    """A stand-in for `bnn` that does what it is told to."""
    script = folder / "bnn.py"
    script.write_text(f"import sys, pathlib\ncheck = sys.argv[1] == 'check'\n{body}\n")
    return shlex.split(f"{sys.executable} {script}")


END = """print('{"type":"end","kernels":1,"cases":9,"failures":0}') if check else None"""


@pytest.mark.parametrize(
    ("body", "failures", "said"),
    [
        ("""print('{"type":"failure"}'); print('{"type":"end","kernels":1,"cases":9}'); sys.exit(11)""", 1, ""),
        (f"{END}; sys.stderr.write('====\\nWARNING: ThreadSanitizer: data race'); sys.exit(66)", 0, "66: WARNING: Th"),
        ("sys.exit(132)", 0, "132: it said nothing"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, body: str, failures: int, said: str) -> None:
    visit = matrix._visit(PLACES["thread"], program(tmp_path, body), [], [])
    assert not visit.ok
    assert visit.failures == failures
    assert said in visit.problem
    assert bool(visit.problem) == bool(said)


def test_a_wrong_model_is_told(tmp_path: Path, net: Subject) -> None:
    body = f"""{END}
for word in sys.argv:
    if word.startswith('--output='):
        pathlib.Path(word[9:]).write_bytes(bytes({net.golden.outputs[0].nbytes}))"""
    visit = matrix._visit(PLACES["thread"], program(tmp_path, body), [net], [])
    assert visit.models == {"seed_dorefa": False}
    assert not visit.ok
    zeros = tuple(np.zeros_like(array) for array in net.golden.outputs)
    tame = replace(net, golden=replace(net.golden, outputs=zeros))
    assert matrix._visit(PLACES["thread"], program(tmp_path, body), [tame], []).ok
