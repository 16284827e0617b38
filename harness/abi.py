# SPDX-License-Identifier: Apache-2.0
"""The C headers of the runtime, read once: the `.def` tables and the structs of the `.bnn` file.

The headers are the single truth. Nothing here repeats a number or a field of theirs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cffi

HEADERS = Path(__file__).resolve().parent.parent / "kernels" / "include" / "bnn"


@dataclass(frozen=True)
class Op:
    """One row of ops.def."""

    name: str
    code: int
    min_inputs: int
    max_inputs: int


def _rows(table: str, macro: str) -> list[list[str]]:
    """The arguments of every `macro(...)` of a .def file; string arguments keep their quotes."""
    text = re.sub(r"//[^\n]*", "", (HEADERS / table).read_text("utf-8"))
    rows = re.findall(rf"^\s*{macro}\((.*?)\)\s*$", text, re.MULTILINE)
    return [[cell.strip() for cell in re.findall(r'\s*("(?:[^"\\]|\\.)*"|[^,]+)', row)] for row in rows]


@cache
def ops() -> dict[str, Op]:
    """The operations by name, in the order of ops.def."""
    table = [Op(name, int(code), int(least), int(most)) for _, name, code, least, most in _rows("ops.def", "BNN_OP")]
    return {op.name: op for op in table}


@cache
def statuses() -> dict[int, str]:
    """The sentence of every status of status.def, by its value."""
    return {int(value): text.strip('"') for _, value, text in _rows("status.def", "BNN_STATUS")}


@cache
def ffi() -> Any:
    """A cffi parser that knows every struct and enum of format.h."""
    header = (HEADERS / "format.h").read_text("utf-8")
    lines = [line for line in header.splitlines() if not line.startswith("#")]
    parser = cffi.FFI()
    parser.cdef("\n".join(lines))
    return parser


@cache
def constant(name: str) -> int:
    """The value of an integer `#define` or of an enumerator of format.h."""
    header = (HEADERS / "format.h").read_text("utf-8")
    found = re.search(rf"^#define {name} (0x[0-9A-Fa-f]+|\d+)u?\b", header, re.MULTILINE)
    if found:
        return int(found[1], 0)
    for enum in re.findall(r"\benum (\w+) \{", header):
        members: dict[str, int] = ffi().typeof(f"enum {enum}").relements
        if name in members:
            return members[name]
    raise KeyError(name)


def struct(kind: str, /, **fields: Any) -> Any:
    """A new `struct bnn_<kind>`, zeroed, with these fields set; array fields take sequences, struct fields dicts."""
    return ffi().new(f"struct bnn_{kind} *", fields)


def fields(name: str) -> tuple[str, ...]:
    """The field names of `struct bnn_<name>`, without reserved ones."""
    return tuple(field for field, _ in ffi().typeof(f"struct bnn_{name}").fields if field != "reserved")


def pack(value: Any) -> bytes:
    """The bytes of a struct made by `struct`."""
    return bytes(ffi().buffer(value))
