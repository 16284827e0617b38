# SPDX-License-Identifier: Apache-2.0
"""The report for a terminal: the same verdicts in the same words, as rich renderables."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.bench.record import Model, Run
from harness.report import sections, words

_STYLES = {"good": "green", "plain": "", "open": "yellow", "bad": "red"}


def summary(run: Run) -> RenderableType:
    """The table of all results, then the verdicts and the caveats."""
    said = sections.verdict(run)
    lines: list[RenderableType] = [_table(run), Text()]
    for sentence in said.sentences:
        style = _STYLES[sentence.tone]
        line = Text.assemble((f"{sentence.icon} ", style), f"{sentence.subject}: ", (sentence.claim, f"bold {style}"))
        lines.append(line.append(f", {sentence.rest}" if sentence.rest else ""))
    for caveat in said.caveats:
        lines.append(Text.assemble(("! ", "yellow"), f"{caveat.subject}: {caveat.evidence} {caveat.advice}"))
    return Group(*lines)


def _table(run: Run) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("model", "device", "outputs", "binary layers"):
        table.add_column(heading, overflow="fold")
    for heading in ("file", "weights", "time", "", "speed", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in sections.compare(run):
        result = row.result
        correct = result.outputs == "correct"
        table.add_row(
            Text(result.model.name),
            Text(result.device.name + (" (emulated)" if result.device.emulated else "")),
            Text(f"{'✓' if correct else '✕'} {result.outputs}", "green" if correct else "red"),
            words.binary_share(result.model),
            words.size(result.model.bnn_bytes),
            words.size(result.model.weight_bytes),
            Text(row.time or "–", "dim" if result.device.emulated else "bold"),
            Text(row.interval, "dim"),
            Text(row.speed or "–", "dim" if result.ratio is None else ""),
            Text(row.bounds, "dim"),
        )
    return table


def layers(model: Model) -> RenderableType:
    """What each layer of a model is, why, and what to change; for `explain`."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("layer", "runs as", "output"):
        table.add_column(heading, overflow="fold")
    for heading in ("MACs", "weights"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("why not binary, and what to change", overflow="fold")
    for layer in model.layers:
        why = Text(layer.reason_text)
        if layer.remedy:
            why.append(("\n" if layer.reason_text else "") + f"→ {layer.remedy}", "dim")
        table.add_row(
            Text(layer.name),
            Text(words.kind(layer), "bold" if layer in model.binary else ""),
            words.shape(layer.output_shape),
            words.count(layer.macs),
            words.size(layer.param_bytes),
            why,
        )
    return table
