# SPDX-License-Identifier: Apache-2.0
"""What a reader must know before trusting a number: functions from a device of a run to evidence and advice.

They judge what was recorded, so a stored run can be judged again. What is emulated is not judged at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

from harness.bench.record import Caveat, Device, Run
from harness.bench.schedule import CANARY_DRIFT


def find(run: Run) -> tuple[Caveat, ...]:
    """All caveats of a run, by device."""
    return tuple(caveat for device in run.devices for look in LOOKS for caveat in look(run, device))


def throttled(run: Run, device: Device) -> Iterator[Caveat]:
    """Bits of the Raspberry Pi's firmware: 0 under-voltage, 1 capped, 2 throttled now; the same + 16 since boot."""
    seen = {p.before.throttled for case in device.cases for p in case.processes if p.before.throttled}
    bits = 0
    for text in seen:
        bits |= int(text, 0) if text.startswith("0x") else 0
    if bits & 0x1:
        yield Caveat(
            code="UNDER_VOLTAGE",
            weight="stop",
            subject=device.name,
            evidence=f"the firmware reports under-voltage during the run ({bits:#x}).",
            advice="Use a stronger power supply or a shorter cable; cooling does not help.",
        )
    if bits & 0xE:
        yield Caveat(
            code="THROTTLED",
            weight="stop",
            subject=device.name,
            evidence=f"the firmware slowed the processor during the run ({bits:#x}).",
            advice="Cool the board, let it rest, and measure again.",
        )


def unsteady(run: Run, device: Device) -> Iterator[Caveat]:
    for case in device.cases:
        wild = sum(not process.steady for process in case.processes)
        if wild and wild * 2 >= len(case.processes) and not device.emulated:
            yield Caveat(
                code="NO_STEADY_STATE",
                weight="warn",
                subject=f"{case.model} on {device.name}",
                evidence=f"{wild} of {len(case.processes)} processes never settled while warming up.",
                advice="Something else uses the board; stop it, or pin the job to free cores (cpus in devices.yaml).",
            )


def canary(run: Run, device: Device) -> Iterator[Caveat]:
    counted = [p for case in device.cases for p in case.processes if p.canary]
    drifting = [p for p in counted if p.canary and abs(p.canary[1] / p.canary[0] - 1) > CANARY_DRIFT]
    if drifting and not device.emulated:
        yield Caveat(
            code="RESTLESS",
            weight="warn",
            subject=device.name,
            evidence=f"in {len(drifting)} of {len(counted)} counted processes the canary moved by more than 2 %; "
            "quiet rounds were waited for and did not come.",
            advice="The intervals are as wide as that made them. Stop what else runs there for narrower ones.",
        )


def frequency(run: Run, device: Device) -> Iterator[Caveat]:
    clocks = [p.before.frequency for case in device.cases for p in case.processes if p.before.frequency]
    if clocks and not device.emulated and min(clocks) < 0.9 * median(clocks):
        yield Caveat(
            code="FREQUENCY",
            weight="note",
            subject=device.name,
            evidence=f"the clock ran between {min(clocks) / 1e6:.2f} and {max(clocks) / 1e6:.2f} GHz.",
            advice="Ratios hold: each pair ran at nearly one time. For times of their own, set the governor.",
        )


def narrow_userland(run: Run, device: Device) -> Iterator[Caveat]:
    machine = str(device.facts.get("machine", ""))
    if machine in ("aarch64", "x86_64") and device.host.get("pointer_bits") == 32:
        yield Caveat(
            code="USERLAND_32",
            weight="warn",
            subject=device.name,
            evidence=f"a 32-bit program ran on a 64-bit processor ({machine}).",
            advice="The 64-bit kernels are faster: install a 64-bit system, or set the device's target to aarch64.",
        )


def reference_kernel(run: Run, device: Device) -> Iterator[Caveat]:
    has = [isa for isa in device.host.get("isa", []) if isa != "scalar"]
    for case in device.cases:
        variant = run.model(case.model).variant
        if variant.isa_mask or variant.kernels:  # it was asked for
            continue
        slow = [name for name, kernel in case.kernels.items() if kernel.startswith("bconv2d") and "scalar" in kernel]
        if has and slow and not device.emulated:
            yield Caveat(
                code="REFERENCE_KERNEL",
                weight="warn",
                subject=f"{case.model} on {device.name}",
                evidence=f"the scalar kernel ran {len(slow)} binary layer{'s' if len(slow) > 1 else ''}, "
                f"although the processor has {', '.join(has)}.",
                advice="The shape fits no faster kernel, or ISAs are masked: see the layers' kernels.",
            )


LOOKS: tuple[Callable[[Run, Device], Iterator[Caveat]], ...] = (
    throttled,
    narrow_userland,
    reference_kernel,
    canary,
    unsteady,
    frequency,
)
