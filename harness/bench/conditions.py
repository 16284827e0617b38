# SPDX-License-Identifier: Apache-2.0
"""The state of a board beside a process: heat, clock, what else runs. One round trip; no board must have any."""

from __future__ import annotations

from harness.bench.record import Conditions
from harness.board.transport import Transport

# Each line is a name and a value; what a board does not have gives no line.
SCRIPT = r"""for zone in /sys/class/thermal/thermal_zone*/temp; do
  [ -r "$zone" ] && echo temperature $(cat "$zone")
done 2>/dev/null
for cpu in /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq; do
  [ -r "$cpu" ] && echo frequency $(cat "$cpu")
done 2>/dev/null
[ -r /proc/pressure/cpu ] && echo pressure $(sed -n 's/^some avg10=\([0-9.]*\).*/\1/p' /proc/pressure/cpu)
[ -r /proc/loadavg ] && echo load $(cut -d ' ' -f 1 /proc/loadavg)
command -v vcgencmd >/dev/null 2>&1 && echo throttled $(vcgencmd get_throttled)
exit 0
"""


def read(transport: Transport) -> Conditions:
    """What the board says now.

    Raises:
        DeviceLost: the connection broke.
    """
    return parse(transport.ask(SCRIPT, timeout=20).text)


def parse(text: str) -> Conditions:
    """The hottest zone, the fastest core, the load of the last minute, the waiting of the last ten seconds, the
    firmware's throttle bits."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value:
            found.setdefault(name, []).append(value.strip())
    heat = [number / 1000 if abs(number) > 1000 else number for number in _numbers(found.get("temperature", []))]
    clock = _numbers(found.get("frequency", []))
    load, pressure = (_numbers(found.get(name, [])) for name in ("load", "pressure"))
    throttled = found.get("throttled", [""])[0].rpartition("=")[2]
    return Conditions(
        temperature=max(heat, default=None),
        frequency=int(max(clock)) if clock else None,
        load=load[0] if load else None,
        pressure=pressure[0] if pressure else None,
        throttled=throttled or None,
    )


def _numbers(texts: list[str]) -> list[float]:
    numbers = []
    for text in texts:
        try:
            numbers.append(float(text))
        except ValueError:
            continue
    return numbers
