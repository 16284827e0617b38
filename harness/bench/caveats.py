# SPDX-License-Identifier: Apache-2.0
"""What a reader must know before trusting a number: a table of findings, each with how to look for it and what to do.

They judge what was recorded, so a stored run can be judged again. Of an emulated board only that it is one is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

from harness.bench.record import Case, Caveat, Device, Process, Run
from harness.bench.schedule import CANARY_DRIFT

Found = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Finding:
    """A row of the table.

    Attributes:
        look: yields for each time that it is so what it is about, which is a device or a model on it, and the evidence.
    """

    code: str
    weight: Literal["stop", "warn", "note"]
    look: Callable[[Run, Device], Found]
    advice: str


def find(run: Run) -> tuple[Caveat, ...]:
    """All caveats of a run, by device."""
    return tuple(
        Caveat(code=row.code, weight=row.weight, subject=subject, evidence=evidence, advice=row.advice)
        for device in run.devices
        for row in (EMULATED if device.emulated else FINDINGS)
        for subject, evidence in row.look(run, device)
    )


def _counted(device: Device) -> list[Process]:
    return [process for case in device.cases for process in case.processes]


def _on(case: Case, device: Device) -> str:
    return f"{case.model} on {device.name}"


def _firmware(bits: int, said: str) -> Callable[[Run, Device], Found]:
    """Bits of the Raspberry Pi's firmware: 0 under-voltage, 1 capped, 2 throttled now; the same + 16 since boot."""

    def look(run: Run, device: Device) -> Found:
        seen = 0
        for process in _counted(device):
            text = process.before.throttled or ""
            seen |= int(text, 0) if text.startswith("0x") else 0
        if seen & bits:
            yield device.name, f"the firmware {said} during the run ({seen:#x})."

    return look


def _narrow_userland(run: Run, device: Device) -> Found:
    machine = str(device.facts.get("machine", ""))
    if machine in ("aarch64", "x86_64") and device.host.get("pointer_bits") == 32:
        yield device.name, f"a 32-bit program ran on a 64-bit processor ({machine})."


def _reference_kernel(run: Run, device: Device) -> Found:
    has = [isa for isa in device.host.get("isa", []) if isa != "scalar"]
    for case in device.cases:
        variant = run.model(case.model).variant
        slow = [name for name, kernel in case.kernels.items() if kernel.startswith("bconv2d") and "scalar" in kernel]
        if has and slow and not (variant.isa_mask or variant.kernels):  # else it was asked for
            layers = f"{len(slow)} binary layer{'s' if len(slow) > 1 else ''}"
            yield _on(case, device), f"the scalar kernel ran {layers}, although the processor has {', '.join(has)}."


def _canary(run: Run, device: Device) -> Found:
    counted = [p.canary for p in _counted(device) if p.canary]
    drifting = [before for before, after in counted if abs(after / before - 1) > CANARY_DRIFT]
    if drifting:
        share = f"{len(drifting)} of {len(counted)} counted processes"
        yield (
            device.name,
            f"in {share} the canary moved by more than 2 %; quiet rounds were waited for and did not come.",
        )


def _unsteady(run: Run, device: Device) -> Found:
    for case in device.cases:
        wild = sum(not process.steady for process in case.processes)
        if wild and wild * 2 >= len(case.processes):
            said = f"{wild} of {len(case.processes)} processes never settled while warming up."
            yield _on(case, device), said


def _crowded(run: Run, device: Device) -> Found:
    counted = _counted(device)
    waited = [p.before.pressure for p in counted if p.before.pressure is not None]
    if waited and median(waited) > 20:
        interrupted = median(p.rusage.get("involuntary_switches", 0) for p in counted)
        yield (
            device.name,
            f"some process waited for a processor in {median(waited):.0f} % of the time, "
            f"and a timed process was interrupted {interrupted:.0f} times.",
        )


def _noisy(run: Run, device: Device) -> Found:
    floor = device.noise_floor
    if floor is not None and floor > run.settings.delta:
        yield (
            device.name,
            f"A differs from A by up to {floor:.1%} here, which is more than the {run.settings.delta:.1%} that were to "
            "count as a difference; only larger ones do.",
        )


def _frequency(run: Run, device: Device) -> Found:
    clocks = [p.before.frequency for p in _counted(device) if p.before.frequency]
    if clocks and min(clocks) < 0.9 * median(clocks):
        yield device.name, f"the clock ran between {min(clocks) / 1e6:.2f} and {max(clocks) / 1e6:.2f} GHz."


def _emulated(run: Run, device: Device) -> Found:
    if device.cases:
        yield device.name, f"an emulator ran this ({device.host.get('emulator') or 'a whole emulated computer'})."


QUIET = "Stop what else runs there, or pin the job to free cores (cpus in devices.yaml)."

FINDINGS = (
    Finding(
        "UNDER_VOLTAGE",
        "stop",
        _firmware(0x1, "reports under-voltage"),
        "Use a stronger power supply or a shorter cable; cooling does not help.",
    ),
    Finding(
        "THROTTLED",
        "stop",
        _firmware(0xE, "slowed the processor"),
        "Cool the board, let it rest, and measure again.",
    ),
    Finding(
        "USERLAND_32",
        "warn",
        _narrow_userland,
        "The 64-bit kernels are faster: install a 64-bit system, or set the device's target to aarch64.",
    ),
    Finding(
        "REFERENCE_KERNEL",
        "warn",
        _reference_kernel,
        "The shape fits no faster kernel, or ISAs are masked: see the layers' kernels.",
    ),
    Finding("RESTLESS", "warn", _canary, f"The intervals are as wide as that made them. {QUIET}"),
    Finding("NO_STEADY_STATE", "warn", _unsteady, QUIET),
    Finding("BUSY", "warn", _crowded, QUIET),
    Finding("NOISY", "note", _noisy, "Measure the board again with inv bench.aa once it is quieter."),
    Finding(
        "FREQUENCY",
        "note",
        _frequency,
        "Ratios hold: each pair ran at nearly one time. For times of their own, set the governor.",
    ),
)
EMULATED = (
    Finding("EMULATED", "note", _emulated, "It proves function and nothing about speed: measure on the board itself."),
)
