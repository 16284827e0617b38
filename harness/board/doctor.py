# SPDX-License-Identifier: Apache-2.0
"""Judges a board by its facts: what stands in the way of a job or of sound times, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from harness.board import lock, probe
from harness.board.inventory import Device
from harness.board.transport import connect
from harness.errors import BitrigError

Facts = dict[str, Any]
Level = Literal["note", "warning", "unfit"]

MINUTE_OF_BOOT = 60  # seconds in which a system still starts its services
ROOM = 100 << 20  # bytes: a few models and binaries
HOT = 70.0  # degrees Celsius; boards of the Pi family slow down at 80, and warm up by ten under load


@dataclass(frozen=True)
class Finding:
    """One thing about a board: `note` to know, `warning` for what spoils times, `unfit` for what prevents jobs."""

    level: Level
    what: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """What was found on a board, and what that means for jobs on it."""

    device: str
    facts: Facts
    findings: tuple[Finding, ...]

    @property
    def fit(self) -> bool:
        return all(finding.level != "unfit" for finding in self.findings)


def examine(device: Device) -> Diagnosis:
    """Connect, finish what a dead session left behind, probe and judge. A board out of reach is a finding, too."""
    try:
        with connect(device) as transport:
            cleaned = lock.recover(transport)
            facts = probe.facts(transport)
            holder = lock.holder(transport)
    except BitrigError as error:
        trouble = Finding("unfit", error.what, " ".join(part for part in (error.why, error.remedy) if part))
        return Diagnosis(device.name, {}, (trouble,))
    found = [*cleaned_up(cleaned), *in_use(holder), *judge(device, facts)]
    return Diagnosis(device.name, facts, tuple(found))


def judge(device: Device, facts: Facts) -> tuple[Finding, ...]:
    """Every finding that the facts alone give; pure."""
    return tuple(finding for rule in RULES for finding in rule(device, facts))


def cleaned_up(owner: str | None) -> Iterator[Finding]:
    if owner:
        yield Finding("note", f"A session of {owner} had ended badly; its jobs are ended and its settings put back.")


def in_use(holder: str | None) -> Iterator[Finding]:
    if holder:
        yield Finding("note", f"In use by {holder}.")


def fits_target(device: Device, facts: Facts) -> Iterator[Finding]:
    kernel = facts.get("kernel_machine", "")
    runs = {
        "aarch64": kernel in ("aarch64", "arm64"),
        "armv7": kernel in ("aarch64", "arm64", "armv7l", "armv8l"),
        "armv6": kernel.startswith(("arm", "aarch64")),
    }
    if kernel and not device.runner and not runs.get(device.target, True):
        yield Finding(
            "unfit",
            f"The kernel is {kernel}, and {device.target} is what is compiled for it.",
            "Correct `target` in devices.yaml, or give a `runner`.",
        )


def userland(device: Device, facts: Facts) -> Iterator[Finding]:
    if facts.get("kernel_machine") in ("aarch64", "arm64") and facts.get("userland", {}).get("bits") == 32:
        advice = "Static 64-bit binaries run there, and are faster: target aarch64."
        yield Finding("note", "The kernel has 64 bits and the system 32.", "" if device.target == "aarch64" else advice)


def features(device: Device, facts: Facts) -> Iterator[Finding]:
    known = facts.get("cpu", {}).get("features")
    if device.target == "armv7" and not device.runner and known and not {"neon", "asimd"} & set(known):
        yield Finding("unfit", "The CPU has no NEON, which armv7 binaries use.", "Set target: armv6.")


def clusters(device: Device, facts: Facts) -> Iterator[Finding]:
    parts = facts.get("cpu", {}).get("parts", [])
    speeds = facts.get("cpu_capacity") or facts.get("frequency_max_khz") or []
    # What says nothing about every CPU says nothing: a kernel may list the parts of those that are awake.
    columns = [column for column in (speeds, parts) if len(column) == facts.get("cpus")]
    kinds = list(zip(*columns, strict=True))
    if not device.cpus and len(set(kinds)) > 1:
        same = ",".join(str(cpu) for cpu, kind in enumerate(kinds) if kind == max(kinds))
        yield Finding(
            "warning",
            f"The CPUs differ ({', '.join(' '.join(map(str, kind)) for kind in dict.fromkeys(kinds))}), "
            "and jobs may move between them.",
            f"Pin them to CPUs of one kind, for example cpus: {same}",
        )


def work_directory(device: Device, facts: Facts) -> Iterator[Finding]:
    if facts.get("executable") is False:
        yield Finding("unfit", f"Nothing can be executed in {device.workdir}: noexec.", "Give another `workdir`.")
    free = facts.get("free_bytes", ROOM)
    if free < ROOM:
        yield Finding("warning", f"{device.workdir} has {free >> 20} MB left.", "Free some, or `inv device.clean`.")
    missing = facts.get("missing_tools", [])
    if missing:
        yield Finding("unfit", f"Missing there: {', '.join(missing)}.", "Install coreutils and util-linux, or busybox.")


def governor(device: Device, facts: Facts) -> Iterator[Finding]:
    name = facts.get("governor")
    if name and name != "performance":
        can = facts.get("sudo") or facts.get("user") == "root"
        yield Finding(
            "note" if can else "warning",
            f"The frequency governor is {name}.",
            "Set to performance for every session."
            if device.conditions == "steady"
            else "Left so: as-shipped."
            if can
            else "It cannot be set without root: allow `sudo -n`, or set it yourself.",
        )


def frequency(device: Device, facts: Facts) -> Iterator[Finding]:
    pairs = zip(facts.get("frequency_limit_khz", []), facts.get("frequency_max_khz", []), strict=False)
    capped = [(limit, most) for limit, most in pairs if limit < most]
    if capped:
        limit, most = capped[0]
        advice = "It is hot, its supply is weak, or someone set scaling_max_freq."
        yield Finding("warning", f"The frequency is capped at {limit // 1000} of {most // 1000} MHz.", advice)


def throttling(device: Device, facts: Facts) -> Iterator[Finding]:
    bits = facts.get("throttled", {})
    now, before = bits.get("now", []), bits.get("since_boot", [])
    if "under-voltage" in now + before:
        when = "now" if "under-voltage" in now else "since it was started"
        yield Finding(
            "warning",
            f"Under-voltage {when}: this is the supply, not heat.",
            "Use the official supply and a short cable; what it powers by USB counts, too.",
        )
    elif now or before:
        yield Finding(
            "warning",
            f"The firmware slows it down ({', '.join(now)})." if now else f"It was slowed down ({', '.join(before)}).",
            "Give it a heat sink or a fan.",
        )


def heat(device: Device, facts: Facts) -> Iterator[Finding]:
    zones = facts.get("temperature_c", {})
    hot = {zone: value for zone, value in zones.items() if value >= HOT}
    if hot:
        zone, value = max(hot.items(), key=lambda pair: pair[1])
        yield Finding("warning", f"{zone} is at {value:.0f} °C.", "Let it cool down, or give it a fan.")


def load(device: Device, facts: Facts) -> Iterator[Finding]:
    waiting = facts.get("pressure", 0.0)
    busy = facts.get("load", 0.0)
    if waiting > 5 or busy > 0.5 * facts.get("cpus", 1):
        starting = facts.get("uptime_seconds", MINUTE_OF_BOOT) < MINUTE_OF_BOOT
        advice = "It has just started; wait a minute." if starting else "Find out what else runs there: top"
        yield Finding(
            "warning", f"Something else uses it: load {busy:g}, {waiting:g} % of the time a job waits.", advice
        )


def clock(device: Device, facts: Facts) -> Iterator[Finding]:
    if facts.get("clock") in ("jiffies", "refined-jiffies"):
        yield Finding("warning", "Its clock only counts timer ticks.", "Short times are rounded: use longer batches.")


RULES: tuple[Callable[[Device, Facts], Iterator[Finding]], ...] = (
    fits_target,
    userland,
    features,
    clusters,
    work_directory,
    governor,
    frequency,
    throttling,
    heat,
    load,
    clock,
)
