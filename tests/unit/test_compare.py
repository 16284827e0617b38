# SPDX-License-Identifier: Apache-2.0
"""Comparisons: who is compared with whom, what is a regression, and what is not comparable at all."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.bench import aa, contrast, layer_changes, merge, store, variants
from harness.bench.record import Case, Counts, Device, LayerCount, Process, Run, Settings, Variant
from harness.bench.stats import Interval
from harness.errors import UsageError
from harness.report import verdicts, words
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


def test_caveats_of_boards_that_are_not_compared_stay_out() -> None:
    run = story()
    alone = run.model_copy(update={"devices": run.devices[:1]})
    assert [caveat.subject for caveat in merge.merge(run, run, "x").caveats] == ["pi4"]
    assert merge.merge(alone, run, "x").caveats == ()


def test_as_fast_as_before_has_the_bounds_of_the_table() -> None:
    assert words.speed(Interval(1.001, 0.99, 1.02, 9), "same", "before") == "as fast as before (0.98–1.01)"
    assert words.speed(Interval(0.999, 0.99, 1.02, 9), "same", "before") == "as fast as before (0.98–1.01)"


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


def counted(run: Run, *inferences: int) -> Run:
    """The comparison on an emulated board that counted instructions: as many in each of two layers."""
    (board,) = run.devices
    cases = tuple(
        case.model_copy(update={"counts": counts(inference)})
        for case, inference in zip(board.cases, inferences, strict=True)
    )
    return run.model_copy(update={"devices": (board.model_copy(update={"emulated": True, "cases": cases}),)})


def counts(inference: int) -> Counts:
    layers = (("conv_1", 1000), ("conv_2", inference - 1000))
    return Counts(
        inference=inference,
        layers=tuple(LayerCount(name=name, op="conv2d", kernel="k", count=count) for name, count in layers),
    )


def test_more_instructions_on_an_emulated_board_are_a_regression_and_never_a_time() -> None:
    run = counted(versus(1.0), 100_000, 102_000)
    said = [str(sentence) for sentence in verdicts.sentences(run)]
    assert "instructions of net [new] on pi4: regression, more, 100,000 before, 102,000 now, most in conv_2" in said, (
        said
    )
    assert verdicts.exit_code(run) == 3
    assert verdicts.exit_code(counted(versus(1.0), 100_000, 100_500)) == 0
    assert verdicts.exit_code(counted(versus(1.0), 100_000, 90_000)) == 0
    (board,) = run.devices
    real = run.model_copy(update={"devices": (board.model_copy(update={"emulated": False}),)})
    assert verdicts.exit_code(real) == 0, "on a board the time is judged"


def test_layers_that_changed_are_named_and_the_others_are_not() -> None:
    run = versus(1.0)
    (board,) = run.devices
    draw = random.Random(8)
    old, new = board.cases

    def profiled(case: Case, **slower: float) -> Case:
        assert case.profile
        layers = tuple(
            layer.model_copy(
                update={"rounds": tuple(layer.ns * slower.get(layer.name, 1) * draw.gauss(1, 0.01) for _ in range(12))}
            )
            for layer in case.profile.layers
        )
        return case.model_copy(update={"profile": case.profile.model_copy(update={"layers": layers})})

    cases = (profiled(old), profiled(new, conv_3=1.25, dense=0.8))
    run = run.model_copy(update={"devices": (board.model_copy(update={"cases": cases}),)})
    found = layer_changes.find(run)
    assert {change.layer for change in found} == {"conv_3", "dense"}
    said = next(str(each) for each in verdicts.sentences(run) if each.subject.startswith("layers of"))
    assert "2 changed" in said
    assert "conv_3 1.2" in said
    assert "slower" in said
    assert layer_changes.find(versus(1.0)) == (), "one profile decides nothing"


def test_two_boards_are_compared_as_boards_and_gate_nothing() -> None:
    run = story().model_copy(update={"kind": "bench"})
    board, second, emulated, _ = run.devices
    second = board.model_copy(update={"name": "pi5", "facts": board.facts | {"cpu": "Cortex-A76"}})
    made = merge.across(run.model_copy(update={"devices": (board, second, emulated)}), "local", "pi5", "x")
    (both,) = made.devices
    assert both.name == "pi5 against local"
    assert [m.baseline for m in made.models[1::2]] == [f"{m.name} [local]" for m in made.models[1::2]]
    assert verdicts.exit_code(made) == 0
    assert "processor Cortex-A72 before, Cortex-A76 after" in made.caveats[-1].evidence
    with pytest.raises(UsageError, match="emulated"):
        merge.across(run, "local", emulated.name, "x")
    sides = [variants.asked([f"device={name}"], "") for name in ("pi4", "pi5")]
    assert variants.boards(sides[0], sides[1]) == ("pi4", "pi5")
    for wrong in (variants.asked([], ""), sides[0], variants.asked(["device=pi5", "threads=2"], "")):
        with pytest.raises(UsageError, match="Boards are compared with each other"):
            variants.boards(sides[0], wrong)


def test_runs_with_cold_caches_are_not_compared_with_others() -> None:
    cold = story().model_copy(update={"settings": Settings(cold=True)})
    with pytest.raises(UsageError, match="caches were emptied"):
        merge.merge(story(), cold, "x")


def test_a_sweep_compares_numbers_of_threads_model_by_model() -> None:
    found = variants.sweep([Path("a.h5"), Path("b.h5")], Variant(isa_mask="scalar"), [1, 2, 4])
    assert [each.name for each in found[:3]] == ["a [threads=1]", "a [threads=2]", "a [threads=4]"]
    assert [each.baseline for each in found] == ["", *["a [threads=1]"] * 2, "", *["b [threads=1]"] * 2]
    assert [each.variant.threads for each in found] == [1, 2, 4] * 2
    assert {each.variant.isa_mask for each in found} == {"scalar"}


def test_other_rules_see_a_drift_as_a_difference() -> None:
    """A against A on a board that gets 2 % slower meanwhile, and on one that does not."""
    draw = random.Random(4)

    def block(drift: float) -> list[Process]:
        levels = [1 + drift * index / 14 + draw.gauss(0, 0.002) for index in range(14)]
        drawn = [tuple(level * draw.gauss(1, 0.005) for _ in range(30)) for level in levels]
        made = [
            Process(round=index // 2, position=index % 2, seconds=index, first=1, batch=1, samples=samples)
            for index, samples in enumerate(drawn)
        ]
        return draw.sample(made, 14)

    drifting, still = (contrast.alarms([block(drift) for _ in range(20)]) for drift in (0.02, 0.0))
    assert drifting == {"hyperfine": 20, "google/benchmark": 20}
    assert still["hyperfine"] <= 3
    assert still["google/benchmark"] >= 5, "each process draws its own level, which repetitions within one do not see"
    (noise,) = aa.assess(versus(1.0).model_copy(update={"kind": "aa"}))
    assert set(noise.others) == set(contrast.RULES)
