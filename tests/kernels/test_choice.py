# SPDX-License-Identifier: Apache-2.0
"""How one of a family's kernels is chosen."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.cross import cache, toolchain
from harness.cross.build import build


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[bool, int, bool, str], str]:
    """The chosen row by (scalar alone, width of the problem, core in order, forced row)."""
    made, program = build("host"), tmp_path_factory.mktemp("choice") / "choice"
    zig, kernels = toolchain.compiler("zig", toolchain.target("host")).program, toolchain.ROOT / "kernels"
    caches = {name: str(cache.folder("zig")) for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}
    subprocess.run(
        [
            *(zig, "cc", "-target", f"{made.target}-linux-musl", "-O3", "-static"),
            *("-I", kernels, "-I", kernels / "include", Path(__file__).with_name("choice.c")),
            *(made.binary.with_name("libbnn_core.a"), "-o", program),
        ],
        check=True,
        env={**os.environ, **caches},
    )
    lines = (line.split() for line in subprocess.check_output([program], text=True).splitlines())
    return {(alone == "1", int(width), core == "1", forced): row for alone, width, core, forced, row in lines}


def test_the_first_row_that_is_allowed_and_fits(chosen: dict[tuple[bool, int, bool, str], str]) -> None:
    assert chosen[False, 64, False, "-"] == chosen[False, 64, True, "-"] == "wide_fast"
    assert chosen[True, 64, False, "-"] == chosen[True, 8, True, "-"] == "plain_scalar"


def test_the_core_decides_between_schedules(chosen: dict[tuple[bool, int, bool, str], str]) -> None:
    assert chosen[False, 8, True, "-"] == "patient_fast"
    assert chosen[False, 8, False, "-"] == "eager_fast"


def test_what_is_forced_need_not_suit_but_must_run(chosen: dict[tuple[bool, int, bool, str], str]) -> None:
    assert chosen[False, 8, False, "patient_fast"] == "patient_fast"
    assert chosen[False, 8, True, "wide_fast"] == "wide_fast"
    assert chosen[True, 8, True, "patient_fast"] == "-"
