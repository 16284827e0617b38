# SPDX-License-Identifier: Apache-2.0
"""What a board is: a table of facts, each a command and a pure parser of its output."""

from __future__ import annotations

from typing import Any

from harness.board.transport import Transport


def facts(transport: Transport) -> dict[str, Any]:
    """Every fact that the board lets be known, by name, in one round trip; what is not there is absent."""
    raise NotImplementedError
