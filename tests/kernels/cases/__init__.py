# SPDX-License-Identifier: Apache-2.0
"""One net for each thing that an operation of the runtime can be asked."""

from __future__ import annotations

import numpy as np

from harness.model import reference
from harness.model.graph import Array, Builder, Graph
from tests.kernels.cases import arrangements, bits, elements, layers, neurons
from tests.kernels.cases.parts import CASES, normal
from tests.kernels.runtime import Runtime

__all__ = ["CASES", "agree", "build_case"]

TOPICS = (layers, bits, elements, arrangements, neurons)
"""Each adds its own to CASES as it is loaded."""


def agree(runtime: Runtime, graph: Graph, inputs: list[Array], *options: str) -> list[Array]:
    found = runtime.run(graph, inputs, *options)
    for name, got, expected in zip(graph.outputs, found, reference.run(graph, inputs), strict=True):
        if graph.tensors[name].dtype == "f32":
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(got, expected.view(got.dtype), err_msg=name)
    return found


def build_case(name: str) -> tuple[Graph, list[Array]]:
    rng = np.random.default_rng(len(name))
    builder = Builder(name)
    CASES[name](builder, rng)
    graph = builder.graph()
    shapes = [graph.tensors[name].shape for name in graph.inputs]
    steps = 6 if graph.spiking else 1
    return graph, [normal(rng, steps * shape[0], *shape[1:]) if shape else normal(rng) for shape in shapes]
