# SPDX-License-Identifier: Apache-2.0
"""One job a board, also between two people on two machines: a lease on the board itself.

A keeper on the board holds a `flock` for as long as it hears beats. It is not bound to a connection, so a broken wire
does not lose the board; it is bound to the beats, so a dead harness does not keep it. When it goes, it ends all jobs
of its session and puts back every setting that the session changed, and only then lets the lock go. It sleeps between
beats.

On the board, in the work directory:
    lock      what is flocked
    owner     who holds it, and what for; since when is the file's time
    session/  what the holder runs: the keeper's `beat` pipe, a folder a job (see detached.py), `changed` settings
    history   when each job began and ended, and whose it was
"""

from __future__ import annotations

import getpass
import os
import secrets
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from harness.board.completed import Completed
from harness.board.transport import Transport
from harness.errors import DeviceLost, DeviceUnfit

LEASE = 30  # seconds without a beat after which the board is free again; a beat costs it two short processes
RETRY = 1.0  # seconds between two attempts to get a board that is in use
HELD = 75  # EX_TEMPFAIL of sysexits.h: try again later

# Ends what a session started and undoes what it changed; run by its keeper, or by whoever finds a session without one.
# A line of `changed` is a file of /sys or /proc and what was in it.
CLEAN = """\
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
if [ "$(cat session/boot)" = "$boot" ]; then  # after a restart the numbers belong to other processes
for pid in session/*/pid; do [ -f "$pid" ] && kill -TERM -"$(cat "$pid")" 2>/dev/null && ended=1; done
[ -z "$ended" ] || sleep 1
for pid in session/*/pid; do [ -f "$pid" ] && kill -KILL -"$(cat "$pid")" 2>/dev/null; done
fi
for pass in 1 2; do  # a lower bound that is above the upper one is refused until the upper one is back
  [ -f session/changed ] && while read -r file value; do
    echo "$value" 2>/dev/null >"$file" || echo "$value" | sudo -n tee "$file" >/dev/null 2>&1
  done <session/changed
done
rm -rf session
"""

# `9>&-` keeps the lock from `timeout`'s own children: busybox leaves one behind that would hold on to it. What ignores
# TERM hands that on to its children, so that only KILL ends them.
KEEPER = """\
trap '' HUP INT TERM
echo $$ >session/keeper
exec 8<>session/beat
while [ "$(timeout -s KILL "$1" head -c 1 <&8 9>&-)" = . ]; do :; done
{clean}
"""

# The first beat also waits for the keeper to listen: until then it is in the group that ends with this command.
# Asked a second time with the same token, because the first answer was lost, it answers the same.
TAKE = """\
cd {workdir} && exec 9<>lock || exit 1
command -v flock >/dev/null && command -v timeout >/dev/null || {{ echo flock or timeout is missing >&2; exit 1; }}
if ! flock -n 9; then
  [ "$(cat session/token 2>/dev/null)" = {token} ] && echo held "$(cat session/keeper)" && exit 0
  echo $(( $(date +%s) - $(stat -c %Y owner) )) "$(cat owner)"
  exit {held}
fi
[ -d session ] && {{ echo stale "$(cat owner)"; {clean} }}
printf '%s\\n' {owner} >owner && mkdir session && mkfifo session/beat && echo {token} >session/token || exit 1
cat /proc/sys/kernel/random/boot_id >session/boot 2>/dev/null
tail -n 999 history >history.part 2>/dev/null; mv history.part history
setsid sh -c {keeper} keeper {lease} </dev/null >/dev/null 2>&1 &
printf . >session/beat
echo held "$(cat session/keeper)"
"""

FREE = """\
cd {workdir} && keeper={keeper}
[ -n "$keeper" ] && [ "$(cat session/keeper 2>/dev/null)" = "$keeper" ] || exit 0
printf q 1<>session/beat
while [ "$(cat session/keeper 2>/dev/null)" = "$keeper" ]; do sleep 0.05 2>/dev/null || sleep 1; done
"""

HOLDER = """\
cd {workdir} && [ -d session ] && exec 9<>lock && ! flock -n 9 || exit 0
echo "$(cat owner), for $(( $(date +%s) - $(stat -c %Y owner) )) s now"
"""


@contextmanager
def hold(transport: Transport, purpose: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the board; everything that must not be disturbed is done inside. Held already, it stays so.

    Args:
        purpose: what for, shown to whoever waits, such as "bench of 3 models".
        waiting: is told, once for each holder, who holds the board, what for and since when; and whose session was
            found without a keeper and cleaned up.

    Raises:
        DeviceUnfit: it was held for longer than `timeouts.queue`, or the board cannot lock.
        DeviceLost: the connection broke.
    """
    if transport.session:
        yield
        return
    transport.session = _wait(transport, purpose, waiting or (lambda sentence: None))
    begun, over = threading.Event(), threading.Event()
    beats = threading.Thread(target=_beat, args=(transport, begun, over), daemon=True)
    beats.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        session, transport.session = transport.session, None
        with suppress(DeviceLost):  # the lease ends by itself; the error that broke the connection is the one to tell
            _free(transport, session)
        beats.join()


def take(transport: Transport, purpose: str, seconds: int) -> None:
    """Keep the board for a person who works on it by hand, for so long or until `free`.

    Raises:
        DeviceUnfit: another holds it, or the board cannot lock.
    """
    done = _try(transport, purpose, seconds, secrets.token_hex(8))
    if done.exit_code == HELD:
        age, _, holder = done.text.partition(" ")
        raise DeviceUnfit(
            f"{transport.device.name} is in use by {holder}, for {age} s now.",
            "",
            f"Wait for it, or end it: inv device.unlock --device {transport.device.name}",
        )


def free(transport: Transport) -> None:
    """End the session on the board, whoever holds it: its jobs are ended, its settings put back. Waits for that."""
    _free(transport, "$(cat session/keeper 2>/dev/null)")


def holder(transport: Transport) -> str | None:
    """Who holds the board, what for and for how long; None when it is free."""
    return transport.ask(HOLDER.format(workdir=shlex.quote(transport.workdir))).text or None


def recover(transport: Transport) -> str | None:
    """Clean up a session whose keeper is gone; whose it was, or None where there was none."""
    left = transport.ask(["test", "-d", f"{transport.workdir}/session"]).ok
    if not left or holder(transport):
        return None
    done = _try(transport, "cleaning up", LEASE, secrets.token_hex(8))
    if done.exit_code == HELD:  # somebody was faster
        return None
    _free(transport, done.text.split()[-1])
    return next((line.removeprefix("stale ") for line in done.text.splitlines() if line.startswith("stale ")), None)


def _free(transport: Transport, keeper: str) -> None:
    transport.ask(FREE.format(workdir=shlex.quote(transport.workdir), keeper=keeper), timeout=60)


def _wait(transport: Transport, purpose: str, tell: Callable[[str], None]) -> str:
    """Get the board; the keeper of the session."""
    device = transport.device
    limit = time.monotonic() + device.timeouts.queue
    told = ""
    token = secrets.token_hex(8)
    while (done := _try(transport, purpose, LEASE, token)).exit_code == HELD:
        age, _, holder = done.text.partition(" ")
        if holder != told:
            tell(f"{device.name}: in use by {holder}, for {age} s now")
            told = holder
        if time.monotonic() >= limit:
            raise DeviceUnfit(
                f"{device.name} is in use by {holder}, for {age} s now.",
                f"It did not become free within {device.timeouts.queue:g} s (`timeouts.queue`).",
                f"Wait for that job to end, or end it: inv device.unlock --device {device.name}",
            )
        time.sleep(RETRY)
    for line in done.text.splitlines():
        if line.startswith("stale "):
            tell(f"{device.name}: cleaned up after {line.removeprefix('stale ')}, which ended without doing so")
    return done.text.split()[-1]


def _try(transport: Transport, purpose: str, lease: int, token: str) -> Completed:
    """One attempt to start a keeper; what was started with this token before counts."""
    owner = f"{getpass.getuser()}@{socket.gethostname()} pid {os.getpid()}: {' '.join(purpose.split())}"
    script = TAKE.format(
        workdir=shlex.quote(transport.workdir),
        held=HELD,
        owner=shlex.quote(owner),
        clean=CLEAN,
        keeper=shlex.quote(KEEPER.format(clean=CLEAN)),
        lease=lease,
        token=token,
    )
    done = transport.ask(script)
    if done.exit_code not in (0, HELD):
        raise DeviceUnfit(
            f"{transport.device.name}: the board cannot be locked ({done.stderr_tail}).",
            "It lacks `flock` or `timeout`, which util-linux and busybox have, or the work directory is read-only.",
            "Install util-linux and coreutils on the board.",
        )
    return done


def _beat(transport: Transport, begun: threading.Event, over: threading.Event) -> None:
    """Beat, also over connections that are opened anew meanwhile, until `over`.

    `begun` after the first attempt: dropbear mistakes the end of a command for that of one which only begins, so that
    it is better if nothing else runs then.
    """
    # Opened for both ways, for opening a pipe that nobody reads would block for good.
    pour = f"exec cat 1<>{shlex.quote(transport.workdir)}/session/beat"
    while True:
        with suppress(DeviceLost), transport.converse(pour) as pipe:
            begun.set()
            while True:
                pipe.send(b".")
                if over.wait(LEASE / 3):
                    return
        begun.set()
        if over.wait(RETRY):
            return
