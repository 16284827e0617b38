# SPDX-License-Identifier: Apache-2.0
"""A builder for formats that describe a network operator by operator, the arithmetic on its weights included.

Exporters leave `sign(w) * mean(|w|)` in the file as four operators. Whatever depends on constants alone is computed
here, with the reference's own functions, and what nothing needs any more is left out of the graph.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.errors import ModelError
from harness.model import reference
from harness.model.graph import Array, Builder, Graph, Node

FLOOR = 1 << 24
PER_BYTE = 16
"""Elements. A byte of a file is at most eight weights (bits); a few megabytes may become more than they look."""

_LEFT_ALONE = frozenset({"conv2d", "conv2d_transpose", "dense", "max_pool2d", "avg_pool2d"})
"""Nobody convolves constants, and what it would cost is not bounded by the size of the result."""


class FoldingBuilder(Builder):
    """A Builder whose nodes with constant operands become constants.

    Args:
        file_bytes: size of the model file, which bounds how much may be made of it.
    """

    def __init__(self, name: str, file_bytes: int) -> None:
        super().__init__(name)
        self._budget = FLOOR + PER_BYTE * file_bytes

    def spend(self, elements: int) -> None:
        """To be called before `elements` are allocated for a constant.

        Raises:
            ModelError: the file asks for far more than it holds.
        """
        self._budget -= elements
        if self._budget < 0:
            raise ModelError(
                f"The constants of {self.name!r} would take far more memory than its file.",
                "The file is damaged, or made to exhaust the machine that reads it.",
            )

    def data(self, tensor: str) -> Array | None:
        """The value of a constant; None for a tensor that is computed."""
        return self.tensors[tensor].data

    def _read(self, op: str, inputs: tuple[str | None, ...]) -> tuple[str | None, ...]:
        return self._slim(inputs) if op in ("arith", "select") else inputs

    def _added(self, node: Node) -> None:
        tensors = [None if name is None else self.tensors[name] for name in node.inputs]
        folded = self.tensors[node.output]
        computed = any(tensor is not None and tensor.data is None for tensor in tensors)
        if node.op in _LEFT_ALONE or folded.dtype != "f32" or computed:
            return
        self.spend(folded.elements)
        operands = [None if tensor is None else tensor.data for tensor in tensors]
        value = reference.apply(node.op, operands, node.params, folded, inputs=tensors)
        self._names.discard(self.nodes.pop().name)
        if not np.isfinite(value).all():
            raise ModelError(
                f"{node.name!r} computes infinity or NaN from the weights alone.",
                "It divides by a weight that is zero, or takes the root of a negative one.",
                "Load the model in the framework that wrote it and look at that layer.",
            )
        self.tensors[node.output] = replace(folded, data=value)

    def graph(self, source_bytes: int = 0, source_format: str = "") -> Graph:
        """The graph, without what its outputs do not depend on. Its inputs stay."""
        constant = [name for name in self.outputs if self.data(name) is not None]
        if constant:
            raise ModelError(
                f"The output {constant[0]!r} of {self.name!r} does not depend on its input.",
                "The exporter has replaced the network by its result, or the file is damaged.",
                "Export it with an input that is not constant.",
            )
        needed = set(self.outputs)
        nodes = []
        for node in reversed(self.nodes):
            if node.output in needed:
                nodes.append(node)
                needed.update(name for name in node.inputs if name is not None)
        needed.update(self.inputs)
        whole = super().graph(source_bytes, source_format)
        tensors = {name: tensor for name, tensor in whole.tensors.items() if name in needed}
        return replace(whole, nodes=tuple(reversed(nodes)), tensors=tensors)

    def _slim(self, inputs: tuple[str | None, ...]) -> tuple[str | None, ...]:
        """The operands, with a constant that repeats one number written once, where broadcasting allows it.

        `ones_like` and its kin reach the file as full-size constants.
        """
        names = [name for name in inputs if name is not None]
        slim = list(names)
        for at, name in enumerate(names):
            data = self.tensors[name].data
            if data is None or data.size == 1 or (data != data.flat[0]).any():
                continue
            others = [self.tensors[other].shape for i, other in enumerate(slim) if i != at]
            try:
                before = np.broadcast_shapes(*others, data.shape)
                if len(others) and np.broadcast_shapes(*others) == before:
                    slim[at] = self.constant(name, data.reshape(-1)[:1])
            except ValueError:
                break  # the shape rule says so in better words
        return tuple(slim)
