# SPDX-License-Identifier: Apache-2.0
"""A mistake in a command line ends with exit code 2 before anything is done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bench", "--bogus"], "No idea what '--bogus' is"),
        (["no-such-command"], "No idea what 'no-such-command' is"),
        (["device.list", "--yes"], "No idea what '--yes' is"),
        (["bench", "--rounds"], "needed value"),
        (["bench", "--device"], "--device needs a value"),
        (["bench", "--device", "--json"], "--device needs a value"),
        (["bench", "--device="], "--device needs a value"),
        (["bench", "--model", "", "--device", "local"], "--model needs a value"),
    ],
)
def test_a_command_line_that_makes_no_sense(words: list[str], said: str) -> None:
    command = [sys.executable, "-m", "harness.commands", "--search-root", str(ROOT), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "--list" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("words", [[], ["--list"], ["--help", "bench"]])
def test_help_is_no_mistake(words: list[str]) -> None:
    command = [sys.executable, "-m", "harness.commands", "--search-root", str(ROOT), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert done.stderr == ""
