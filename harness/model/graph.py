# SPDX-License-Identifier: Apache-2.0
"""The graph that every importer produces, every pass rewrites and the `.bnn` file stores.

One set of operations serves all three: the rows of `kernels/include/bnn/ops.def`, whose meaning is written beside their
parameter structs in `format.h` and, executable, in `harness/model/reference`. Images are NHWC, filters OHWI, dense
weights [O, I]. An importer describes what the file computes in float; `passes` turns what can be binary into bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness import abi
from harness.errors import ModelError
from harness.model import shapes

Array = NDArray[Any]
FLOAT_BITS = 32
Dtype = Literal["f32", "i8", "i32", "bits"]


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value that flows through the graph.

    Attributes:
        name: unique in its graph.
        shape: row-major, batch first; a tensor of bits has its true channel count here.
        dtype: element type. A constant of dtype `bits` holds uint32 words in `data`, its last axis packed.
        data: the value of a constant, else None.
        scale, zero_point: for `i8`: real value = scale * (q - zero_point).
        planes: bit planes, for `bits`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Dtype = "f32"
    data: Array | None = None
    scale: float = 1.0
    zero_point: int = 0
    planes: int = 1

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Node:
    """One operation.

    Attributes:
        op: a name of ops.def.
        name: the layer of the model file that it came from, as its author called it; unique in its graph.
        inputs: tensor names; None for an optional input that is absent.
        output: tensor name.
        params: the fields of `struct bnn_<op>_params`; absent fields are zero. `window` is a dict of its own.
        layer: the class of the layer in the model file ("QuantConv2D", "LceBconv2d"), for the reader of a report.
    """

    op: str
    name: str
    inputs: tuple[str | None, ...]
    output: str
    params: Mapping[str, Any] = field(default_factory=dict)
    layer: str = ""


@dataclass(frozen=True, eq=False)
class Graph:
    """A network. Nodes stand in an order in which they can run.

    Attributes:
        states: how many of the last inputs are fed by as many of the last outputs: a step reads what the step before
            gave, and zeros in the first. To passes they are inputs and outputs like any others.
        source_bytes: size of the model file, for the report.
        notes: what the importer found worth telling (a dropped training-only layer, an assumption).
        claims: the bits that the file's quantisers say they have, (input, kernel) by layer. Tools that trust them are
            quoted; nothing here does.
        levels: the values that an input is promised to hold, by its name; an input that may hold any is not in it.
    """

    name: str
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    states: int = 0
    source_bytes: int = 0
    source_format: str = ""
    notes: tuple[str, ...] = ()
    claims: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    levels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def spiking(self) -> bool:
        """Whether it remembers from step to step: then the inputs' shapes are those of one time step of many."""
        return self.states > 0 or any(node.op == "lif" for node in self.nodes)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The inputs that a caller gives."""
        return self.inputs[: len(self.inputs) - self.states]

    @property
    def results(self) -> tuple[str, ...]:
        """The outputs that a caller gets."""
        return self.outputs[: len(self.outputs) - self.states]

    @property
    def loops(self) -> tuple[tuple[str, str], ...]:
        """Each state: the input that reads it, the output that a step leaves in it."""
        return tuple(zip(self.inputs[len(self.arguments) :], self.outputs[len(self.results) :], strict=True))

    def producers(self) -> dict[str, Node]:
        """The node that computes each tensor."""
        return {node.output: node for node in self.nodes}

    def operands(self, node: Node) -> list[Tensor | None]:
        """The tensors of a node's inputs."""
        return [None if name is None else self.tensors[name] for name in node.inputs]

    def constants(self, node: Node) -> Iterator[Tensor]:
        """The constant inputs of a node."""
        for name in node.inputs:
            if name is not None and self.tensors[name].data is not None:
                yield self.tensors[name]


class Builder:
    """Puts a graph together node by node; used by importers and passes.

    Names are made unique, shapes of outputs are inferred, and what a malformed file could ask for (a negative size, a
    channel mismatch, an absurd tensor) is refused here with a ModelError, once for all importers.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.loops: dict[str, str] = {}
        self.notes: list[str] = []
        self.claims: dict[str, tuple[int, int]] = {}
        self.levels: dict[str, tuple[float, ...]] = {}
        self._names: set[str] = set()

    def unique(self, name: str) -> str:
        """`name`, or `name:1`, `name:2`... if a tensor has it already."""
        candidate, count = name, 0
        while candidate in self.tensors:
            count += 1
            candidate = f"{name}:{count}"
        return candidate

    def input(self, name: str, shape: tuple[int, ...], dtype: Dtype = "f32", **extra: Any) -> str:
        tensor = self._tensor(name, shape, dtype, **extra)
        self.inputs.append(tensor)
        return tensor

    def constant(
        self,
        name: str,
        data: Array,
        dtype: Dtype = "f32",
        shape: tuple[int, ...] | None = None,
        finite: bool = True,
        **extra: Any,
    ) -> str:
        """A constant.

        Args:
            shape: given only for bits, whose packed data does not show the channel count.
            finite: refuse NaN and infinity, which no weights hold; thresholds may.
        """
        kinds: dict[Dtype, Any] = {"f32": np.float32, "i8": np.int8, "i32": np.int32, "bits": np.uint32}
        data = np.ascontiguousarray(data, dtype=kinds[dtype])
        if finite and dtype == "f32" and not np.isfinite(data).all():
            raise ModelError(
                f"The weights {name!r} hold NaN or infinity.",
                "Training diverged, or the file is damaged.",
                "Load the model in the framework that wrote it and look at that layer.",
            )
        return self._tensor(name, data.shape if shape is None else shape, dtype, data=data, **extra)

    def node(
        self,
        op: str,
        name: str,
        inputs: tuple[str | None, ...],
        shape: tuple[int, ...] | None = None,
        dtype: Dtype = "f32",
        layer: str = "",
        output: str | None = None,
        scale: float = 1.0,
        zero_point: int = 0,
        planes: int = 1,
        **params: Any,
    ) -> str:
        """Adds a node and returns the name of its output tensor.

        Args:
            shape: the output's shape; inferred where None (reshape, slice and mean need it).
            output: name for the output tensor; the node's own name where None.
        """
        inputs = self._read(op, inputs)
        draft = Node(op, name, inputs, "", params, layer)
        operands = [self.tensors[i] if i is not None else None for i in inputs]
        row = abi.ops()[op]
        if not row.min_inputs <= len(inputs) <= row.max_inputs:
            raise ModelError(f"{name!r}: {op} takes {row.min_inputs} to {row.max_inputs} inputs, not {len(inputs)}.")
        inferred = shapes.infer(draft, operands, shape)
        target = self._tensor(output or name, inferred, dtype, scale=scale, zero_point=zero_point, planes=planes)
        unique, count = name, 0
        while unique in self._names:
            count += 1
            unique = f"{name}:{count}"
        self._names.add(unique)
        self.nodes.append(replace(draft, output=target, name=unique))
        self._added(self.nodes[-1])
        return target

    def _read(self, op: str, inputs: tuple[str | None, ...]) -> tuple[str | None, ...]:
        """What a new node is to read; a builder that knows better overrides it."""
        return inputs

    def _added(self, node: Node) -> None:
        """Called after a node was added."""

    def claim(self, layer: str, input_bits: int | None = None, kernel_bits: int | None = None) -> None:
        """Notes the bits that a quantiser of a layer says it has."""
        known = self.claims.get(layer, (FLOAT_BITS, FLOAT_BITS))
        self.claims[layer] = (input_bits or known[0], kernel_bits or known[1])

    def output(self, tensor: str) -> None:
        self.outputs.append(tensor)

    def loop(self, state: str, tensor: str) -> None:
        """What `state`, which is no input of a caller, reads in the next step."""
        self.loops[state] = tensor

    def state(self, name: str, shape: tuple[int, ...]) -> str:
        """A tensor of the step before, which `loop` is to name."""
        return self._tensor(name, shape, "f32")

    def shape(self, tensor: str) -> tuple[int, ...]:
        return self.tensors[tensor].shape

    def graph(self, source_bytes: int = 0, source_format: str = "") -> Graph:
        return Graph(
            self.name,
            tuple(self.nodes),
            dict(self.tensors),
            (*self.inputs, *self.loops),
            (*self.outputs, *self.loops.values()),
            len(self.loops),
            source_bytes,
            source_format,
            tuple(self.notes),
            dict(self.claims),
            dict(self.levels),
        )

    def _tensor(self, name: str, shape: tuple[int, ...], dtype: Dtype, **extra: Any) -> str:
        shape = tuple(int(size) for size in shape)
        shapes.check(name, shape)
        unique = self.unique(name)
        self.tensors[unique] = Tensor(unique, shape, dtype, **extra)
        return unique
