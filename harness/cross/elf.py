# SPDX-License-Identifier: Apache-2.0
"""What an ELF file says about the machine it is for: enough to refuse a wrong one before it travels.

Offsets and numbers are those of the System V ABI (gabi 4.1, chapters 4 and 5) and, for the float ABI, of "ELF for the
Arm Architecture" (aaelf32), `EF_ARM_ABI_FLOAT_HARD` and `EF_ARM_ABI_FLOAT_SOFT`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

MACHINES = {3: "x86", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}
FLOAT_ABIS = {0x400: "hard", 0x200: "soft"}
PT_INTERP = 3


@dataclass(frozen=True)
class Elf:
    """An ELF program.

    Attributes:
        machine: a name of MACHINES, or `machine N` for another.
        bits: 32 or 64.
        float_abi: `hard` or `soft` on 32-bit ARM; empty where there is but one, or where the file does not say.
        static: it needs no dynamic loader.
    """

    machine: str
    bits: int
    float_abi: str
    static: bool

    def __str__(self) -> str:
        words = [f"{self.bits}-bit", self.machine, self.float_abi and f"{self.float_abi}-float"]
        return " ".join(word for word in [*words, "static" if self.static else "dynamic"] if word)


def parse(data: bytes) -> Elf:
    """Reads the headers at the beginning of a file.

    Raises:
        ValueError: not a complete ELF header.
    """
    if len(data) < 20 or data[:4] != b"\x7fELF" or data[4] not in (1, 2) or data[5] not in (1, 2):
        raise ValueError("not an ELF file")
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    # e_machine, then e_version .. e_shoff, whose width is the file's; then e_flags .. e_phnum.
    layout = order + ("H I QQQ I HHH" if wide else "H I III I HHH")
    try:
        machine, _, _, phoff, _, flags, _, phentsize, phnum = struct.unpack_from(layout.replace(" ", ""), data, 18)
        types = [struct.unpack_from(order + "I", data, phoff + i * phentsize)[0] for i in range(phnum)]
    except struct.error:
        raise ValueError("the file ends within its ELF headers") from None
    return Elf(
        machine=MACHINES.get(machine, f"machine {machine}"),
        bits=64 if wide else 32,
        float_abi=FLOAT_ABIS.get(flags & 0x600, "") if machine == 40 else "",
        static=PT_INTERP not in types,
    )


def read(path: Path) -> Elf:
    """The headers of a file.

    Raises:
        ValueError: not an ELF file.
        OSError: not readable.
    """
    return parse(path.read_bytes())
