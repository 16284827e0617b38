# SPDX-License-Identifier: Apache-2.0
"""A node that computes every element from one element of each operand, tried out on chosen numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from harness import abi
from harness.model import reference
from harness.model.graph import Array, Graph, Node, Tensor
from harness.model.values import Values


@dataclass(frozen=True, eq=False)
class Pointwise:
    """The node, and what is known of each of its operands."""

    node: Node
    graph: Graph
    operands: Sequence[Values]

    @cached_property
    def tensors(self) -> list[Tensor]:
        return [self.graph.tensors[name] for name in self.node.inputs if name is not None]

    @cached_property
    def varying(self) -> list[int]:
        """The positions of the operands that are computed."""
        return [at for at, tensor in enumerate(self.tensors) if tensor.data is None]

    @property
    def compares(self) -> bool:
        return self.node.op == "arith" and self.node.params["kind"] in reference.COMPARISONS

    def is_kind(self, *names: str) -> bool:
        """Whether it is a sum, a product, .. of these names."""
        return self.node.op == "arith" and self.node.params["kind"] in {abi.constant(f"BNN_{name}") for name in names}

    def evaluate(self, sets: Sequence[Sequence[float]]) -> Array:
        """The results over every combination of numbers, one set for each operand that varies, and for every channel
        of the constants: [combinations, ..]."""
        grids = np.meshgrid(*[np.asarray(levels, np.float32) for levels in sets], indexing="ij")
        rank = max(len(tensor.shape) for tensor in self.tensors)
        arrays: list[Array | None] = [tensor.data for tensor in self.tensors]
        for at, grid in zip(self.varying, grids, strict=True):
            arrays[at] = grid.reshape(-1, *[1] * rank)
        shape = np.broadcast_shapes(*(array.shape for array in arrays if array is not None))
        output = replace(self.graph.tensors[self.node.output], shape=shape)
        return reference.real(self.node.op, arrays, self.node.params, self.tensors, output)

    def ends(self) -> Values | None:
        """The range of the results from the ends of the operands' ranges; None where it says nothing.

        Exact for what is monotone in each operand by itself (comparisons, sums, products, clamps and the others);
        |x| and x^2 turn at zero, so zero joins their ends.
        """
        sets = []
        if self.is_kind("DIV") and 1 in self.varying and self.operands[1].lo <= 0 <= self.operands[1].hi:
            return None
        if self.is_kind("EQUAL", "NOT_EQUAL") and max(x.lo for x in self.operands) <= min(x.hi for x in self.operands):
            return None
        for at in self.varying:
            ends = [self.operands[at].lo, self.operands[at].hi]
            if self.operands[at].lo < 0 < self.operands[at].hi:
                ends.append(0.0)
            sets.append(ends)
        results = self.evaluate(sets)
        results = results[~np.isnan(results)]  # inf - inf and 0 * inf lie between ends that other combinations give
        return Values(float(results.min()), float(results.max())) if results.size else None
