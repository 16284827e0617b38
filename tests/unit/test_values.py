# SPDX-License-Identifier: Apache-2.0
"""One test a transfer rule: which values come out of an operation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.model import transfer, values
from harness.model.spread import measure
from tests.unit.nets import INF, Net, four_levels, kind, per_filter, real, ternary, window, zero_one


def after(*steps: tuple[str, dict[str, Any], tuple[float, ...]], signs: bool = False) -> values.Values:
    """What a chain of (op, params, constant) makes of a convolution's output, or of its sign."""
    net = Net((1, 4, 4, 3)).conv("conv", 4, weights=real, bias=True)
    if signs:
        net.quantiser("ste_sign", "sign")
    for at, (op, params, constant) in enumerate(steps):
        inputs = (net.const(f"c{at}", *constant),) if constant else ()
        net.op(op, f"n{at}", *inputs, **params)
    return transfer.analyse(net.graph())[net.x]


def unary(name: str) -> tuple[str, dict[str, Any], tuple[float, ...]]:
    return "unary", {"kind": kind(name)}, ()


def arith(name: str, constant: float) -> tuple[str, dict[str, Any], tuple[float, ...]]:
    return "arith", {"kind": kind(name)}, (constant,)


def clamp(lo: float, hi: float) -> tuple[str, dict[str, Any], tuple[float, ...]]:
    return "clamp", {"lo": lo, "hi": hi}, ()


STEP = ("step", {"threshold": 0.0, "low": -1.0, "high": 1.0}, ())

CASES: dict[str, tuple[values.Values, tuple[float, ...] | None]] = {
    "a convolution is real": (after(), None),
    "step": (after(STEP), (-1, 1)),
    "round of a clip": (after(clamp(0, 1), unary("ROUND")), (0, 1)),
    "clip of a round": (after(unary("ROUND"), clamp(0, 3)), (0, 1, 2, 3)),
    "clip between whole numbers": (after(unary("ROUND"), clamp(0.5, 2)), (0.5, 1, 2)),
    "round of everything": (after(unary("ROUND")), None),
    "floor": (after(clamp(-1, 1), unary("FLOOR")), (-1, 0, 1)),
    "ceil": (after(clamp(-0.5, 0.5), unary("CEIL")), (0, 1)),
    "sign of real": (after(unary("SIGN")), (-1, 1)),
    "sign of a relu": (after(clamp(0, INF), unary("SIGN")), (0, 1)),
    "sign of a positive number": (after(clamp(1, INF), unary("SIGN")), (1,)),
    "sign of a sign plus something": (after(unary("SIGN"), arith("ADD", 0.1), unary("SIGN")), (-1, 1)),
    "sign of a sign plus too much": (after(unary("SIGN"), arith("ADD", 2.0), unary("SIGN")), (1,)),
    "comparison": (after(arith("GREATER", 0.0)), (0, 1)),
    "equal to something in between": (after(clamp(-5, 5), arith("EQUAL", 2.0)), (0, 1)),
    "equal to something beyond": (after(clamp(0, 1), arith("EQUAL", 2.0)), (0,)),
    "comparison that is always true": (after(clamp(0, 1), arith("LESS", 2.0)), (1,)),
    "scaled": (after(STEP, ("affine", {}, (0.5,))), (-0.5, 0.5)),
    "shifted": (after(STEP, arith("ADD", 1.0)), (0, 2)),
    "scaled by channel": (after(STEP, ("affine", {}, (1.0, 2.0, 1.0, 2.0))), (-2, -1, 1, 2)),
    "square of signs": (after(STEP, unary("SQUARE")), (1,)),
    "relu of signs": (after(STEP, clamp(0, INF)), (0, 1)),
    "prelu of signs": (after(STEP, ("prelu", {}, (0.25,))), (-0.25, 1)),
    "softmax": (after(STEP, ("softmax", {}, ())), None),
    "padded with another value": (after(STEP, ("pad", {"before": [0, 1] + [0] * 4, "after": [0] * 6}, ())), (-1, 0, 1)),
    "padded with one of its own": (
        after(STEP, ("pad", {"before": [0, 1] + [0] * 4, "after": [0] * 6, "value": 1.0}, ())),
        (-1, 1),
    ),
    "reshape": (after(STEP, ("reshape", {"shape": (1, 64)}, ())), (-1, 1)),
    "transpose": (after(STEP, ("transpose", {"permutation": [0, 3, 1, 2, 4, 5]}, ())), (-1, 1)),
    "mean": (after(STEP, ("mean", {"axes": 0b110}, ())), None),
}


@pytest.mark.parametrize("name", CASES)
def test_levels(name: str) -> None:
    found, expected = CASES[name]
    assert found.levels == expected


def test_interval_of_an_activation() -> None:
    found = after(clamp(0, 6), arith("MUL", -2.0))
    assert (found.lo, found.hi, found.levels) == (-12, 0, None)


POOL = {"window": window(2)}


@pytest.mark.parametrize(
    ("before", "levels"),
    [((), (-1, 1)), ((clamp(0, INF),), (0, 1)), ((clamp(-1, 1),), (-1, 0, 1))],
)
def test_a_sign_of_means(before: tuple[Any, ...], levels: tuple[float, ...]) -> None:
    """Means of real numbers miss 0, unless all of them are 0 by more than chance, or may cancel."""
    for mean in (("avg_pool2d", POOL, ()), ("mean", {"axes": 0b110}, ())):
        assert after(*before, mean, unary("SIGN")).levels == levels


def test_sums_of_a_window_are_larger_than_what_is_summed() -> None:
    found = after(STEP, ("avg_pool2d", POOL | {"sum": 1}, ()))
    assert (found.lo, found.hi) == (-4, 4)


def test_the_zero_of_a_sign_is_rare_and_follows() -> None:
    assert after(unary("SIGN"), arith("ADD", 1.0), arith("DIV", 2.0)) == values.Values(
        0.0, 1.0, (0.0, 1.0), "n2", rare=(0.5,)
    )


def test_sums_of_signs_may_land_on_zero() -> None:
    tied = Net((1, 4, 4, 2)).quantiser("ste_sign", "q").conv("conv", 4, kernel=1).op("unary", "s", kind=kind("SIGN"))
    assert transfer.analyse(tied.graph())[tied.x].levels == (-1, 0, 1)
    odd = Net((1, 4, 4, 3)).quantiser("ste_sign", "q").conv("conv", 4, kernel=1).op("unary", "s", kind=kind("SIGN"))
    assert transfer.analyse(odd.graph())[odd.x].levels == (-1, 1)
    norm = Net((1, 4, 4, 2)).quantiser("ste_sign", "q").conv("conv", 4, kernel=1).norm("bn")
    norm.op("unary", "s", kind=kind("SIGN"))
    assert transfer.analyse(norm.graph())[norm.x].levels == (-1, 1)


def test_select_takes_both_sides() -> None:
    net = Net((1, 4, 4, 3)).conv("conv", 4, weights=real).quantiser("where", "q")
    assert transfer.analyse(net.graph())[net.x].levels == (0, 1)


def test_concat_joins_levels() -> None:
    net = Net((1, 4, 4, 3)).conv("conv", 4, weights=real)
    x = net.x
    signs = net.quantiser("ste_sign", "a").x
    net.x = x
    spikes = net.quantiser("heaviside", "b").x
    both = net.builder.node("concat", "both", (signs, spikes), axis=3)
    assert transfer.analyse(net.graph())[both].levels == (-1, 0, 1)


@pytest.mark.parametrize(
    ("weights", "count", "symmetric"),
    [
        (np.sign, 2, True),
        (per_filter, 2, True),
        (ternary, 3, True),
        (four_levels, 4, True),
        (zero_one, 2, False),
        (real, 0, True),
    ],
)
def test_measure_weights(weights: Any, count: int, symmetric: bool) -> None:
    latent = np.random.default_rng(0).standard_normal((8, 3, 3, 16)).astype(np.float32)
    found = measure(weights(latent))
    assert (found.count, found.symmetric) == (count, symmetric)


def test_spread_forgives_rounding_but_not_more() -> None:
    signs = np.sign(np.random.default_rng(0).standard_normal((4, 27))).astype(np.float32)
    assert measure(signs * np.float32(1 + 3e-7)).count == 2
    signs[0, 0] *= 1.01
    assert measure(signs).count == 0
