# SPDX-License-Identifier: Apache-2.0
"""The commands `./inv benchmarks.*`: what other engines take for the same work, what a report and a board cost."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.board import inventory
from harness.commands.console import command, out, say_json, telling
from harness.cross import build
from harness.cross.toolchain import ROOT
from harness.errors import UsageError
from harness.model import pipeline
from harness.model.pipeline import SPIKE_RATE, STEPS
from harness.options import many, number, path
from harness.report import words

if TYPE_CHECKING:  # what a benchmark needs takes half a second to load, which no other command is to wait for
    from benchmarks import layers as float_layers
    from benchmarks import nets as whole_nets
    from benchmarks import spikes as spiking
    from harness.bench.corpus import Item

ROUNDS, SEED = 7, 1
HELP = {"net": "a model of the corpus by its name (repeat or separate by commas); all whole nets where absent"}


def _items(corpus: str | None, net: list[str]) -> list[Item]:
    from benchmarks import nets as whole_nets

    if corpus is None:
        raise UsageError("The benchmark needs a corpus.", "", "For example: ./inv benchmarks.nets --corpus DIR")
    return whole_nets.chosen(Path(corpus), many(net))


def _settings(rounds: str | None, seed: str | None) -> tuple[int, int]:
    return number(rounds, "--rounds") or ROUNDS, number(seed, "--seed") or SEED


@command("net", rounds="rounds of fresh processes; 7 where absent", **HELP)
def nets(
    c: Context,
    net: list[str],
    corpus: str | None = None,
    rounds: str | None = None,
    seed: str | None = None,
    json: bool = False,
) -> None:
    """Whole nets side by side: bitrig, the Larq Compute Engine, and their float and int8 twins in onnxruntime."""
    from benchmarks import nets as whole_nets

    items, settings = _items(corpus, net), _settings(rounds, seed)
    with telling() as tell, tempfile.TemporaryDirectory() as folder:
        found = list(whole_nets.compare(items, build.build("host").binary, Path(folder), *settings, tell))
    if json:
        say_json([asdict(result) for result in found])
    else:
        out.print(_nets(found))


@command("net", rounds="rounds of fresh processes; 7 where absent", **HELP)
def layers(
    c: Context,
    net: list[str],
    corpus: str | None = None,
    rounds: str | None = None,
    seed: str | None = None,
    json: bool = False,
) -> None:
    """The float layers of binary nets, each in our runtime and in onnxruntime."""
    from benchmarks import layers as float_layers

    items, settings = _items(corpus, net), _settings(rounds, seed)
    wanted = [layer for item in items for layer in float_layers.of(item.name, pipeline.prepare(item.path).binary)]
    with telling() as tell, tempfile.TemporaryDirectory() as folder:
        raced = float_layers.compare(wanted, build.build("host").binary, Path(folder), *settings, tell)
        found = list(raced)
    if json:
        say_json([_plain(each) for each in found])
    else:
        out.print(_layers(found))


@command(
    rounds="rounds of fresh processes; 7 where absent",
    steps="time steps of an inference; 16 where absent",
    rate="percentage of the inputs that spike; 25 where absent",
)
def spikes(
    c: Context,
    rounds: str | None = None,
    steps: str | None = None,
    rate: str | None = None,
    seed: str | None = None,
    json: bool = False,
) -> None:
    """Layers of spiking networks: float convolutions, bits behind spikes, and bits behind signs."""
    from benchmarks import spikes as spiking

    count, share = number(steps, "--steps") or STEPS, (number(rate, "--rate") or 100 * SPIKE_RATE) / 100
    with telling() as tell, tempfile.TemporaryDirectory() as folder:
        places = build.build("host").binary, Path(folder)
        found = list(spiking.compare(spiking.LAYERS, count, share, *places, *_settings(rounds, seed), tell))
    if json:
        say_json([_form(each) for each in found])
    else:
        out.print(_spikes(found))


@command()
def page(c: Context, model: str | None = None, json: bool = False) -> None:
    """What the report of a model on three boards costs: its size, the time to make it, and until Chromium shows it."""
    from benchmarks import page as report

    with tempfile.TemporaryDirectory() as folder:
        found = report.cost(path(model) or ROOT / "models" / "seed_dorefa.h5", Path(folder))
    if json:
        say_json(asdict(found))
    else:
        made = f"made in {found.cold:.1f} s ({found.cpu:.1f} s of CPU), once more in {found.warm:.1f} s"
        shown = f"shown by Chromium in {found.shown:.2f} s"
        out.print(f"{found.nodes} nodes, 3 boards, 30 pairs: {words.size(found.bytes)}, {made}, {shown}")


@command("device", repeats="times that each device is tried; 9 where absent")
def boards(c: Context, device: list[str], repeats: str | None = None, json: bool = False) -> None:
    """What the harness costs a board beside its work: medians of seconds. qemu-aarch64 where absent."""
    from benchmarks import boards as costs

    chosen = inventory.load(ROOT).select(many(device) or ["qemu-aarch64"])
    times = number(repeats, "--repeats") or 9
    found = {}
    for board in chosen:
        tries = [costs.overhead(board) for _ in range(times)]
        found[board.name] = {step: median(each[step] for each in tries) for step in tries[0]}
    if json:
        say_json(found)
    for name, steps in {} if json else found.items():
        out.print(Text(f"{name}: " + ", ".join(f"{step} {seconds:.2f} s" for step, seconds in steps.items())))


@command("name")
def lab(c: Context, name: list[str], json: bool = False) -> None:
    """Seconds until a stand-in board answers by SSH, with an empty cache and with a warm one. virt-pi4 where absent."""
    from benchmarks import boards as costs

    found = {}
    for board in many(name) or ["virt-pi4"]:
        with tempfile.TemporaryDirectory() as folder:
            found[board] = costs.start(board, Path(folder))
    if json:
        say_json(found)
    for board, seconds in {} if json else found.items():
        out.print(f"{board}: {seconds['empty']:.1f} s with an empty cache, {seconds['warm']:.1f} s with a warm one")


def _plain(raced: float_layers.Raced) -> dict[str, Any]:
    layer = raced.layer
    return {
        **{name: getattr(layer, name) for name in ("net", "name", "what", "macs", "count")},
        "ours": raced.ours.by_round,
        "onnxruntime": raced.theirs.by_round,
        "ratio": asdict(raced.ours.over(raced.theirs)),
    }


def _form(raced: spiking.Raced) -> dict[str, Any]:
    times = {name: found.by_round for name, found in raced.times.items()}
    return {"layer": raced.layer.what, "steps": raced.steps, "rate": raced.rate, "times": times}


def _spikes(found: Sequence[spiking.Raced]) -> RenderableType:
    from benchmarks import spikes as spiking

    table = _table(("layer and its neurons",), (spiking.FLOAT, spiking.SPIKES, "float over it", "95 %", spiking.SIGNS))
    for each in found:
        ratio = each.times[spiking.FLOAT].over(each.times[spiking.SPIKES])
        cells = [words.duration(each.times[name].median.estimate) for name in (spiking.FLOAT, spiking.SPIKES)]
        interval = _times(ratio.low, ratio.high)
        signs = words.duration(each.times[spiking.SIGNS].median.estimate)
        table.add_row(each.layer.what, *cells, f"{words.digits(ratio.estimate)}×", interval, signs)
    return table


def _table(texts: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in texts:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _times(low: float | None, high: float | None) -> str:
    return f"{words.digits(low)}–{words.digits(high)}" if low is not None and high is not None else ""


def _nets(found: Sequence[whole_nets.Result]) -> RenderableType:
    table = _table(("net", "engine"), ("fastest", "time", "over ours", "95 %"))
    lines = []
    for result in found:
        for side in result.sides:
            ratio, low, high = side.ratio or (1.0, None, None)
            times = (words.duration(ns) for ns in (side.times.fastest, side.times.median.estimate))
            cells = (result.net, side.name, *times, f"{words.digits(ratio)}×", _times(low, high))
            table.add_row(*map(Text, cells))
        shares = ", ".join(f"{row.op} {row.share:.0%}" for row in result.profile if row.share >= 0.01)
        lines.append(Text(f"{result.net}, where our time goes: {shares}", "dim"))
    return Group(table, *lines)


def _layers(found: Sequence[float_layers.Raced]) -> RenderableType:
    table = _table(("net", "layer"), ("", "ours", "onnxruntime", "ours over it", "95 %"))
    for each in found:
        ratio = each.ours.over(each.theirs)
        times = (words.duration(side.median.estimate) for side in (each.ours, each.theirs))
        cells = (each.layer.net, each.layer.what, f"{each.layer.count}×", *times, f"{words.digits(ratio.estimate)}×")
        table.add_row(*map(Text, cells), _times(ratio.low, ratio.high))
    return table
