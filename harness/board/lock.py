# SPDX-License-Identifier: Apache-2.0
"""One job a board, also between two people on two machines.

The lock is a `flock` on the board, held by a small process that lives as long as the channel it was started through: it
goes with its holder, so it cannot be left behind. A holder whose link hangs stops beating, and is ended after a while.
"""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from harness.board.process import Process
from harness.board.transport import Transport
from harness.errors import DeviceLost, DeviceUnfit

TTL = 15  # seconds without a beat after which a holder counts as gone
RETRY = 1.0  # seconds between two attempts
HELD = 75  # EX_TEMPFAIL of sysexits.h: try again later

# `9>&-` keeps the lock from `timeout`'s own children: busybox leaves one behind that would hold on to it.
SCRIPT = """\
cd {workdir} && exec 9<>lock || exit 1
command -v flock >/dev/null || {{ echo flock is missing >&2; exit 1; }}
flock -n 9 || {{ echo $(( $(date +%s) - $(stat -c %Y owner) )) "$(cat owner)"; exit {held}; }}
printf '%s\\n' {owner} >owner
echo held
while [ -n "$(timeout {ttl} head -c 1 9>&-)" ]; do :; done
"""


@contextmanager
def hold(transport: Transport, purpose: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the board; everything that must not be disturbed is done inside.

    Args:
        purpose: what for, shown to whoever waits, such as "bench of 3 models".
        waiting: is told, once for each holder, who holds the board, what for and since when.

    Raises:
        DeviceUnfit: it was held for longer than `timeouts.queue`, or the board cannot lock.
        DeviceLost: the connection broke.
    """
    owner = f"{getpass.getuser()}@{socket.gethostname()} pid {os.getpid()}: {purpose}"
    script = SCRIPT.format(workdir=shlex.quote(transport.workdir), held=HELD, owner=shlex.quote(owner), ttl=TTL)
    limit = time.monotonic() + transport.device.timeouts.queue
    told = ""
    while True:
        with transport.converse(script) as process:
            answer = next(iter(process), "")
            if answer == "held":
                with _beating(process):
                    yield
                return
            done = process.wait()
        if done.exit_code != HELD:
            raise DeviceUnfit(
                f"{transport.device.name}: the board cannot be locked ({done.stderr_tail}).",
                "It lacks `flock`, which util-linux and busybox have, or the work directory is read-only.",
                "Install util-linux on the board.",
            )
        age, _, holder = answer.partition(" ")
        if waiting and holder != told:
            waiting(f"{transport.device.name} is in use by {holder}, for {age} s now")
            told = holder
        if time.monotonic() >= limit:
            raise DeviceUnfit(
                f"{transport.device.name} is in use by {holder}, for {age} s now.",
                f"It did not become free within {transport.device.timeouts.queue:g} s (`timeouts.queue`).",
                "Wait for that job to end, or ask its owner.",
            )
        time.sleep(RETRY)


@contextmanager
def _beating(process: Process) -> Iterator[None]:
    over = threading.Event()

    def beat() -> None:
        with suppress(DeviceLost):  # whoever uses the board finds the broken link too, and reports it
            while not over.wait(TTL / 3):
                process.send(b".")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
