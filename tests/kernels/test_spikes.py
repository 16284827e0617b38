# SPDX-License-Identifier: Apache-2.0
"""Neurons in the runtime: of one time step, the one-bit quantisers that they replace; of many, with what feeds back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.model import pipeline, reference
from harness.model.passes.order import LOWER, TIDY
from tests.kernels.runtime import Runtime
from tests.unit import nir_writer as nir
from tests.unit.nets import as_neurons

SEED_NET = Path(__file__).parents[2] / "models" / "seed_dorefa.h5"


@pytest.mark.parametrize("options", [(), ("--isa-mask", "scalar"), ("--threads", "3")], ids=" ".join)
def test_the_seed_net_with_neurons_for_its_quantisers(runtime: Runtime, options: tuple[str, ...]) -> None:
    """Untrained: its sums land on the threshold often. Bit by bit, in float and on the bit kernels."""
    ready = pipeline.prepare(SEED_NET)
    spiking = lowered = as_neurons(ready.graph)
    for _, rewrite in (*TIDY, *LOWER):
        lowered = rewrite(lowered)
    assert [node.op for node in lowered.nodes].count("lif") == 2
    assert {tensor.dtype for tensor in lowered.tensors.values()} > {"bits"}
    shape = ready.graph.tensors[ready.graph.inputs[0]].shape
    for seed in range(3):
        x = [np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)]
        for quantised, neurons in ((ready.binary, lowered), (ready.graph, spiking)):
            (expected,), (found,) = runtime.run(quantised, x, *options), runtime.run(neurons, x, *options)
            assert np.unique(expected).size > 1
            assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("options", [(), ("--isa-mask", "scalar"), ("--threads", "3")], ids=" ".join)
@pytest.mark.parametrize("kind", ["signs", "real"])
def test_a_recurrent_network(runtime: Runtime, kind: str, options: tuple[str, ...]) -> None:
    """Layers of neurons that feed back to themselves and to the layer before, on bits and in float.

    Sums of quarters are exact in any order; a rounding would not stay one spike here.
    """
    draw = np.random.default_rng(4)
    weights = {
        name: np.sign(nir.signs(40, 40, seed=seed)) / 4 if kind == "signs" else draw.normal(0, 0.3, (40, 40))
        for seed, name in enumerate(("first", "second", "around", "back"))
    }
    nodes: dict[str, nir.Fields] = {name: {"type": "Linear", "weight": weight} for name, weight in weights.items()}
    nodes |= {"a": nir.spiking(), "b": nir.lif(tau=10.0, r=10.0), "input": {"type": "Input", "shape": [40]}}
    nodes["output"] = {"type": "Output", "shape": [40]}
    edges = [("input", "first"), ("first", "a"), ("a", "second"), ("second", "b"), ("b", "around"), ("around", "b"),
             ("b", "back"), ("back", "a"), ("b", "output")]  # fmt: skip
    path = nir.write(runtime.folder / "m.nir", nodes, edges)
    ready = pipeline.prepare(path, sim="sinabs")
    assert {layer.kind for layer in ready.layers} == ({"binary01"} if kind == "signs" else {"float"})
    x = (draw.random((50, 40)) < 0.3).astype(np.float32)
    (golden,) = reference.run(ready.graph, [x])
    assert 0.05 < golden.mean() < 0.95
    np.testing.assert_array_equal(runtime.run(ready.binary, [x], *options)[0].reshape(golden.shape), golden)


@pytest.mark.parametrize("options", [(), ("--threads", "3")], ids=" ".join)
def test_delays_and_convolutions_along_a_line(runtime: Runtime, options: tuple[str, ...]) -> None:
    draw = np.random.default_rng(6)
    weight = np.sign(nir.signs(8, 3, 5)) / 4
    conv = {"type": "Conv1d", "weight": weight, "stride": 1, "padding": 2, "dilation": 1, "groups": 1}
    delays = [{"type": "Delay", "delay": draw.integers(0, 4, size).astype(float)} for size in ((3, 20), (8, 20))]
    path = nir.chain(runtime.folder / "m.nir", [3, 20], delays[0], conv, nir.spiking(), delays[1], nir.spiking())
    ready = pipeline.prepare(path, sim="sinabs")
    x = (draw.random((30, 3, 20)) < 0.5).astype(np.float32)
    (golden,) = reference.run(ready.graph, [x])
    assert 0.05 < golden.mean() < 0.95
    for graph in (ready.graph, ready.binary):
        np.testing.assert_array_equal(runtime.run(graph, [x], *options)[0].reshape(golden.shape), golden)
