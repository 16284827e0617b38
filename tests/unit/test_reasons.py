# SPDX-License-Identifier: Apache-2.0
"""What is said of a layer is true, and helps."""

from __future__ import annotations

import numpy as np

from harness.model import analyse
from harness.model.analyse import Verdict
from tests.unit.nets import INF, Net, Weights, four_levels, real, window


def squeezed(weights: Weights) -> Verdict:
    """A layer of two weights a filter behind a relu."""
    net = Net((1, 4)).dense("squeeze", 2, weights=real).op("clamp", "relu", lo=0.0, hi=INF)
    return analyse.verdicts(net.dense("expand", 8, weights=weights).graph())["expand"]


def test_two_weights_are_not_quantised_because_they_are_two() -> None:
    found = squeezed(real)
    assert (found.kind, found.reason, found.weight) == ("float", "float-layer", "real")
    found = squeezed(np.sign)
    assert (found.kind, found.reason, found.weight) == ("float", "activation-real", "±1")


def test_two_weights_run_on_bits_where_their_input_does() -> None:
    net = Net((1, 4)).dense("squeeze", 2, weights=real).quantiser("ste_sign", "q").dense("expand", 8, weights=real)
    assert analyse.verdicts(net.graph())["expand"].kind == "binary01"


def test_what_stands_between_is_named_with_its_class() -> None:
    net = Net((1, 8, 8, 3)).conv("stem", 4, weights=real, bias=True).quantiser("ste_sign", "1")
    net.x = net.builder.node("avg_pool2d", "2", (net.x,), layer="AvgPool2d", window=window(2))
    found = analyse.verdicts(net.conv("last", 4).graph())["last"]
    assert found.reason == "op-between"
    assert "'1' makes two values, but '2' (AvgPool2d) stands between" in found.reason_text


def test_weights_of_several_bits_are_called_that() -> None:
    net = Net((1, 8, 8, 32)).quantiser("ste_sign", "q").conv("conv", 8, weights=four_levels)
    found = analyse.verdicts(net.graph())["conv"]
    assert (found.kind, found.bits) == ("kbit", 1)
