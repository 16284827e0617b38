# SPDX-License-Identifier: Apache-2.0
"""The rates of a device's kernels on the shapes of real nets, beside what its core and its BLAS can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.bench import blas, execute
from harness.board.transport import Transport

_ROOFS = {"bconv2d": ("popcount", 1.0), "sgemm": ("fma", 0.5), "depthwise": ("fma", 0.5)}
"""The peak that limits a family, and MACs for each of its units: a multiply-add is two operations and one MAC."""

_PRODUCTS = ("bconv2d", "sgemm")
"""The families that a matrix product can be set beside."""


@dataclass(frozen=True)
class Timing:
    """A kernel on a shape.

    Attributes:
        macs: of bitpack, which multiplies nothing, elements.
        ns: the median of the samples.
        best_ns: the fastest of them. Peaks and BLAS are the fastest of theirs, and so ratios to them are of this.
        roof: what the instructions of the kernel's ISA reach at most on this device, in GMAC/s; 0 where nothing limits.
        sgemm_ns: a float matrix product of the same size on this machine, one thread; None where none was timed.
    """

    family: str
    kernel: str
    shape: str
    macs: int
    ns: float
    best_ns: float
    roof: float
    sgemm_ns: float | None = None

    @property
    def rate(self) -> float:
        """GMAC/s."""
        return self.macs / self.ns

    @property
    def share(self) -> float | None:
        """Of the roof."""
        return self.macs / self.best_ns / self.roof if self.roof else None

    @property
    def over_sgemm(self) -> float | None:
        """How many times as fast as the float matrix product."""
        return self.sgemm_ns / self.best_ns if self.sgemm_ns else None


def times(transport: Transport, binary: str, options: Sequence[str]) -> list[Timing]:
    """By `bnn kernels`, against the peaks of `bnn peaks` right before.

    Raises:
        JobFailed, DeviceError.
    """
    peaks = {(peak.name, peak.isa): peak.value for peak in execute.peaks(transport, binary)}
    events, _ = execute.checked(transport, binary, ["kernels", *options])
    found = []
    for event in events:
        if event["type"] != "kernel":
            continue
        peak, per_unit = _ROOFS.get(event["family"], ("", 0.0))
        isa = event["kernel"].split("_")[2]  # <family>_<tile>_<isa>, see docs/adding.md
        roof = peaks.get((peak, isa), 0.0) * per_unit
        macs, ns, best = int(event["macs"]), float(event["ns"]), float(min(event["samples"]))
        found.append(Timing(event["family"], event["kernel"], event["shape"], macs, ns, best, roof))
    return found


def beside_blas(timings: Sequence[Timing]) -> list[Timing]:
    """The same with the time of this machine's BLAS for each shape that is a matrix product."""
    wanted = {timing.shape for timing in timings if timing.family in _PRODUCTS}
    products = {shape: found for shape in sorted(wanted) if (found := blas.product_of(shape))}
    ns = {shape: blas.sgemm(*product) for shape, product in products.items()}
    return [replace(each, sgemm_ns=ns.get(each.shape)) if each.family in _PRODUCTS else each for each in timings]
