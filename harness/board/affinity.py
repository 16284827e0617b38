# SPDX-License-Identifier: Apache-2.0
"""Which CPUs of a board a job may use: a list, or the cluster of the fast or the slow ones."""

from __future__ import annotations

import re

from harness.board.transport import Transport
from harness.errors import DeviceUnfit

CPU = "/sys/devices/system/cpu"

# The kernel knows how fast the CPUs are in comparison (from the device tree); else their highest frequency tells.
SPEEDS = f"""\
for cpu in {CPU}/cpu[0-9]*; do
  speed=$(cat $cpu/cpu_capacity 2>/dev/null || cat $cpu/cpufreq/cpuinfo_max_freq 2>/dev/null)
  [ -n "$speed" ] && echo "${{cpu##*cpu}} $speed"
done
"""


def cpus(transport: Transport) -> str | None:
    """The CPUs of the device's `cpus`, such as "0-3,5"; None when jobs may use all.

    Raises:
        DeviceUnfit: `big` or `little` is asked for, and the board does not say which those are.
        DeviceLost: the connection broke.
    """
    asked = transport.device.cpus
    if asked not in ("big", "little"):
        return asked
    speeds = {int(cpu): int(speed) for cpu, speed in re.findall(r"^(\d+) (\d+)$", transport.ask(SPEEDS).text, re.M)}
    if not speeds:
        raise DeviceUnfit(
            f"{transport.device.name}: the board does not say which of its CPUs are {asked}.",
            "Its kernel tells neither their capacity nor their frequencies.",
            "Give their numbers, such as cpus: 2-3",
        )
    chosen = max(speeds.values()) if asked == "big" else min(speeds.values())
    return ",".join(str(cpu) for cpu, speed in sorted(speeds.items()) if speed == chosen)


def numbers(text: str) -> list[int]:
    """The CPUs of a list such as "0-1,4"."""
    ranges = [part.split("-") for part in text.split(",")]
    return [cpu for ends in ranges for cpu in range(int(ends[0]), int(ends[-1]) + 1)]
