# SPDX-License-Identifier: Apache-2.0
"""What `inv kernels` shows of figures that are known: on the terminal and on the page."""

from __future__ import annotations

import pytest
from rich.console import Console, RenderableType

from harness.bench import instructions
from harness.bench.instructions import Counted
from harness.bench.kernels import Timing
from harness.commands import kernels
from harness.report import against, terminal

SHAPE = "56x56x64->64 3x3"
TIMING = Timing("bconv2d", "bconv2d_8x4_neon", SHAPE, 115_605_504, 1.2e6, 1.0e6, 128.0, 8.0e6)
RATES = {"cortex-a53": 27.2, "cortex-a72": 97.8}


def counted(**rate: float) -> list[Counted]:
    return [
        Counted("aarch64", "bconv2d_8x4_neon", SHAPE, 1000, 31, rate),
        Counted("aarch64", "bconv2d_8x1_scalar", SHAPE, 1000, 188, dict.fromkeys(rate, 2.0)),
    ]


def shown(what: RenderableType) -> str:
    console = Console(width=160, color_system=None)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def test_a_timing_is_compared_by_its_fastest_sample() -> None:
    assert TIMING.rate == pytest.approx(96.3, abs=0.1)
    assert TIMING.share == pytest.approx(0.903, abs=0.001)
    assert TIMING.over_sgemm == 8.0
    line = shown(terminal.kernels({"board": [TIMING]}, set())).splitlines()[1]
    assert line.split() == ["board", "bconv2d_8x4_neon", *SHAPE.split(), "1.20", "ms", "96.3", "GMAC/s", "90%", "8.00×"]


def test_an_emulated_device_has_no_share() -> None:
    line = shown(terminal.kernels({"board": [TIMING]}, {"board"})).splitlines()[1]
    assert "(emulated)" in line
    assert "90%" not in line


def test_counts_stand_beside_the_other_engines() -> None:
    found = counted(**RATES)
    text = shown(terminal.counts(found))
    (lce,) = (line for line in text.splitlines() if line.startswith("LCE ") and SHAPE in line)
    assert lce.split() == ["LCE", *SHAPE.split(), "40.4", "13.6", "48.9"]
    assert "cortex-a53 2.00×, cortex-a72 2.00×" in " ".join(text.split())
    anchor = next(each for each in instructions.anchors() if each.name == "LCE")
    assert against.over(found, anchor) == pytest.approx({"cortex-a53": 2.0, "cortex-a72": 2.0})


def test_it_is_told_loudly_that_nothing_was_modelled() -> None:
    text = " ".join(shown(terminal.counts(counted())).split())
    assert "NOT MODELLED: cycles need llvm-mca-19" in text
    assert "apt install llvm-19" in text


def test_the_page_has_every_figure_and_escapes_what_strangers_wrote() -> None:
    html = kernels._page({"<b>board</b>": [TIMING]}, set(), counted(**RATES))
    assert "<b>board" not in html
    assert "&lt;b&gt;board" in html
    for figure in ("1.20 ms", "90 %", "8.00×", "31.0", "40.4", "97.8"):
        assert figure in html
    bare = kernels._page({"board": [TIMING]}, {"board"}, [])
    assert "90 %" not in bare
    assert "emulated" in bare
    assert "Instructions on ARM" not in bare


def test_the_document_says_which_figures_are_others() -> None:
    document = kernels._document({"board": [TIMING]}, set(), counted(**RATES))
    assert document["devices"]["board"][0]["share"] == TIMING.share
    assert [each["per_kmac"] for each in document["counted"]] == [31.0, 188.0]
    assert [each["engine"] for each in document["others"]] == ["LCE", "dabnn"]
