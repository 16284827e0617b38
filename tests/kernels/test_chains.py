# SPDX-License-Identifier: Apache-2.0
"""Layers that follow each other a band at a time: nobody overwrites what another band still needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness import abi
from harness.model import bits, reference
from harness.model.graph import Builder, Graph
from tests.kernels.runtime import Runtime
from tests.unit.nets import INF, window

BATCH, SIDE = 2, 20
SAME = window(3, size=(SIDE, SIDE), same=True)
ADD = abi.constant("BNN_ADD")


class Draft:
    """A random graph of values of one shape, each of which may be read again much later. All are small integers,
    so that no order of sums rounds."""

    def __init__(self, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.channels = int(self.draw.choice([5, 32, 40]))
        self.builder = Builder("chains")
        self.values = [self.builder.input("x", (BATCH, SIDE, SIDE, self.channels))]

    def node(self, op: str, *inputs: str, **params: Any) -> None:
        self.values.append(self.builder.node(op, f"{op}_{len(self.values)}", inputs, **params))

    def integers(self, least: int, most: int, *shape: int) -> str:
        values = self.draw.integers(least, most + 1, shape or (self.channels,))
        return self.builder.constant(f"constant_{len(self.values)}_{most}", values.astype(np.float32))

    def value(self) -> str:
        """One of the last few, mostly the very last."""
        return self.values[-1 - min(int(self.draw.geometric(0.5)) - 1, len(self.values) - 1)]

    def convolve(self, groups: int) -> None:
        kernel = self.integers(-1, 1, self.channels, 3, 3, self.channels // groups)
        self.node("conv2d", self.value(), kernel, window=SAME, groups=groups, pad_value=0.0, lo=-3.0, hi=3.0)

    def binary(self) -> None:
        """A quantiser, a layer of bits behind it, and its shortcut."""
        threshold = self.builder.constant(f"threshold_{len(self.values)}", np.full(self.channels, 0.5, np.float32))
        packed = self.builder.node("quantize", "quantize", (self.value(), threshold), dtype="bits", code=0)
        shape = (self.channels, 3, 3, self.channels)
        filters = bits.pack(self.draw.integers(2, size=shape).astype(np.uint8))
        kernel = self.builder.constant("filters", filters, dtype="bits", shape=shape)
        inputs = (packed, kernel, self.integers(-1, 1), self.integers(-2, 2))
        self.node("bconv2d", *inputs, window=SAME, groups=1, border=0, x_code=0, w_code=0, y_code=0, lo=-3.0, hi=3.0)
        self.node("arith", *self.draw.permutation([self.value(), self.values[-1]]), kind=ADD, lo=-INF, hi=INF)

    def step(self) -> None:
        choices: tuple[Callable[[], None], ...] = (
            lambda: self.convolve(1),
            lambda: self.convolve(self.channels),
            self.binary,
            lambda: self.node("arith", self.value(), self.value(), kind=ADD, lo=-2.0, hi=2.0),
            lambda: self.node("arith", self.value(), self.value(), kind=ADD, lo=-INF, hi=INF),
            lambda: self.node("prelu", self.value(), self.integers(0, 1)),
            lambda: self.node("unary", self.value(), kind=abi.constant("BNN_NEG")),
            lambda: self.node("affine", self.value(), self.integers(-1, 1), self.integers(-2, 2)),
            lambda: self.node("max_pool2d", self.value(), window=SAME),
        )
        choices[int(self.draw.integers(len(choices)))]()

    def graph(self) -> Graph:
        for _ in range(14):
            self.step()
        for name in dict.fromkeys([self.values[-1], self.values[len(self.values) // 2]]):
            self.builder.output(name)
        return self.builder.graph()


@pytest.mark.parametrize("seed", range(24))
def test_layers_that_follow_band_by_band_give_what_whole_layers_give(runtime: Runtime, seed: int) -> None:
    graph = Draft(seed).graph()
    x = np.random.default_rng(seed).integers(-3, 4, graph.tensors["x"].shape).astype(np.float32)
    expected = reference.run(graph, [x])
    for threads in ("1", "2", "4"):
        for got, wanted in zip(runtime.run(graph, [x], "--threads", threads), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
