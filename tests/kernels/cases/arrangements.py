# SPDX-License-Identifier: Apache-2.0
"""Operations that only move values, and values that share memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness import abi
from harness.model.graph import Builder
from tests.kernels.cases.parts import CASES, Case, case, normal


def shaped(op: str, shape: tuple[int, ...], output: tuple[int, ...] | None = None, **params: Any) -> Case:
    def build(b: Builder, rng: np.random.Generator) -> None:
        b.output(b.node(op, op, (b.input("x", shape),), output, **params))

    return build


CASES |= {
    "pad": shaped("pad", (2, 3, 4, 5), before=(0, 1, 2, 0, 0, 0), after=(1, 0, 3, 2, 0, 0), value=1.5),
    "pad in front of channels": shaped("pad", (3, 4), before=(0, 3, 0, 0, 0, 0), after=(0, 0, 0, 0, 0, 0), value=-1.0),
    "slice": shaped("slice", (2, 7, 8, 9), (1, 3, 8, 4), begin=(1, 0, 0, 1), step=(1, 3, 1, 2)),
    "slice of whole rows": shaped("slice", (4, 6, 5), (2, 6, 5), begin=(1, 0, 0), step=(2, 1, 1)),
    "reshape": shaped("reshape", (2, 3, 4), (4, 6)),
    "transpose": shaped("transpose", (2, 3, 4, 5), permutation=(0, 3, 1, 2)),
    "transpose of six axes": shaped("transpose", (2, 3, 2, 3, 2, 3), permutation=(5, 3, 1, 0, 2, 4)),
    "transpose that moves nothing": shaped("transpose", (1, 3, 1, 5), permutation=(1, 0, 2, 3)),
}


@case("concat")
def _concat(b: Builder, rng: np.random.Generator) -> None:
    parts = tuple(b.input(f"x{size}", (2, size, 3)) for size in (1, 4, 2))
    b.output(b.node("concat", "concat", parts, axis=1))


@case("channel shuffle")
def _shuffle(b: Builder, rng: np.random.Generator) -> None:
    x = b.node("reshape", "split", (b.input("x", (1, 3, 3, 12)),), (1, 3, 3, 3, 4))
    x = b.node("transpose", "swap", (x,), permutation=(0, 1, 2, 4, 3))
    b.output(b.node("reshape", "join", (x,), (1, 3, 3, 12)))


@case("values that are used again after others overwrote theirs")
def _reuse(b: Builder, rng: np.random.Generator) -> None:
    x = b.input("x", (1, 4, 4, 8))
    a = b.node("unary", "a", (x,), kind=abi.constant("BNN_NEG"))
    flat = b.node("reshape", "flat", (a,), (1, 128))
    c = b.node("clamp", "c", (flat,), lo=-0.5, hi=0.5)  # flat is needed below: not in place
    d = b.node("arith", "d", (c, flat), kind=abi.constant("BNN_MUL"))
    e = b.node("arith", "e", (d, d), kind=abi.constant("BNN_ADD"))
    image = b.node("reshape", "image", (e,), (1, 4, 4, 8))
    f = b.node("arith", "f", (image, a), kind=abi.constant("BNN_SUB"))
    b.output(f)
    b.output(e)
    b.output(b.node("clamp", "g", (e,), lo=0.0, hi=1.0))


@case("an output that is an input, and a reshape of one")
def _through(b: Builder, rng: np.random.Generator) -> None:
    x = b.input("x", (2, 6))
    b.output(b.node("reshape", "same", (x,), (3, 4)))
    b.output(x)
    constant = b.constant("c", normal(rng, 2, 6))
    b.output(b.node("arith", "sum", (constant, x), kind=abi.constant("BNN_ADD")))
