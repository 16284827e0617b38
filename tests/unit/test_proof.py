# SPDX-License-Identifier: Apache-2.0
"""A pass that changes a number is caught, with its name and the layer's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import WrongOutput
from harness.model import proof, reference
from harness.model.graph import Array, Graph
from harness.model.passes import binarise
from tests.unit.nets import Net


def net() -> tuple[Graph, Graph, list[Array]]:
    graph = Net((1, 8, 8, 16)).quantiser("ste_sign", "q").conv("conv", 40).norm("bn").graph()
    return graph, binarise.binarise(graph), [np.random.default_rng(0).standard_normal((1, 8, 8, 16)).astype(np.float32)]


def test_a_right_pass_has_no_ties() -> None:
    before, after, inputs = net()
    assert proof.compare("binarise", before, after, reference.trace(before, inputs), inputs)[0].count == 0


def test_a_flipped_weight_names_pass_and_layer() -> None:
    before, after, inputs = net()
    weights = next(name for name, tensor in after.tensors.items() if tensor.dtype == "bits" and tensor.data is not None)
    data = after.tensors[weights].data
    assert data is not None
    wrong = replace(after.tensors[weights], data=data ^ np.uint32(1))
    broken = replace(after, tensors={**after.tensors, weights: wrong})
    with pytest.raises(WrongOutput, match=r"'binarise'.*'conv'") as caught:
        proof.compare("binarise", before, broken, reference.trace(before, inputs), inputs)
    assert caught.value.exit_code == 4


def test_a_flipped_threshold_is_seen_in_the_bits() -> None:
    _, after, inputs = net()
    limit = next(name for name in after.tensors if name.endswith("threshold"))
    broken = replace(
        after, tensors={**after.tensors, limit: replace(after.tensors[limit], data=np.full(1, 2.0, np.float32))}
    )
    twin = reference.trace(after, inputs)
    with pytest.raises(WrongOutput, match="bits differ"):
        proof.compare("again", after, broken, twin, inputs)
