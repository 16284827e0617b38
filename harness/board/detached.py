# SPDX-License-Identifier: Apache-2.0
"""A job that is not bound to the connection it was started through.

It runs in a group of its own and writes into files, inside the session that `lock.hold` began. The harness follows it,
and after a lost connection goes on at the byte where it was. What ends it: its own end, a deadline on the board, the
harness, or the keeper of the session when the harness is gone.

On the board, in session/<n>/: `out` and `err`, `pid` while it runs, `code` once it has ended, `alive`, which it keeps
locked.
"""

from __future__ import annotations

import itertools
import shlex
import time
from collections.abc import Iterator
from contextlib import suppress

from harness.board.completed import Completed
from harness.board.lock import LEASE
from harness.board.process import lines
from harness.board.transport import DEADLINE_SLACK, Transport
from harness.errors import BitrigError, DeviceLost, SessionOver

NUMBERS = itertools.count(1)
GONE = 70  # EX_SOFTWARE of sysexits.h: the session is over

# Runs as the leader of its own group; fd 7 is the lock on `alive`, which the command and its watch do not inherit.
WRAPPER = """\
echo $$ >pid
echo "$(date +%s.%N) begin $$ $(cat ../../owner)" >>../../history
( exec 7>&-; sleep {deadline}; kill -KILL -$$ ) >/dev/null 2>&1 &
( ulimit -c 0; {command}
) </dev/null 7>&- &
wait $!; code=$?
trap '' TERM; kill -TERM -$$
echo "$(date +%s.%N) end $$ $code" >>../../history
echo $code >code; rm pid
"""

# A job that is there already was begun over a connection that broke before it could say so.
START = """\
cd {workdir} && [ "$(cat session/keeper 2>/dev/null)" = {keeper} ] || exit {gone}
if mkdir session/{number} 2>/dev/null; then
  cd session/{number} && exec 7<>alive && flock 7 || exit 1
  setsid sh -c {wrapper} >out 2>err &
else
  cd session/{number} || exit 1
fi
while ! [ -f pid ] && ! [ -f code ]; do sleep 0.02 2>/dev/null || sleep 1; done
"""

# Blocks in the kernel, not in a loop, so that waiting does not disturb what is measured.
FOLLOW = """\
cd {workdir}/session/{number} || exit {gone}
tail -c +{first} -f out 2>/dev/null &
exec 7<>alive && flock 7
kill $!
exit 0
"""

STOP = """\
cd {workdir}/session/{number} && pid=$(cat pid) && kill -TERM -$pid && sleep 1 && kill -KILL -$pid
exit 0
"""

# What was killed with its wrapper has no code.
FINISH = """\
cd {workdir}/session/{number} || exit {gone}
cat code 2>/dev/null || echo 137
tail -c +{first} out
tail -c 65536 err >&2
"""

REMOVE = """\
cd {workdir}/session/{number} || exit 0
pid=$(cat pid 2>/dev/null) && kill -KILL -$pid
cd .. && rm -rf {number}
"""


class Detached:
    """A job on the board, followed from here over as many connections as it takes.

    Iterate over `lines` to its end, then `done` says how it ended; in any case call `remove`.
    """

    def __init__(self, transport: Transport, command: str, timeout: float) -> None:
        """Start it: `command` is shell text, `timeout` seconds. Raises DeviceLost."""
        if transport.session is None:
            raise BitrigError(f"{transport.device.name} is not held, so no job can be started on it.")
        self.done: Completed | None = None
        self._transport = transport
        self._command = command
        self._number = next(NUMBERS)
        self._begun = time.monotonic()
        self._limit = self._begun + timeout
        self._read = 0  # bytes of its output that are here
        wrapper = WRAPPER.format(deadline=round(timeout + DEADLINE_SLACK), command=command)
        self._ask(START, wrapper=shlex.quote(wrapper))

    def lines(self) -> Iterator[str]:
        """Its lines as they come, until it ends or its time is up."""
        return lines(self._chunks())

    def remove(self) -> None:
        """End it if it still runs, and remove its files."""
        with suppress(DeviceLost):  # then the keeper does it; the error that broke the connection is the one to tell
            self._transport.run(self._script(REMOVE))

    def _chunks(self) -> Iterator[bytes]:
        over = timed_out = False
        while not over:
            try:
                left = max(0.1, self._limit - time.monotonic())
                with self._transport.start(self._script(FOLLOW), timeout=left) as process:
                    for chunk in process.chunks():
                        self._read += len(chunk)
                        yield chunk
                    timed_out = self._of_session(process.wait()).timed_out
                over = True
            except DeviceLost as error:
                self._transport.reconnect(error)
        if timed_out:
            self._ask(STOP)
        done = self._ask(FINISH)
        code, rest = done.stdout.split(b"\n", 1)
        yield rest
        seconds = time.monotonic() - self._begun
        self.done = Completed(self._command, int(code), b"", done.stderr, seconds, timed_out)

    def _script(self, template: str, **words: str) -> str:
        return template.format(
            workdir=shlex.quote(self._transport.workdir),
            keeper=self._transport.session,
            number=self._number,
            first=self._read + 1,
            gone=GONE,
            **words,
        )

    def _ask(self, template: str, **words: str) -> Completed:
        """Run a script that may be run twice, over as many connections as it takes."""
        return self._of_session(self._transport.ask(self._script(template, **words)))

    def _of_session(self, done: Completed) -> Completed:
        if done.exit_code == GONE:
            raise SessionOver(
                f"{self._transport.device.name}: the session on the board is over.",
                f"Nothing was heard from here for {LEASE} s, or someone freed the board with inv device.unlock.",
                "Run it again.",
            )
        return done
