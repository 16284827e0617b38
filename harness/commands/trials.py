# SPDX-License-Identifier: Apache-2.0
"""Commands that put the verdicts themselves to the test: bench.aa, bench.planted, bench.simulate."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from harness.bench import aa, fleet, simulation, variants
from harness.bench import store as stored
from harness.bench.aa import Planted
from harness.bench.compare import results
from harness.bench.record import Settings, Variant
from harness.commands.console import RUNS, command, news, out, say_json
from harness.commands.runs import measured, model_files, plan_of, resumed, settings_of, shelf_of
from harness.options import number
from harness.report import trials, verdicts


@command("device", "model")
def bench_aa(
    c: Context,
    device: list[str],
    model: list[str],
    repetitions: str = "20",
    toolchain: str | None = None,
    objects: str | None = None,
    sim: str | None = None,
    seed: str | None = None,
    resume: str | None = None,
    store: str | None = None,
    json: bool = False,
) -> None:
    """Measure each model against itself: how often does a board make a difference out of nothing?"""
    shelf = shelf_of(store)
    if resume:
        done = resumed(resume)
    else:
        rounds = aa.BLOCK * number(repetitions, "--repetitions")
        settings = Settings(rounds=(rounds, rounds), budget=float("inf"))
        field = variants.twins(model_files(model))
        done = measured(fleet.bench(plan_of("aa", field, device, toolchain, settings, seed, objects, sim), RUNS))
    shelf.keep(done)
    noise = aa.assess(done)
    for each in noise:
        if each.blocks >= aa.ENOUGH:
            stored.keep_noise(RUNS, each, done)
    if json:
        say_json([asdict(each) for each in noise])
    else:
        out.print(trials.noise(noise))
    raise Exit(code=verdicts.exit_code(done))


@command("device", "model", percent="how much slower, of an inference's time", repetitions="comparisons to make")
def bench_planted(
    c: Context,
    device: list[str],
    model: list[str],
    percent: str = "5",
    repetitions: str = "20",
    budget: str | None = None,
    toolchain: str | None = None,
    seed: str | None = None,
    json: bool = False,
) -> None:
    """Plant a slowdown of known size and compare, again and again: how often is it called a regression?"""
    handicap, start = number(percent, "--percent", float), number(seed, "--seed") or 0
    settings = settings_of(None, budget, None)
    slow = variants.Asked(Variant(handicap=handicap), None, f"handicap={percent}")
    files = model_files(model) if model else model_files(model)[-1:]
    field = variants.pairs(files, variants.asked([], ""), slow)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for index in range(number(repetitions, "--repetitions")):
            plan = plan_of("compare", field, device, toolchain, settings, str(start + index + 1))
            done = measured(fleet.bench(plan, Path(folder)))
            code = verdicts.exit_code(done)
            found += [Planted(code, each.verdict, each.ratio) for each in results(done) if each.verdict and each.ratio]
            news.print(trials.planted(found))
    if json:
        say_json([asdict(each) for each in found])
    else:
        out.print(trials.planted(found))


@command(runs="simulated runs for each true ratio")
def bench_simulate(c: Context, runs: str = "2000", seed: str = "0", json: bool = False) -> None:
    """How often would the verdicts be wrong on a board that drifts? On a simulated one, whose truth is known."""
    many_runs, start = number(runs, "--runs"), number(seed, "--seed")
    truths = (1.0, 1.005, 1.02, 1.05)
    found = [simulation.simulate(truth, many_runs, Settings(), start + i) for i, truth in enumerate(truths)]
    if json:
        say_json([asdict(each) for each in found])
    else:
        out.print(trials.simulated(found))
