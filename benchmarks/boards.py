# SPDX-License-Identifier: Apache-2.0
"""What the harness costs a board beside its work, step by step, and how long a stand-in board takes to be there."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.board import conditions, deploy, job, lab, lock, probe
from harness.board.inventory import Device
from harness.board.transport import connect

NOTHING = "#!/bin/sh\necho '{}'\n"


def overhead(device: Device) -> dict[str, float]:
    """Seconds of each step around a job that does nothing, on a board that has all files already; `all` is their sum.

    The board's runner is left out: an emulator's start is not the harness's.
    """
    board = device.model_copy(update={"runner": ()})
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        seconds[step] = time.monotonic() - begun

    with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        script = Path(folder, "nothing")
        script.write_text(NOTHING, "utf-8")
        with connect(board) as first:
            path = deploy.push(first, {"job": script}).paths["job"]
            first.ask(["chmod", "755", path])
        with timed("connect"):
            link = held.enter_context(connect(board))
        with timed("hold"):
            held.enter_context(lock.hold(link, "nothing"))
        with timed("settings"):
            conditions.steady(link)
        with timed("facts"):
            probe.facts(link)
        with timed("files"):
            sent = deploy.push(link, {"job": script}).bytes_sent
        assert sent == 0
        with timed("job"):
            assert job.collect(link, path, [])[1].ok
        with timed("let go"):
            held.close()
    return seconds | {"all": sum(seconds.values())}


def start(name: str, folder: Path) -> dict[str, float]:
    """Seconds until a stand-in board answers by SSH: with an empty cache, and again when everything was fetched.

    Args:
        folder: takes the cache and the state, so that the user's own are left alone.
    """
    before = {variable: os.environ.get(variable) for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME")}
    os.environ |= {variable: str(folder / variable.lower()) for variable in before}
    seconds: dict[str, float] = {}
    try:
        for state in ("empty", "warm"):
            begun = time.monotonic()
            try:
                list(lab.up([name]))
                seconds[state] = time.monotonic() - begun
            finally:
                list(lab.down([name]))
    finally:
        for variable, value in before.items():
            if value is None:
                del os.environ[variable]
            else:
                os.environ[variable] = value
    return seconds
