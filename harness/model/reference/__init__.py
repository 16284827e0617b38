# SPDX-License-Identifier: Apache-2.0
"""What every operation computes, in NumPy: the golden output, before and after each pass.

One function a row of ops.def, in a module a family. Readable before fast: the C kernels are checked against these, and
these against the outputs that other people's frameworks recorded. Bits are held unpacked, one uint8 an element,
1 standing for -1, with the planes as the first axis: [planes, *shape].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.errors import ModelError
from harness.model import bits
from harness.model.graph import Array, Graph, Tensor
from harness.model.reference import binary, elementwise, integer, neurons, shaping, windows
from harness.model.reference.common import Function, Memory, Params, flush
from harness.model.reference.elementwise import COMPARISONS, INTEGER_KINDS, SUMS

__all__ = [
    "COMPARISONS",
    "INTEGER_KINDS",
    "SUMS",
    "Memory",
    "apply",
    "flush",
    "in_steps",
    "operand",
    "run",
    "states",
    "trace",
]

FUNCTIONS: Mapping[str, Function] = {
    **windows.FUNCTIONS,
    **binary.FUNCTIONS,
    **elementwise.FUNCTIONS,
    **shaping.FUNCTIONS,
    "lif": neurons.lif,
    "lookup": integer.lookup,
}


def run(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The outputs of a graph.

    Args:
        inputs: one array for each of `graph.arguments`, in order, of exactly its shape; of a spiking graph, time steps
            one after the other along the first axis.

    Returns:
        one array for each of `graph.results`, of every step; one of dtype `bits` comes packed, as int32 words.
    """
    memory: Memory = {}
    steps = [trace(graph, step, frozenset(graph.results), memory) for step in in_steps(graph, inputs)]
    found = [[_packed(values[name], graph.tensors[name]) for values in steps] for name in graph.results]
    return [np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in found]


def in_steps(graph: Graph, inputs: Sequence[Array]) -> list[list[Array]]:
    """The inputs of every time step; all at once where a graph has no time.

    Raises:
        ModelError: the inputs are of different numbers of steps, or of a broken number.
    """
    if not graph.spiking:
        return [list(inputs)]
    sizes = [graph.tensors[name].shape[0] for name in graph.arguments]
    counts = {divmod(len(array), size) for array, size in zip(inputs, sizes, strict=True)}
    if len(counts) != 1 or (found := counts.pop())[1] or not found[0]:
        raise ModelError(f"The inputs of {graph.name!r} do not hold one and the same number of time steps.")
    return [
        [array[step * size : (step + 1) * size] for array, size in zip(inputs, sizes, strict=True)]
        for step in range(found[0])
    ]


def trace(
    graph: Graph, inputs: Sequence[Array], keep: frozenset[str] | None = None, memory: Memory | None = None
) -> dict[str, Array]:
    """The value of every tensor that is computed (or only of those in `keep`), bits unpacked.

    Args:
        memory: what the step before left; this one's takes its place. A first step where None.
    """
    memory = {} if memory is None else memory
    if len(inputs) != len(graph.arguments):
        raise ModelError(f"{graph.name!r} has {len(graph.arguments)} inputs, not {len(inputs)}.")
    values: dict[str, Array] = {}
    for name, array in zip(graph.inputs, (*inputs, *states(graph, memory)), strict=True):
        tensor = graph.tensors[name]
        if array.shape != tensor.shape:
            raise ModelError(f"The input {name!r} has the shape {list(array.shape)}, not {list(tensor.shape)}.")
        values[name] = np.asarray(array, np.int8 if tensor.dtype == "i8" else np.float32)
    last_use = {name: at for at, node in enumerate(graph.nodes) for name in node.inputs if name is not None}
    left = {name for _, name in graph.loops}
    for at, node in enumerate(graph.nodes):
        operands = [None if name is None else operand(graph.tensors[name], values) for name in node.inputs]
        output = graph.tensors[node.output]
        values[node.output] = apply(node.op, operands, node.params, output, memory, graph.operands(node))
        if keep is not None:
            for name in {name for name in node.inputs if name is not None}:
                if last_use[name] == at and name not in keep and name not in left:
                    values.pop(name, None)
    memory.update((state, values[name]) for state, name in graph.loops)
    return values


def states(graph: Graph, memory: Memory) -> list[Array]:
    """What a step reads of the one before: one array for each of the last `graph.states` inputs."""
    return [memory.get(name, np.zeros(graph.tensors[name].shape, np.float32)) for name, _ in graph.loops]


def apply(
    op: str,
    operands: Sequence[Array | None],
    params: Params,
    output: Tensor,
    memory: Memory | None = None,
    inputs: Sequence[Tensor | None] = (),
) -> Array:
    """The value of one operation; neurons read their membranes from `memory` and write them there.

    Args:
        inputs: the tensors of the operands; those of int8 are told by them.
    """
    with np.errstate(all="ignore"):
        if integer.concerns(inputs, output):
            result = integer.apply(op, operands, params, inputs, output, apply)
        elif op == "lif":
            result = neurons.lif(list(operands), params, output, memory)
        elif op in shaping.MOVES and output.dtype == "bits":
            flat = Tensor("", output.shape)
            planes = [
                FUNCTIONS[op]([None if o is None else o[plane] for o in operands], params, flat)
                for plane in range(output.planes)
            ]
            result = np.stack(planes)
        else:
            result = FUNCTIONS[op](list(operands), params, output)
    kinds: dict[str, Any] = {"f32": np.float32, "i8": np.int8, "i32": np.int32, "bits": np.uint8}
    return np.ascontiguousarray(result, dtype=kinds[output.dtype])


def real(
    op: str, operands: Sequence[Array | None], params: Params, inputs: Sequence[Tensor | None], output: Tensor
) -> Array:
    """The same for real values throughout: those of int8 tensors are rounded to their grids on the way in and out.

    Constants are taken as they are.
    """
    with np.errstate(all="ignore"):  # a bisection asks for the largest numbers, too
        codes = [
            integer.encode(value, tensor)
            if value is not None and tensor is not None and tensor.dtype == "i8" and value.dtype != np.int8
            else value
            for value, tensor in zip(operands, inputs, strict=True)
        ]
    result = apply(op, codes, params, output, inputs=inputs)
    return integer.decode(result, output) if output.dtype == "i8" else result


def operand(tensor: Tensor, values: Mapping[str, Array]) -> Array:
    """The value of an operand: a constant, or what was computed; bits unpacked."""
    if tensor.data is None:
        return values[tensor.name]
    return bits.unpack(tensor.data, tensor.shape, tensor.planes) if tensor.dtype == "bits" else tensor.data


def _packed(value: Array, tensor: Tensor) -> Array:
    return bits.pack(value).view(np.int32) if tensor.dtype == "bits" else value
