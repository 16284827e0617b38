# SPDX-License-Identifier: Apache-2.0
"""The shell text around every command on a board: nothing that it starts can outlive its caller.

The command gets a process group of its own. Two sleeping watchers share it: one ends the group when standard input
closes (the caller closed the channel, died, or the link was found dead), one when a deadline on the board's own clock
passes (the link hangs, so that nobody can say anything). When the command ends first, the group is ended too, which
takes the watchers and whatever strays the command left.

sshd makes each command the leader of a group, dropbear does not. util-linux's setsid forks when a leader calls it, so
it is called only where it is needed.
"""

from __future__ import annotations

import shlex

_GROUP = """kill -0 -$$ 2>/dev/null && exec sh -c "$1"; exec setsid sh -c "$1\""""

_WATCHED = """exec 3<&0 </dev/null
( cat <&3 >/dev/null 2>&1; kill -TERM -$$; sleep 1; kill -KILL -$$ ) >/dev/null 2>&1 &
( exec 3<&-; sleep {deadline}; kill -KILL -$$ ) >/dev/null 2>&1 &
{{ {command}
}} 3<&- &
wait $!; code=$?; trap "" TERM; kill -TERM -$$; exit $code"""


def watched(command: str, deadline: float) -> str:
    """Shell text that runs `command` under watch.

    Args:
        command: POSIX shell. It reads nothing; its exit code is the whole's (128+n for signal n).
        deadline: seconds on the board until it is killed.
    """
    script = _WATCHED.format(deadline=max(1, round(deadline)), command=command)
    return f"exec sh -c {shlex.quote(_GROUP)} bitrig {shlex.quote(script)}"
