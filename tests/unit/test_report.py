# SPDX-License-Identifier: Apache-2.0
"""The page and the terminal table: the same words, nothing from outside, nothing executed."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from rich.console import Console

from harness.bench.compare import results
from harness.bench.record import Case, Node, Run
from harness.cross.toolchain import ROOT
from harness.report import page, terminal, verdicts, words
from harness.report.charts import times
from harness.report.layers import by_device, changes, layers
from harness.report.sections import SECTIONS
from harness.report.sizes import sizes
from tests.unit.records import story

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}\u202e\x07" + "x" * 10_000


class Reader(HTMLParser):
    """Collects what a browser would see: tags with attributes, visible text, scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts.append(data)
        elif not self._open:
            self.text.append(data)

    def __contains__(self, sentence: str) -> bool:
        return " ".join(sentence.split()) in " ".join("".join(self.text).replace("\u2060", "").split())


def printed(run: Run) -> str:
    console = Console(file=io.StringIO(), width=240, color_system=None)
    console.print(terminal.summary(run))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_verdict_comes_first_and_in_the_same_words_everywhere() -> None:
    run = story()
    reader, shown = Reader(page.render(run)), printed(run)
    sentences = [str(sentence) for sentence in verdicts.sentences(run)]
    assert re.match(
        r"seed_ste_sign on this machine: 2\.7\dx faster than seed_float \(2\.\d+–2\.\d+\), outputs correct, 6\.3x ",
        sentences[0],
    )
    for sentence in sentences:
        assert sentence in reader
        assert sentence in shown
    headings = [tag for tag, _ in reader.tags if tag in ("h1", "h2")]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1


def test_every_outcome_is_told() -> None:
    said = "\n".join(str(sentence) for sentence in verdicts.sentences(story()))
    assert "seed_ste_sign on pi4: wrong output, 64 of 64 values differ, so it was not timed" in said
    assert "seed_dorefa on pi4: no result, bnn was killed by SIGILL." in said
    assert "zero: no result, zero.local does not answer on port 22." in said
    assert "on qemu-aarch64: outputs correct, emulated: its times prove nothing" in said
    assert verdicts.tally(story()) == "12 cases: 7 correct, 1 wrong, 4 without a result"
    assert verdicts.exit_code(story()) == 4


def test_emulated_and_wrong_results_have_no_ratio() -> None:
    for result in results(story()):
        if result.device.emulated or result.wrong or result.device.name == "zero":
            assert result.ratio is None
            assert result.verdict is None
        if result.wrong:
            assert result.time is None


def test_the_page_needs_nothing_from_outside_and_allows_only_its_own_script() -> None:
    reader = Reader(page.render(story()))
    policy = next(a["content"] for tag, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    (script,) = reader.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    for tag, attributes in reader.tags:
        for name in ("src", "href", "xlink:href", "action"):
            assert re.match(r"(#|data:|$)", attributes.get(name) or ""), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)


def test_hostile_names_are_text() -> None:
    run = story()
    worded = {"name": HOSTILE, "layer": HOSTILE, "reason_text": HOSTILE, "remedy": HOSTILE}
    layer = run.models[1].layers[0].model_copy(update=worded)
    node = Node(name=HOSTILE, op=HOSTILE, inputs=("", HOSTILE))
    nets = tuple(
        net.model_copy(
            update={
                "name": HOSTILE + net.name,
                "baseline": HOSTILE + net.baseline if net.baseline else "",
                "layers": (layer,),
                "graph": (node, node),
                "notes": (HOSTILE,),
            }
        )
        for net in run.models
    )
    device = run.devices[0]
    cases = tuple(case.model_copy(update={"model": HOSTILE + case.model}) for case in device.cases)
    device = device.model_copy(update={"name": HOSTILE, "cases": cases, "facts": {HOSTILE: HOSTILE}})
    hostile = run.model_copy(update={"models": nets, "devices": (device,)})
    reader = Reader(page.render(hostile))
    assert len(reader.scripts) == 1
    assert sum(tag == "script" for tag, _ in reader.tags) == 1
    assert "<script>alert(1)</script>" in reader
    assert "{{7*7}}" in reader
    assert "\x1b" not in printed(hostile)


def test_the_same_run_gives_the_same_bytes_in_any_process() -> None:
    script = (
        "import hashlib; from harness.report import page; from tests.unit.records import story; "
        "print(hashlib.sha256(page.render(story(), [story()]).encode()).hexdigest())"
    )
    digests = {
        subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert digests == {hashlib.sha256(page.render(story(), [story()]).encode()).hexdigest().encode() + b"\n"}


def test_the_record_can_be_had_back_from_the_page() -> None:
    reader = Reader(page.render(story()))
    href = next(a["href"] for _, a in reader.tags if a.get("download"))
    assert href
    record = base64.b64decode(href.removeprefix("data:application/json;base64,"))
    assert Run.model_validate_json(record) == story()


def test_the_parts_of_a_size_add_up_to_the_file() -> None:
    found = sizes(story())
    assert found is not None
    assert [size.model.name for size in found] == ["seed_float", "seed_ste_sign", "seed_dorefa"]
    for size in found:
        assert sum(bytes for _, bytes in size.parts) == size.model.bnn_bytes
    plain, binary, _ = found
    assert plain.predicted == 4 * (864 + 18_432 + 36_864 + 640)
    assert binary.predicted == 4 * (864 + 640) + (18_432 + 36_864) // 8
    assert (plain.padding, binary.padding) == (0, 0)


def test_kernels_that_do_not_fill_words_are_padded_and_old_records_have_no_size() -> None:
    net = story().models[1]
    narrow = net.layers[1].model_copy(update={"kernel_shape": (64, 3, 3, 12)})
    run = story().model_copy(update={"models": (net.model_copy(update={"layers": (narrow,)}),)})
    (size,) = sizes(run) or ()
    assert size.predicted == 64 * 9 * 12 // 8
    assert size.padding == 64 * 9 * 4 - size.predicted
    unknown = narrow.model_copy(update={"kernel_shape": ()})
    assert sizes(run.model_copy(update={"models": (net.model_copy(update={"layers": (unknown,)}),)})) is None


def test_changes_come_by_gain_and_the_same_layer_of_several_nets_once() -> None:
    found = changes(story())
    assert found is not None
    gains = [change.gain for change in found.changes]
    assert gains == sorted(gains, reverse=True)
    (first,) = [change for change in found.changes if change.layer.name == "conv_1"]
    assert [model.name for model in first.models] == ["seed_float", "seed_ste_sign", "seed_dorefa"]
    assert "qemu-aarch64" not in first.saves_ns, "an emulator saves no time"
    assert {change.layer.name for change in found.small} == {"dense"}
    assert all(change.layer.reason == "too-small" for change in found.small)
    reader = Reader(page.render(story()))
    assert first.layer.reason_text in reader
    assert first.layer.remedy in reader
    assert "2 layers would gain too little to notice" in reader
    assert found.small[0].layer.reason_text in reader


def test_bars_of_a_device_share_one_scale() -> None:
    for _, bars in by_device(layers(story())):
        assert max(bar.scale for bar in bars) == 1
        for bar in bars:
            assert sum(part.share for part in bar.parts) == pytest.approx(1)
            assert bar.scale == pytest.approx(bar.total / max(other.total for other in bars))


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_a_run_of_one_device_of_any_fate_renders(kept: int) -> None:
    run = story()
    alone = run.model_copy(update={"devices": run.devices[kept : kept + 1], "models": run.models[:1]})
    assert "1 case" in page.render(alone)
    assert printed(alone)


def test_a_run_that_has_only_begun_renders() -> None:
    run = story()
    begun = [device.model_copy(update={"cases": (Case(model="seed_float"),)}) for device in run.devices[:1]]
    for early in (
        run.model_copy(update={"devices": (), "models": ()}),
        run.model_copy(update={"devices": tuple(begun)}),
    ):
        assert page.render(early)
        assert printed(early)


def test_every_section_has_a_template() -> None:
    assert {path.name.removesuffix(".html.j2") for path in page.TEMPLATES.glob("sections/*")} == set(SECTIONS)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0.4, "0.40 ns"),
        (812, "812 ns"),
        (999.6, "1.00 µs"),
        (45_300, "45.3 µs"),
        (1_240_000, "1.24 ms"),
        (3.1e12, "3100 s"),
    ],
)
def test_durations(ns: float, text: str) -> None:
    assert words.duration(ns) == text


def test_sizes_factors_and_ranges() -> None:
    assert words.size(912) == "912 B"
    assert words.size(19_816) == "19.8 kB"
    assert words.duration_range(1_211_000, 1_272_000) == "1.21–1.27 ms"
    assert words.duration_range(None, None) == ""
    assert words.times(1.237) == "1.24x"
    assert words.times(31.4) == "31x"
    assert words.count(3_410_000) == "3.41 M"
    assert words.shape((1, 32, 32, 64)) == "32×32×64"


def test_names_that_run_from_right_to_left_do_not_turn_the_numbers_beside_them() -> None:
    assert words.short("net") == "net"
    assert words.short("\u05e9\u05dc\u05d5\u05dd") == "\u2068\u05e9\u05dc\u05d5\u05dd\u2069"
    assert words.short("\u0634" * 100).startswith("\u2068")
    assert words.short("\u0634" * 100).endswith("\u2069")


def test_the_zone_of_no_difference_is_drawn_where_it_is_near() -> None:
    run = story()
    board = run.devices[0].model_copy(update={"noise_floor": 0.05})
    far = times.ratios(run, board)
    assert far is not None
    assert "grey zone" not in far.description
    assert "A differs from A by 5.0% here" in far.description
    alike = tuple(board.cases[0].model_copy(update={"model": net.name}) for net in run.models)
    near = times.ratios(run, board.model_copy(update={"cases": alike}))
    assert near is not None
    assert "The grey zone, ±5%" in near.description
    assert near.svg.count("<path") > far.svg.count("<path")
