# SPDX-License-Identifier: Apache-2.0
"""A sign that meets 0 more often than by chance has three values, wherever that 0 comes from; others have two."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.model import analyse, reference, transfer
from tests.unit.nets import INF, Net, kind, real, window
from tests.unit.test_passes import prove

Made = Callable[[Net], Net]


def sign(net: Net, name: str = "sign") -> Net:
    return net.op("unary", name, kind=kind("SIGN"))


def relu(net: Net, name: str = "relu") -> Net:
    return net.op("clamp", name, lo=0.0, hi=INF)


def stem(net: Net) -> Net:
    """A layer of real numbers that meets none more than by chance."""
    return net.conv("stem", 4, weights=real, bias=True)


def pruned(latent: np.ndarray) -> np.ndarray:
    return np.asarray(latent * (np.arange(len(latent)) != 1).reshape(-1, 1, 1, 1))


def fused_sum(net: Net) -> Net:
    """The sum of two layers, with a relu in it."""
    x = net.x
    one, net.x = stem(net).x, x
    return net.conv("two", 4, weights=real, bias=True).op("arith", "sum", one, kind=kind("ADD"), lo=0.0, hi=INF)


def gated(net: Net) -> Net:
    """A relu times a sigmoid of something else."""
    x = relu(stem(net)).x
    net.conv("gate", 4, weights=real, bias=True).op("unary", "sigmoid", kind=kind("SIGMOID"))
    return net.op("arith", "gated", x, kind=kind("MUL"))


def minus_its_relu(net: Net) -> Net:
    x = stem(net).x
    return relu(net).op("arith", "sub", x, kind=kind("SUB"))


def residual(net: Net) -> Net:
    """What a relu holds at 0, plus a batch norm of sums of signs."""
    x = relu(stem(net)).x
    return net.quantiser("ste_sign", "q").conv("conv", 4).norm("bn").op("arith", "add", x, kind=kind("ADD"))


THREE: dict[str, Made] = {
    "black pixels, no bias": lambda net: net.conv("conv", 4, weights=real),
    "one tap of a relu": lambda net: relu(stem(net)).conv("conv", 4, kernel=1, weights=real),
    "spikes by real weights": lambda net: stem(net).quantiser("heaviside", "q").conv("conv", 4, kernel=1, weights=real),
    "a batch norm that shifts nothing": lambda net: net.conv("conv", 4, weights=real).op(
        "affine", "bn", net.const("scale", 0.5, -1.0, 2.0, 0.3), net.const("offset", 0.4, 0.0, 0.1, -0.2)
    ),
    "a bias taken away again": lambda net: net.op(
        "conv2d",
        "conv",
        net.builder.constant("w", net.draw.standard_normal((4, 3, 3, 3))),
        net.const("b", *[0.5] * 4),
        window=window(3),
        groups=1,
        lo=-INF,
        hi=INF,
    ).op("arith", "sub", net.const("half", 0.5), kind=kind("SUB")),
    "a pruned filter": lambda net: stem(net).conv("conv", 4, weights=pruned),
    "a channel scaled by nothing": lambda net: stem(net).op("affine", "bn", net.const("scale", 0.5, 0.0, 2.0, 0.3)),
    "a window outside the image": lambda net: stem(net).op(
        "conv2d",
        "conv",
        net.builder.constant("w", net.draw.standard_normal((4, 1, 1, 4))),
        window={**window(1), "pad_top": 1},
        groups=1,
        lo=-INF,
        hi=INF,
    ),
    "a place between the strides": lambda net: stem(net).op(
        "conv2d_transpose",
        "conv",
        net.builder.constant("w", net.draw.standard_normal((4, 1, 1, 4))),
        window=window(1, 2),
        groups=1,
        shape=(1, 12, 12, 4),
        lo=-INF,
        hi=INF,
    ),
    "a whole number minus those of each channel": lambda net: (
        stem(net)
        .op("unary", "floor", kind=kind("FLOOR"))
        .op("arith", "sub", net.const("means", 0.5, -1.0, 2.0, 1.0), kind=kind("SUB"))
    ),
    "a maximum of each channel, moved to zero": lambda net: (
        stem(net)
        .op("arith", "max", net.const("ends", 1.0, -1.0, 0.3, -1.0), kind=kind("MAX"))
        .op("arith", "add", net.const("one", 1.0), kind=kind("ADD"))
    ),
    "rounded": lambda net: stem(net).op("unary", "round", kind=kind("ROUND")),
    "a number minus its relu": minus_its_relu,
    "a saturated tanh minus one": lambda net: (
        stem(net)
        .op("affine", "much", net.const("scale", 50.0))
        .op("unary", "tanh", kind=kind("TANH"))
        .op("arith", "sub", net.const("one", 1.0), kind=kind("SUB"))
    ),
}

TWO: dict[str, tuple[Made, tuple[float, ...]]] = {
    "a layer with a bias": (stem, (-1, 1)),
    "a batch norm": (lambda net: net.conv("conv", 4, weights=real).norm("bn"), (-1, 1)),
    "a batch norm of a relu": (lambda net: relu(net.conv("conv", 4, weights=real)).norm("bn"), (-1, 1)),
    "many channels": (lambda net: relu(net.conv("conv", 80, weights=real)).norm("bn"), (-1, 1)),
    "a layer of real numbers": (lambda net: stem(net).conv("conv", 4, weights=real), (-1, 1)),
    "a mean of them": (lambda net: stem(net).op("mean", "mean", axes=0b110), (-1, 1)),
    "relu": (lambda net: relu(stem(net)), (0, 1)),
    "a maximum with zero": (
        lambda net: stem(net).op("arith", "max", net.const("zero", 0.0), kind=kind("MAX")),
        (0, 1),
    ),
    "a sum with a relu in it": (fused_sum, (0, 1)),
    "a relu times a sigmoid": (gated, (0, 1)),
    "a relu plus a batch norm of sums": (residual, (-1, 1)),
}


@pytest.mark.parametrize("name", THREE)
def test_a_zero_that_is_met_is_a_value(name: str) -> None:
    """Found by the rule, met by the reference, and the layer behind it computes what the float one does."""
    net = sign(THREE[name](Net((1, 6, 6, 3))))
    signs = net.x
    assert 0.0 in (transfer.analyse(net.builder.graph())[signs].levels or ())
    net.conv("last", 5, kernel=1)
    graph = net.graph()
    black = [np.zeros((1, 6, 6, 3), np.float32)]
    bright = [np.random.default_rng(3).standard_normal((1, 6, 6, 3)).astype(np.float32)]
    assert any(np.any(reference.trace(graph, x)[signs] == 0) for x in (black, bright))
    verdict = analyse.verdicts(graph)["last"]
    three = verdict.activation == "{-1, 0, 1}"
    assert (verdict.kind, verdict.reason) == (("ternary", "ternary-sign") if three else ("binary01", "binary01"))
    assert not three or "'sign'" in verdict.remedy
    prove(graph)


@pytest.mark.parametrize("name", TWO)
def test_a_zero_by_chance_is_none(name: str) -> None:
    made, levels = TWO[name]
    net = sign(made(Net((1, 6, 6, 3))))
    assert transfer.analyse(net.builder.graph())[net.x].levels == levels


def test_a_quantiser_of_three_values_is_no_sign_that_meets_zero() -> None:
    net = Net((1, 6, 6, 3)).quantiser("ternary", "tern").conv("last", 5)
    found = analyse.verdicts(net.graph())["last"]
    assert (found.reason, found.remedy) == ("ternary", "")


def test_halves_of_a_sign_that_meets_zero_run_as_ternary() -> None:
    """(sign(x) + 1) / 2 behind spikes and one real weight each."""
    net = Net((1, 6, 6, 3)).quantiser("heaviside", "spikes").conv("conv", 8, kernel=1, weights=real)
    sign(net).op("arith", "more", net.const("one", 1.0), kind=kind("ADD"))
    net.op("arith", "half", net.const("two", 2.0), kind=kind("DIV")).conv("last", 5)
    found = analyse.verdicts(net.graph())["last"]
    assert (found.kind, found.reason, found.activation) == ("ternary", "ternary-sign", "{0, 0.5, 1}")
    prove(net.graph())
