# SPDX-License-Identifier: Apache-2.0
"""What a bench would do, without touching a board: commands, bytes, rounds and about how long."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from harness.bench import measure, process
from harness.bench.record import Settings
from harness.bench.subject import Subject
from harness.board.inventory import Device

OVERHEAD = 0.6
"""Seconds of a process beside its samples: start, golden gate, warm-up, canary, and the way to the board and back."""


@dataclass(frozen=True)
class Outline:
    """The plan for one device.

    Attributes:
        bytes_at_most: what is sent where nothing is there yet.
        rounds: least and most.
        seconds: least and most, about; a slow model takes longer.
        commands: one process a model.
    """

    device: str
    target: str
    bytes_at_most: int
    rounds: tuple[int, int]
    processes: tuple[int, int]
    seconds: tuple[float, float]
    commands: tuple[str, ...]


def outline(device: Device, files: Mapping[str, Path], subjects: Sequence[Subject], settings: Settings) -> Outline:
    """What `measure.measure` would do with the same arguments."""
    how = settings.model_copy(update=measure.EMULATED) if device.emulated else settings
    least, most = how.rounds
    one = len(subjects) * (OVERHEAD + how.min_time)
    beside = one * (how.layer_rounds + (most > 1))  # profiles, and the pilot
    longest = min(most * one, max(how.budget, least * one) + one)
    contents = {name: path.read_bytes() for name, path in files.items()}
    paths = {name: f"{device.workdir}/cas/{sha256(content).hexdigest()}" for name, content in contents.items()}
    commands = []
    for subject in subjects:
        program = paths[process.program_name(subject.model.variant.revision)]
        words = [*device.runner, program, *process.arguments(subject, device, paths, how)]
        commands.append(" ".join(word if word.startswith("~/") else shlex.quote(word) for word in words))
    return Outline(
        device=device.name,
        target=device.target,
        bytes_at_most=sum(len(content) for content in set(contents.values())),
        rounds=(least, most),
        processes=(least * len(subjects), most * len(subjects)),
        seconds=(least * one + beside, longest + beside),
        commands=tuple(commands),
    )
