# SPDX-License-Identifier: Apache-2.0
"""A pass that changes a number is caught, with its name and the layer's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import WrongOutput
from harness.model import proof, reference
from harness.model.graph import Array, Graph
from harness.model.near import near
from harness.model.passes import binarise, fuse
from harness.model.passes.order import PASSES
from harness.model.passes.rewrite import Rewrite
from harness.model.rounding import LAMBDA, UNIT, Magnitudes
from tests.unit.nets import INF, Net, kind


def net() -> tuple[Graph, Graph, list[Array]]:
    graph = Net((1, 8, 8, 16)).quantiser("ste_sign", "q").conv("conv", 40).norm("bn").graph()
    return graph, binarise.binarise(graph), [np.random.default_rng(0).standard_normal((1, 8, 8, 16)).astype(np.float32)]


def test_a_right_pass_has_no_ties() -> None:
    before, after, inputs = net()
    assert proof.compare("binarise", before, after, reference.trace(before, inputs), inputs)[0].flips == 0


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


def cancelling(filters: int = 3, taps: int = 64) -> tuple[Graph, list[Array]]:
    """A dense layer whose products cancel to almost nothing, a batch norm, and a sign of it."""
    net = Net((1, taps))
    half = net.draw.uniform(0.5, 1.5, (filters, taps // 2))
    weights = net.builder.constant("dense/kernel", np.concatenate([half, -half], axis=1))
    net.op("dense", "dense", weights, lo=-INF, hi=INF)
    net.op("affine", "bn", net.const("scale", *[0.25] * filters), net.const("offset", *[0.0] * filters))
    net.quantiser("ste_sign", "q").dense("last", 2)
    return net.graph(), [np.full((1, taps), 1.1, np.float32)]


def test_sums_that_cancel_carry_the_rounding_of_their_terms() -> None:
    graph, inputs = cancelling()
    values = reference.trace(graph, inputs)
    known = Magnitudes(graph, values, set(graph.inputs)).of("bn")
    kernel = graph.tensors["dense/kernel"].data
    assert kernel is not None
    np.testing.assert_allclose(known.size, 0.25 * np.abs(kernel).sum(axis=1) * 1.1, rtol=1e-6)
    assert known.terms == 64 + 1 + 2
    np.testing.assert_allclose(known.bound, LAMBDA * np.sqrt(67) * UNIT * known.size)
    proof.compare("fuse", graph, fuse.fuse(graph), values, inputs)


def test_a_changed_weight_is_more_than_rounding() -> None:
    graph, inputs = cancelling()
    fused = fuse.fuse(graph)
    name = next(node for node in fused.nodes if node.op == "dense").inputs[1] or ""
    data = np.array(fused.tensors[name].data)
    data[1, 7] *= 1.001
    broken = replace(fused, tensors={**fused.tensors, name: replace(fused.tensors[name], data=data)})
    with pytest.raises(WrongOutput, match="rounding explains"):
        proof.compare("fuse", graph, broken, reference.trace(graph, inputs), inputs)


def test_signs_within_rounding_are_counted() -> None:
    graph, inputs = cancelling()
    assert near(graph, reference.trace(graph, inputs)) == (3, 3)
    apart = [inputs[0] + np.arange(64, dtype=np.float32)]
    assert near(graph, reference.trace(graph, apart)) == (0, 3)


def test_what_a_relu_holds_at_zero_is_far_from_it() -> None:
    net = Net((1, 4))
    weights = net.builder.constant("kernel", np.array([[1, 1, 1, 1], [-1, -1, -1, -1]]))
    net.op("dense", "dense", weights, lo=0.0, hi=INF).quantiser("heaviside", "q")
    graph, x = net.graph(), np.full((1, 4), 0.3, np.float32)
    assert near(graph, reference.trace(graph, [x])) == (0, 2)


def test_a_sum_of_zeros_is_the_same_in_every_order() -> None:
    """The products of the first input are zeros, those of the second cancel."""
    net = Net((2, 2))
    weights = net.builder.constant("kernel", np.array([[0.1, -0.1], [0.3, -0.3], [0.5, 0.5]]))
    net.op("dense", "dense", weights, lo=-INF, hi=INF).op("affine", "half", net.const("scale", 0.5))
    graph, x = net.quantiser("ste_sign", "q").graph(), np.array([[0.0, 0.0], [1.1, 1.1]], np.float32)
    assert near(graph, reference.trace(graph, [x])) == (2, 6)


def test_sums_of_bits_are_the_same_everywhere() -> None:
    net = Net((1, 8, 8, 16)).quantiser("ste_sign", "q").conv("conv", 40).norm("bn", negative=False)
    graph = net.quantiser("ste_sign", "after").conv("last", 4).graph()
    inputs = [np.random.default_rng(0).standard_normal((1, 8, 8, 16)).astype(np.float32)]
    for _, rewrite in PASSES:
        graph = rewrite(graph)
    assert near(graph, reference.trace(graph, inputs)) == (0, 8 * 8 * 16)


def test_what_one_pass_rounds_is_no_fault_of_the_next() -> None:
    """The values of the first graph are carried from pass to pass, and so is how far a right pass may be from them."""
    graph = Net((1, 4, 4, 3)).op("clamp", "y", lo=-8.0, hi=8.0).graph()
    inputs = [np.random.default_rng(0).standard_normal((1, 4, 4, 3)).astype(np.float32)]
    values = reference.trace(graph, inputs)
    carried = {**values, "y": values["y"] + np.float32(1e-5)}
    proof.compare("again", graph, graph, carried, inputs, allowed={"y": np.full(1, 2e-5)})
    for allowed in (None, {}, {"y": np.full(1, 5e-6)}):
        with pytest.raises(WrongOutput, match="'again' changed"):
            proof.compare("again", graph, graph, carried, inputs, allowed=allowed)


def test_a_pass_tells_the_next_how_far_it_may_be() -> None:
    before, after, inputs = net()
    allowed: dict[str, Array] = {}
    values = reference.trace(before, inputs)
    values["bn"] = values["bn"] * np.float32(1 + 2 * UNIT)
    proof.compare("binarise", before, after, values, inputs, allowed=allowed)
    assert np.all(allowed["bn"] > 0)


def quantised(limits: Array, sums: str) -> tuple[Graph, list[Array]]:
    """A dense layer whose products cancel, its sums under a name, and a quantiser of them."""
    net = Net((1, 64))
    half = net.draw.uniform(0.5, 1.5, (3, 32))
    weights = net.builder.constant("kernel", np.concatenate([half, -half], axis=1))
    net.builder.output(net.op("dense", sums, weights, lo=-INF, hi=INF).x)
    limit = net.builder.constant("limit", limits)
    return net.op("quantize", "q", limit, dtype="bits").graph(), [np.full((1, 64), 1.1, np.float32)]


def test_a_bit_may_flip_within_rounding_of_its_threshold_and_not_an_ulp_beyond() -> None:
    graph, inputs = quantised(np.zeros(3), "sums")
    values = reference.trace(graph, inputs)
    sums, bound = values["sums"][0], Magnitudes(graph, values, {"x"}).of("sums").bound
    within = (sums + bound).astype(np.float32)
    within = np.where(within - sums > bound, np.nextafter(within, np.float32(-1)), within)
    beyond = np.nextafter(within, np.float32(1))
    assert np.all(within - sums <= bound)
    assert np.all(beyond - sums > bound)
    after, _ = quantised(np.full(3, -1.0), "others")
    before, _ = quantised(within, "sums")
    assert proof.compare("move", before, after, reference.trace(before, inputs), inputs)[0].flips == 3
    before, _ = quantised(np.array([within[0], beyond[1], within[2]]), "sums")
    with pytest.raises(WrongOutput, match="'move'.*'q'.*1 of 3 bits differ"):
        proof.compare("move", before, after, reference.trace(before, inputs), inputs)


def at(limit: np.float32) -> Graph:
    net = Net((1, 100, 100, 1))
    return net.op("quantize", "q", net.builder.constant("limit", np.full(1, limit)), dtype="bits").graph()


def test_one_wrong_bit_of_ten_thousand_refuses_the_model() -> None:
    """Nothing is rounded between the number and its threshold, which is moved by one unit in its last place."""
    x = np.random.default_rng(0).standard_normal((1, 100, 100, 1)).astype(np.float32)
    x[0, 50, 50, 0] = 0.25
    before, after = at(np.float32(0.25)), at(np.nextafter(np.float32(0.25), np.float32(1)))
    with pytest.raises(WrongOutput, match="1 of 10000 bits differ"):
        proof.compare("move", before, after, reference.trace(before, [x]), [x])


def test_a_sign_that_rounding_moved_is_a_flip_and_no_fault() -> None:
    """(a - 1) + 1 is 0 for an a below the rounding of 1, and a is not."""
    net = Net((1, 4, 4, 1))
    x = net.x
    net.op("arith", "sub", net.const("one", 1.0), kind=kind("SUB"))
    net.op("arith", "add", net.const("one", 1.0), kind=kind("ADD")).op("unary", "sign", kind=kind("SIGN"))
    before = net.graph()
    after = Rewrite(replace(before, nodes=(replace(before.nodes[-1], inputs=(x,)),))).graph()
    inputs = [np.full((1, 4, 4, 1), 0.5, np.float32)]
    inputs[0][0, 1, 1, 0] = 1e-9
    assert proof.compare("straighten", before, after, reference.trace(before, inputs), inputs)[0].flips == 1
    inputs[0][0, 1, 1, 0] = 0.5
    turned = replace(after, nodes=(replace(after.nodes[0], params={"kind": kind("NEG")}),))
    with pytest.raises(WrongOutput, match="'straighten'.*'sign'"):
        proof.compare("straighten", before, turned, reference.trace(before, inputs), inputs)


def test_a_bit_that_flipped_in_one_pass_is_no_fault_of_the_next() -> None:
    """The values that a pass was excused from are those that the next one is compared with."""
    net = Net((1, 4, 4, 1))
    x = net.x
    net.op("arith", "sub", net.const("one", 1.0), kind=kind("SUB"))
    net.op("arith", "add", net.const("one", 1.0), kind=kind("ADD"))
    before = net.op("quantize", "q", net.const("limit", 1e-12), dtype="bits").graph()
    after = Rewrite(
        replace(before, nodes=(replace(before.nodes[-1], inputs=(x, *before.nodes[-1].inputs[1:])),))
    ).graph()
    inputs, allowed = [np.full((1, 4, 4, 1), 0.5, np.float32)], dict[str, np.ndarray]()
    inputs[0][0, 1, 1, 0] = 1e-9
    first, values = proof.compare("straighten", before, after, reference.trace(before, inputs), inputs, allowed=allowed)
    second, _ = proof.compare("nothing", after, after, values, inputs, allowed=allowed)
    assert (first.flips, second.flips) == (1, 0)
    with pytest.raises(WrongOutput, match="'nothing'.*1 of 16 bits"):
        proof.compare("nothing", after, after, values, inputs)


def test_what_a_small_number_divides_carries_its_rounding_enlarged() -> None:
    """As a norm does near the mean: (a - 1) + 1 is off by what rounds 1, and by a thousand times that after."""
    net = Net((1, 4, 4, 1))
    x = net.x
    by = net.builder.node("affine", "by", (x, net.const("whole", 1.0)))
    net.op("arith", "sub", net.const("one", 1.0), kind=kind("SUB"))
    net.op("arith", "add", net.const("one", 1.0), kind=kind("ADD")).op("arith", "ratio", by, kind=kind("DIV"))
    before = net.graph()
    after = Rewrite(replace(before, nodes=(before.nodes[0], replace(before.nodes[-1], inputs=(x, by))))).graph()
    inputs = [np.full((1, 4, 4, 1), 1e-3, np.float32)]
    proof.compare("straighten", before, after, reference.trace(before, inputs), inputs)
    inputs[0][:] = 0.5
    turned = replace(after, nodes=(after.nodes[0], replace(after.nodes[1], params={"kind": kind("MUL")})))
    with pytest.raises(WrongOutput, match="'ratio'"):
        proof.compare("straighten", before, turned, reference.trace(before, inputs), inputs)


def codes(factor: float) -> Graph:
    net = Net((1, 4, 4, 2))
    net.op("affine", "scaled", net.const("factor", factor))
    return net.op("convert", "codes", dtype="i8", scale=0.1, zero_point=3).graph()


def test_a_code_may_be_one_off_where_its_number_lies_between_two() -> None:
    """On the way from 0.05 to the next number there is a half; from 0.04 there is none."""
    inputs = [np.full((1, 4, 4, 2), 0.05, np.float32)]
    before, after = codes(1.0), codes(float(1 - 2 * UNIT))
    nodes = (replace(after.nodes[0], output="another"), replace(after.nodes[1], inputs=("another",)))
    tensors = {**after.tensors, "another": replace(after.tensors["scaled"], name="another")}
    after = Rewrite(replace(after, nodes=nodes, tensors=tensors)).graph()
    expected = reference.trace(before, inputs)
    found = proof.compare("move", before, after, expected, inputs)[0].flips
    assert found == np.count_nonzero(expected["codes"] != reference.trace(after, inputs)["codes"]) == 32
    wrong = replace(after, tensors={**after.tensors, "factor": replace(after.tensors["factor"], data=np.full(1, 1.9))})
    inputs = [np.full((1, 4, 4, 2), 0.04, np.float32)]
    with pytest.raises(WrongOutput, match="32 of 32 codes differ"):
        proof.compare("move", before, wrong, reference.trace(before, inputs), inputs)
