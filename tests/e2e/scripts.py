# SPDX-License-Identifier: Apache-2.0
"""Jobs for the tests of boards, and how long such a test waits."""

from __future__ import annotations

import textwrap
from pathlib import Path

from harness.board import deploy
from harness.board.transport import Transport

COUNT = 'for i in 1 2 3 4 5 6 7 8; do echo "{\\"n\\": $i}"; sleep 0.25; done'


def script(transport: Transport, folder: Path, text: str) -> str:
    """A shell script on the board, as if it were the binary."""
    (folder / "script").write_text(f"#!/bin/sh\n{textwrap.dedent(text)}", "utf-8")
    path = deploy.push(transport, {"script": folder / "script"}).paths["script"]
    transport.ask(["chmod", "755", path])
    return path


def patience(transport: Transport, seconds: float) -> None:
    """From now on a board that is silent for so long counts as lost."""
    timeouts = transport.device.timeouts.model_copy(update={"connect": seconds})
    transport.device = transport.device.model_copy(update={"timeouts": timeouts})
