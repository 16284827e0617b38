# SPDX-License-Identifier: Apache-2.0
"""Stand-in boards: real SSH servers on this machine whose jobs run under an emulator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """One stand-in: its name in `lab:` of devices.yaml, whether it answers, and where."""

    name: str
    up: bool
    address: str


def up(names: Sequence[str] = ()) -> Iterator[str]:
    """Start the stand-ins (all when empty); yields what it does, one line each. Raises DeviceUnfit."""
    raise NotImplementedError
    yield ""


def down(names: Sequence[str] = ()) -> Iterator[str]:
    """Stop them and everything that runs in them."""
    raise NotImplementedError
    yield ""


def status() -> tuple[Standing, ...]:
    """Which stand-ins are up."""
    raise NotImplementedError
