# SPDX-License-Identifier: Apache-2.0
"""Proof that a pass changed how the numbers are computed, not the numbers.

Both graphs run on the same input. Tensors that exist in both must agree, and the rewritten graph then goes on with the
original's value: an error is found where it is made, with the name of its layer, and one sign that rounding flipped
does not drown the layers after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness import abi
from harness.errors import WrongOutput
from harness.model import reference
from harness.model.graph import Array, Graph, Node, Tensor

RELATIVE = 1e-4
"""Of the largest magnitude of the tensor: float32 sums in another order, scaled before or after."""


SMALL = 0.1
"""A tensor of smaller numbers counts as this large: its sums cancelled, and what was summed up had been larger."""


@dataclass(frozen=True)
class Ties:
    """Signs that differ because a number lay within rounding of its threshold.

    Attributes:
        count: how many bits.
        of: out of how many that were compared.
    """

    count: int = 0
    of: int = 0


def compare(
    name: str,
    before: Graph,
    after: Graph,
    expected: dict[str, Array],
    inputs: Sequence[Array],
    memory: reference.Memory | None = None,
) -> tuple[Ties, dict[str, Array]]:
    """Runs `after` and compares every tensor that `before` has too.

    Args:
        name: of the pass, for the message.
        expected: every value of `before`, from reference.trace.
        memory: what the neurons of `after` remember of the time step before.

    Returns:
        the ties, and every value of `after`, which the next pass is compared with.

    Raises:
        WrongOutput: some tensor differs by more than rounding explains.
    """
    found: dict[str, Array] = dict(zip(after.inputs, inputs, strict=True))
    flips = total = 0
    for node in after.nodes:
        operands = [None if i is None else reference.operand(after.tensors[i], found) for i in node.inputs]
        output = after.tensors[node.output]
        twin = expected.get(node.output)
        if twin is not None and before.tensors[node.output].dtype != output.dtype:
            twin = None
        spikes = node.op == "lif" and node.params["emit"] != abi.constant("BNN_EMIT_MEMBRANE")
        if spikes and twin is not None:
            value, ties = _spikes(node, operands, output, {} if memory is None else memory, twin)
            flips += ties
        else:
            value = reference.apply(node.op, operands, node.params, output, memory, after.operands(node))
        if twin is not None:
            if output.dtype == "bits" or spikes:
                differing = int(np.count_nonzero(value != twin))
                flips, total = flips + differing, total + value.size
                if differing > max(2, value.size // 1000):
                    raise _wrong(name, node.name, f"{differing} of {value.size} bits differ")
            else:
                error = float(np.max(np.abs(value - twin.astype(np.float32)), initial=0.0))
                bound = RELATIVE * max(float(np.max(np.abs(twin), initial=0.0)), SMALL)
                if output.dtype == "i8":
                    bound = 1.0  # half a code apart is a code apart after rounding
                if not error <= bound:
                    raise _wrong(name, node.name, f"values differ by up to {error:.3g}, rounding explains {bound:.3g}")
            value = twin
        found[node.output] = value
    return Ties(flips, total), found


def _spikes(
    node: Node, operands: list[Array | None], output: Tensor, memory: reference.Memory, twin: Array
) -> tuple[Array, int]:
    """A step of neurons, and how many of them spike as `twin` has it only if their threshold lies a rounding aside.

    These go on as if it did: a spike that rounding moved is counted once and not in every later step.
    """
    before = {key: memory[key] for key in (output.name,) if key in memory}
    value = reference.apply(node.op, operands, node.params, output, memory)
    threshold, ties = operands[1], 0
    assert threshold is not None
    for share in (1 - RELATIVE, 1 + RELATIVE):
        aside = dict(before)
        shaken = [operands[0], threshold * np.float32(share), *operands[2:]]
        other = reference.apply(node.op, shaken, node.params, output, aside)
        tie = (value != twin) & (other == twin)
        value, ties = np.where(tie, other, value), ties + int(np.count_nonzero(tie))
        membrane = aside[output.name]
        if node.params["reset"] == abi.constant("BNN_RESET_SUBTRACT_LATER"):  # the next step looks at it once more
            membrane = np.broadcast_to(threshold * np.float32(2 - share), membrane.shape)
        memory[output.name] = np.where(tie.reshape(membrane.shape), membrane, memory[output.name])
    return value, ties


def _wrong(name: str, layer: str, what: str) -> WrongOutput:
    return WrongOutput(
        f"The pass {name!r} changed the result of the layer {layer!r}: {what}.",
        "This is a defect of bitrig, not of the model; the model was not used.",
        "Please report it with the model file.",
    )
