# SPDX-License-Identifier: Apache-2.0
"""All runs as pages: the real command, a real browser, and those who must not get in."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from harness.bench import store
from harness.bench.record import Run
from harness.cross.toolchain import ROOT
from tests.e2e.browser import Browser
from tests.unit.records import story

OLD, NEW, OTHER = "20261123-041500-abcd", "20261124-041500-abcd", "20261125-041500-abcd"
BROKEN = "20261122-041500-abcd"
HOSTILE = "<script>hit = 1</script>\u202e\"'" + "x" * 10_000


@dataclass(frozen=True)
class Served:
    """A server that runs; `address` is what it printed."""

    address: str
    process: subprocess.Popen[str]

    @property
    def base(self) -> str:
        return self.address.partition("?")[0].rstrip("/")

    def ask(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.base).port or 0, timeout=60)
        connection.request(method, path, headers=headers or {})
        return connection.getresponse()

    @property
    def key(self) -> dict[str, str]:
        """The header of someone who has opened the address."""
        answer = self.ask(f"/?{urlsplit(self.address).query}")
        assert answer.status == 303
        return {"Cookie": (answer.getheader("Set-Cookie") or "").partition(";")[0]}


def stranger() -> Run:
    """A run whose every name is hostile, and that shares no model with the others."""
    run = story()
    nets = tuple(
        net.model_copy(update={"name": HOSTILE + net.name, "baseline": HOSTILE + net.baseline if net.baseline else ""})
        for net in run.models
    )
    cases = tuple(case.model_copy(update={"model": HOSTILE + case.model}) for case in run.devices[0].cases)
    board = run.devices[0].model_copy(update={"name": HOSTILE, "cases": cases, "facts": {HOSTILE: HOSTILE}})
    return run.model_copy(update={"id": OTHER, "models": nets, "devices": (board,)})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    runs = tmp_path_factory.mktemp("runs")
    store.save(runs, story())
    store.save(runs, story(8).model_copy(update={"id": NEW, "created": "2026-11-24T04:15:00+00:00"}))
    store.save(runs, stranger())
    (runs / BROKEN).mkdir()
    (runs / BROKEN / store.RECORD).write_text("{", "utf-8")
    command = [sys.executable, "-m", "invoke", "report.serve", "--json"]
    environment = {**os.environ, "BITRIG_RUNS": str(runs)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        yield Served(json.loads(next(lines) + next(lines) + next(lines))["address"], process)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout.read() == "", "one document on standard output, and nothing else"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as chromium:
        yield chromium


def test_nobody_gets_in_without_the_key(served: Served) -> None:
    for path in ("/", f"/run/{OLD}", f"/run/{OLD}/json", "/history", "/nothing", "/?token=", "/?token=%C3%A9"):
        answer = served.ask(path)
        assert answer.status == 403, path
        assert b"seed_" not in answer.read()
    wrong = served.key["Cookie"][:-1] + "?"
    assert served.ask("/", {"Cookie": wrong}).status == 403
    assert served.ask("/", served.key).status == 200


def test_a_name_that_was_rebound_to_this_machine_is_refused(served: Served) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "169.254.1.1"):
        assert served.ask("/", served.key | {"Host": host}).status == 400, host
    assert served.ask("/", served.key | {"Host": "localhost"}).status == 200


def test_the_key_is_no_part_of_what_a_page_gives_away(served: Served) -> None:
    answer = served.ask(f"/run/{OLD}?{urlsplit(served.address).query}&x=1")
    assert answer.getheader("Location") == f"/run/{OLD}?x=1"
    cookie = answer.getheader("Set-Cookie") or ""
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    page = served.ask("/", served.key)
    assert served.address.rpartition("=")[2].encode() not in page.read()
    assert page.getheader("Referrer-Policy") == "no-referrer"
    assert page.getheader("Cache-Control") == "no-store"
    assert "frame-ancestors 'none'" in (page.getheader("Content-Security-Policy") or "")
    assert page.getheader("Cross-Origin-Resource-Policy") == "same-origin"


def test_only_reading_is_possible_and_only_of_runs(served: Served) -> None:
    key = served.key
    assert served.ask("/", key, "POST").status == 405
    for path in (
        "/run/..%2f..%2fetc/json",
        "/run/%2fetc%2fpasswd",
        "/run/boards",
        f"/run/{OLD}/html",
        "/compare?run=1",
    ):
        assert served.ask(path, key).status in (400, 404), path
    exported = served.ask(f"/run/{OLD}/json", key)
    assert Run.model_validate_json(exported.read()) == story()
    assert exported.getheader("Content-Type") == "text/plain; charset=utf-8"


def test_a_port_that_is_taken_is_a_users_mistake(served: Served) -> None:
    command = [sys.executable, "-m", "invoke", "report.serve", "--port", str(urlsplit(served.base).port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "cannot be had" in done.stderr


def test_runs_are_searched_and_two_compared_by_a_click(served: Served, browser: Browser) -> None:
    browser.open(served.address)
    assert browser.eval("location.href") == f"{served.base}/"
    assert browser.eval("document.querySelector('h1').textContent") == "4 runs"
    rows = "[...document.querySelectorAll('tbody tr')]"
    assert browser.eval(f"{rows}.map(row => row.querySelector('input').value)") == [OTHER, NEW, OLD, BROKEN]
    assert "cannot be read" in browser.eval(f"{rows}[3].innerText")
    assert "faster than seed_float" in browser.eval(f"{rows}[2].innerText")

    browser.eval("document.querySelector('[name=q]').value = 'pi4 SEED_dorefa 20261124'")
    browser.click("document.querySelector('.search button')")
    assert browser.eval("document.querySelector('h1').textContent").startswith("1 run with")
    browser.click("document.querySelector('.search a')")

    button = "document.querySelector('.choose button[type=submit]')"
    assert browser.eval(f"{button}.disabled")
    for index in (2, 1):
        browser.eval(f"{rows}[{index}].querySelector('input').click()")
    assert browser.eval(f"{rows}[0].querySelector('input').disabled"), "two are enough"
    browser.click(button)
    assert browser.eval("document.querySelector('#verdict').textContent").count("as fast as before") == 4
    assert "not measured side by side" in browser.eval("document.querySelector('.caveats').textContent")
    assert f"--baseline {OLD} --candidate {NEW}" in browser.eval("document.querySelector('#reproduce pre').textContent")
    browser.click("document.querySelector('.brand')")
    browser.click(f"{rows}[2].querySelector('a')")
    assert browser.eval("document.querySelectorAll('h1').length") == 1
    assert browser.eval("location.pathname") == f"/run/{OLD}"
    assert browser.console == []


def test_it_works_without_script(served: Served, browser: Browser) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(served.address)
    assert browser.console == []
    answer = served.ask(f"/compare?run={NEW}&run={OLD}", served.key)
    assert answer.status == 200
    assert b"not measured side by side" in answer.read()


def test_what_cannot_be_compared_is_said(served: Served) -> None:
    for chosen, said in (((OLD, OTHER), "no model in common"), ((OLD,), "not 1"), ((OLD, "x"), "no run")):
        answer = served.ask("/compare?" + "&".join(f"run={run}" for run in chosen), served.key)
        assert answer.status == 400
        assert said in answer.read().decode()


def test_hostile_names_are_text_in_every_page(served: Served, browser: Browser) -> None:
    for path in ("", f"/run/{OTHER}", "/history"):
        browser.open(served.address if not path else f"{served.base}{path}")
        assert browser.eval("typeof hit") == "undefined"
        assert browser.eval("document.querySelectorAll('script').length") == 1
        assert browser.eval("document.documentElement.scrollWidth") <= 1280
    assert browser.console == []


def test_the_history_is_of_the_models_and_devices_asked_for(served: Served, browser: Browser) -> None:
    browser.open(served.address)
    browser.open(f"{served.base}/history?model=*dorefa&device=loc*")
    names = "new Set([...document.querySelectorAll('figure tbody tr')].map(row => row.cells[2].textContent))"
    assert browser.eval(f"[...{names}]") == ["seed_dorefa"]
    assert browser.eval("document.querySelector('figcaption').textContent").startswith("History on this machine")
    browser.open(f"{served.base}/history?device=nobody")
    assert "needs two runs" in browser.eval("document.body.textContent")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("path", ["/", f"/compare?run={OLD}&run={NEW}", "/history", "/nothing"])
def test_axe_finds_no_serious_problem(served: Served, browser: Browser, path: str, dark: bool) -> None:
    browser.call("Page.setBypassCSP", enabled=True)
    browser.open(served.address, dark=dark)
    browser.open(f"{served.base}{path}", dark=dark)
    assert browser.complaints() == []
    browser.call("Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1, mobile=False)
    assert browser.eval("document.documentElement.scrollWidth") <= 360
