# SPDX-License-Identifier: Apache-2.0
"""A bench as it runs: a table with a row a device on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from harness.bench.events import Event, Failed
from harness.commands.console import news
from harness.report import live
from harness.report.rows import Row, Rows

BAR = 24  # columns


@contextmanager
def following() -> Iterator[Callable[[Event], None]]:
    """A listener for the events of a bench."""
    if not news.is_terminal:
        yield _print
        return
    table = _Board()
    with Live(get_renderable=table.drawn, console=news, refresh_per_second=8):
        yield table.add


def _print(event: Event) -> None:
    if line := live.line(event):
        news.print(Text(line))


class _Board:
    def __init__(self) -> None:
        self._rows = Rows()
        self._begun: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._spinner = Spinner("dots")

    def add(self, event: Event) -> None:
        self._rows.add(event)
        device = live.device_of(event)
        self._begun.setdefault(device, time.monotonic())
        if device and self._rows.by_device[device].over:
            self._ended.setdefault(device, time.monotonic())
        # The table forgets what happened before; what must not be missed stays above it.
        line = live.line(event)
        lasting = not device or (isinstance(event, Failed) and event.model)
        if line and lasting and not isinstance(event, live.PASSING):
            news.print(Text(line, "red" if isinstance(event, Failed) else "dim"))

    def drawn(self) -> Group:
        table = Table.grid(padding=(0, 1))
        for _ in range(4):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for device, row in self._rows.by_device.items():
            now = time.monotonic()
            seconds = self._ended.get(device, now) - self._begun.get(device, now)
            bar = ProgressBar(1.0, 0.0 if row.failed else min(1.0, row.share), BAR)
            share = Text("failed", "red") if row.failed else Text(f"{row.share:4.0%}")
            table.add_row(Text(device), bar, share, Text(f"{seconds:.0f} s", "dim"), _state(row))
        if not self._rows.host:
            return Group(table)
        self._spinner.update(text=Text(self._rows.host))
        return Group(table, self._spinner)


def _state(row: Row) -> Text:
    return Text(" ".join(row.state.split()), "red" if row.failed or row.gone else "dim" if row.over else "")
