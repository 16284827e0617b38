# SPDX-License-Identifier: Apache-2.0
"""The settings of a board that make its times sound: set for a session if that is allowed, read back, always put back.

What a setting was is written to the session on the board before it is changed, so that its keeper can put it back
whatever becomes of the harness; after a power cut the next session does, or the doctor (see lock.py).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from harness.board.transport import Transport
from harness.errors import BitrigError

POLICIES = "/sys/devices/system/cpu/cpufreq/policy*"
ASLR = "/proc/sys/kernel/randomize_va_space"
RANDOM = 2  # stack, libraries and heap: each process draws a layout of its own, so that layouts average out

# Prints for every file that fits: file, what was in it, what was wanted, what is in it now.
SET = """\
set_to() {{
  [ -f "$1" ] && before=$(cat "$1") || return 0
  if [ "$before" != "$2" ]; then
    echo "$1 $before" >>session/changed
    echo "$2" 2>/dev/null >"$1" || echo "$2" | sudo -n tee "$1" >/dev/null 2>&1
  fi
  echo "$1 $before $2 $(cat "$1")"
}}
cd {workdir} && [ -d session ] || exit 1
set_to {aslr} {random}
for policy in {policies}; do
{settings}
done
"""


@dataclass(frozen=True)
class Setting:
    """One setting of a board: what it was, was to be, and is."""

    file: str
    before: str
    wanted: str
    after: str

    @property
    def controlled(self) -> bool:
        return self.after == self.wanted

    @property
    def text(self) -> str:
        """In words, the same for all CPUs that were treated alike."""
        name = self.file.rpartition("/")[2]
        if not self.controlled:
            return f"{name} stays {self.after}: {self.wanted} is not allowed"
        return f"{name} {self.after}" if self.before == self.after else f"{name} {self.before} → {self.after}"


def steady(transport: Transport, policies: str = POLICIES) -> tuple[Setting, ...]:
    """Set the governor, the frequency where the device pins one, and random memory layouts, until the board is let go.

    What the board does not have, or does not let be set, stays; the settings say so. With `conditions: as-shipped`
    nothing is touched and nothing is returned.

    Raises:
        BitrigError: the board is not held.
        DeviceLost: the connection broke.
    """
    device = transport.device
    if device.conditions == "as-shipped":
        return ()
    if transport.session is None:
        raise BitrigError(f"{device.name} is not held, so its settings must not be changed.")
    wanted = [("scaling_governor", "performance")]
    if device.frequency_mhz:
        khz = f"{device.frequency_mhz * 1000}"
        # The least may never be above the most: one of the first two is refused, whichever way it goes.
        wanted += [("scaling_min_freq", khz), ("scaling_max_freq", khz), ("scaling_min_freq", khz)]
    settings = "\n".join(f'set_to "$policy/{file}" {value}' for file, value in wanted)
    script = SET.format(
        workdir=shlex.quote(transport.workdir), aslr=ASLR, random=RANDOM, policies=policies, settings=settings
    )
    rows = [line.split() for line in transport.ask(script, timeout=30).text.splitlines()]
    last = {row[0]: Setting(*row) for row in rows if len(row) == 4}
    first = {row[0]: row[1] for row in reversed(rows) if len(row) == 4}
    return tuple(Setting(file, first[file], setting.wanted, setting.after) for file, setting in last.items())
