# SPDX-License-Identifier: Apache-2.0
"""What a kernel costs on ARM without an ARM board: instructions, counted in an emulator, and cycles, modelled.

Neither knows caches. Counts are exact and the same on every machine. The model (llvm-mca) knows the execution ports of
a core and takes each straight run of instructions for a loop of its own; where a core issues in order, trust it for
which of two is faster, not for by how much.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.cross import emulator

CORES: Mapping[str, tuple[str, ...]] = {
    "aarch64": ("cortex-a53", "cortex-a55", "cortex-a72", "neoverse-n1", "apple-m1"),
}
"""For which llvm-mca has models of its own. The one it calls cortex-a76 is that of the A57: take Neoverse N1 for it."""

MCA, OBJDUMP = "llvm-mca-19", "llvm-objdump-19"
ITERATIONS = 50
"""Of a run of instructions in the model: enough for its steady state."""
NEGLIGIBLE = 1e-3
"""A run with a smaller share of the instructions is not modelled; the rest stands for it."""


@dataclass(frozen=True)
class Anchor:
    """What another engine needs for the layers of anchors.yaml."""

    name: str
    what: str
    target: str
    per_kmac: Mapping[str, float]
    rate: Mapping[str, Mapping[str, float]]  # by core, then by layer


@dataclass(frozen=True)
class Counted:
    """One run of an operation on one thread.

    Attributes:
        per_kmac: instructions executed for 1000 multiply-accumulates.
        rate: multiply-accumulates in a modelled cycle, by core; empty where llvm-mca is not installed.
    """

    target: str
    kernel: str
    shape: str
    macs: int
    instructions: int
    rate: Mapping[str, float]

    @property
    def per_kmac(self) -> float:
        return self.instructions / self.macs * 1000


@cache
def anchors() -> tuple[Anchor, ...]:
    """The figures of other engines that ours stand beside."""
    read = yaml.safe_load(Path(__file__).with_name("anchors.yaml").read_text("utf-8"))
    layers = read["layers"]
    return tuple(
        Anchor(
            engine["name"],
            engine["what"],
            engine["target"],
            dict(zip(layers, engine["per_kmac"], strict=True)),
            {core: dict(zip(layers, rates, strict=True)) for core, rates in engine["rate"].items()},
        )
        for engine in read["engines"]
    )


def shapes() -> list[str]:
    """The layers that are counted: those that figures of other engines exist for."""
    return list(dict.fromkeys(layer for anchor in anchors() for layer in anchor.per_kmac))


def models_cycles() -> bool:
    """Whether llvm-mca and the disassembler that goes with it are installed."""
    return all(shutil.which(program) for program in (MCA, OBJDUMP))


def count(binary: Path, target: str, shape: str) -> list[Counted]:
    """Counts the binary convolution of a shape, "56x56x64->64 3x3", by every kernel of a target, the best first.

    Raises:
        BuildError, JobFailed: see emulator.count.
    """
    arguments = ["kernels", "--family", "bconv2d", "--shape", shape, "--once"]
    said, regions = emulator.count(binary, arguments)
    kernels = (line for line in said if line["type"] == "kernel")
    return [
        Counted(
            target, line["kernel"], shape, line["macs"], _instructions(blocks), _rates(binary, target, line, blocks)
        )
        for line, blocks in zip(kernels, regions, strict=True)
    ]


def _rates(binary: Path, target: str, kernel: Mapping[str, Any], blocks: emulator.Blocks) -> dict[str, float]:
    if not models_cycles() or not CORES.get(target):
        return {}
    runs, assembly = _straight(blocks), _assembly(binary)
    return {core: kernel["macs"] / _cycles(runs, assembly, target, core) for core in CORES[target]}


def _instructions(blocks: emulator.Blocks) -> int:
    return sum(size // 4 * times for (_, size), times in blocks.items())


def _straight(blocks: emulator.Blocks) -> list[tuple[int, int, int]]:
    """Neighbouring instructions that were executed equally often: (first address, address behind, times)."""
    times: Counter[int] = Counter()
    for (address, size), count in blocks.items():
        for at in range(address, address + size, 4):
            times[at] += count
    runs: list[tuple[int, int, int]] = []
    for at in sorted(times):
        if runs and runs[-1][1] == at and runs[-1][2] == times[at]:
            runs[-1] = (runs[-1][0], at + 4, times[at])
        else:
            runs.append((at, at + 4, times[at]))
    return runs


@cache
def _assembly(binary: Path) -> Mapping[int, str]:
    """Every instruction of a program by its address, as the model takes it."""
    listing = subprocess.run([OBJDUMP, "-d", "--no-show-raw-insn", binary], capture_output=True, text=True, check=True)
    found = re.findall(r"^\s*([0-9a-f]+):\s+(.+)$", listing.stdout, re.MULTILINE)
    return {int(address, 16): _relocated(text) for address, text in found}


def _relocated(instruction: str) -> str:
    """Jumps go to a label, since the model sees only a piece of the program."""
    plain = re.sub(r"\s*(//.*|<.*>)", "", instruction).strip()
    return re.sub(r"^(bl?|b\.\w+|cbn?z|tbn?z)(\s.*?)0x[0-9a-f]+$", r"\1\2run", plain)


def _cycles(runs: Sequence[tuple[int, int, int]], assembly: Mapping[int, str], target: str, core: str) -> float:
    """Modelled cycles of all runs together."""
    total = sum((end - begin) // 4 * times for begin, end, times in runs)
    large = [run for run in runs if (run[1] - run[0]) // 4 * run[2] >= NEGLIGIBLE * total]
    texts = ("\n".join(assembly[at] for at in range(begin, end, 4)) for begin, end, _ in large)
    source = "\n".join(f"# LLVM-MCA-BEGIN r{i}\n{text}\n# LLVM-MCA-END" for i, text in enumerate(texts))
    options = [f"-mtriple={target}", f"-mcpu={core}", f"-iterations={ITERATIONS}", "-skip-unsupported-instructions=any"]
    done = subprocess.run([MCA, *options], input=f"run:\n{source}\n", capture_output=True, text=True, check=True)
    cycles = list(_totals(done.stdout))
    covered = sum((end - begin) // 4 * times for begin, end, times in large) / total
    return sum(each * run[2] for each, run in zip(cycles, large, strict=True)) / covered


def _totals(report: str) -> Iterator[float]:
    for found in re.finditer(r"^Total Cycles:\s+(\d+)$", report, re.MULTILINE):
        yield int(found[1]) / ITERATIONS
