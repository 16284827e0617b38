# SPDX-License-Identifier: Apache-2.0
"""A mistake in a command line ends with exit code 2 before anything is done."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--list"], 0),
        (["--help", "bench"], 0),
        (["explain", "--model", "models/seed_dorefa.h5"], 0),
        (["explain", "--model", "models/seed_dorefa.h5", "--json"], 0),
        (["device.list"], 0),
        (["run", "--model", "models/seed_dorefa.h5", "--input", "x.npy"], 2),
    ],
)
def test_a_reader_who_has_read_enough_ends_nothing_with_a_traceback(words: list[str], code: int) -> None:
    """As with `| head -1`; what the command found out stays its exit code."""
    command = [sys.executable, "-m", "harness.commands", "--search-root", str(ROOT), *words]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize("command", ["bench", "compare", "explain", "run"])
def test_a_misspelt_model_is_told_before_anything_is_done(command: str) -> None:
    options = ["--baseline", "HEAD"] if command == "compare" else []
    words = [command, *options, "--model", "models/seed_dorefa.h5,typo.tflite"]
    if command == "run":
        words[-1] = "typo.tflite"
    done = subprocess.run(
        [sys.executable, "-m", "harness.commands", "--search-root", str(ROOT), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("✕ There is no model file 'typo.tflite'.")
