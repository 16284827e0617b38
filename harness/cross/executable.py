# SPDX-License-Identifier: Apache-2.0
"""What a program file says about the machine it is for: enough to refuse a wrong one before it travels.

ELF: offsets and numbers of the System V ABI (gabi 4.1, chapters 4 and 5); the float ABI by "ELF for the Arm
Architecture" (aaelf32), `EF_ARM_ABI_FLOAT_HARD` and `EF_ARM_ABI_FLOAT_SOFT`. Mach-O: `struct mach_header_64` of
<mach-o/loader.h>.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

ELF_MACHINES = {3: "x86", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}
ELF_FLOAT_ABIS = {0x400: "hard", 0x200: "soft"}
PT_INTERP = 3
MACHO_MAGIC = b"\xcf\xfa\xed\xfe"
MACHO_MACHINES = {0x01000007: "x86_64", 0x0100000C: "aarch64"}


@dataclass(frozen=True)
class Executable:
    """The header of a program.

    Attributes:
        format: `ELF` (Linux, Android) or `Mach-O` (macOS).
        machine: `aarch64`, `arm`, `x86_64`..., or `machine N` for one that bitrig has no name for.
        bits: 32 or 64.
        float_abi: `hard` or `soft` on 32-bit ARM; empty where there is but one, or where the file does not say.
        static: it needs no dynamic loader. No program of macOS is.
    """

    format: Literal["ELF", "Mach-O"]
    machine: str
    bits: int
    float_abi: str = ""
    static: bool = False

    def __str__(self) -> str:
        words = [self.format, f"{self.bits}-bit", self.machine, self.float_abi and f"{self.float_abi}-float"]
        return " ".join(word for word in [*words, "static" if self.static else "dynamic"] if word)


def parse(data: bytes) -> Executable:
    """Reads the header of a program; `data` holds at least its headers.

    Raises:
        ValueError: it is neither an ELF nor a 64-bit Mach-O file, or it ends too early.
    """
    try:
        if data[:4] == b"\x7fELF":
            return _elf(data)
        if data[:4] == MACHO_MAGIC:
            (machine,) = struct.unpack_from("<I", data, 4)
            return Executable("Mach-O", MACHO_MACHINES.get(machine, f"machine {machine}"), 64)
    except (struct.error, IndexError):
        raise ValueError("the file ends within its headers") from None
    raise ValueError("not an executable file")


def _elf(data: bytes) -> Executable:
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    # e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags, e_ehsize, e_phentsize, e_phnum
    layout = order + ("HIQQQIHHH" if wide else "HIIIIIHHH")
    machine, _, _, phoff, _, flags, _, phentsize, phnum = struct.unpack_from(layout, data, 18)
    segments = [struct.unpack_from(order + "I", data, phoff + index * phentsize)[0] for index in range(phnum)]
    name = ELF_MACHINES.get(machine, f"machine {machine}")
    return Executable(
        format="ELF",
        machine=name,
        bits=64 if wide else 32,
        float_abi=ELF_FLOAT_ABIS.get(flags & 0x600, "") if name == "arm" else "",
        static=PT_INTERP not in segments,
    )
