# SPDX-License-Identifier: Apache-2.0
"""What the report of a model costs: its size, the time to make it, and the time until a browser shows it.

The net is real; the boards are made up, with as many rounds as a run has at most, so that no board is needed and every
board has something to draw.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.bench import store, subject
from harness.bench.record import Agreement, Build, Case, Device, LayerTime, Model, Profile, Run, Variant
from harness.model import pipeline
from harness.report import page
from tests.e2e.browser import Browser
from tests.unit.records import PEAKS, processes

BOARDS = {"pi4": 6.2e6, "pi5": 2.9e6, "local": 1.4e6}
"""Nanoseconds that the binary net takes there; its float twin takes three times as long."""
ROUNDS = 30
REPEATS = 5

COLD = """
import sys, time
start = time.perf_counter()
from harness.bench import store
from harness.report import page
from pathlib import Path
page.render(store.load(Path(sys.argv[1])))
print(time.perf_counter() - start, time.process_time())
"""


@dataclass(frozen=True)
class Cost:
    """Of one report; `nodes` of the net, the rest in bytes and seconds.

    Attributes:
        cold: to load the record and make the page, in a fresh process; cpu: the part of it that was not waiting.
        warm: to make it once more; shown: from the request to the load event in Chromium.
    """

    bytes: int
    nodes: int
    cold: float
    cpu: float
    warm: float
    shown: float


def cost(model: Path, folder: Path) -> Cost:
    """Makes the report of a model and its float twin on three boards, a few times, and opens it."""
    run = record(model)
    saved = store.save(folder, run)
    fresh = [subprocess.check_output([sys.executable, "-c", COLD, saved], text=True).split() for _ in range(REPEATS)]
    cold, cpu = (median(map(float, column)) for column in zip(*fresh, strict=True))
    warm = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        html = page.render(run)
        warm.append(time.perf_counter() - start)
    written = folder / store.REPORT
    store.write(written, html)
    with Browser() as browser:
        browser.open(written)  # a browser's own start is not the page's
        shown = [_open(browser, written) for _ in range(REPEATS)]
    return Cost(written.stat().st_size, len(run.models[1].graph), cold, cpu, median(warm), median(shown))


def _open(browser: Browser, page: Path) -> float:
    """Seconds from the request to the load event, by the browser's own clock."""
    browser.open(page)
    return float(browser.eval("performance.getEntriesByType('navigation')[0].loadEventEnd")) / 1000


def record(model: Path) -> Run:
    """A run of a model and its float twin on every board of BOARDS."""
    rng = random.Random(1)
    binary = pipeline.prepare(model)
    twin = pipeline.twin(binary)
    plain = subject.model(twin, twin.name).model_copy(update={"variant": Variant(twin=True)})
    nets = (plain, subject.model(binary, binary.name).model_copy(update={"baseline": plain.name}))
    build = Build(
        target="host", toolchain="zig", compiler="clang", compiler_version="20", binary_sha256="0" * 64, binary_bytes=1
    )
    return Run(
        id="20260101-000000-0001",
        created="2026-01-01T00:00:00+00:00",
        version="0",
        command=("./inv", "benchmarks.page"),
        models=nets,
        builds=(build,),
        devices=tuple(_board(rng, name, ns, nets) for name, ns in BOARDS.items()),
    )


def _board(rng: random.Random, name: str, ns: float, nets: tuple[Model, ...]) -> Device:
    cases = tuple(_case(rng, net, ns * (1 if net.baseline else 3)) for net in nets)
    return Device(name=name, target="host", transport="local", cases=cases, peaks=PEAKS)


def _case(rng: random.Random, net: Model, ns: float) -> Case:
    shares = [rng.expovariate(1) for _ in net.graph]
    layers = (
        LayerTime(name=node.name, op=node.op, kernel=f"{node.op}_8x4_neon", ns=ns * share / sum(shares))
        for node, share in zip(net.graph, shares, strict=True)
    )
    return Case(
        model=net.name,
        agreement=Agreement(ok=True, wrong=0, elements=1000, max_abs=1e-6, max_rel=1e-6),
        processes=processes(rng, ns, ROUNDS),
        profile=Profile(layers=tuple(layers)),
        arena_bytes=1 << 20,
    )
