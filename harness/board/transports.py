# SPDX-License-Identifier: Apache-2.0
"""Transports by name: those that come with bitrig, and those that other packages offer as entry points."""

from __future__ import annotations

import pkgutil
from importlib.metadata import entry_points

# A package adds one so: [project.entry-points."bitrig.transports"] serial = "my_package:Serial", a
# harness.board.transport.Transport that is opened by calling it with its Device.
GROUP = "bitrig.transports"

OWN = {
    "ssh": "harness.board.ssh:Ssh",
    "openssh": "harness.board.openssh:OpenSsh",
    "local": "harness.board.local:Local",
    "adb": "harness.board.adb:Adb",
}


def known() -> dict[str, str]:
    """Where each transport is, as module:class, by its name."""
    return OWN | {point.name: point.value for point in entry_points(group=GROUP)}


def load(name: str) -> type:
    """The class of a transport; loaded when it is needed, for each brings libraries of its own."""
    found = pkgutil.resolve_name(known()[name])
    assert isinstance(found, type)
    return found
