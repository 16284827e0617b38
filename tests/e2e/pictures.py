# SPDX-License-Identifier: Apache-2.0
"""The pictures of docs/images, taken of stored runs: python -m tests.e2e.pictures RUN DEEP

RUN is the run that README tells of, DEEP one of a net with many layers. The letters are those of this machine; with
Inter installed they are the page's own.
"""

from __future__ import annotations

import io
import sys
import tempfile
import threading
from pathlib import Path

from rich import terminal_theme
from rich.console import Console, Group
from rich.text import Text

from harness.bench import store
from harness.bench.record import Run
from harness.bench.shelf import Shelf
from harness.commands.console import RUNS
from harness.cross.toolchain import ROOT
from harness.report import page, terminal
from harness.report.site import Site
from tests.e2e.browser import Browser

IMAGES = ROOT / "docs" / "images"
NARROW, WIDE, PAPER = 360, 1280, 794
TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #16181d; color: #e6e8eb; padding: 28px 34px; width: max-content }}
pre {{ font: 15px/1.45 "DejaVu Sans Mono", monospace; margin: 0 }}</style><pre>{code}</pre>"""


def main(told: Run, deep: Run) -> None:
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        report, large, shell = (Path(folder) / name for name in ("report.html", "deep.html", "terminal.html"))
        report.write_text(page.render(told, store.before(RUNS, told.id)), "utf-8")
        large.write_text(page.render(deep, store.before(RUNS, deep.id)), "utf-8")
        shell.write_text(_terminal(told), "utf-8")

        browser.open(report, WIDE)
        _keep("report", browser.shot(0, 1230))
        _keep("report-changes", browser.shot(_top(browser, "changes"), 1500))
        browser.open(report, WIDE, dark=True)
        _keep("report-dark", browser.shot(_top(browser, "layers"), 1200))
        browser.open(report, NARROW)
        _keep("report-360", browser.shot(0, 1700))
        browser.open(large, WIDE)
        browser.eval("document.querySelectorAll('.net details').forEach((block, at) => { block.open = at % 4 == 0; })")
        _keep("report-net", browser.shot(_top(browser, "graph"), 1000))
        browser.open(report, PAPER)
        browser.call("Emulation.setEmulatedMedia", media="print")
        browser.eval("document.body.style.padding = '53px'")  # what @page is to paper
        _keep("report-print", browser.shot(0, 1123))
        browser.call("Emulation.setEmulatedMedia", media="screen")
        browser.open(shell, WIDE)
        _keep("terminal", browser.shot(0, int(browser.eval("document.body.getBoundingClientRect().height"))))
        site = Site(Shelf(RUNS))
        threading.Thread(target=site.run, daemon=True).start()
        browser.open(site.address, WIDE)
        _keep("runs", browser.shot(0, 900))


def _terminal(run: Run) -> str:
    """What a bench prints at its end, as a page."""
    console = Console(record=True, width=118, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    prompt = Text.assemble(("$ ", "dim"), " ".join(run.command))
    console.print(Group(prompt, Text(), terminal.summary(run)))
    return console.export_html(theme=terminal_theme.MONOKAI, code_format=TERMINAL, inline_styles=True)


def _top(browser: Browser, section: str) -> int:
    """Where a section begins, with a little air above."""
    script = f"Math.max(0, document.getElementById('{section}').getBoundingClientRect().top + scrollY - 24)"
    return int(browser.eval(script))


def _keep(name: str, picture: bytes) -> None:
    (IMAGES / f"{name}.png").write_bytes(picture)


if __name__ == "__main__":
    main(*(store.load(store.find(RUNS, name)) for name in sys.argv[1:3]))
