# SPDX-License-Identifier: Apache-2.0
"""Commands that measure and judge: bench, compare, report, history."""

from __future__ import annotations

import os
import secrets
import webbrowser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from invoke.context import Context
from invoke.exceptions import Exit

from harness.bench import fleet, merge, variants
from harness.bench import store as stored
from harness.bench.events import Event, Finished
from harness.bench.record import Run, Settings, Variant
from harness.bench.variants import Entrant
from harness.board import inventory, lab
from harness.commands.console import RUNS, command, news, out, relative, say, say_json, telling, toolchain_of, typed
from harness.commands.following import following
from harness.cross.toolchain import ROOT
from harness.errors import BitrigError, UsageError
from harness.model import importers
from harness.options import many, number, span
from harness.options import path as optional
from harness.report import export, past, terminal, verdicts

if TYPE_CHECKING:
    from harness.bench.shelf import Shelf

LAYER_ROUNDS = 12
"""Profiled rounds of a comparison: with twelve, one layer that changed stands out among a hundred that did not."""

SEEDS = ("seed_float", "seed_ste_sign", "seed_dorefa")


def default_devices(known: inventory.Inventory) -> list[str]:
    """This machine, and every stand-in board that is up."""
    up = {standing.name for standing in lab.status() if standing.up}
    return ["local", *(device.name for device in known.devices.values() if device.emulated and device.lab in up)]


@contextmanager
def standing_in(device: Iterable[str]) -> Iterator[None]:
    """The usual stand-in boards, up while a bench lasts that names no device; what was up before stays up."""
    missing = [each.name for each in lab.status() if each.name in lab.USUAL and not each.up]
    if many(device) or not missing:
        yield
        return
    try:
        with telling() as tell:
            for line in lab.up(missing):
                tell(line)
    except BitrigError as error:
        news.print(f"! This machine emulates no board now: {error}", markup=False)
    try:
        yield
    finally:
        list(lab.down(missing))


def model_files(given: Iterable[str]) -> list[Path]:
    """The model files asked for, which are there; the three nets of the tree where none is."""
    asked = [Path(name) for name in many(given)]
    for path in asked:
        importers.check(path)  # before a board is waited for
    return asked or [Path(relative(ROOT / "models" / f"{seed}.h5")) for seed in SEEDS]


def settings_of(
    rounds: str | None, budget: str | None, precision: str | None, delta: str | None = None, cold: bool = False
) -> Settings:
    """What was given, and the usual where nothing was: seconds, and fractions of 1."""
    usual = Settings()
    return Settings(
        cold=cold,
        rounds=span(rounds, "--rounds") or usual.rounds,
        budget=number(budget, "--budget", float) or usual.budget,
        precision=number(precision, "--precision", float) or usual.precision,
        delta=number(delta, "--delta", float) or usual.delta,
    )


def plan_of(
    kind: Literal["bench", "compare", "aa"],
    field: tuple[Entrant, ...],
    device: Iterable[str],
    toolchain: str | None,
    settings: Settings,
    seed: str | None,
    objects: str | None = None,
    sim: str | None = None,
) -> fleet.Plan:
    known = inventory.load(ROOT)
    chosen = known.select(many(device) or (default_devices(known) if kind == "bench" else ["local"]))
    return fleet.Plan(
        entrants=field,
        devices=chosen,
        toolchains={d.target: toolchain_of(known, d.target, toolchain) for d in chosen},
        settings=settings,
        seed=number(seed, "--seed") or secrets.randbelow(2**31),
        command=typed(),
        objects=optional(objects),
        sim=sim or "",
        kind=kind,
    )


def measured(events: Iterable[Event]) -> Run:
    """Follows a run to its end and returns its record."""
    with following() as tell:
        for event in events:
            if isinstance(event, Finished):
                return event.run
            tell(event)
    raise AssertionError("a run ends with Finished")


def outlined(plan: fleet.Plan, json: bool) -> NoReturn:
    """Says what a plan would do, and does not."""
    outlines = list(fleet.dry(plan))
    if json:
        say_json([asdict(each) for each in outlines])
    else:
        out.print(terminal.outlines(outlines))
    raise Exit(code=0)


def resumed(name: str) -> Run:
    """The run of this name, gone on with where it is not finished."""
    begun = stored.load(stored.find(RUNS, name))
    if begun.finished:
        return begun
    known = inventory.load(ROOT)
    return measured(fleet.resume(fleet.again(begun, known.select([d.name for d in begun.devices])), RUNS, begun))


def shelf_of(store: str | None) -> Shelf:
    """Where runs are: opened before anything is measured, so that a database that refuses costs no measurement."""
    from harness.bench.shelf import Shelf  # SQLAlchemy, which takes a while to load

    return Shelf(RUNS, store or os.environ.get("BITRIG_STORE", ""))


def show(done: Run, shelf: Shelf, json: bool, strict: bool = False) -> NoReturn:
    """Leaves a run on the shelf, writes its report, prints its summary, and ends with its exit code."""
    shelf.keep(done)
    tell_of(done, json)
    raise Exit(code=verdicts.exit_code(done, strict))


def tell_of(done: Run, json: bool, output: Path | None = None) -> Path:
    """Writes the report of a run, prints its summary, and returns the file."""
    from harness.report import page  # its charts take a while to load

    written = page.write(RUNS, done, output)
    if json:
        say_json(done.model_dump_json(by_alias=True, indent=1))
    else:
        out.print(terminal.summary(done), f"\nReport: {relative(written)}", sep="\n")
    return written


@command("device", "model", "kernel")
def bench(
    c: Context,
    device: list[str],
    model: list[str],
    kernel: list[str],
    rounds: str | None = None,
    budget: str | None = None,
    precision: str | None = None,
    threads: str | None = None,
    isa_mask: str | None = None,
    toolchain: str | None = None,
    objects: str | None = None,
    sim: str | None = None,
    seed: str | None = None,
    resume: str | None = None,
    store: str | None = None,
    twin: bool = False,
    cold: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Prove models right on devices, time them, write the report. Without options: the three seed nets, here."""
    shelf = shelf_of(store)
    if resume:
        show(resumed(resume), shelf, json)
    counts = [number(text, "--threads") for text in many([threads] if threads else [])]
    variant = Variant(threads=counts[0] if counts else None, isa_mask=isa_mask, kernels=tuple(kernel))
    if len(counts) > 1 and twin:
        raise UsageError(
            "--twin and several --threads ask for two baselines of each model.", "", "Give one of the two."
        )
    if len(counts) > 1:
        field = variants.sweep(model_files(model), variant, counts)
    else:
        field = variants.side_by_side(model_files(model), variant, twin)
    settings = settings_of(rounds, budget, precision, cold=cold)
    with standing_in(device):
        plan = plan_of("bench", field, device, toolchain, settings, seed, objects, sim)
        if dry_run:
            outlined(plan, json)
        done = measured(fleet.bench(plan, RUNS))
    show(done, shelf, json)


@command("baseline", "candidate", "device", "model")
def compare(
    c: Context,
    baseline: list[str],
    candidate: list[str],
    device: list[str],
    model: list[str],
    rounds: str | None = None,
    budget: str | None = None,
    precision: str | None = None,
    delta: str | None = None,
    toolchain: str | None = None,
    objects: str | None = None,
    sim: str | None = None,
    seed: str | None = None,
    store: str | None = None,
    cold: bool = False,
    dry_run: bool = False,
    strict: bool = False,
    json: bool = False,
) -> None:
    """Judge a candidate against a baseline, side by side on devices; two stored runs, or two boards, unpaired."""
    if not baseline:
        raise UsageError(
            "compare needs a baseline.", "", "A revision, a run, or KEY=VALUE: ./inv compare --baseline HEAD~1"
        )
    shelf = shelf_of(store)
    if len(baseline) == len(candidate) == 1 and all(map(shelf.has, (*baseline, *candidate))):
        done = merge.merge(shelf.load(*baseline), shelf.load(*candidate), stored.new_id())
        stored.save(RUNS, done)
        show(done, shelf, json, strict)
    before, after = variants.asked(baseline, "--baseline"), variants.asked(candidate, "--candidate")
    settings = settings_of(rounds, budget, precision, delta, cold).model_copy(update={"layer_rounds": LAYER_ROUNDS})
    if before.device or after.device:
        boards = variants.boards(before, after)
        merge.real(*inventory.load(ROOT).select(list(boards)))
        field = variants.side_by_side(model_files(model), Variant())
        run = measured(fleet.bench(plan_of("bench", field, boards, toolchain, settings, seed, objects, sim), RUNS))
        done = merge.across(run, *boards, stored.new_id())
        stored.save(RUNS, done)
        show(done, shelf, json, strict)
    field = variants.pairs(model_files(model), before, after)
    plan = plan_of("compare", field, device, toolchain, settings, seed, objects, sim)
    if dry_run:
        outlined(plan, json)
    show(measured(fleet.bench(plan, RUNS)), shelf, json, strict)


@command(format="html, json, md, csv, junit, github or trace", output="a file to write it to", open="show the page")
def report(
    c: Context,
    run: str = "last",
    format: str = "html",
    output: str | None = None,
    store: str | None = None,
    open: bool = False,
    json: bool = False,
) -> None:
    """Write the report of a stored run anew; or, in another format, to standard output or a file."""
    done = shelf_of(store).load(run)
    if format not in ("html", *export.FORMATS):
        raise UsageError(f"There is no format {format!r}.", "", f"There are html, {', '.join(export.FORMATS)}.")
    if open and format != "html":
        raise UsageError("--open shows the page, which is html.", "", "Leave one of --open and --format out.")
    if format == "html":
        written = tell_of(done, json, optional(output))
        if open:
            webbrowser.open(written.resolve().as_uri())
    elif output:
        stored.write(Path(output), export.FORMATS[format](done))
    else:
        say(export.FORMATS[format](done))


@command(port="to listen on; a free one where absent")
def report_serve(c: Context, port: str | None = None, store: str | None = None, json: bool = False) -> None:
    """Serve all runs as pages to this machine alone: search, compare two, history. Ctrl-C ends it."""
    from harness.report.site import Site  # a web server, which nothing else needs

    site = Site(shelf_of(store), number(port, "--port") or 0)
    if json:
        say_json({"address": site.address})
    else:
        say(f"{site.address}\nOpen this address in a browser of this machine; Ctrl-C ends the server.")
    site.run()


@command("device", "model")
def history(c: Context, device: list[str], model: list[str], store: str | None = None, json: bool = False) -> None:
    """What every stored run measured, the oldest first."""
    found = shelf_of(store).lines(many(device), many(model))
    if json:
        say_json([asdict(line) for line in found])
    else:
        out.print(past.table(found))
