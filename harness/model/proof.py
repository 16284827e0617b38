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
from harness.model.near import Doubts

ASIDE = 1e-4
"""How far a neuron's threshold is moved to see whether a spike hangs on rounding: membranes add up many steps."""


@dataclass(frozen=True)
class Proof:
    """What was found while graphs agreed.

    Attributes:
        flips: bits, signs and codes that a pass changed, because a number lay within rounding of its threshold.
        of: bits that were compared, over all passes.
        near: signs of the last graph whose number lies within rounding of its threshold on this input: what adds up in
            another order may answer otherwise and be right.
        signs: of how many.
    """

    flips: int = 0
    of: int = 0
    near: int = 0
    signs: int = 0

    def __add__(self, other: Proof) -> Proof:
        return Proof(self.flips + other.flips, self.of + other.of, self.near + other.near, self.signs + other.signs)

    @property
    def sentence(self) -> str:
        """What a reader should know of ties; "" where there are none."""
        if not self.near:
            return ""
        return (
            f"{self.near:,} of {self.signs:,} signs lie within rounding of their threshold on the input that was "
            "proved: sums of floats in another order may flip them."
        )


def compare(
    name: str,
    before: Graph,
    after: Graph,
    expected: dict[str, Array],
    inputs: Sequence[Array],
    memory: reference.Memory | None = None,
    allowed: dict[str, Array] | None = None,
) -> tuple[Proof, dict[str, Array]]:
    """Runs `after` and compares every tensor that `before` has too: bits, signs and codes exactly, but where the number
    that was quantised lies within rounding of the threshold; other numbers within `rounding`.

    Args:
        name: of the pass, for the message.
        expected: every value of `before`, from reference.trace.
        inputs: one for each of `after.inputs`, states too.
        memory: what the neurons of `after` remember of the time step before.
        allowed: how far numbers could lie apart in earlier passes, and (by dtype and name) which bits flipped there:
            `expected` still has their values; this one adds its own.

    Returns:
        the flips, and every value of `after`, which the next pass is compared with.

    Raises:
        WrongOutput: some tensor differs by more than rounding explains.
    """
    found: dict[str, Array] = dict(zip(after.inputs, inputs, strict=True))
    flips = total = 0
    same = {name for name, tensor in after.tensors.items() if _dtype(before, name) == tensor.dtype}
    old, new = Doubts(before, expected, same), Doubts(after, found, same)
    for node in after.nodes:
        operands = [None if i is None else reference.operand(after.tensors[i], found) for i in node.inputs]
        output = after.tensors[node.output]
        twin = expected.get(node.output) if node.output in same else None
        spikes = node.op == "lif" and node.params["emit"] != abi.constant("BNN_EMIT_MEMBRANE")
        if spikes and twin is not None:
            value, ties = _spikes(node, operands, output, {} if memory is None else memory, twin)
            flips += ties
        else:
            value = reference.apply(node.op, operands, node.params, output, memory, after.operands(node))
        found[node.output] = value
        if twin is None:
            continue
        total += value.size if output.dtype == "bits" or spikes else 0
        if not np.array_equal(value, twin):
            doubts = first if (first := old.of(node.output)) is not None else new.of(node.output, old.unit(node.output))
            tie = np.zeros(value.shape, bool) if doubts is None else (value != twin) & doubts
            if output.dtype == "i8":
                tie &= np.abs(value.astype(np.int16) - twin) == 1
            flips += int(np.count_nonzero(tie))
            key = f"{output.dtype} {node.output}"
            if allowed is not None and output.dtype != "f32":  # later passes are compared with what flipped here
                tie |= (value != twin) & allowed.get(key, np.zeros(1, bool))
                allowed[key] = tie
            value = np.where(tie, twin, value)
            if output.dtype != "f32" or spikes:
                _equal(name, node, value, twin, output)
            else:
                bound = np.asarray(sum(part.magnitudes.of(node.output).bound for part in (old, new)))
                if allowed is not None:
                    bound = allowed[node.output] = np.maximum(bound, allowed.get(node.output, np.zeros(1)))
                _near(name, node, value, twin, bound)
        found[node.output] = twin
    return Proof(flips, total), found


def _equal(name: str, node: Node, value: Array, twin: Array, output: Tensor) -> None:
    differing = int(np.count_nonzero(value != twin))
    if differing:
        what = {"bits": "bits", "i8": "codes"}.get(output.dtype, "spikes")
        raise _wrong(name, node.name, f"{differing} of {value.size} {what} differ, and rounding explains none of them")


def _near(name: str, node: Node, value: Array, twin: Array, bound: Array) -> None:
    apart = np.abs(value.astype(np.float64) - twin)
    excess = np.where(value == twin, 0.0, apart) - bound
    if not np.all(excess <= 0):
        worst = np.unravel_index(np.argmax(np.where(np.isnan(excess), np.inf, excess)), excess.shape)
        explained = np.broadcast_to(bound, excess.shape)[worst]
        what = f"{value[worst]:.6g} instead of {twin[worst]:.6g}, and rounding explains {explained:.2g}"
        raise _wrong(name, node.name, what)


def _dtype(graph: Graph, name: str) -> str | None:
    return graph.tensors[name].dtype if name in graph.tensors else None


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
    for share in (1 - ASIDE, 1 + ASIDE):
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
