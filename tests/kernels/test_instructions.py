# SPDX-License-Identifier: Apache-2.0
"""What the binary convolutions cost on ARM, to the instruction."""

from __future__ import annotations

import pytest

from harness.bench import instructions
from harness.cross import emulator
from harness.cross.build import build
from harness.errors import JobFailed
from harness.report import against

LIMITS = {"aarch64": (33.0, 29.0, 27.5, 28.0), "armv7": (40.0, 36.0, 34.0, 34.0)}
"""Instructions for 1000 MACs that no change of the kernels may exceed, for the layers of anchors.yaml."""


@pytest.mark.parametrize(
    ("target", "shape", "limit"),
    [(target, *pair) for target, own in LIMITS.items() for pair in zip(instructions.shapes(), own, strict=True)],
)
def test_a_layer_costs_no_more_than_it_did(target: str, shape: str, limit: float) -> None:
    best, *_ = instructions.count(build(target).binary, target, shape)
    assert best.per_kmac <= limit
    theirs = [anchor.per_kmac[shape] for anchor in instructions.anchors() if anchor.target == target]
    assert theirs
    assert best.per_kmac < min(theirs)


def test_a_count_is_the_same_each_time_and_stands_beside_the_others() -> None:
    binary, shape = build("aarch64").binary, instructions.shapes()[-1]
    once, again = (instructions.count(binary, "aarch64", shape) for _ in range(2))
    assert once == again
    assert [each.kernel.split("_")[-1] for each in once] == ["neon", "scalar"]
    engines = [row.engine for row in against.rows(once)]
    assert engines == [*(each.kernel for each in once), "LCE", "dabnn"]
    if instructions.models_cycles():
        assert set(once[0].rate) == set(instructions.CORES["aarch64"])
        assert all(once[0].rate[core] > once[1].rate[core] for core in once[0].rate)
        (lce, _) = (anchor for anchor in instructions.anchors() if anchor.target == "aarch64")
        assert against.over(once, lce)["cortex-a72"] > 1
    else:
        assert any("NOT MODELLED" in note for note in against.notes(once))


def test_the_program_with_everything_in_it_is_small() -> None:
    assert build("aarch64").bytes <= 400_000


def test_a_program_that_fails_is_not_counted() -> None:
    with pytest.raises(JobFailed, match="cannot be counted"):
        emulator.count(build("aarch64").binary, ["kernels", "--family", "abacus", "--once"])
