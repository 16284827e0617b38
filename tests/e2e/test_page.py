# SPDX-License-Identifier: Apache-2.0
"""The report in a real browser: offline, without a complaint, sortable, in both themes, narrow, printed, accessible."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.report import page
from tests.e2e.browser import Browser
from tests.unit.records import deep, story

SPEED = 3  # the column "Speed" of the comparison


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.render(story()), "utf-8")
    return path


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as chromium:
        yield chromium


def column(browser: Browser, index: int) -> list[str]:
    script = f"[...document.querySelectorAll('#compare-table tbody tr')].map(r => r.cells[{index}].dataset.value ?? '')"
    found: list[str] = browser.eval(script)
    return found


def test_it_opens_from_a_file_offline_and_nothing_is_complained_about(browser: Browser, report: Path) -> None:
    start = time.monotonic()
    browser.open(report)
    assert time.monotonic() - start < 10
    assert browser.eval("document.title").endswith("- bitrig")
    assert browser.eval("document.querySelector('h1').textContent").count("faster than") == 1
    assert browser.console == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:", "about:"))] == []


def test_the_policy_stops_what_is_injected(browser: Browser, report: Path) -> None:
    browser.open(report)
    inject = """(() => {
        window.hit = 0;
        const script = document.createElement('script');
        script.textContent = 'window.hit = 1';
        const hostile = document.createElement('div');
        hostile.innerHTML = '<img src=x onerror="hit = 2"><img src="http://example.invalid/x.png">';
        document.body.append(script, hostile);
        return window.hit;
    })()"""
    assert browser.eval(inject) == 0
    assert browser.eval("new Promise(r => setTimeout(() => r(window.hit), 300))") == 0
    assert any("Content Security Policy" in line for line in browser.console)


def test_tables_sort_by_number_and_back(browser: Browser, report: Path) -> None:
    browser.open(report)
    head = f"document.querySelectorAll('#compare-table th[scope=col]')[{SPEED}]"
    browser.eval(f"{head}.querySelector('button').click()")
    rising = [float(value) for value in column(browser, SPEED) if value]
    assert rising == sorted(rising)
    assert len(rising) > 1
    assert browser.eval(f"{head}.getAttribute('aria-sort')") == "ascending"
    browser.eval(f"{head}.querySelector('button').click()")
    assert [float(value) for value in column(browser, SPEED) if value] == rising[::-1]


def test_the_theme_follows_the_system_and_the_button(browser: Browser, report: Path) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    browser.open(report)
    light = browser.eval(background)
    browser.open(report, dark=True)
    assert browser.eval(background) != light
    browser.eval("document.getElementById('theme').click()")
    assert browser.eval(background) == light


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_sticks_out_of_the_page(browser: Browser, report: Path, width: int) -> None:
    browser.open(report, width=width)
    assert browser.eval("document.documentElement.scrollWidth") <= width


def test_it_reads_without_script_and_prints(browser: Browser, report: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(report)
    assert browser.console == []
    assert len(browser.pdf()) > 20_000


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_serious_problem(browser: Browser, report: Path, dark: bool, width: int) -> None:
    browser.call("Page.setBypassCSP", enabled=True)
    browser.open(report, width=width, dark=dark)
    assert browser.complaints() == []


def test_tables_are_filtered_by_words(browser: Browser, report: Path) -> None:
    browser.open(report)
    field = "document.querySelector('.filter input')"
    shown = "[...document.querySelectorAll('#compare-table tbody tr:not([hidden])')].map(row => row.innerText)"
    browser.eval(f"{field}.value = 'Faster LOCAL'; {field}.dispatchEvent(new Event('input'))")
    assert len(browser.eval(shown)) == 2
    assert all("faster" in row and "local" in row for row in browser.eval(shown))
    assert browser.eval("document.querySelector('.filter [role=status]').textContent") == "2 of 12"
    browser.eval(f"{field}.value = ''; {field}.dispatchEvent(new Event('input'))")
    assert len(browser.eval(shown)) == 12


def test_the_pointer_and_the_arrow_keys_tell_what_a_mark_is(browser: Browser, report: Path) -> None:
    browser.open(report)
    tip = "document.querySelector('.tip')"
    assert browser.eval(f"{tip}.hidden")
    browser.eval("document.querySelector('.stack i').dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))")
    assert "conv_1: 38" in browser.eval(f"{tip}.textContent")
    browser.eval("document.querySelectorAll('.drawing')[1].focus()")
    for key in ("ArrowRight", "ArrowRight"):
        browser.call("Input.dispatchKeyEvent", type="keyDown", key=key)
    assert re.fullmatch(r"seed_ste_sign, round 2: 2\.\d+x", browser.eval(f"{tip}.textContent"))
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    assert browser.eval(f"{tip}.hidden")


def test_the_keyboard_reaches_everything_that_can_be_done(browser: Browser, report: Path) -> None:
    browser.open(report)
    reached = set()
    active = "(e => e.id || e.className || e.tagName)(document.activeElement)"
    for _ in range(120):
        browser.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", windowsVirtualKeyCode=9)
        reached.add(browser.eval(active))
    assert {"skip", "theme", "BUTTON", "INPUT", "scroll", "SUMMARY", "button"} <= reached
    assert browser.eval("document.querySelectorAll('[tabindex]:not([tabindex=\"0\"])').length") == 0


def test_a_net_of_many_nodes_folds_and_shows_who_reads_whom(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "deep.html"
    path.write_text(page.render(deep()), "utf-8")
    browser.open(path)
    assert browser.console == []
    assert browser.eval("document.querySelectorAll('.net details').length") == 50
    assert browser.eval("document.querySelectorAll('.net details[open]').length") == 0
    browser.eval("document.querySelector('.net details').open = true")
    first = "document.querySelector('.net details[open] .nodes')"
    assert browser.eval(f"[...{first}.querySelectorAll('strong')].map(e => e.textContent)") == [
        "pack_0",
        "conv_0",
        "add_0",
    ]
    assert "reads conv_0 and the input" in browser.eval(f"{first}.textContent")
    assert browser.eval("document.querySelectorAll('.net details[open] .gutter path').length") == 4
    assert browser.eval("document.documentElement.scrollWidth") <= 1280
