# SPDX-License-Identifier: Apache-2.0
"""The history in a terminal: bars of one scale for a model on a device, and instructions where time proves nothing."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from harness.bench.history import Line
from harness.report import past

LINE = Line("20261123-000000-0001", "", "0123456789", "pi4", False, "net", True, 1e6, 0.9e6, 1.1e6, None)


def shown(*lines: Line) -> list[str]:
    console = Console(width=140, record=True, file=None)
    with console.capture() as capture:
        console.print(past.table(lines))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_bars_show_how_a_model_went() -> None:
    _, first, second, other = shown(LINE, replace(LINE, median=5e5), replace(LINE, device="pi5", median=1e9))
    assert first.endswith(" " + "█" * 16)
    assert second.endswith(" " + "█" * 8)
    assert other.endswith(" " + "█" * 16)
    assert "20261123-000000-0001" in first
    assert "1.00 ms" in first or "1 ms" in first


def test_one_run_has_no_bar_and_an_emulated_board_shows_instructions() -> None:
    assert "█" not in "".join(shown(LINE))
    emulated = replace(LINE, emulated=True, instructions=120_000)
    heading, first, second = shown(emulated, replace(emulated, instructions=60_000, median=9e6))
    assert "instructions" in heading
    assert "(emulated)" in first
    assert "60,000" in second
    assert second.endswith(" " + "█" * 8), "by instructions, not by a time that proves nothing"
