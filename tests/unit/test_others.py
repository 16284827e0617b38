# SPDX-License-Identifier: Apache-2.0
"""What LCE's converter would make of a net, by the cases that were tried with it (larq-compute-engine 0.16)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.model import analyse, others, pipeline
from tests.unit.nets import INF, Net, real, window

DATA = Path(__file__).parents[1] / "data" / "keras"


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
    assert "would not make 'layer' binary" in sentence
    assert "{0, 1} activations" in sentence


def test_ternary_comes_out_wrong() -> None:
    outcome, sentence = judged("ternary")
    assert outcome == "wrong"
    assert "would take the ternary input for ±1, and the outputs would be wrong" in sentence


def test_dense_depthwise_and_narrow_groups_are_lost() -> None:
    assert judged("ste_sign", "dense")[0] == "float"
    assert judged("ste_sign", groups=32)[0] == "float"
    assert judged("ste_sign", groups=2)[0] == "float"


def test_one_dimension_is_lost() -> None:
    net = Net((1, 9, 33)).quantiser("ste_sign", "q")
    net.op("reshape", "as_image", shape=(1, 1, 9, 33))
    net.x = net.builder.node(
        "conv2d", "layer", (net.x, net.builder.constant("k", np.sign(net.draw.standard_normal((8, 1, 3, 33))))),
        window={**window(1), "kernel_w": 3}, groups=1, lo=-INF, hi=INF,
    )  # fmt: skip
    graph = net.graph()
    verdicts = analyse.verdicts(graph)
    assert verdicts["layer"].kind == "binary"
    assert others.lce(graph, verdicts) == {"layer": "float"}
    assert "one-dimensional convolutions" in others.sentence({"layer": "float"}, verdicts)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("l_conv1d_c33.h5", "486 bytes and 100.0%"),
        ("l_separable_c17.keras", "221 bytes and 100.0%"),
        ("l_transpose_c32.h5", "680 bytes and 100.0%"),
        ("r_concat_c3.h5", "1,094 bytes and 100.0%"),
        ("old_strings_ste_sign.h5", "16,808 bytes and 63.1%"),
    ],
)
def test_what_larq_itself_said_of_files(name: str, said: str) -> None:
    """Recorded from larq 0.14 (larq.models.ModelProfile), which loaded these very files; it counts in bits."""
    prepared = pipeline.prepare(DATA / name)
    assert said in " ".join(prepared.elsewhere)


def test_larq_counts_a_prelu() -> None:
    net = Net((1, 8, 8, 4)).quantiser("ste_sign", "q").conv("layer", 32)
    net.op("prelu", "prelu", net.const("alpha", *[0.25] * 32))
    net.builder.claim("layer", 1, 1)
    said = others.larq(net.graph(), {"layer": (8 * 8 * 32 * 9 * 4, 32 * 9 * 4)}, 1408, 0.5)
    assert "272 bytes" in said
    assert "here it is 1,408 bytes, and 50.0% of the MACs run on bits" in said


def test_a_file_of_its_own_says_what_it_did() -> None:
    net = Net((1, 8, 8, 32)).quantiser("ste_sign", "q")
    kernel = net.builder.constant("k", np.ones((8, 1, 1, 32)))
    place = {f"{name}_{axis}": 1 for name in ("kernel", "stride", "dilation") for axis in "hw"}
    for name, layer in (("a", "LceBconv2d"), ("b", "CONV_2D")):
        net.builder.output(net.builder.node("conv2d", name, (net.x, kernel), layer=layer, window=place, groups=1))
    graph = net.builder.graph()
    assert others.lce(graph, analyse.verdicts(graph)) == {"a": "binary", "b": "float"}
