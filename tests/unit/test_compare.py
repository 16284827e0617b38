# SPDX-License-Identifier: Apache-2.0
"""Comparisons: who is compared with whom, what is a regression, and what is not comparable at all."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.bench import aa, merge, store, variants
from harness.bench.record import Device, Process, Run, Settings, Variant
from harness.errors import UsageError
from harness.report import verdicts
from tests.unit.records import device, model, story


def versus(factor: float, rounds: int = 9) -> Run:
    """A comparison of one net with itself, `factor` times as slow, each round with the same small unrest."""
    net = model("net", "binary")
    before, after = (net.model_copy(update={"name": name, "baseline": ""}) for name in ("net [old]", "net [new]"))
    after = after.model_copy(update={"baseline": before.name})
    board = device(random.Random(1), "pi4", "aarch64", (before, after), (1e6, 1e6))
    old, new = board.cases
    noise, slowed = random.Random(2), []
    for process in old.processes[:rounds]:
        own = factor * (1 + noise.gauss(0, 0.006))
        slowed.append(process.model_copy(update={"samples": tuple(ns * own for ns in process.samples)}))
    new = new.model_copy(update={"processes": tuple(slowed)})
    board = board.model_copy(update={"cases": (old, new)})
    return story().model_copy(update={"kind": "compare", "models": (before, after), "devices": (board,)})


@pytest.mark.parametrize(
    ("factor", "word", "code", "strict"),
    [
        (1.10, "regression, 1.10x slower than net [old]", 3, 3),
        (0.50, "improved, 2.00x faster than net [old]", 0, 0),
        (1.00, "equivalent, as fast as net [old]", 0, 0),
        (1.005, "equivalent", 0, 0),
    ],
)
def test_words_and_exit_codes(factor: float, word: str, code: int, strict: int) -> None:
    run = versus(factor)
    said = [str(sentence) for sentence in verdicts.sentences(run)]
    assert any(word in sentence for sentence in said), said
    assert verdicts.exit_code(run) == code
    assert verdicts.exit_code(run, strict=True) == strict


def test_too_few_pairs_decide_nothing() -> None:
    run = versus(1.5, rounds=4)
    assert verdicts.exit_code(run) == 0
    assert verdicts.exit_code(run, strict=True) == 5


def test_a_board_that_sees_differences_in_nothing_needs_larger_ones() -> None:
    run = versus(1.10)
    (board,) = run.devices
    noisy = run.model_copy(update={"devices": (board.model_copy(update={"noise_floor": 0.2}),)})
    assert verdicts.exit_code(noisy) == 0


def test_a_larger_file_is_a_regression() -> None:
    run = versus(1.0)
    before, after = run.models
    grown = run.model_copy(update={"models": (before, after.model_copy(update={"bnn_bytes": 2 * after.bnn_bytes}))})
    said = list(map(str, verdicts.sentences(grown)))
    assert "model file of net [new]: regression, larger, 19.8 kB before, 39.6 kB now" in said
    assert verdicts.exit_code(grown) == 3
    assert verdicts.exit_code(grown.model_copy(update={"kind": "bench"})) == 0, "models side by side are no gate"


def test_two_stored_runs_are_compared_unpaired_and_never_gate_on_time() -> None:
    old = story()
    (board, *_) = old.devices
    slow = [case.model_copy(update={"processes": tuple(_slower(p) for p in case.processes)}) for case in board.cases]
    new = old.model_copy(
        update={"id": "20261124-000000-0001", "devices": (board.model_copy(update={"cases": tuple(slow)}),)}
    )
    merged = merge.merge(old, new, "20261125-000000-0002")
    assert [m.baseline for m in merged.models[1::2]] == [m.name for m in merged.models[::2]]
    said = " ".join(map(str, verdicts.sentences(merged)))
    assert "seed_float on this machine: regression, 1.20x slower than before (1.19–1.21)" in said
    assert ", unpaired" in said
    assert verdicts.exit_code(merged) == 0
    assert verdicts.exit_code(merged, strict=True) == 5


def _slower(process: Process) -> Process:
    return process.model_copy(update={"samples": tuple(ns * 1.2 for ns in process.samples)})


def test_unlike_boards_are_not_compared_and_the_unlike_fact_is_named() -> None:
    old = story()
    (board, *_) = old.devices
    other = board.model_copy(update={"facts": board.facts | {"governor": "performance"}})
    new = old.model_copy(update={"devices": (other,)})
    with pytest.raises(UsageError, match="governor ondemand before, performance after"):
        merge.merge(old, new, "x")
    with pytest.raises(UsageError, match="no device in common"):
        merge.merge(old, old.model_copy(update={"devices": ()}), "x")


def test_a_side_is_asked_for_by_revision_or_by_key_and_value() -> None:
    assert variants.asked([], "--candidate").label == "working tree"
    side = variants.asked(["HEAD~1", "threads=2", "kernel=a=b", "kernel=c=d"], "--baseline")
    assert side.variant == Variant(revision="HEAD~1", threads=2, kernels=("a=b", "c=d"))
    assert side.label == "HEAD~1, threads=2, kernel=a=b, kernel=c=d"
    with pytest.raises(UsageError, match="does not know 'thread'"):
        variants.asked(["thread=2"], "--baseline")
    with pytest.raises(UsageError, match="takes a number"):
        variants.asked(["threads=two"], "--baseline")
    with pytest.raises(UsageError, match="the same"):
        variants.pairs([Path("a.h5")], variants.asked([], ""), variants.asked([], ""))


def test_names_of_models_are_unique() -> None:
    paths = [Path("a/net.h5"), Path("b/net.tflite"), Path("c/net.h5"), Path("other.h5")]
    assert variants.names(paths) == ["net.h5", "net.tflite", "net.h5 (2)", "other"]
    first, *rest = variants.side_by_side(paths, Variant())
    assert first.baseline == ""
    assert {entrant.baseline for entrant in rest} == {"net.h5"}


def test_noise_is_judged_block_by_block_and_kept_with_the_board(tmp_path: Path) -> None:
    run = versus(1.0, rounds=9).model_copy(update={"kind": "aa", "settings": Settings()})
    (noise,) = aa.assess(run)
    assert (noise.device, noise.blocks, noise.verdicts) == ("pi4", 1, 0)
    assert 0 < noise.floor < 0.01
    assert store.noise_floor(tmp_path, "pi4") is None
    store.keep_noise(tmp_path, noise, run)
    assert store.noise_floor(tmp_path, "pi4") == pytest.approx(noise.floor)


def test_emulated_boards_have_no_noise() -> None:
    run = versus(1.0)
    boards: tuple[Device, ...] = tuple(board.model_copy(update={"emulated": True}) for board in run.devices)
    assert aa.assess(run.model_copy(update={"devices": boards})) == ()
