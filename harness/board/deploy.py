# SPDX-License-Identifier: Apache-2.0
"""Files on a board, stored by their content: what is there already is not sent again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.board.transport import Transport


@dataclass(frozen=True)
class Pushed:
    """Where the files are on the board, and how many bytes that took."""

    paths: Mapping[str, str]
    bytes_sent: int
    bytes_skipped: int


def push(transport: Transport, files: Mapping[str, Path]) -> Pushed:
    """Bring files into the board's store; each name maps to its absolute path there.

    Raises DeviceUnfit (no space, no execution from the work directory, a wrong checksum) or DeviceLost.
    """
    raise NotImplementedError


@contextmanager
def scratch(transport: Transport) -> Iterator[str]:
    """A fresh directory on the board for a job's own output; removed at the end."""
    raise NotImplementedError
    yield ""
