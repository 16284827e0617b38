# SPDX-License-Identifier: Apache-2.0
"""The report for a terminal: the same verdicts in the same words, as rich renderables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.bench.instructions import Counted
from harness.bench.kernels import Timing
from harness.bench.matrix import Visit
from harness.bench.outline import Outline
from harness.bench.record import Agreement, Model, Run
from harness.bench.refusals import Refusal
from harness.bench.verification import Verified
from harness.model.graph import Array
from harness.model.spikes import Activity
from harness.report import against, sections, words

_STYLES = {"good": "green", "plain": "", "open": "yellow", "bad": "red"}


def summary(run: Run) -> RenderableType:
    """The table of all results, then the verdicts and the caveats."""
    said = sections.verdict(run)
    lines: list[RenderableType] = [_table(run), Text()]
    for sentence in said.sentences:
        style = _STYLES[sentence.tone]
        said_ = Text.assemble((f"{sentence.icon} ", style), f"{sentence.subject}: ", (sentence.claim, f"bold {style}"))
        lines.append(said_.append(f", {sentence.rest}" if sentence.rest else ""))
    for caveat in said.caveats:
        lines.append(Text.assemble(("! ", "yellow"), f"{caveat.subject}: {caveat.evidence} {caveat.advice}"))
    return Group(*lines)


def _table(run: Run) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("model", "device", "outputs"):
        table.add_column(heading, overflow="fold")
    table.add_column("binary\nlayers", no_wrap=True)
    for heading in ("file", "weights", "time", "speed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sections.compare(run):
        result = row.result
        correct = words.outputs(result.case) == "correct"
        table.add_row(
            Text(words.short(result.model.name)),
            Text(words.short(result.device.name) + (" (emulated)" if result.device.emulated else "")),
            Text(f"{'✓' if correct else '✕'} {words.outputs(result.case)}", "green" if correct else "red"),
            words.binary_share(result.model),
            words.size(result.model.bnn_bytes),
            words.size(result.model.weight_bytes),
            Text.assemble((row.time or "–", "dim" if result.device.emulated else "bold"), _below(row.interval)),
            Text.assemble((row.speed or "–", "" if result.ratio else "dim"), _below(row.bounds)),
        )
    return table


def _below(text: str) -> tuple[str, str]:
    """A second line of a cell, where there is one."""
    return (f"\n{text}" if text else "", "dim")


def explanation(model: Model) -> RenderableType:
    """What each layer of a model is, why, and what to change."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("layer", "runs as", "output"):
        table.add_column(heading, overflow="fold")
    for heading in ("MACs", "weights"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("why not binary, and what to change", overflow="fold")
    for layer in model.layers:
        why = Text("" if layer.kind in ("binary", "binary01") else layer.reason_text)
        if layer.remedy:
            why.append(("\n" if why else "") + f"→ {layer.remedy}{words.gain(layer)}", "dim")
        table.add_row(
            Text(words.short(layer.name)),
            Text(words.kind(layer), "bold" if layer in model.binary else ""),
            words.shape(layer.output_shape),
            words.count(layer.macs),
            words.size(layer.param_bytes),
            why,
        )
    sizes = f"{words.size(model.bnn_bytes)} from {words.size(model.source_bytes)} of {model.source_format}"
    title = Text.assemble((model.name, "bold"), f": {words.binary_claim(model)}, {sizes}")
    notes = [Text(f"! {note}") for note in model.notes]
    return Group(title, table, *notes, Text())


def ran(model: str, device: str, outputs: Sequence[Array], agreement: Agreement | None) -> RenderableType:
    """What a single run gave: the outputs in short, and how they compare."""
    lines: list[RenderableType] = []
    for index, array in enumerate(outputs):
        head = ", ".join(f"{value:.6g}" for value in array.ravel()[:8])
        more = ", ..." if array.size > 8 else ""
        lines.append(Text(f"{model} on {device}, output {index}: {array.dtype.name} {array.shape}: {head}{more}"))
    if agreement is not None and agreement.ok:
        lines.append(Text(f"✓ outputs correct: largest error {agreement.max_abs:.3g}", "green"))
    elif agreement is not None:
        worst = f"most at {agreement.at}: {agreement.got:.6g} instead of {agreement.expected:.6g}"
        lines.append(Text(f"✕ WRONG: {agreement.wrong} of {agreement.elements} values differ, {worst}", "bold red"))
    return Group(*lines)


def activity(layers: Sequence[Activity]) -> RenderableType:
    """How much of each layer's input spikes."""
    table = Table("layer", "inputs not zero", "MACs a step", "synaptic ops a step", box=None, pad_edge=False)
    for layer in layers:
        table.add_row(layer.name, f"{layer.rate:.1%}", f"{layer.macs:,}", f"{layer.synaptic_ops:,.0f}")
    return table


def verified(result: Verified) -> str:
    icon = {"ok": "✓", "wrong": "✕", "unsupported": "–", "refused": "✕"}[result.outcome]
    where = f"{icon} {result.name}.{result.format} on {result.device}"
    if result.outcome == "ok":
        return f"{where}: ok, largest error {result.worst:.2g}, {result.binary_layers} of {result.layers} layers binary"
    if result.outcome == "unsupported":
        return f"{where}: not in scope, missing {', '.join(result.missing)}"
    return f"{where}: {result.outcome}: {result.detail}"


def verification(found: Sequence[Verified]) -> RenderableType:
    """What is not ok by name, then the counts of every place."""
    lines = [Text(verified(result), "" if not result.fails else "red") for result in found if result.outcome != "ok"]
    for device in dict.fromkeys(result.device for result in found):
        own = Counter(result.outcome for result in found if result.device == device)
        said = [f"{own['ok']} ok", f"{own['wrong']} wrong", f"{own['refused']} refused"]
        said += [f"{own['unsupported']} not in scope"] if own["unsupported"] else []
        lines.append(Text(f"{device}: {', '.join(said)}", "bold"))
    return Group(*lines)


def refused(each: Refusal) -> str:
    icon, outcome = ("✕", each.fault) if each.fault else ("✓", "refused" if each.exit_code else "accepted")
    cost = f"exit {each.exit_code}, {each.seconds:.2f} s, {each.megabytes:.0f} MB"
    return f"{icon} {each.name}: {outcome} ({cost})" + (f": {_first(each.said)}" if each.exit_code else "")


def _first(said: str) -> str:
    return said.partition("\n")[0].removeprefix("✕ ")


def refusals(found: Sequence[Refusal]) -> RenderableType:
    """What is not as it should be by name, then the counts and the largest costs."""
    lines = [Text(refused(each), "red") for each in found if each.fault]
    refusing = sum(each.exit_code != 0 for each in found)
    counts = f"{refusing} refused, {len(found) - refusing} accepted"
    most = max((each.seconds for each in found), default=0.0), max((each.megabytes for each in found), default=0.0)
    at_most = f"at most {most[0]:.1f} s of processor time and {most[1]:.0f} MB"
    lines.append(Text(f"{counts}, {len(lines)} not as expected; {at_most}", "bold"))
    return Group(*lines)


def checked(device: str, event: Mapping[str, Any]) -> str:
    """A line of `bnn check`."""
    if event["type"] == "failure":
        return f"{device}: {event['kernel']} is wrong at {event['shape']} (seed {event['seed']}): {event['detail']}"
    if event["type"] == "check":
        return f"{device}: {event['kernel']}, {event['cases']} cases, {event['failures']} failures"
    return f"{device}: {event['kernels']} kernels, {event['cases']} cases, {event['failures']} failures"


def checks(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("device", "family", "kernel"):
        table.add_column(heading)
    for heading in ("cases", "failures"):
        table.add_column(heading, justify="right")
    for device, events in found.items():
        for event in events:
            if event["type"] == "check":
                style = "red" if event["failures"] else ""
                cells = (device, event["family"], event["kernel"], event["cases"], event["failures"])
                table.add_row(*(Text(str(cell), style) for cell in cells))
    return table


def visited(visit: Visit) -> str:
    """A place of the matrix, in a line."""
    models = ", ".join(f"{name} {'right' if right else 'WRONG'}" for name, right in visit.models.items())
    counts = f"{visit.kernels} kernels, {visit.cases} cases, {visit.failures} failures"
    return f"{visit.place}: {counts}; {models}" + (f"; {visit.problem}" if visit.problem else "")


def matrix(found: Sequence[Visit]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("place")
    for heading in ("kernels", "cases", "failures", "models right", "seconds"):
        table.add_column(heading, justify="right")
    for each in found:
        right = f"{sum(each.models.values())} of {len(each.models)}"
        cells = (each.place, each.kernels, each.cases, each.failures, right, f"{each.seconds:.0f}")
        table.add_row(*(Text(str(cell), "" if each.ok else "red") for cell in cells))
    return Group(table, *(Text(f"{each.place}: {each.problem}", "red") for each in found if each.problem))


def kernels(found: Mapping[str, Sequence[Timing]], emulated: Set[str]) -> RenderableType:
    """The rates of kernels; those of an emulated device are stamped and have no share of anything."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("device", "kernel", "shape"):
        table.add_column(heading, overflow="fold")
    for heading in ("time", "rate", "of peak", "over sgemm"):
        table.add_column(heading, justify="right", no_wrap=True)
    for device, timings in found.items():
        name, style = (f"{device} (emulated)", "dim") if device in emulated else (device, "")
        for timing in timings:
            share = f"{timing.share:.0%}" if timing.share and not style else ""
            over = f"{words.digits(timing.over_sgemm)}×" if timing.over_sgemm else ""
            rate = f"{words.count(timing.rate * 1e9)}{'MAC' if timing.roof else ''}/s"
            cells = (name, timing.kernel, timing.shape, words.duration(timing.ns), rate, share, over)
            table.add_row(*(Text(cell, style) for cell in cells))
    return table


def counts(found: Sequence[Counted]) -> RenderableType:
    """Instructions and modelled cycles, each beside those of other engines on the same layer."""
    parts: list[RenderableType] = []
    for target in dict.fromkeys(each.target for each in found):
        own = [each for each in found if each.target == target]
        cores = against.cores(own)
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in (target, "shape"):
            table.add_column(heading, overflow="fold")
        for heading in ("per 1000\nMACs", *cores):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in against.rows(own):
            rates = (f"{row.rate[core]:.1f}" if core in row.rate else "" for core in cores)
            cells = (row.engine, row.shape, f"{row.per_kmac:.1f}", *rates)
            table.add_row(*(Text(cell, "" if row.ours else "dim") for cell in cells))
        parts.append(table)
    return Group(*parts, *(Text(note, "dim") for note in against.notes(found)))


def outlines(found: Sequence[Outline]) -> RenderableType:
    """What a bench would do, device by device."""
    lines: list[RenderableType] = []
    for each in found:
        pairs = (each.rounds, each.processes, each.seconds)
        rounds, processes, seconds = ("–".join(dict.fromkeys(f"{n:.0f}" for n in pair)) for pair in pairs)
        lines.append(Text(f"{each.device} ({each.target})", "bold"))
        lines.append(Text(f"  at most {words.size(each.bytes_at_most)} to send"))
        lines.append(Text(f"  {rounds} rounds, {processes} processes, about {seconds} s"))
        lines += [Text(f"  $ {command}", "dim") for command in each.commands]
    return Group(*lines)
