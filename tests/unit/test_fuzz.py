# SPDX-License-Identifier: Apache-2.0
"""What a fuzzing campaign begins with, what it puts in place of a slow part, and how it is summed up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from harness.commands import upkeep
from harness.cross.toolchain import ROOT
from harness.errors import ModelError
from harness.model import importers
from harness.model.importers.keras import hdf5
from tests.fuzz import rebuilding, seeds
from tests.fuzz.unpacker import Unpacker

SAID = """#988\tDONE   cov: 1932 ft: 4513 corp: 61/2390Kb
stat::number_of_executed_units: 988
stat::average_exec_per_sec:     16
stat::new_units_added:          31
stat::slowest_unit_time_sec:    0
stat::peak_rss_mb:              110
"""


def test_a_campaign_that_found_nothing() -> None:
    counts = "988 runs, 16 a second, 31 new files; slowest 0 s, at most 110 MB."
    assert upkeep.summary(SAID, 0) == f"nothing found. {counts}"


def test_a_campaign_that_found_something() -> None:
    said = f"artifact_prefix='h5.'; Test unit written to {Path.cwd()}/h5.crash-31a9\n{SAID}"
    assert upkeep.summary(said, 77).startswith("FOUND h5.crash-31a9. 988 runs, ")


def test_a_campaign_that_did_not_begin() -> None:
    assert upkeep.summary("No module named 'atheris'", 1) == "ended with 1. It did not count its runs."


@pytest.mark.parametrize("name", ["h5", "keras", "onnx", "tflite", "nir"])
def test_every_importer_has_something_to_begin_with(name: str, tmp_path: Path) -> None:
    seeds.main(name, str(tmp_path), str(upkeep.LARGEST))
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) >= 5
    assert max(sizes) <= upkeep.LARGEST


def test_an_unpacker_that_forks_answers_as_one_that_is_started() -> None:
    run = Unpacker().run
    files = ["base_seq.h5", "bad/hdf5_crashes.h5", "bad/hdf5_never_ends.h5", "base_seq.h5"]
    for arguments in ([str(ROOT / "tests/data/keras" / name), "model_weights", "20000000"] for name in files):
        forked, started = run(arguments, b""), hdf5._run(arguments, b"")
        assert (forked.returncode, forked.stdout) == (started.returncode, started.stdout)


def test_nets_that_are_taken_to_pieces_and_changed_are_read_or_refused(tmp_path: Path) -> None:
    unpacker, answers = Unpacker(), Counter[str]()
    (source,) = (ROOT / "tests/data/nir").glob("spikingjelly_if_layer/*.nir")
    unpacked = unpacker.run([str(source), "node", "20000000"], b"").stdout
    for seed in range(40):
        path = tmp_path / "changed.nir"
        path.write_bytes(rebuilding.rebuilt(unpacked, Random(seed)))
        try:
            importers.load(path)
            answers["read"] += 1
        except ModelError:
            answers["refused"] += 1
    assert min(answers["read"], answers["refused"]) >= 5
