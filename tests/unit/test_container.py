# SPDX-License-Identifier: Apache-2.0
"""`.bnn` files: written, read back, and refused when they are damaged."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ModelError
from harness.model import container, importers, pipeline, reference
from harness.model.graph import Graph
from harness.model.passes.order import PASSES
from tests.unit.hostile import refusals
from tests.unit.nets import Net, four_levels, real

MODELS = Path(__file__).parents[2] / "models"


def net() -> Graph:
    """One with bits, planes, thresholds, a depthwise layer, and every kind of parameter."""
    made = Net((1, 8, 8, 3)).conv("stem", 32, weights=real).norm("bn0").quantiser("dorefa2", "q0")
    made.conv("a", 32).norm("bn1").quantiser("ste_sign", "q1").conv("b", 32, groups=32).norm("bn2")
    made.quantiser("heaviside", "q2").conv("c", 16, weights=four_levels, lo=0.0).op("mean", "mean", axes=0b110)
    graph = made.graph()
    for _, rewrite in PASSES:
        graph = rewrite(graph)
    return graph


def test_the_same_graph_gives_the_same_bytes() -> None:
    assert container.encode(net()) == container.encode(net())


def test_read_back_it_is_the_same_file(tmp_path: Path) -> None:
    graph = net()
    path = tmp_path / "net.bnn"
    path.write_bytes(container.encode(graph))
    again = importers.load(path)
    assert container.encode(again) == path.read_bytes()
    x = [np.random.default_rng(0).standard_normal((1, 8, 8, 3)).astype(np.float32)]
    np.testing.assert_array_equal(reference.run(again, x)[0], reference.run(graph, x)[0])


def test_a_file_explains_itself(tmp_path: Path) -> None:
    made = pipeline.prepare(MODELS / "seed_dorefa.h5")
    path = tmp_path / "seed.bnn"
    path.write_bytes(made.bnn)
    again = pipeline.prepare(path)
    assert again.bnn == made.bnn
    assert again.totals["binary_layers"] == 2
    assert [layer.macs for layer in again.layers] == [layer.macs for layer in made.layers]
    assert [layer.param_bytes for layer in again.layers] == [layer.param_bytes for layer in made.layers]


@pytest.mark.parametrize("keep", [0, 1, 50, 111, 112, 500, 5000, -1])
def test_truncated(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.bnn"
    path.write_bytes(container.encode(net())[:keep])
    with pytest.raises(ModelError):
        importers.load(path)


def test_damaged_under_a_right_checksum(tmp_path: Path) -> None:
    """Whatever a byte becomes, the answer is a graph or one clear error."""
    image = container.encode(net())
    draw = np.random.default_rng(0)
    files = []
    for _ in range(400):
        bad = bytearray(image)
        for at in draw.integers(8, min(len(image), 6000), 3):
            bad[at] = draw.integers(256)
        bad[container.CHECKSUM_AT : container.CHECKSUM_AT + 4] = bytes(4)
        bad[container.CHECKSUM_AT : container.CHECKSUM_AT + 4] = zlib.crc32(bad).to_bytes(4, "little")
        files.append(bytes(bad))
    assert refusals(tmp_path / "damaged.bnn", files) > 100
