# SPDX-License-Identifier: Apache-2.0
"""The inventory of targets and devices: devices.yaml, over it devices.local.yaml, checked field by field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Timeouts(BaseModel):
    """Seconds. Waiting for a board that is in use (`queue`) never counts as `run`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    connect: float = 10
    queue: float = 600
    run: float = 300


class Target(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    toolchain: Literal["zig", "gcc"] = "zig"


class Device(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    target: str
    transport: Literal["local", "ssh"] = "ssh"
    host: str | None = None
    user: str | None = None
    port: int | None = None
    lab: str | None = None
    runner: tuple[str, ...] = ()
    cpus: str | None = None
    threads: int = 1
    workdir: str = "~/.cache/bitrig"
    tags: tuple[str, ...] = ()
    emulated: bool = False
    timeouts: Timeouts = Timeouts()


class Inventory(BaseModel):
    model_config = ConfigDict(frozen=True)
    targets: dict[str, Target]
    devices: dict[str, Device]

    def select(self, patterns: Sequence[str]) -> tuple[Device, ...]:
        """The devices that match any of names, tags or globs, each once, in the order asked for.

        Raises ConfigError, with the nearest names, for a pattern that matches nothing.
        """
        raise NotImplementedError


def load(root: Path) -> Inventory:
    """Read `root/devices.yaml` and, over it, `root/devices.local.yaml`. Raises ConfigError with file, line and field."""
    raise NotImplementedError
