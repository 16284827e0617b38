# SPDX-License-Identifier: Apache-2.0
"""What a board is: a table of facts, each a command and a pure parser of what it prints.

Adding a fact is adding a row, and a case to tests/data/facts/. A path or a program that a board lacks makes its fact
absent, never an error: boards differ.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.board import parsers
from harness.board.transport import Transport

MARK = "=== bitrig "  # no command of the table prints a line that begins like this


@dataclass(frozen=True)
class Fact:
    """One row: shell text (it may use $WORKDIR), and what makes a value, or None, of its output."""

    name: str
    command: str
    parse: Callable[[str], Any]


# What transport, lock and deploy use on a board; coreutils and util-linux have all, and so has busybox.
TOOLS = ("flock", "timeout", "setsid", "mkfifo", "sha256sum", "stat", "head", "tail", "df", "dd")

CPU = "/sys/devices/system/cpu"

FACTS = (
    Fact("system", "uname -s", parsers.line),
    Fact("kernel", "uname -r", parsers.line),
    Fact("kernel_machine", "uname -m", parsers.line),
    Fact("model", "tr -d '\\0' </proc/device-tree/model || cat /sys/class/dmi/id/product_name", parsers.line),
    Fact("distribution", "cat /etc/os-release", parsers.os_release),
    # The kernel of a board may be 64-bit below a 32-bit system; what programs must be is what the shell is.
    Fact("userland", "od -An -v -tx1 -N 52 /bin/sh", parsers.userland),
    Fact("libc", "ls /lib/ld-musl-* /lib/ld-linux* /lib64/ld-linux* /system/bin/linker*", parsers.libc),
    Fact("cpu", "cat /proc/cpuinfo", parsers.cpuinfo),
    Fact("cpus", "getconf _NPROCESSORS_ONLN || nproc", parsers.integer),
    Fact("cpu_capacity", f"cat {CPU}/cpu[0-9]*/cpu_capacity", parsers.integers),
    Fact("memory_bytes", "grep MemTotal /proc/meminfo", parsers.kilobytes),
    Fact("memory_free_bytes", "grep MemAvailable /proc/meminfo", parsers.kilobytes),
    Fact("governor", f"cat {CPU}/cpu[0-9]*/cpufreq/scaling_governor", parsers.one_of_all),
    Fact("frequency_khz", f"cat {CPU}/cpu[0-9]*/cpufreq/scaling_cur_freq", parsers.integers),
    Fact("frequency_limit_khz", f"cat {CPU}/cpu[0-9]*/cpufreq/scaling_max_freq", parsers.integers),
    Fact("frequency_max_khz", f"cat {CPU}/cpu[0-9]*/cpufreq/cpuinfo_max_freq", parsers.integers),
    Fact(
        "temperature_c",
        'for z in /sys/class/thermal/thermal_zone*; do echo "$(cat $z/type) $(cat $z/temp)"; done',
        parsers.temperatures,
    ),
    Fact("throttled", "vcgencmd get_throttled", parsers.throttled),
    Fact("load", "cat /proc/loadavg", parsers.load),
    Fact("pressure", "cat /proc/pressure/cpu", parsers.pressure),
    Fact("free_bytes", 'df -Pk "$WORKDIR"', parsers.free_bytes),
    Fact(
        "executable",
        """cd "$WORKDIR" && echo '#!/bin/sh' >.x && chmod 755 .x && { ./.x && echo yes || echo no; }; rm -f .x""",
        parsers.yes,
    ),
    Fact("clock", "cat /sys/devices/system/clocksource/clocksource0/current_clocksource", parsers.line),
    Fact("uptime_seconds", "cat /proc/uptime", parsers.integer),
    Fact(
        "missing_tools",
        f"for tool in {' '.join(TOOLS)}; do command -v $tool >/dev/null || echo $tool; done; echo .",
        parsers.missing,
    ),
    Fact("sftp", "ls /usr/lib/openssh/sftp-server /usr/lib*/sftp-server /usr/libexec/*/sftp-server", parsers.line),
    Fact("aslr", "cat /proc/sys/kernel/randomize_va_space", parsers.integer),
    Fact("user", "id -un", parsers.line),
    Fact("sudo", "sudo -n true && echo yes || echo no", parsers.yes),
)


def facts(transport: Transport) -> dict[str, Any]:
    """Every fact that the board lets be known, by name, in one round trip; what is not there is absent.

    Raises:
        DeviceLost: the connection broke.
    """
    rows = "\n".join(f"echo; echo '{MARK}{fact.name}'; {{ {fact.command}\n}} 2>/dev/null" for fact in FACTS)
    text = transport.ask(f"export LC_ALL=C WORKDIR={shlex.quote(transport.workdir)}\n{rows}\ntrue", timeout=60).text
    return parsed(text)


def parsed(text: str) -> dict[str, Any]:
    """The facts in the output of all commands."""
    sections = re.split(rf"^{MARK}(\w+)\n", text, flags=re.MULTILINE)
    printed = dict(zip(sections[1::2], sections[2::2], strict=True))
    found = {fact.name: fact.parse(printed[fact.name].strip()) for fact in FACTS if printed.get(fact.name, "").strip()}
    return {name: value for name, value in found.items() if value is not None}
