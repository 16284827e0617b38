# SPDX-License-Identifier: Apache-2.0
"""Pure parsers of what commands on boards print: text in, a JSON value out, None where it says nothing."""

from __future__ import annotations

import re
from typing import Any

# Implementer and part of MIDR_EL1, as the kernel prints them in /proc/cpuinfo (Arm's core manuals give each).
ARM_PARTS = {
    ("0x41", "0xb76"): "ARM1176",
    ("0x41", "0xc05"): "Cortex-A5",
    ("0x41", "0xc07"): "Cortex-A7",
    ("0x41", "0xc08"): "Cortex-A8",
    ("0x41", "0xc09"): "Cortex-A9",
    ("0x41", "0xc0f"): "Cortex-A15",
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd04"): "Cortex-A35",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd0d"): "Cortex-A77",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd44"): "Cortex-X1",
    ("0x41", "0xd46"): "Cortex-A510",
    ("0x41", "0xd47"): "Cortex-A710",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x4e", "0x003"): "Denver 2",
    ("0x4e", "0x004"): "Carmel",
    ("0x61", "0x022"): "Apple M1 (efficiency)",
    ("0x61", "0x023"): "Apple M1 (performance)",
}

# e_machine of the ELF header (System V ABI), with the word size as the second half of the key.
MACHINES = {(0xB7, 64): "aarch64", (0x28, 32): "arm", (0x3E, 64): "x86_64", (0x03, 32): "i386", (0xF3, 64): "riscv64"}

# Bits of the firmware's answer; those 16 higher say the same of any time since boot. Under-voltage is not heat.
THROTTLE_BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}


def line(text: str) -> str | None:
    return text.splitlines()[0].strip() or None


def integer(text: str) -> int | None:
    found = re.match(r"-?\d+", text)
    return int(found[0]) if found else None


def integers(text: str) -> list[int] | None:
    return [int(word) for word in text.split() if word.isdigit()] or None


def one_of_all(text: str) -> str | None:
    """The word when every CPU has the same, else all of them."""
    return ", ".join(dict.fromkeys(text.split())) or None


def yes(text: str) -> bool:
    return text.splitlines()[-1] == "yes"


def missing(text: str) -> list[str] | None:
    return [word for word in text.split() if word != "."] or None


def kilobytes(text: str) -> int | None:
    """Bytes, of a line as "MemTotal: 3884 kB"."""
    found = re.search(r"(\d+) kB", text)
    return int(found[1]) * 1024 if found else None


def os_release(text: str) -> str | None:
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', text, re.MULTILINE)
    return found[1] if found else None


def userland(text: str) -> dict[str, Any] | None:
    """Machine, word size and float ABI from the first bytes of an ELF file, in hexadecimal."""
    header = bytes.fromhex("".join(text.split()))
    if len(header) < 52 or header[:4] != b"\x7fELF":
        return None
    bits = {1: 32, 2: 64}.get(header[4], 0)
    order: Any = "little" if header[5] == 1 else "big"
    machine = int.from_bytes(header[18:20], order)
    found: dict[str, Any] = {"machine": MACHINES.get((machine, bits), f"ELF machine {machine}"), "bits": bits}
    if found["machine"] == "arm":  # EF_ARM_ABI_FLOAT_HARD of e_flags, where the linker set it
        found["hard_float"] = bool(int.from_bytes(header[36:40], order) & 0x400)
    return found


def libc(text: str) -> str | None:
    """By the dynamic linkers that a board has."""
    for name, pattern in {"musl": "ld-musl", "glibc": "ld-linux", "bionic": "linker"}.items():
        if pattern in text:
            return name
    return None


def cpuinfo(text: str) -> dict[str, Any] | None:
    """Parts in the order of the CPUs, features, and what else /proc/cpuinfo calls the processor."""
    pairs = [(key.strip(), value.strip()) for key, _, value in (row.partition(":") for row in text.splitlines())]
    rows = [(key, value) for key, value in pairs if value]
    implementers = [value.lower() for key, value in rows if key == "CPU implementer"]
    numbers = [value.lower() for key, value in rows if key == "CPU part"]
    names = [ARM_PARTS.get(id, f"{id[0]}:{id[1]}") for id in zip(implementers, numbers, strict=False)]
    names = names or [value for key, value in rows if key == "model name"]
    found = {
        "parts": names,
        "features": next((value.split() for key, value in rows if key in ("Features", "flags")), []),
        "hardware": next((value for key, value in rows if key == "Hardware"), None),
        "revision": next((value for key, value in rows if key == "Revision"), None),
    }
    return {key: value for key, value in found.items() if value} or None


def temperatures(text: str) -> dict[str, float] | None:
    """Degrees by the name of the thermal zone; zones that cannot be read are left out."""
    found = re.findall(r"^(\S+) (-?\d+)$", text, re.MULTILINE)
    return {zone: int(milli) / 1000 for zone, milli in found} or None


def throttled(text: str) -> dict[str, list[str]] | None:
    """What the firmware of a Raspberry Pi has done to its clock, in words."""
    found = re.search(r"throttled=(0x[0-9a-fA-F]+)", text)
    if not found:
        return None
    bits = int(found[1], 16)
    return {
        "now": [word for bit, word in THROTTLE_BITS.items() if bits >> bit & 1],
        "since_boot": [word for bit, word in THROTTLE_BITS.items() if bits >> (bit + 16) & 1],
    }


def load(text: str) -> float | None:
    """Processes that ran or waited, over the last minute."""
    found = re.match(r"[\d.]+", text)
    return float(found[0]) if found else None


def pressure(text: str) -> float | None:
    """Per cent of the last 10 s in which something waited for a CPU."""
    found = re.search(r"^some avg10=([\d.]+)", text, re.MULTILINE)
    return float(found[1]) if found else None


def free_bytes(text: str) -> int | None:
    """Of the file system, from the last line of `df -P`."""
    words = text.splitlines()[-1].split()
    return int(words[3]) * 1024 if len(words) >= 6 and words[3].isdigit() else None
