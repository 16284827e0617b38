# SPDX-License-Identifier: Apache-2.0
"""One job a board: a lock that lives on the board and is let go with the connection that holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.board.transport import Transport


@contextmanager
def hold(transport: Transport, purpose: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the board. While another holds it, wait up to `timeouts.queue`, telling `waiting` who and since when.

    Raises DeviceUnfit when the wait is over.
    """
    raise NotImplementedError
    yield
