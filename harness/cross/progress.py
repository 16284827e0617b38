# SPDX-License-Identifier: Apache-2.0
"""How long-running steps tell what they are doing: one sentence at a time, to whoever listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]


def silent(sentence: str) -> None:
    """Listens to nothing."""
