# SPDX-License-Identifier: Apache-2.0
"""Neurons of one time step in the runtime are the one-bit quantisers that they replace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.model import pipeline
from harness.model.passes.order import LOWER, TIDY
from tests.kernels.runtime import Runtime
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
