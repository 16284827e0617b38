# SPDX-License-Identifier: Apache-2.0
"""What happens during a bench, one value each: the terminal shows them, the recorder folds them into the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.bench.record import Agreement, Build, Caveat, Counts, Model, Peak, Problem, Process, Profile, Run


@dataclass(frozen=True)
class Told:
    """A sentence about something that takes long; `device` is empty for work on the host."""

    device: str
    text: str


@dataclass(frozen=True)
class Prepared:
    """All models were read: the run can begin, and can be resumed from here on.

    Attributes:
        rounds: the most that each device will take.
    """

    models: tuple[Model, ...]
    rounds: Mapping[str, int]


@dataclass(frozen=True)
class Built:
    build: Build
    seconds: float
    up_to_date: bool


@dataclass(frozen=True)
class Ready:
    """A board is connected and holds all files."""

    device: str
    facts: dict[str, Any]
    bytes_sent: int
    bytes_kept: int


@dataclass(frozen=True)
class Gated:
    """A board's output was compared with the golden output; nothing was timed before."""

    device: str
    model: str
    agreement: Agreement


@dataclass(frozen=True)
class Hosted:
    """What the binary found about the board and, once a model, about the session it made."""

    device: str
    model: str
    host: dict[str, Any]
    kernels: dict[str, str]
    arena_bytes: int


@dataclass(frozen=True)
class Round:
    """A block of processes, one a model, in the order in which they ran.

    Attributes:
        spoiled: why it does not count; empty where it does.
    """

    device: str
    processes: dict[str, Process]
    spoiled: str


@dataclass(frozen=True)
class Piloted:
    """A first process, which says how many samples the others need."""

    device: str
    model: str
    process: Process


@dataclass(frozen=True)
class Counted:
    """Instructions of an inference, on a board that counts them."""

    device: str
    model: str
    counts: Counts


@dataclass(frozen=True)
class Profiled:
    """Where the time of an inference went, layer by layer."""

    device: str
    model: str
    profile: Profile


@dataclass(frozen=True)
class Peaked:
    """What a board can do at most."""

    device: str
    peaks: tuple[Peak, ...]


@dataclass(frozen=True)
class Failed:
    """A model on a device came to nothing, or, without a model, the device did."""

    device: str
    model: str | None
    problem: Problem


@dataclass(frozen=True)
class Stopped:
    """The rounds of a device ended, and why."""

    device: str
    why: str


@dataclass(frozen=True)
class Noticed:
    """Something to know before trusting the numbers."""

    caveat: Caveat


@dataclass(frozen=True)
class Finished:
    """The last event: the whole record, as it is on disk."""

    run: Run


News = (
    Told
    | Prepared
    | Built
    | Ready
    | Gated
    | Hosted
    | Piloted
    | Round
    | Profiled
    | Counted
    | Peaked
    | Failed
    | Stopped
    | Noticed
)
Event = News | Finished
