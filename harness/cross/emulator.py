# SPDX-License-Identifier: Apache-2.0
"""Runs a static ARM program in unicorn and counts what it executes between marks, to the instruction.

The marks are calls of sched_yield, in pairs. No ARM machine and nothing but pip's packages are needed, and the same
program gives the same count everywhere: a Linux that answers a handful of system calls, always in the same way, is all
there is.
"""

from __future__ import annotations

import errno
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from harness.errors import BuildError, JobFailed

Blocks = Mapping[tuple[int, int], int]
"""How often each straight run of instructions was entered, by its (address, bytes)."""

PAGE, STACK, HEAP, HEAP_BYTES = 1 << 12, 1 << 20, 0x4000_0000, 1 << 28
STACK_TOP = 0x7000_0000
AT_NULL, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_ENTRY, AT_HWCAP, AT_RANDOM = 0, 3, 4, 5, 6, 9, 16, 25
"""Of the auxiliary vector, see getauxval(3)."""


_CALLS: Mapping[str, tuple[int, int]] = {
    "brk": (214, 45),
    "clock_gettime": (113, 263),
    "clock_gettime64": (113, 403),
    "exit": (93, 1),
    "exit_group": (94, 248),
    "getpid": (172, 20),
    "ioctl": (29, 54),
    "madvise": (233, 220),
    "mmap": (222, 192),
    "mprotect": (226, 125),
    "munmap": (215, 91),
    "openat": (56, 322),
    "rt_sigprocmask": (135, 175),
    "sched_yield": (124, 158),
    "set_tid_address": (96, 256),
    "set_tls": (-1, 0xF0005),
    "write": (64, 4),
    "writev": (66, 146),
}
"""System calls with their numbers on aarch64 and arm. Any other is one that this Linux does not have."""


@dataclass(frozen=True)
class Machine:
    """What differs from one architecture to the next.

    Attributes:
        pointer: bytes of a pointer.
        hwcap: what the CPU says it has: what every core of the target has.
        calls: names of system calls by number.
    """

    pointer: int
    hwcap: int
    calls: Mapping[int, str]


MACHINES = {
    "AArch64": Machine(8, 1 << 0 | 1 << 1, {numbers[0]: name for name, numbers in _CALLS.items()}),  # FP, ASIMD
    "ARM": Machine(4, 1 << 6 | 1 << 12 | 1 << 13 | 1 << 16, {numbers[1]: name for name, numbers in _CALLS.items()}),
}
"""By the name of pyelftools. ARM: VFP, NEON, VFPv3, VFPv4."""


@dataclass
class _Process:
    """One program in its emulated machine."""

    machine: Machine
    uc: Any
    registers: Sequence[int]  # of the arguments of a call; the first takes the answer
    number: int  # the register that names the call
    said: BytesIO = field(default_factory=BytesIO)
    regions: list[Counter[tuple[int, int]]] = field(default_factory=list)
    marks: int = 0
    heap: int = HEAP
    clock: int = 0
    code: int | None = None
    problem: str = ""

    def argument(self, index: int) -> int:
        return int(self.uc.reg_read(self.registers[index]))

    def word(self, address: int, size: int) -> int:
        return int.from_bytes(self.uc.mem_read(address, size), "little")

    def call(self, uc: Any, kind: int, data: Any) -> None:
        """Answers a system call; unicorn calls this."""
        name = self.machine.calls.get(int(uc.reg_read(self.number)), "unknown")
        answer = getattr(self, f"_{name}")()
        uc.reg_write(self.registers[0], answer & (1 << 8 * self.machine.pointer) - 1)

    def _unknown(self) -> int:
        return -errno.ENOSYS

    def _openat(self) -> int:
        return -errno.ENOENT

    def _ioctl(self) -> int:
        return -errno.ENOTTY

    def _nothing(self) -> int:
        return 0

    _madvise = _mprotect = _munmap = _rt_sigprocmask = _nothing
    _brk = _nothing  # whatever is asked for: the C library then maps

    def _getpid(self) -> int:
        return 1

    _set_tid_address = _getpid

    def _mmap(self) -> int:
        address, self.heap = self.heap, self.heap + (self.argument(1) + PAGE - 1) // PAGE * PAGE
        return address if self.heap <= HEAP + HEAP_BYTES else -errno.ENOMEM

    def _write(self) -> int:
        return self.said.write(self.uc.mem_read(self.argument(1), self.argument(2)))

    def _writev(self) -> int:
        size = self.machine.pointer
        vector = range(self.argument(1), self.argument(1) + 2 * size * self.argument(2), 2 * size)
        return sum(self.said.write(self.uc.mem_read(self.word(at, size), self.word(at + size, size))) for at in vector)

    def _clock(self, size: int) -> int:
        self.clock += 1000  # a microsecond has always passed
        seconds, rest = divmod(self.clock, 10**9)
        self.uc.mem_write(self.argument(1), seconds.to_bytes(size, "little") + rest.to_bytes(size, "little"))
        return 0

    def _clock_gettime(self) -> int:
        return self._clock(4)

    def _clock_gettime64(self) -> int:
        return self._clock(8)

    def _set_tls(self) -> int:
        from unicorn import arm_const

        self.uc.reg_write(arm_const.UC_ARM_REG_C13_C0_3, self.argument(0))
        return 0

    def _sched_yield(self) -> int:
        """A mark: stops, so that the counting can begin or end."""
        self.marks += 1
        self.uc.emu_stop()
        return 0

    def _exit(self) -> int:
        self.code = self.argument(0)
        self.uc.emu_stop()
        return 0

    _exit_group = _exit

    def count(self, uc: Any, address: int, size: int, data: Any) -> None:
        self.regions[-1][address, size] += 1


def count(binary: Path, arguments: Sequence[str]) -> tuple[list[dict[str, Any]], list[Blocks]]:
    """What a program says (JSON lines), and the blocks that it executes between each two calls of sched_yield.

    Raises:
        BuildError: unicorn is not installed.
        JobFailed: the program ended badly, or between two marks.
    """
    try:
        import unicorn
    except ImportError:
        raise BuildError(
            "Instructions cannot be counted: unicorn is not installed.", "", "Type: pip install 'bitrig[counts]'"
        ) from None
    with binary.open("rb") as file:
        elf = ELFFile(file)
        process, pc = _load(elf, MACHINES[elf.get_machine_arch()], arguments)
    uc, hook, at = process.uc, None, int(elf.header["e_entry"])
    uc.hook_add(unicorn.UC_HOOK_INTR, process.call)
    while process.code is None and not process.problem:
        marks = process.marks
        try:
            uc.emu_start(at, 0)
        except unicorn.UcError as error:
            process.problem = f"{error} at {uc.reg_read(pc):#x}"
        at = uc.reg_read(pc)
        if process.marks != marks:
            uc.ctl_flush_tb()  # what was translated before knows nothing of hooks that come or go
            if process.marks % 2:
                process.regions.append(Counter())
                hook = uc.hook_add(unicorn.UC_HOOK_BLOCK, process.count)
            else:
                uc.hook_del(hook)
    said = process.said.getvalue().decode("utf-8", "replace")
    if process.problem or process.code or process.marks % 2:
        why = process.problem or f"it ended with {process.code} after {process.marks} marks and said: {said[-200:]}"
        raise JobFailed(f"{binary.name} {' '.join(arguments)} cannot be counted: {why}.")
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")], list(process.regions)


def _load(elf: ELFFile, machine: Machine, arguments: Sequence[str]) -> tuple[_Process, int]:
    """A process that is about to start, and the number of its program counter's register."""
    import unicorn
    from unicorn import arm64_const, arm_const

    uc: Any  # unicorn has types for some of its methods
    if machine.pointer == 8:
        uc = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        uc.reg_write(arm64_const.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # the vector unit is on
        registers = [arm64_const.UC_ARM64_REG_X0 + index for index in range(6)]
        number, sp, pc = (arm64_const.UC_ARM64_REG_X8, arm64_const.UC_ARM64_REG_SP, arm64_const.UC_ARM64_REG_PC)
    else:
        uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_ARM)
        uc.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_A7)
        uc.reg_write(arm_const.UC_ARM_REG_C1_C0_2, 0xF << 20)
        uc.reg_write(arm_const.UC_ARM_REG_FPEXC, 1 << 30)
        registers = [arm_const.UC_ARM_REG_R0 + index for index in range(6)]
        number, sp, pc = arm_const.UC_ARM_REG_R7, arm_const.UC_ARM_REG_SP, arm_const.UC_ARM_REG_PC
    pages: set[int] = set()
    for segment in elf.iter_segments("PT_LOAD"):
        first, last = segment["p_vaddr"] // PAGE, (segment["p_vaddr"] + segment["p_memsz"] - 1) // PAGE
        for page in set(range(first, last + 1)) - pages:
            uc.mem_map(page * PAGE, PAGE)
            pages.add(page)
        uc.mem_write(segment["p_vaddr"], segment.data())
    uc.mem_map(HEAP, HEAP_BYTES)
    uc.mem_map(STACK_TOP - STACK, STACK)
    uc.reg_write(sp, _stack(uc, elf, machine, arguments))
    return _Process(machine, uc, registers, number), pc


def _stack(uc: Any, elf: ELFFile, machine: Machine, arguments: Sequence[str]) -> int:
    """Writes what a program finds on its stack: arguments, no environment, the auxiliary vector. Returns its top."""
    text = b"".join(word.encode() + b"\0" for word in ("bnn", *arguments))
    at = STACK_TOP - (len(text) + 15) // 16 * 16
    uc.mem_write(at, text)
    words: list[int] = [1 + len(arguments)]
    for word in ("bnn", *arguments):
        words.append(at)
        at += len(word.encode()) + 1
    random = (STACK_TOP - len(text) - 32) & ~15
    headers = next(s["p_vaddr"] for s in elf.iter_segments("PT_LOAD") if s["p_offset"] == 0) + elf.header["e_phoff"]
    auxiliary = (
        (AT_PHDR, headers),
        (AT_PHENT, elf.header["e_phentsize"]),
        (AT_PHNUM, elf.header["e_phnum"]),
        (AT_PAGESZ, PAGE),
        (AT_ENTRY, elf.header["e_entry"]),
        (AT_RANDOM, random),
        (AT_HWCAP, machine.hwcap),
        (AT_NULL, 0),
    )
    words += [0, 0, *(part for pair in auxiliary for part in pair)]
    top = (random - len(words) * machine.pointer) & ~15
    uc.mem_write(top, b"".join(word.to_bytes(machine.pointer, "little") for word in words))
    return top
