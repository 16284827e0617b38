# SPDX-License-Identifier: Apache-2.0
"""What a person sees on a terminal while boards are measured."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

from harness.board import lab

ROOT = Path(__file__).resolve().parents[2]
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(folder: Path, *words: str) -> tuple[int, str]:
    """The exit code of `inv` on a terminal of 100 columns, and all that it wrote there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        environment = os.environ | {"BITRIG_RUNS": str(folder / "runs"), "TERM": "xterm-256color", "COLUMNS": "100"}
        os.execve(sys.executable, [sys.executable, "-m", "invoke", *words], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    written = bytearray()
    try:
        while data := os.read(terminal, 65536):
            written += data
    except OSError:  # a terminal whose program has ended says so in this way
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), CODES.sub("", written.decode("utf-8", "replace"))


def test_every_board_has_a_bar_and_one_that_fails_is_a_row(boards: object, tmp_path: Path) -> None:
    assert any(standing.up for standing in lab.status())
    net, devices = "models/seed_dorefa.h5", ("--device", "qemu-aarch64", "--device", "virt-pi2")
    code, shown = on_a_terminal(tmp_path, "bench", "--model", net, *devices)
    assert code == 6
    rows = [line.strip() for line in re.split(r"[\r\n]+", shown)]
    assert any(re.fullmatch(r"qemu-aarch64 ━+ +0% +0 s +waiting", row) for row in rows)
    assert any(re.fullmatch(r"qemu-aarch64 ━+.*100% +\d+ s +done, one round is enough.*", row) for row in rows)
    assert any(re.fullmatch(r"virt-pi2 +━+ failed \d+ s +The stand-in board virt-pi2 is not up\.", row) for row in rows)
