# SPDX-License-Identifier: Apache-2.0
"""Where bitrig keeps what can always be made again, and how two processes share it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def folder(*parts: str) -> Path:
    """A folder below `$XDG_CACHE_HOME/bitrig` (`~/.cache/bitrig`); made if it is not there."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    path = root.joinpath("bitrig", *parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on `path`, a file made for that purpose. Waits for whoever has it.

    The kernel frees the lock when its holder dies, so that no stale lock exists.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
