# SPDX-License-Identifier: Apache-2.0
"""One board, from the connection to the last round. First the outputs are proved right; only then is time taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.bench import execute, golden, layers, record, rounds
from harness.bench.events import Gated, Peaked, Ready, Told
from harness.bench.process import Board, Emit
from harness.bench.record import Settings
from harness.bench.subject import Subject
from harness.board import conditions as settings_of_board
from harness.board import deploy, lock, probe, transport
from harness.board.inventory import Device
from harness.errors import JobFailed

EMULATED = {"rounds": (1, 1), "samples": 3, "min_time": 0.0, "max_time": 1.0, "layer_rounds": 1}
"""An emulated board proves function: one short round, so that the table has numbers to grey out."""


def settings_on(device: Device, settings: Settings) -> Settings:
    """The settings as they are for a device."""
    return settings.model_copy(update=EMULATED) if device.emulated else settings


def measure(
    past: record.Device,
    device: Device,
    files: Mapping[str, Path],
    subjects: Sequence[Subject],
    settings: Settings,
    seed: int,
    emit: Emit,
) -> None:
    """Measures all models on one board, or what is missing of that; what happens goes to `emit`.

    Args:
        past: what the record has of this device already.
        files: the programs, and every part of a subject as "<model>/<part>".

    Raises:
        DeviceError: the board came to nothing, or was lost on the way. What was emitted before stands.
    """

    def waiting(sentence: str) -> None:
        emit(Told(device.name, sentence))

    with transport.connect(device, waiting) as link, lock.hold(link, "bench", waiting):
        kept = [setting.text for setting in settings_of_board.steady(link)]  # first, so that the facts show it
        facts = probe.facts(link) | ({"settings": kept} if kept else {})
        pushed = deploy.push(link, files)
        emit(Ready(device.name, facts, pushed.bytes_sent, pushed.bytes_skipped))
        by_name = {subject.model.name: subject for subject in subjects}
        board = Board(link, pushed.paths, by_name, settings_on(device, settings), emit)
        _prove(board)
        if not past.stopped:
            rounds.measure(board, seed, past)
        layers.measure(board, seed, {case.model: case for case in past.cases})
        if not device.emulated and not past.peaks:
            emit(Peaked(device.name, tuple(execute.peaks(link, pushed.paths["bnn"]))))


def _prove(board: Board) -> None:
    """Every model once, its output against the golden one: a model that is wrong here is never timed here."""
    for name, subject in list(board.subjects.items()):
        model = board.paths[f"{name}/model.bnn"]
        try:
            found = execute.outputs(board.link, board.program(name), model, subject.golden.inputs, board.options(name))
        except JobFailed as error:
            board.drop(name, execute.problem(error))
            continue
        agreement = golden.compare(found, subject.golden.outputs, subject.model.atol, subject.model.rtol)
        board.emit(Gated(board.device.name, name, agreement))
        if not agreement.ok:
            del board.subjects[name]
