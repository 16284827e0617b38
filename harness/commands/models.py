# SPDX-License-Identifier: Apache-2.0
"""Commands about models: build, explain, run, verify."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from invoke.context import Context
from invoke.exceptions import Exit

from harness.bench import explanations, once, refusals, store, variants, verification
from harness.bench.corpus import arrays
from harness.bench.corpus import read as read_corpus
from harness.bench.golden import compare as agreement_of
from harness.board import inventory
from harness.commands.console import RUNS, command, out, relative, say_json, telling, toolchain_of
from harness.cross import build as cross
from harness.cross.toolchain import ROOT
from harness.errors import UsageError, WrongOutput
from harness.model import pipeline, spikes
from harness.options import many, number, one
from harness.options import path as optional
from harness.report import terminal, words


def describe(made: cross.Build, target: str) -> str:
    state = "up to date" if made.up_to_date else f"built in {made.seconds:.1f} s"
    compiler = f"{made.compiler} {made.compiler_version}"
    return f"{target}: {words.size(made.bytes)} by {compiler}, {state}: {relative(made.binary)}"


@command("target")
def build(c: Context, target: list[str], toolchain: str | None = None, json: bool = False) -> None:
    """Compile the runtime for targets."""
    known, made = inventory.load(ROOT), []
    with telling() as tell:
        for name in many(target) or ["host"]:
            made.append(cross.build(name, toolchain=toolchain_of(known, name, toolchain), progress=tell))
            if not json:
                out.print(describe(made[-1], name))
    if json:
        say_json([asdict(each) for each in made])


@command("model", device="whose measured peaks tell what a change would gain")
def explain(
    c: Context,
    model: list[str],
    device: str | None = None,
    objects: str | None = None,
    sim: str | None = None,
    prove: bool = False,
    json: bool = False,
) -> None:
    """Say of every layer whether it is binary, why not, and what to change."""
    paths = [Path(name) for name in many(model)]
    if not paths:
        raise UsageError("explain needs a model.", "", "For example: ./inv explain --model models/seed_dorefa.h5")
    board = _board(device) if device else ""
    documents = []
    for path, name in zip(paths, variants.names(paths), strict=True):
        told = explanations.explain(
            pipeline.prepare(path, optional(objects), sim or ""), name, board, store.peaks(RUNS, board), prove
        )
        documents.append(told.document)
        if not json:
            out.print(terminal.explanation(told.model))
    if json:
        say_json(documents[0] if len(documents) == 1 else documents)


def _board(device: str) -> str:
    """The name of the only device that is meant.

    Raises:
        UsageError: several go by this name, or it is emulated.
    """
    found = inventory.load(ROOT).select([device])
    name = one([each.name for each in found], "--device")
    if found[0].emulated:
        raise UsageError(f"{name} is emulated, so that its times prove nothing.", "", "Name a real board, or local.")
    return name


@command("model", output="the .bnn file to write; what was decided goes beside it as .bnn.json")
def convert(
    c: Context, model: list[str], output: str | None = None, objects: str | None = None, sim: str | None = None
) -> None:
    """Write a model as a .bnn file, proved pass by pass, and beside it what was decided for every layer, as JSON."""
    prepared = pipeline.prepare(Path(one(model, "--model")), optional(objects), sim or "")
    for path in explanations.write(prepared, Path(output or f"{prepared.name}.bnn")):
        out.print(f"Wrote {relative(path)}, {words.size(path.stat().st_size)}")


@command("model", "device", "input", "output", "golden", "kernel")
def run(
    c: Context,
    model: list[str],
    device: list[str],
    input: list[str],
    output: list[str],
    golden: list[str],
    kernel: list[str],
    atol: str = "1e-5",
    rtol: str = "0",
    threads: str | None = None,
    isa_mask: str | None = None,
    toolchain: str | None = None,
    objects: str | None = None,
    sim: str | None = None,
    encode: str | None = None,
    readout: str | None = None,
    json: bool = False,
) -> None:
    """Run a model once on a device with your own arrays, and compare with golden outputs."""
    known = inventory.load(ROOT)
    where = known.select_one(one(device or ["local"], "--device"))
    prepared = pipeline.prepare(Path(one(model, "--model")), optional(objects), sim or "")
    given = [array for name in many(input) for array in arrays(Path(name), prepared.graph.arguments)]
    if encode:
        batch = {prepared.graph.tensors[name].shape for name in prepared.graph.arguments}
        given = [spikes.encoded(array[0] if array.shape in batch else array, encode) for array in given]
    wanted = [array for name in many(golden) for array in arrays(Path(name))]
    options = ["--threads", str(number(threads, "--threads") or where.threads)]
    options += ["--isa-mask", isa_mask] if isa_mask else []
    options += [part for name in kernel for part in ("--kernel", name)]
    once.fit(prepared.graph, given)  # a mistake is told before a board is waited for
    with telling() as tell, once.opened(where, toolchain_of(known, where.target, toolchain), tell) as board:
        found = once.run(board, prepared, given, options)
    if readout:
        found = [spikes.read_out(array, readout) for array in found]
    for name, array in zip(many(output), found, strict=False):
        np.save(name, array)
    agreement = None
    if wanted:
        agreement = agreement_of(found, wanted, number(atol, "--atol", float), number(rtol, "--rtol", float))
    active = spikes.activity(prepared, once.fit(prepared.graph, given)[0]) if prepared.graph.spiking else ()
    if json:
        shapes = [{"shape": list(array.shape), "dtype": array.dtype.name} for array in found]
        say_json(
            {
                "model": prepared.name,
                "device": where.name,
                "outputs": shapes,
                "golden": agreement and agreement.model_dump(),
                "activity": [asdict(layer) for layer in active],
            }
        )
    else:
        out.print(terminal.ran(prepared.name, where.name, found, agreement))
        if active:
            out.print(terminal.activity(active))
    if agreement and not agreement.ok:
        raise Exit(code=WrongOutput.exit_code)


@command("device", "format")
def verify(
    c: Context,
    device: list[str],
    format: list[str],
    corpus: str | None = None,
    toolchain: str | None = None,
    objects: str | None = None,
    sim: str | None = None,
    strict: bool = False,
    bad: bool = False,
    json: bool = False,
) -> None:
    """Check every model of a corpus against its golden output, by the reference and on devices."""
    if corpus is None:
        raise UsageError("verify needs a corpus.", "", "For example: ./inv verify --corpus DIR --device local")
    if bad:
        _refused(Path(corpus), json)
        return
    known, found, sound = inventory.load(ROOT), [], []
    items = read_corpus(Path(corpus), tuple(many(format)))
    with telling() as tell:
        for result, subject in verification.on_host(items, optional(objects), sim or ""):
            found.append(result)
            tell(terminal.verified(result), result.outcome == "ok")
            if subject:
                sound.append(subject)
        for where in known.select(many(device) or ["local"]):
            with once.opened(where, toolchain_of(known, where.target, toolchain), tell) as board:
                for result in verification.on_device(sound, board):
                    found.append(result)
                    tell(terminal.verified(result), result.outcome == "ok")
    if json:
        say_json({"corpus": corpus, "results": [asdict(result) | {"fails": result.fails} for result in found]})
    else:
        out.print(terminal.verification(found))
    if any(result.fails or (strict and result.outcome != "ok") for result in found):
        raise Exit(code=WrongOutput.exit_code)


def _refused(corpus: Path, json: bool) -> None:
    """Whether the files of a corpus that must be refused are."""
    found = []
    with telling() as tell:
        for each in refusals.check(refusals.read(corpus), refusals.explain_here(ROOT)):
            found.append(each)
            tell(terminal.refused(each), not each.fault)
    if json:
        say_json([asdict(each) | {"fault": each.fault} for each in found])
    else:
        out.print(terminal.refusals(found))
    if any(each.fault for each in found):
        raise Exit(code=WrongOutput.exit_code)
