# SPDX-License-Identifier: Apache-2.0
"""The news of a bench in lines: what each event is to the person who waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.bench.events import (
    Built,
    Counted,
    Event,
    Failed,
    Gated,
    Piloted,
    Prepared,
    Profiled,
    Ready,
    Round,
    Stopped,
    Told,
)
from harness.bench.record import Model
from harness.report import words


def _prepared(model: Model) -> str:
    sizes = f"{words.size(model.bnn_bytes)} from {words.size(model.source_bytes)}"
    return f"{model.name}: {words.binary_claim(model)}, {sizes}"


def _ready(event: Ready) -> str:
    sent = words.size(event.bytes_sent) if event.bytes_sent else "nothing"
    return f"{sent} sent, {words.size(event.bytes_kept)} already there"


def _gated(event: Gated) -> str:
    found = event.agreement
    if found.ok:
        return f"{event.model} answers right (largest error {found.max_abs:.1e})"
    return f"{event.model} answers WRONG in {found.wrong} of {found.elements} values; it is not timed"


def _round(event: Round) -> str:
    index = next((process.round for process in event.processes.values()), 0) + 1
    spoiled = f", discarded: {event.spoiled}" if event.spoiled else ""
    return f"round {index}{spoiled}"


def _failed(event: Failed) -> str:
    # What failed on a board is told by the board itself, with its name before it.
    return f"{event.model + ': ' if event.model else ''}{event.problem.what}".removeprefix(f"{event.device}: ")


_LINES: dict[type[Any], Callable[[Any], str]] = {
    Told: lambda event: event.text.removeprefix(f"{event.device}: "),
    Prepared: lambda event: "\n".join(map(_prepared, event.models)),
    Built: lambda event: (
        f"Runtime for {event.build.target}: {words.size(event.build.binary_bytes)}, "
        + ("up to date" if event.up_to_date else f"built in {event.seconds:.1f} s")
    ),
    Ready: _ready,
    Gated: _gated,
    Round: _round,
    Piloted: lambda event: f"{event.model} tried once",
    Counted: lambda event: f"{event.model} takes {event.counts.inference:,} instructions",
    Profiled: lambda event: f"{event.model} profiled",
    Failed: _failed,
    Stopped: lambda event: f"done, {event.why}",
}

PASSING: tuple[type[Any], ...] = (Told, Piloted, Round, Profiled, Counted)
"""Events that matter only until the next one."""


def device_of(event: Event) -> str:
    """The device that it happened on; empty for what happens on the host."""
    return getattr(event, "device", "")


def text(event: Event) -> str | None:
    """What happened, without where; None where there is nothing to tell."""
    tell = _LINES.get(type(event))
    return tell(event) if tell else None


def line(event: Event) -> str | None:
    """What happened, and on which device; None where there is nothing to tell."""
    said, device = text(event), device_of(event)
    return f"{device}: {said}" if said and device else said
