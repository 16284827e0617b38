# SPDX-License-Identifier: Apache-2.0
"""Commands about kernels: check, check.matrix, kernels."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit

from harness.bench import blas, execute, instructions, once, store, subject, variants
from harness.bench import kernels as rates
from harness.bench import matrix as places
from harness.bench.record import Variant
from harness.board import inventory
from harness.commands.console import command, out, relative, say_json, telling, toolchain_of
from harness.commands.runs import model_files
from harness.cross import build
from harness.cross.toolchain import ROOT
from harness.errors import UsageError, WrongOutput
from harness.options import many, number
from harness.report import against, page, terminal

COUNTED = ("aarch64", "armv7")
"""Targets whose instructions are counted where none is named."""


@command("device", "family")
def check(
    c: Context,
    device: list[str],
    family: list[str],
    seed: str | None = None,
    toolchain: str | None = None,
    json: bool = False,
) -> None:
    """Check every kernel that a device can run against the scalar one, on the device."""
    known = inventory.load(ROOT)
    options = ["--seed", str(number(seed, "--seed"))] if seed else []
    wanted = many(family)
    found: dict[str, list[dict[str, Any]]] = {}
    with telling() as tell:
        for where in known.select(many(device) or ["local"]):
            with once.opened(where, toolchain_of(known, where.target, toolchain), tell) as board:
                events = found.setdefault(where.name, [])
                for arguments in [["--family", name] for name in wanted] or [[]]:
                    for event in execute.check(board.link, board.binary, [*arguments, *options]):
                        events.append(event)
                        tell(terminal.checked(where.name, event), event["type"] != "failure")
    if json:
        say_json(found)
    else:
        out.print(terminal.checks(found))
    if any(event["type"] == "failure" for events in found.values() for event in events):
        raise Exit(code=WrongOutput.exit_code)


@command(
    "place",
    "model",
    family="check the kernels of one family alone",
    place="address+undefined, thread, cortex-a53, ... (repeat or separate by commas); all where absent",
    model="models to run in every place (repeat or separate by commas); the three of models/ where absent",
)
def matrix(
    c: Context,
    place: list[str],
    model: list[str],
    family: str | None = None,
    seed: str | None = None,
    json: bool = False,
) -> None:
    """Check every kernel, and some models, under sanitizers and on emulated CPUs from the oldest to the widest."""
    known = {each.name: each for each in places.PLACES}
    if unknown := set(many(place)) - set(known):
        raise UsageError(f"There is no place {', '.join(sorted(unknown))}.", f"There are {', '.join(known)}.")
    wanted = [known[name] for name in many(place)] or list(places.PLACES)
    options = ["--seed", str(number(seed, "--seed"))] if seed else []
    options += ["--family", family] if family else []
    found = []
    with telling() as tell:
        subjects = list(subject.prepare(variants.side_by_side(model_files(model), Variant())))
        for visit in places.run(wanted, subjects, options, tell):
            found.append(visit)
            tell(terminal.visited(visit), visit.ok)
    if json:
        say_json([asdict(visit) | {"ok": visit.ok} for visit in found])
    else:
        out.print(terminal.matrix(found))
    if not all(visit.ok for visit in found):
        raise Exit(code=WrongOutput.exit_code)


@command(
    "device",
    "family",
    "target",
    target="count the instructions of a target, such as aarch64 (repeat or separate by commas)",
    page="an HTML file to write as well",
)
def kernels(
    c: Context,
    device: list[str],
    family: list[str],
    target: list[str],
    page: str | None = None,
    toolchain: str | None = None,
    json: bool = False,
) -> None:
    """What kernels do on the shapes of real nets: time, share of the peak, ratio to BLAS; instructions on ARM.

    Without --device and --target: the times of this machine, and the instructions of aarch64 and armv7.
    """
    known = inventory.load(ROOT)
    both = not device and not target
    found: dict[str, list[rates.Timing]] = {}
    counted: list[instructions.Counted] = []
    with telling() as tell:
        for where in known.select(["local"] if both else many(device)) if both or device else ():
            with once.opened(where, toolchain_of(known, where.target, toolchain), tell) as board:
                tell(f"{where.name}: timing kernels")
                for arguments in [["--family", name] for name in many(family)] or [[]]:
                    timings = rates.times(board.link, board.binary, arguments)
                    own = rates.beside_blas(timings) if where.transport == "local" else timings
                    found.setdefault(where.name, []).extend(own)
        for name in COUNTED if both else many(target):
            made = build.build(name, toolchain=toolchain_of(known, name, toolchain), progress=tell)
            for shape in instructions.shapes():
                tell(f"{name}: counting instructions of {shape}")
                counted += instructions.count(made.binary, made.target, shape)
    emulated = {each.name for each in known.select(list(found)) if each.emulated} if found else set()
    if page:
        store.write(Path(page), _page(found, emulated, counted))
    if json:
        say_json(_document(found, emulated, counted))
        return
    if found:
        out.print(terminal.kernels(found, emulated))
        out.print(
            f"sgemm: {blas.name()}, float32, the same MACs, one thread, in this run. Peaks, too, are of one thread."
        )
    if counted:
        out.print(terminal.counts(counted))
    if page:
        out.print(relative(Path(page)))


def _document(
    found: dict[str, list[rates.Timing]], emulated: set[str], counted: list[instructions.Counted]
) -> dict[str, Any]:
    return {
        "devices": {
            name: [asdict(t) | {"rate": t.rate, "share": t.share, "over_sgemm": t.over_sgemm} for t in own]
            for name, own in found.items()
        },
        "emulated": sorted(emulated),
        "blas": blas.name(),
        "counted": [asdict(each) | {"per_kmac": each.per_kmac} for each in counted],
        "others": [asdict(row) for row in against.rows(counted) if not row.ours],
        "notes": against.notes(counted) if counted else [],
    }


def _page(found: dict[str, list[rates.Timing]], emulated: set[str], counted: list[instructions.Counted]) -> str:
    return page.document(
        "kernels.html.j2",
        "Kernels",
        devices=found,
        emulated=emulated,
        blas=blas.name(),
        counts=list(against.rows(counted)),
        cores=against.cores(counted),
        notes=against.notes(counted) if counted else [],
    )
