# SPDX-License-Identifier: Apache-2.0
"""What goes into a spiking network, what is read out, and a network whose quantisers became neurons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.bench import golden, subject
from harness.errors import UsageError
from harness.model import pipeline, reference, spikes
from harness.model.passes.order import LOWER, TIDY
from tests.unit import nir_writer as nir
from tests.unit.nets import as_neurons

SEED_NET = Path(__file__).parents[2] / "models" / "seed_dorefa.h5"


def test_rates_become_spikes_with_that_chance() -> None:
    x = np.array([0.0, 0.3, 1.0], np.float32)
    found = spikes.encoded(x, "rate,steps=4000,seed=1")
    assert found.shape == (4000, 3)
    assert set(np.unique(found)) == {0.0, 1.0}
    np.testing.assert_allclose(found.mean(axis=0), x, atol=0.03)
    np.testing.assert_array_equal(found, spikes.encode(x, "rate", 4000, 1))


def test_a_constant_current() -> None:
    np.testing.assert_array_equal(spikes.encoded(np.array([2.5]), "constant,steps=3"), np.full((3, 1), 2.5))


@pytest.mark.parametrize("words", ["poisson", "rate,steps=x", "rate,every=2", "rate,steps=0", "rate,steps=-3"])
def test_encodings_that_mean_nothing(words: str) -> None:
    with pytest.raises(UsageError):
        spikes.encoded(np.zeros(3), words)


def test_a_number_above_one_is_no_rate() -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        spikes.encoded(np.full(3, 1.5), "rate")


def test_readouts() -> None:
    y = np.array([[0, 1], [1, 1], [0, 1], [0, 0]], np.float32)
    found = [spikes.read_out(y, kind).tolist() for kind in ("count", "mean", "last")]
    assert found == [[1, 3], [0.25, 0.75], [0, 0]]
    with pytest.raises(UsageError):
        spikes.read_out(y, "first")


def test_activity_counts_what_is_not_zero(tmp_path: Path) -> None:
    path = nir.chain(tmp_path / "m.nir", [2, 4, 4], nir.conv(nir.signs(3, 2, 1, 1)), nir.spiking())
    x = np.zeros((4, 2, 4, 4), np.float32)
    x[0, 0] = 1
    (found,) = spikes.activity(pipeline.prepare(path), [x])
    assert (found.rate, found.macs, found.synaptic_ops) == (1 / 8, 3 * 2 * 16, 3 * 2 * 16 / 8)


def test_the_record_tells_steps_and_spikes(tmp_path: Path) -> None:
    path = nir.chain(tmp_path / "m.nir", [2, 4, 4], nir.conv(nir.signs(3, 2, 1, 1)), nir.spiking(threshold=0.2))
    ready = pipeline.prepare(path, sim="sinabs")
    settled = golden.settle(ready)
    model = subject.model(ready, "m", settled)
    (layer,), (x,) = model.layers, settled.inputs
    assert layer.macs == pipeline.STEPS * ready.layers[0].macs, "an inference is all of the steps"
    rate = np.count_nonzero(x) / x.size
    assert 0.1 < rate < 0.4
    told = " ".join(model.notes)
    assert f"An inference is {pipeline.STEPS} time steps" in told
    assert f"{layer.name} {rate:.0%}; {rate * 3 * 2 * 16:,.0f} of {3 * 2 * 16:,} MACs" in told


def test_one_step_of_neurons_is_a_one_bit_quantiser() -> None:
    """The seed net with its DoReFa(k_bit=1) replaced by IF neurons gives the same outputs, on the bit kernels."""
    ready = pipeline.prepare(SEED_NET)
    spiking = as_neurons(ready.graph)
    lowered = spiking
    for _, rewrite in (*TIDY, *LOWER):
        lowered = rewrite(lowered)
    kernels = [node.op for node in lowered.nodes]
    assert kernels.count("bconv2d") == sum(node.op == "bconv2d" for node in ready.binary.nodes) > 0
    assert kernels.count("lif") == 2
    x = [np.random.default_rng(7).uniform(0, 1, ready.graph.tensors[ready.graph.inputs[0]].shape).astype(np.float32)]
    np.testing.assert_array_equal(reference.run(spiking, x)[0], reference.run(ready.graph, x)[0])
    np.testing.assert_array_equal(reference.run(lowered, x)[0], reference.run(ready.binary, x)[0])
