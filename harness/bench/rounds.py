# SPDX-License-Identifier: Apache-2.0
"""The rounds of a board: a pilot, then block after block of fresh processes, until there is nothing more to learn."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median

from harness.bench import conditions, process, record, schedule
from harness.bench.events import Piloted, Round, Stopped, Told
from harness.bench.process import Board
from harness.bench.record import Conditions, Process, Settings

LOOK_AGAIN = 2.0
"""Seconds between two looks at a board that is not fit."""


def measure(board: Board, seed: int, past: record.Device) -> None:
    """Rounds until the intervals are narrow, the rounds are many, or the time is up; those of the past count."""
    least, most = board.settings.rounds
    settings = _pilot(board, past) if most > 1 else dict.fromkeys(board.subjects, board.settings)
    processes = {case.model: case.processes for case in past.cases}
    medians = {name: {p.round: median(p.samples) for p in processes.get(name, ())} for name in board.subjects}
    everything = [p for case in past.cases for p in (*case.processes, *case.discarded)]
    tried = max((p.round + 1 for p in everything), default=0)
    start = time.monotonic() - max((p.seconds for p in everything), default=0.0)
    counted = len({p.round for case in past.cases for p in case.processes})
    gate = Gate(board)
    while not (why := _reason_to_stop(board, medians, counted, time.monotonic() - start)):
        if most > 1:
            start += gate.wait()
        names = schedule.order(list(board.subjects), seed, board.device.name, tried)
        taken = _round(board, settings, names, tried, start)
        # On a board that is never quiet every round is spoiled: once as many are discarded as are needed at least, the
        # rest count all the same, and the reader is told.
        patient = most > 1 and tried - counted < least
        spoiled = schedule.spoiled(list(taken.values())) if patient else ""
        board.emit(Round(board.device.name, taken, spoiled))
        tried += 1
        if not spoiled:
            counted += 1
            for name, each in taken.items():
                medians[name][each.round] = median(each.samples)
    board.emit(Stopped(board.device.name, why))


def _pilot(board: Board, past: record.Device) -> dict[str, Settings]:
    """The settings of each model's processes: as many samples as the scatter of a first process asks for.

    A slow model that scatters little needs few of its long samples; one that scatters needs more of them.
    """
    found = {case.model: case.pilot for case in past.cases}
    for name in list(board.subjects):
        if not found.get(name):
            before = conditions.read(board.link)
            if (events := process.bench(board, name, board.settings)) is not None:
                found[name] = pilot = process.described(events, 0, 0, 0.0, before)
                board.emit(Piloted(board.device.name, name, pilot))
    asked = {name: schedule.samples(pilot, board.settings.precision) for name, pilot in found.items() if pilot}
    return {name: board.settings.model_copy(update={"samples": asked[name]}) for name in board.subjects}


def _reason_to_stop(board: Board, medians: Mapping[str, Mapping[int, float]], counted: int, seconds: float) -> str:
    """Why no further round is needed; "" where one is."""
    least, most = board.settings.rounds
    if not board.subjects:
        return "no model is left to measure"
    baselines = {name: subject.model.baseline for name, subject in board.subjects.items()}
    if schedule.enough({name: medians[name] for name in board.subjects}, baselines, board.settings):
        return "every interval is narrow enough"
    if counted >= most:
        return f"{most} rounds were counted" if most > 1 else "one round is enough for an emulated board"
    if counted >= least and seconds > board.settings.budget:
        return f"{board.settings.budget:.0f} s were up"
    return ""


def _round(
    board: Board, settings: Mapping[str, Settings], names: Sequence[str], index: int, start: float
) -> dict[str, Process]:
    """One process a model. A model whose process fails is dropped and is not in the result."""
    taken: dict[str, Process] = {}
    for position, name in enumerate(names):
        before = conditions.read(board.link)
        seconds = time.monotonic() - start
        if (events := process.bench(board, name, settings[name])) is not None:
            taken[name] = process.described(events, index, position, seconds, before)
    return taken


class Gate:
    """Waits while a board is not fit to be timed, in all no longer than its patience: a board may never be.

    Attributes:
        patience: seconds that are left, for each reason.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.first: Conditions | None = None
        self.patience = {name: limit.patience for name, limit in schedule.LIMITS.items()}

    def wait(self) -> float:
        """Returns the seconds that it waited."""
        began = time.monotonic()
        while True:
            now = conditions.read(self.board.link)
            self.first = self.first or now
            unfit = schedule.unfit(now, self.first)
            waiting = {name: why for name, why in unfit.items() if self.patience[name] > 0}
            if not waiting:
                return time.monotonic() - began
            self.board.emit(Told(self.board.device.name, f"waiting: {', '.join(waiting.values())}"))
            time.sleep(LOOK_AGAIN)
            for name in waiting:
                self.patience[name] -= LOOK_AGAIN
