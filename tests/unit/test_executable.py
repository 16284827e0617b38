# SPDX-License-Identifier: Apache-2.0
"""Headers of programs, made byte by byte from the ABI documents, and one from this machine."""

from __future__ import annotations

import contextlib
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cross.executable import Executable, parse

LOAD, INTERP = 1, 3


def elf(machine: int, *, wide: bool, flags: int = 0, segments: tuple[int, ...] = (LOAD,), big: bool = False) -> bytes:
    order = ">" if big else "<"
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    size, entry = (64, 56) if wide else (52, 32)
    layout = "HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"
    head = struct.pack(order + layout, 2, machine, 1, 0, size, 0, flags, size, entry, len(segments), 0, 0, 0)
    return ident + head + b"".join(struct.pack(order + "I", kind) + bytes(entry - 4) for kind in segments)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (elf(183, wide=True), "ELF 64-bit aarch64 static"),
        (elf(183, wide=True, segments=(LOAD, INTERP)), "ELF 64-bit aarch64 dynamic"),
        (elf(40, wide=False, flags=0x05000400), "ELF 32-bit arm hard-float static"),
        (elf(40, wide=False, flags=0x05000200), "ELF 32-bit arm soft-float static"),
        (elf(40, wide=False, flags=0x05000000, segments=(INTERP,)), "ELF 32-bit arm dynamic"),
        (elf(62, wide=True, flags=0x400), "ELF 64-bit x86_64 static"),
        (elf(21, wide=True, big=True), "ELF 64-bit machine 21 static"),
        (b"\xcf\xfa\xed\xfe\x0c\x00\x00\x01" + bytes(24), "Mach-O 64-bit aarch64 dynamic"),
    ],
)
def test_a_header_says_what_the_program_is_for(data: bytes, said: str) -> None:
    assert str(parse(data)) == said


def test_this_machines_python_is_for_this_machine() -> None:
    found = parse(Path(sys.executable).read_bytes())
    assert found.bits == struct.calcsize("P") * 8
    assert isinstance(found, Executable)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"#!/bin/sh\n", b"\xcf\xfa\xed\xfe\x0c", elf(183, wide=True)[:66]])
def test_what_is_no_program_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not an executable file|ends within its headers"):
        parse(data)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x7fELF\x01\x01", b"\x7fELF\x02\x01", b"\xcf\xfa\xed\xfe"]))
def test_no_bytes_break_the_parser(tail: bytes, head: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert parse(head + tail).bits in (32, 64)
