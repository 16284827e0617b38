# SPDX-License-Identifier: Apache-2.0
"""What each layer takes: passes of their own after the rounds: a process that looks at layers gives no samples."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from harness.bench import process, schedule
from harness.bench.events import Counted, Profiled, Told
from harness.bench.process import Board
from harness.bench.record import Case, Counts, LayerCount, LayerTime, Profile
from harness.board import job


def measure(board: Board, seed: int, past: Mapping[str, Case]) -> None:
    """Profiles and counts every model that has neither yet."""
    _profile(board, seed, {name for name, case in past.items() if case.profile})
    for name in [name for name in board.subjects if name not in past or past[name].counts is None]:
        if not _count(board, name):
            return  # a board that cannot count for one model can for none: told once


def _profile(board: Board, seed: int, done: set[str]) -> None:
    """Times of layers, in as many rounds as are asked for; where there are several they are rounds like the others."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in board.subjects if name not in done}
    rounds, short = board.settings.layer_rounds, board.settings
    if rounds > 1:  # each gives one number a layer, for which half the passes do
        short = short.model_copy(update={"samples": 5, "min_time": short.min_time / 2})
    for index in range(rounds):
        names = [name for name in found if name in board.subjects]
        for name in schedule.order(names, seed, f"{board.device.name}/layers", index):
            events = process.bench(board, name, short, "--profile")
            if events is not None and "profile" in events:
                found[name].append(events["profile"])
    for name, profiles in found.items():
        if len(profiles) == rounds and name in board.subjects:
            board.emit(Profiled(board.device.name, name, _together(profiles)))


def _together(profiles: list[dict[str, Any]]) -> Profile:
    rows = []
    for layers in zip(*(profile["layers"] for profile in profiles), strict=True):
        times = tuple(float(layer["ns"]) for layer in layers)
        first = {key: layers[0][key] for key in ("name", "op", "kernel")}
        rows.append(LayerTime(**first, ns=median(times), rounds=times if len(times) > 1 else ()))
    return Profile(layers=tuple(rows), overhead=median(float(p.get("overhead_ns", 0.0)) for p in profiles))


def _count(board: Board, name: str) -> bool:
    """Instructions of layers, where the board's CPU and system count them: few emulators do, many boards do not let.

    Returns:
        whether the board could.
    """
    words = [*process.arguments(board.subjects[name], board.device, board.paths, board.settings), "--count"]
    words[words.index("--threads") + 1] = "1"  # the counter is one thread's
    events, _ = job.collect(board.link, board.program(name), words)
    found: dict[str, Any] = next((event for event in events if event["type"] == "instructions"), {})
    if "inference" not in found:
        why = found.get("missing", "this revision of the runtime cannot")
        board.emit(Told(board.device.name, f"instructions are not counted: {why}"))
        return "missing" not in found
    layers = tuple(
        LayerCount(**{key: layer[key] for key in ("name", "op", "kernel", "count")}) for layer in found["layers"]
    )
    board.emit(Counted(board.device.name, name, Counts(inference=found["inference"], layers=layers)))
    return True
