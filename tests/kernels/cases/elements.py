# SPDX-License-Identifier: Apache-2.0
"""Operations element by element, and pools."""

from __future__ import annotations

import numpy as np

from harness import abi
from harness.model.graph import Builder
from tests.kernels.cases.parts import CASES, binary, case, normal, simple, window

CASES |= {
    f"arith {name.lower()}": binary("arith", (2, 5, 40), (2, 5, 40), kind=abi.constant(f"BNN_{name}"))
    for name in (
        "ADD",
        "SUB",
        "MUL",
        "DIV",
        "MIN",
        "MAX",
        "LESS",
        "LESS_EQUAL",
        "GREATER",
        "GREATER_EQUAL",
        "EQUAL",
        "NOT_EQUAL",
    )
}
_SUB = abi.constant("BNN_SUB")
CASES |= {
    f"arith {list(first)} and {list(second)}": binary("arith", first, second, kind=_SUB, lo=-1.0, hi=1.0)
    for first, second in (
        ((2, 3, 4, 5), (5,)), ((5,), (2, 3, 4, 5)), ((2, 3, 4, 5), (2, 1, 1, 5)), ((2, 1, 4, 1), (1, 3, 1, 5)),
        ((2, 3, 4, 5), ()), ((1,), (1,)), ((2, 1, 3, 1, 2, 1), (1, 4, 1, 2, 1, 3)), ((3, 4, 1), (3, 4, 7)),
    )
}  # fmt: skip
CASES |= {
    f"unary {name.lower()}": simple("unary", 3, 67, kind=abi.constant(f"BNN_{name}"))
    for name in (
        "ABS", "NEG", "SIGN", "ROUND", "FLOOR", "CEIL", "EXP", "TANH", "SIGMOID", "ELU", "SOFTPLUS", "SQUARE", "ERF",
    )
}  # fmt: skip


CASES |= {
    "clamp": simple("clamp", 4, 33, lo=-0.5, hi=0.25),
    "step": simple("step", 4, 33, threshold=0.1, low=-1.0, high=2.0),
    "softmax": simple("softmax", 2, 3, 10, beta=1.0),
    "softmax, colder": simple("softmax", 4, 1, beta=2.5),
    "prelu": binary("prelu", (2, 3, 4, 5), (1, 1, 5)),
    "prelu with one slope": binary("prelu", (2, 3, 4, 5), (1,)),
}


@case("affine")
def _affine(b: Builder, rng: np.random.Generator) -> None:
    scale, offset = b.constant("s", normal(rng, 21)), b.constant("o", normal(rng, 21))
    b.output(b.node("affine", "affine", (b.input("x", (2, 3, 21)), scale, offset), lo=-1.0, hi=2.0))


@case("affine by one number")
def _affine_single(b: Builder, rng: np.random.Generator) -> None:
    b.output(b.node("affine", "affine", (b.input("x", (2, 3, 21)), b.constant("s", normal(rng, 1)))))


@case("select")
def _select(b: Builder, rng: np.random.Generator) -> None:
    condition = b.node("step", "step", (b.input("c", (3, 1, 5)),), threshold=0.0, low=0.0, high=1.0)
    b.output(b.node("select", "select", (condition, b.input("a", (1, 4, 5)), b.input("b", (1,)))))


CASES |= {
    "max_pool2d": simple("max_pool2d", 2, 7, 8, 5, window=window(3, 2, pads=(1, 1, 1, 1))),
    "avg_pool2d": simple("avg_pool2d", 1, 7, 8, 5, window=window(3, 2, pads=(1, 0, 1, 1))),
    "avg_pool2d that only adds": simple("avg_pool2d", 1, 7, 8, 5, window=window(3, 2, pads=(1, 0, 1, 1)), sum=1),
    "avg_pool2d that counts pads": simple(
        "avg_pool2d", 1, 7, 8, 5, window=window(3, 2, pads=(1, 0, 1, 1)), count_pads=1
    ),
    "mean over the image": simple("mean", 2, 7, 7, 19, axes=0b0110),
    "mean over the image, axes kept": lambda b, _: b.output(
        b.node("mean", "mean", (b.input("x", (2, 7, 7, 19)),), (2, 1, 1, 19), axes=0b0110)
    ),
    "mean over channels": simple("mean", 2, 7, 7, 19, axes=0b1000),
    "mean over scattered axes": simple("mean", 3, 4, 5, 6, 2, axes=0b10101),
    "mean of all": simple("mean", 3, 4, axes=0b11),
}
