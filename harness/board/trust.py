# SPDX-License-Identifier: Apache-2.0
"""Trust in a board's host key: shown first, stored when a person says so."""

from __future__ import annotations

from dataclasses import dataclass

from harness.board.inventory import Device


@dataclass(frozen=True)
class HostKey:
    """A host key as the board shows it; `known` when it is already trusted."""

    name: str
    kind: str
    fingerprint: str
    line: str
    known: bool


def fetch(device: Device) -> HostKey:
    """The key that the board shows now. Raises Unreachable."""
    raise NotImplementedError


def accept(key: HostKey) -> None:
    """Trust this key from now on, in place of any other for that name."""
    raise NotImplementedError
