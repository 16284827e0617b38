# SPDX-License-Identifier: Apache-2.0
"""Binarised graphs compute what the float graphs compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.model import analyse, proof, reference
from harness.model.graph import Graph
from harness.model.passes.order import PASSES
from harness.model.passes.steps import recognise
from tests.unit.nets import INF, TWO_VALUED, Net, Weights, four_levels, per_filter, real, ternary, window, zero_one

CASES = st.fixed_dictionaries(
    {
        "quantiser": st.sampled_from(TWO_VALUED),
        "channels": st.sampled_from([1, 3, 17, 32, 33, 64]),
        "filters": st.sampled_from([1, 5, 32, 40]),
        "kernel": st.sampled_from([1, 2, 3, 5]),
        "stride": st.sampled_from([1, 2]),
        "dilation": st.sampled_from([1, 2]),
        "size": st.integers(1, 9),
        "same": st.booleans(),
        "weights": st.sampled_from([np.sign, per_filter]),
        "bias": st.booleans(),
        "relu": st.booleans(),
        "seed": st.integers(0, 1 << 16),
    }
)


def prove(graph: Graph, seed: int = 1) -> Graph:
    """Every pass on random and on integer input (which lands on thresholds); returns the binarised graph."""
    draw = np.random.default_rng(seed)
    shapes = [graph.tensors[name].shape for name in graph.inputs]
    samples = [[draw.standard_normal(shape).astype(np.float32) for shape in shapes] for _ in range(2)]
    samples.append([draw.integers(-2, 3, shape).astype(np.float32) for shape in shapes])
    before = graph
    for name, rewrite in PASSES:
        after = rewrite(before)
        for inputs in samples:
            found, _ = proof.compare(name, before, after, reference.trace(before, inputs), inputs)
            assert found.flips == 0, f"{name}: {found}"
        before = after
    return before


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(CASES)
def test_two_layers(case: dict) -> None:  # type: ignore[type-arg]
    extent = (case["kernel"] - 1) * case["dilation"] + 1
    size = max(case["size"], 1 if case["same"] else 2 * extent)
    net = Net((1, size, size + 1, case["channels"]), case["seed"])
    common = {key: case[key] for key in ("kernel", "stride", "dilation", "same", "weights")}
    net.quantiser(case["quantiser"], "q1")
    net.conv(
        "conv1", case["filters"], bias=case["bias"], hi=INF, lo=0.0 if case["relu"] else -INF, **{**common, "stride": 1}
    )
    net.norm("bn1").quantiser(case["quantiser"], "q2")
    if not case["same"]:
        common |= {"kernel": 1, "dilation": 1}
    net.conv("conv2", 7, **common).norm("bn2")
    graph = net.graph()
    verdicts = analyse.verdicts(recognise(graph)).values()
    assume(all(verdict.reason != "activation-constant" for verdict in verdicts))
    assert all(verdict.kind in ("binary", "binary01") for verdict in verdicts)
    after = prove(graph, case["seed"])
    assert "conv2d" not in ops(after)
    assert [node.op for node in after.nodes if node.name == "conv1"] == ["bconv2d"]
    assert after.tensors[next(node for node in after.nodes if node.name == "conv1").output].dtype == "bits"


def test_chain_of_three_keeps_bits_between_layers() -> None:
    net = Net((1, 8, 8, 3)).conv("stem", 32, weights=real).norm("bn0").quantiser("dorefa1", "q0")
    net.conv("a", 32).norm("bn1").op("clamp", "hardtanh", lo=-1.0, hi=1.0).quantiser("dorefa1", "q1")
    net.conv("b", 32).norm("bn2").op("clamp", "relu", lo=0.0, hi=INF)
    after = prove(net.graph())
    assert ops(after) == ["conv2d", "quantize", "bconv2d", "bconv2d"]
    assert len(after.nodes[1].inputs) == 3, "negative gammas need the invert mask"


def test_batch_norm_goes_into_the_float_stem() -> None:
    net = Net((1, 8, 8, 3)).conv("stem", 8, weights=real).norm("bn").op("clamp", "relu", lo=0.0, hi=6.0)
    after = prove(net.graph())
    assert ops(after) == ["conv2d"]
    assert after.nodes[0].params["hi"] == 6.0


def test_relu_between_binary_conv_and_batch_norm_clamps_the_accumulator() -> None:
    net = Net((1, 8, 8, 32)).quantiser("ste_sign", "q").conv("conv", 8, lo=0.0).norm("bn")
    after = prove(net.graph())
    assert ops(after) == ["quantize", "bconv2d"]
    assert after.nodes[1].inputs[5] is not None


def test_residual_is_quantised_once() -> None:
    net = Net((1, 8, 8, 32)).quantiser("ste_sign", "q1").conv("conv1", 32).norm("bn")
    trunk = net.x
    net.quantiser("ste_sign", "q2").conv("conv2", 32)
    net.op("arith", "add", trunk, kind=1)
    net.quantiser("ste_sign", "q3").conv("left", 8)
    after = prove(net.graph())
    assert ops(after).count("quantize") == 3


@pytest.mark.parametrize("quantiser", ["ste_sign", "dorefa1"])
def test_max_pool_before_the_quantiser_pools_bits(quantiser: str) -> None:
    net = Net((1, 9, 9, 32)).quantiser("ste_sign", "q0").conv("conv1", 32).norm("bn", negative=False)
    pool = {f"{name}_{axis}": value for name, value in (("kernel", 2), ("stride", 2), ("dilation", 1)) for axis in "hw"}
    net.op("max_pool2d", "pool", window=pool).quantiser(quantiser, "q1").conv("conv2", 8)
    assert ops(prove(net.graph())) == ["quantize", "bconv2d", "bmaxpool2d", "bconv2d"]


def test_flattened_bits_feed_a_dense_layer() -> None:
    net = Net((1, 4, 4, 32)).quantiser("ste_sign", "q0").conv("conv", 32)
    net.op("reshape", "flat", shape=(1, 512)).quantiser("heaviside", "q1").dense("dense", 10)
    after = prove(net.graph())
    assert [op for op in ops(after) if op != "reshape"] == ["quantize", "bconv2d", "bconv2d"]


def test_zero_after_a_sign_is_a_third_value() -> None:
    net = Net((1, 6, 6, 32)).quantiser("ste_sign", "q")
    net.op("pad", "pad", before=[0, 1, 1, 0, 0, 0], after=[0, 1, 1, 0, 0, 0]).conv("conv", 8, same=False)
    (verdict,) = analyse.verdicts(net.graph()).values()
    assert verdict.kind != "binary"


@pytest.mark.parametrize(
    ("quantiser", "threshold", "ends"),
    [("patched_sign", 0.0, (-1.0, 1.0)), ("masks", float(np.nextafter(np.float32(0.25), np.float32(1))), (0.0, 1.0))],
)
def test_nodes_that_branch_are_a_step(quantiser: str, threshold: float, ends: tuple[float, float]) -> None:
    net = Net((1, 4, 4, 4)).quantiser("ste_sign", "q").conv("conv", 4).quantiser(quantiser, "step").conv("next", 4)
    after = prove(net.graph())
    assert ops(after) == ["quantize", "bconv2d", "bconv2d"]
    steps = [node for node in recognise(net.graph()).nodes if node.op == "step"][1:]
    assert [(node.params["low"], node.params["high"]) for node in steps] == [ends]
    assert quantiser == "patched_sign" or steps[0].params["threshold"] == threshold


def test_three_values_are_no_step() -> None:
    net = Net((1, 4, 4, 4)).conv("conv", 4, weights=real).quantiser("ternary", "t").conv("next", 4)
    assert not [node for node in recognise(net.graph()).nodes if node.op == "step"]


def test_average_pool_between_quantiser_and_layer_is_named() -> None:
    pool = {f"{name}_{axis}": value for name, value in (("kernel", 2), ("stride", 2), ("dilation", 1)) for axis in "hw"}
    net = Net((1, 8, 8, 3)).conv("stem", 32, weights=real).quantiser("heaviside", "q")
    net.op("avg_pool2d", "pool", window=pool).conv("conv", 8)
    verdict = analyse.verdicts(net.graph())["conv"]
    assert verdict.reason == "op-between"
    assert "'pool'" in verdict.reason_text
    assert "'q'" in verdict.reason_text


@pytest.mark.parametrize(
    ("quantiser", "weights", "reason"),
    [
        ("ste_sign", real, "weight-real"),
        ("dorefa2", np.sign, "kbit"),
        ("ternary", np.sign, "ternary"),
        ("signed", np.sign, "kbit"),
        ("ste_sign", ternary, "ternary"),
        ("ste_sign", four_levels, "kbit"),
        ("ste_sign", zero_one, "binary01"),
    ],
)
def test_reasons(quantiser: str, weights: object, reason: str) -> None:
    net = Net((1, 8, 8, 3)).conv("stem", 32, weights=real).quantiser(quantiser, "q").conv("conv", 8, weights=weights)  # type: ignore[arg-type]
    verdicts = analyse.verdicts(net.graph())
    assert verdicts["stem"].reason == "first-layer"
    assert verdicts["conv"].reason == reason


MANY = ("dorefa2", "dorefa3", "ternary", "sum_of_signs", "signed")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(CASES, st.sampled_from(MANY), st.sampled_from([np.sign, ternary, four_levels, zero_one]))
def test_bit_planes(case: dict, quantiser: str, weights: Weights) -> None:  # type: ignore[type-arg]
    net = Net((1, max(case["size"], 5), 6, case["channels"]), case["seed"])
    common = {"kernel": min(case["kernel"], 3), "same": case["same"], "bias": case["bias"], "weights": weights}
    net.quantiser(quantiser, "q1").conv("conv1", case["filters"], **common)
    net.norm("bn1").quantiser(quantiser, "q2").conv("conv2", 5, kernel=1, weights=np.sign)
    graph = net.graph()
    kinds = {verdict.kind for verdict in analyse.verdicts(graph).values()}
    assert kinds <= {"kbit", "ternary"}
    assert "conv2d" not in ops(prove(graph, case["seed"]))


@pytest.mark.parametrize("quantiser", ["ste_sign", "heaviside", "dorefa2"])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (2, 2), (3, 2), (4, 2), (5, 3)])
def test_transposed(quantiser: str, kernel: int, stride: int) -> None:
    net = Net((1, 5, 4, 17)).quantiser(quantiser, "q")
    weights = net.builder.constant("kernel", np.sign(net.draw.standard_normal((6, kernel, kernel, 17))))
    for crop in (0, 1):
        place = {**window(kernel, stride), "pad_top": crop, "pad_left": crop, "pad_bottom": crop, "pad_right": 0}
        out = net.builder.node(
            "conv2d_transpose", f"up{crop}", (net.x, weights), window=place, groups=1, lo=-INF, hi=INF
        )
        net.builder.output(out)
    after = prove(net.builder.graph())
    assert "conv2d_transpose" not in ops(after)


@pytest.mark.parametrize("quantiser", ["ste_sign", "heaviside", "ternary"])
@pytest.mark.parametrize(("channels", "groups"), [(96, 2), (64, 2), (32, 4), (16, 2)])
def test_groups_that_do_not_fill_words(quantiser: str, channels: int, groups: int) -> None:
    net = Net((1, 6, 6, channels)).quantiser(quantiser, "q").conv("conv", 2 * groups, groups=groups)
    assert "conv2d" not in ops(prove(net.graph()))


@pytest.mark.parametrize("quantiser", ["ste_sign", "heaviside"])
@pytest.mark.parametrize("channels", [2, 17, 64])
def test_depthwise(quantiser: str, channels: int) -> None:
    net = Net((1, 6, 6, channels)).quantiser(quantiser, "q").conv("first", channels, groups=channels, bias=True)
    net.norm("bn").quantiser(quantiser, "q2").conv("second", channels, groups=channels, stride=2, lo=0.0).norm("bn2")
    after = prove(net.graph())
    assert ops(after)[:3] == ["quantize", "bdepthwise2d", "bdepthwise2d"]
    assert after.tensors[after.nodes[1].output].dtype == "bits"


@pytest.mark.parametrize("quantiser", ["ste_sign", "heaviside"])
@pytest.mark.parametrize(("channels", "times"), [(3, 2), (32, 2), (17, 3)])
def test_several_filters_for_each_channel(quantiser: str, channels: int, times: int) -> None:
    net = Net((1, 6, 6, channels)).quantiser(quantiser, "q")
    graph = net.conv("conv", channels * times, groups=channels, bias=True).norm("bn").graph()
    (verdict,) = analyse.verdicts(graph).values()
    assert verdict.kind in ("binary", "binary01")
    after = prove(graph)
    assert "bdepthwise2d" in ops(after)
    assert "conv2d" not in ops(after)


def test_narrow_groups_say_why() -> None:
    net = Net((1, 6, 6, 32)).quantiser("ste_sign", "q").conv("conv", 32, groups=16)
    (verdict,) = analyse.verdicts(net.graph()).values()
    assert verdict.reason == "groups"


@pytest.mark.parametrize("quantiser", ["ternary", "sum_of_signs", "dorefa2", "ste_sign"])
def test_behind_a_depthwise_layer_of_bits_stands_any_quantiser(quantiser: str) -> None:
    """Its kernels write numbers of one or more bits; what counts planes of equal worth reads its numbers."""
    net = Net((1, 7, 7, 5)).quantiser("ste_sign", "q").conv("narrow", 5, groups=5).norm("bn")
    after = prove(net.quantiser(quantiser, "levels").conv("last", 6).graph())
    assert ops(after).count("quantize") == (2 if quantiser in ("ternary", "sum_of_signs") else 1)
