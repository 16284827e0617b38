# SPDX-License-Identifier: Apache-2.0
"""What LCE's converter would make of a net, by the cases that were tried with it (larq-compute-engine 0.16)."""

from __future__ import annotations

import numpy as np
import pytest

from harness.model import analyse, others
from tests.unit.nets import Net, real


def judged(quantiser: str, op: str = "conv", **conv: int) -> tuple[str, str]:
    """(what LCE does with the middle layer, the sentence)."""
    net = Net((1, 8, 8, 3)).conv("stem", 32, weights=real).norm("bn").quantiser(quantiser, "q")
    if op == "dense":
        net.op("reshape", "flat", shape=(1, 2048)).dense("layer", 10)
    else:
        net.conv("layer", 32, **conv)  # type: ignore[arg-type]
    graph = net.graph()
    verdicts = analyse.verdicts(graph)
    outcomes = others.lce(graph, verdicts)
    return outcomes["layer"], others.sentence(outcomes, verdicts)


def test_plus_minus_one_is_what_it_knows() -> None:
    assert judged("ste_sign") == ("binary", "")


@pytest.mark.parametrize("quantiser", ["dorefa1", "heaviside", "where", "minimum_relu_round"])
def test_zero_one_is_lost(quantiser: str) -> None:
    outcome, sentence = judged(quantiser)
    assert outcome == "float"
    assert "0 of these 1 layers binary" in sentence
    assert "{0, 1} activations" in sentence


def test_ternary_comes_out_wrong() -> None:
    outcome, sentence = judged("ternary")
    assert outcome == "wrong"
    assert "outputs come out wrong" in sentence


def test_dense_depthwise_and_narrow_groups_are_lost() -> None:
    assert judged("ste_sign", "dense")[0] == "float"
    assert judged("ste_sign", groups=32)[0] == "float"
    assert judged("ste_sign", groups=2)[0] == "float"


def test_a_file_of_its_own_says_what_it_did() -> None:
    net = Net((1, 8, 8, 32)).quantiser("ste_sign", "q")
    kernel = net.builder.constant("k", np.ones((8, 1, 1, 32)))
    place = {f"{name}_{axis}": 1 for name in ("kernel", "stride", "dilation") for axis in "hw"}
    for name, layer in (("a", "LceBconv2d"), ("b", "CONV_2D")):
        net.builder.output(net.builder.node("conv2d", name, (net.x, kernel), layer=layer, window=place, groups=1))
    graph = net.builder.graph()
    assert others.lce(graph, analyse.verdicts(graph)) == {"a": "binary", "b": "float"}
