# SPDX-License-Identifier: Apache-2.0
"""What stored runs measured, for a terminal: a line each, with a bar that shows how it went from commit to commit."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from harness.bench.history import Line
from harness.report import words

WIDTH = 16


def table(lines: Sequence[Line]) -> Table:
    """The bars of a model on a device share a scale; instructions have a column where anything counted them."""
    counted = any(line.instructions is not None for line in lines)
    lengths: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        lengths.setdefault((line.device, line.model), []).append(_length(line))
    drawn = any(len(own) > 1 for own in lengths.values())
    made = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("run", "revision"):
        made.add_column(heading, no_wrap=True)
    for heading in ("device", "model", "outputs"):
        made.add_column(heading, overflow="fold")
    for heading in ("time", "", *(["instructions"] if counted else [])):
        made.add_column(heading, justify="right", no_wrap=True)
    made.add_column("", no_wrap=True, min_width=WIDTH if drawn else 0)
    for line in lines:
        longest = max(lengths[line.device, line.model])
        made.add_row(
            *(line.run, line.revision),
            *(Text(words.short(text)) for text in (line.device + (" (emulated)" if line.emulated else ""), line.model)),
            Text("✓" if line.correct else "✕", "green" if line.correct else "red"),
            words.duration(line.median) if line.median is not None else "–",
            Text(words.duration_range(line.low, line.high), "dim"),
            *([f"{line.instructions:,}" if line.instructions is not None else ""] if counted else []),
            Text("█" * round(WIDTH * _length(line) / longest) if drawn and longest else "", "dim"),
        )
    return made


def _length(line: Line) -> float:
    """What the bar shows: the time, or, where time proves nothing, the instructions."""
    return float((line.instructions if line.emulated else line.median) or 0.0)
