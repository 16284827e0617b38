# SPDX-License-Identifier: Apache-2.0
"""Neurons behind a binary convolution of spikes count in units of its weights' scale.

With weights ±s and inputs {0, 1} a current is s*n for a whole number n, which the convolution computes as m*acc + b
with |m| = s/2: two roundings, of numbers far larger than their sum. Here it gives n itself, which float32 holds
exactly, and the neurons multiply by s. Where their membrane neither leaks nor starts elsewhere than at 0, it is a
multiple of s too: then it is kept as a whole number, exact below 2^24, and the threshold becomes the n at which s*n
reaches it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness import abi
from harness.model.graph import Array, Graph, Node
from harness.model.passes import chain
from harness.model.passes.rewrite import Rewrite
from harness.model.passes.threshold import ON_BITS, Accumulator

EXACT = 1 << 24
"""float32 holds every whole number up to this one."""
_INPUTS = ("x", "threshold", "decay", "gain", "offset", "reset", "initial")


def count(graph: Graph) -> Graph:
    """Rewrites every lif that reads a binary convolution of {0, 1} without a bias."""
    work = Rewrite(graph)
    for node in graph.nodes:
        if node.op == "lif":
            _count(work, node)
    return work.graph()


def _count(work: Rewrite, node: Node) -> None:
    path = _to_convolution(work, node)
    unit = None if path is None else _unit(work, path[-1])
    if path is None or unit is None:
        return
    constants = dict(zip(_INPUTS, (*node.inputs, *[None] * 7), strict=False))
    gain = _data(work, constants["gain"])
    unit = unit if gain is None else unit * gain
    if unit.ndim > 1:
        return
    convolution = path[-1]
    multiplier, bias = _affine(work, convolution)
    half, shift = np.sign(multiplier) / 2, np.rint(bias / multiplier) * np.sign(multiplier) / 2
    scaled = [work.constant(f"{convolution.name}/{name}", data) for name, data in (("half", half), ("shift", shift))]
    output = _renamed(work, convolution.output)
    work.replace(convolution, inputs=(*convolution.inputs[:2], *scaled), output=output)
    for reshape in path[-2::-1]:
        before = work.producer[f"{reshape.inputs[0]}/count"].output
        work.replace(reshape, inputs=(before,), output=_renamed(work, reshape.output))
    constants["x"] = f"{node.inputs[0]}/count"
    whole = _whole_threshold(work, node, constants, unit)
    params = dict(node.params)
    if whole is None:
        constants["gain"] = work.constant(f"{node.name}/gain", unit)
    else:
        constants["gain"] = None
        constants["threshold"] = work.constant(f"{node.name}/threshold", whole[0])
        params["strict"] = whole[1]
    operands = [constants[name] for name in _INPUTS]
    while operands[-1] is None:
        operands.pop()
    work.replace(node, inputs=tuple(operands), params=params)


def _renamed(work: Rewrite, tensor: str) -> str:
    """A tensor beside one that holds other numbers, so that nobody compares the two."""
    name = f"{tensor}/count"
    work.tensors[name] = replace(work.tensors[tensor], name=name)
    return name


def _to_convolution(work: Rewrite, node: Node) -> list[Node] | None:
    """The nodes from what a lif reads back to a binary convolution, with nothing but reshapes between."""
    path: list[Node] = []
    tensor = str(node.inputs[0])
    while (producer := work.producer.get(tensor)) is not None and work.only_reader(tensor) is not None:
        path.append(producer)
        if producer.op in ON_BITS:
            same = work.tensors[tensor].shape[-1] == work.tensors[str(node.inputs[0])].shape[-1]
            return path if same and work.tensors[tensor].dtype == "f32" else None
        if producer.op != "reshape":
            return None
        tensor = str(producer.inputs[0])
    return None


def _unit(work: Rewrite, node: Node) -> Array | None:
    """The s of each filter where a convolution gives s times a whole number, in float64."""
    limited = any(np.isfinite(float(node.params[end])) for end in ("lo", "hi"))
    window, border = node.params["window"], node.params["border"]
    uncounted = border == abi.constant("BNN_BORDER_ZERO") and any(
        window.get(f"pad_{side}", 0) for side in ("top", "left", "bottom", "right")
    )
    if limited or uncounted or any(name is not None for name in node.inputs[4:]):
        return None
    most = Accumulator(work, node).most
    multiplier, bias = _affine(work, node)
    if np.any(multiplier == 0) or 2 * most > EXACT:
        return None
    shift = bias / multiplier
    whole = np.all(np.abs(shift - np.rint(shift)) <= 3e-7 * np.abs(shift))  # both are rounded to float32
    even = np.all((np.rint(shift) + most) % 2 == 0)
    return 2 * np.abs(multiplier) if whole and even else None


def _affine(work: Rewrite, node: Node) -> tuple[Array, Array]:
    """(multiplier, bias) of a binary convolution, for each filter."""
    filters = work.tensors[node.output].shape[-1]
    multiplier, bias = (_data(work, name) for name in (*node.inputs, None, None)[2:4])
    return np.ones(filters) if multiplier is None else multiplier, np.zeros(filters) if bias is None else bias


def _data(work: Rewrite, name: str | None) -> Array | None:
    data = None if name is None else work.tensors[name].data
    return None if data is None else data.astype(np.float64)


def _whole_threshold(
    work: Rewrite, node: Node, constants: dict[str, str | None], unit: Array
) -> tuple[Array, int] | None:
    """(thresholds, strict) for a membrane that is a whole number of units; None where it is none."""
    threshold = _data(work, constants["threshold"])
    moves = any(constants[name] is not None for name in ("decay", "offset", "reset", "initial"))
    if threshold is None or threshold.ndim > 1 or moves or np.any(unit <= 0):
        return None
    limit = np.broadcast_to(threshold, unit.shape)
    strict = int(node.params["strict"])
    if node.params["reset"] != abi.constant("BNN_RESET_VALUE"):
        ratio = limit / unit
        even = np.all(np.abs(ratio - np.rint(ratio)) <= 1e-6 * np.abs(ratio)) and np.all(np.abs(ratio) < EXACT)
        return (np.rint(ratio), strict) if even else None
    scale, least = unit.astype(np.float32), limit.astype(np.float32)

    def reached(n: NDArray[np.int64]) -> Array:
        current = scale * n.astype(np.float32)
        return current > least if strict else current >= least

    first = chain.first_true(reached, -EXACT, EXACT, unit.size)
    return (first.astype(np.float64), 0) if np.all(np.abs(first) < EXACT) else None
