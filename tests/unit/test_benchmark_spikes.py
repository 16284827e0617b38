# SPDX-License-Identifier: Apache-2.0
"""The benchmark of spiking layers times what it says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import spikes
from benchmarks.race import Entrant, Times
from harness.model import importers, reference


def test_the_forms_of_a_spiking_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Float and bits are the same net and must give the same spikes; signs are another one on the same kernel."""
    raced: list[Entrant] = []

    def race(field: Sequence[Entrant], rounds: int, seed: int) -> dict[str, Times]:
        raced.extend(field)
        return {}

    monkeypatch.setattr(spikes, "race", race)
    layer = spikes.Layer(5, 40, 33)
    (found,) = spikes.compare([layer], 3, 0.25, tmp_path / "bnn", tmp_path, 1, 1, lambda line: None)
    assert (found.layer, found.steps) == (layer, 3)
    assert [entrant.name for entrant in raced] == [spikes.FLOAT, spikes.SPIKES, spikes.SIGNS]
    answers = {entrant.name: (tmp_path / f"{entrant.name}.y").read_bytes() for entrant in raced}
    assert answers[spikes.FLOAT] == answers[spikes.SPIKES] != answers[spikes.SIGNS]
    share = np.frombuffer(answers[spikes.SPIKES], np.float32).mean()
    assert 0.05 < share < 0.95
    for entrant in raced:
        graph = importers.load(tmp_path / f"{entrant.name}.bnn")
        assert ("bconv2d" in {node.op for node in graph.nodes}) == (entrant.name != spikes.FLOAT)
        x = np.fromfile(tmp_path / f"{entrant.name}.x", np.float32).reshape(3, 5, 5, 40)
        assert reference.run(graph, [x])[0].tobytes() == answers[entrant.name]
