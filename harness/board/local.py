# SPDX-License-Identifier: Apache-2.0
"""This machine as a board."""

from __future__ import annotations

from collections.abc import Sequence

from harness.board.client import Client


class Local(Client):
    def _argv(self, text: str) -> Sequence[str]:
        return ["sh", "-c", text]
