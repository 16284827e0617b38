# SPDX-License-Identifier: Apache-2.0
"""Layers whose input and weights are two-valued become binary convolutions.

Let the input be a = m + d*s and the weights w = g*v, with s and v in {-1, +1}, m and d numbers, g one number a filter. Then

    sum(a * w) = g*d * sum(s * v) + g*m * sum(v)

so every pair of levels runs on one XNOR kernel: {-1, +1} has m = 0; {0, 1} has m = 1/2 and d = ±1/2. The last sum is a
constant of the filter as long as each tap is counted. Where the image is padded, the padding value is one of the levels
and is given the bit 0, which is what the kernel reads outside the image (the sign of d follows); or it is 0 between -d
and +d, and then m = 0 and the kernel leaves those taps out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness import abi
from harness.model import analyse, bits
from harness.model.analyse import Verdict
from harness.model.graph import Array, Graph
from harness.model.passes.rewrite import Rewrite

ON_KERNEL = frozenset({"binary", "binary01"})
POINT: dict[str, int] = {f"{name}_{axis}": 1 for name in ("kernel", "stride", "dilation") for axis in "hw"}


def binarise(graph: Graph) -> Graph:
    """Rewrites every layer whose verdict allows it. Each gets a quantize of its own; later passes share and move them."""
    work = Rewrite(graph)
    for verdict in analyse.verdicts(graph).values():
        if verdict.kind in ON_KERNEL:
            _layer(work, verdict)
    return work.graph()


def _layer(work: Rewrite, verdict: Verdict) -> None:
    node = verdict.node
    x, weight, bias = (*node.inputs, None)[:3]
    assert x is not None and weight is not None
    kernel = work.tensors[weight].data
    assert kernel is not None
    window, groups, border = POINT, 1, 0.0
    if node.op == "dense":
        kernel = kernel[:, None, None, :]
        x = _as_image(work, x, f"{node.name}/rows")
    else:
        window, groups, border = dict(node.params["window"]), node.params.get("groups", 1), analyse.border(node)

    low, high = verdict.arriving.levels or (0.0, 0.0)
    inside = border in (low, high)
    upper_is_zero_bit = not (analyse.padded(node) and inside and border == low)
    distance = (high - low) / 2 if upper_is_zero_bit else (low - high) / 2
    middle = (low + high) / 2

    packed = quantize(work, x, middle, not upper_is_zero_bit, f"{node.name}/quantize")
    negative = (kernel < 0).view(np.uint8)
    taps = int(np.prod(kernel.shape[1:], dtype=np.int64))
    sum_of_signs = taps - 2 * np.count_nonzero(negative.reshape(len(kernel), -1), axis=1)
    multiplier = verdict.scale * distance
    offset = verdict.scale * middle * sum_of_signs
    if bias is not None:
        extra = work.tensors[bias].data
        assert extra is not None
        offset = offset + extra
    operands: list[str | None] = [
        packed,
        work.constant(f"{node.name}/bits", bits.pack(negative), "bits", kernel.shape),
        None if np.all(multiplier == 1) else work.constant(f"{node.name}/multiplier", multiplier),
        None if np.all(offset == 0) else work.constant(f"{node.name}/bias", offset),
    ]
    params: dict[str, Any] = {
        "window": window,
        "groups": groups,
        "border": abi.constant("BNN_BORDER_ONE" if inside else "BNN_BORDER_ZERO"),
        "lo": node.params.get("lo", -np.inf),
        "hi": node.params.get("hi", np.inf),
    }
    work.remove(node)
    target = work.tensors[node.output]
    if len(target.shape) == 4:
        work.node("bconv2d", node.name, _trim(operands), output=node.output, layer=node.layer, **params)
    else:
        image = work.node("bconv2d", node.name, _trim(operands), layer=node.layer, **params)
        work.node("reshape", f"{node.name}/shape", (image,), shape=target.shape, output=node.output)


def _as_image(work: Rewrite, x: str, name: str) -> str:
    """[..., I] as [N, 1, 1, I], which costs nothing at run time."""
    shape = work.tensors[x].shape
    if len(shape) == 4:
        return x
    return work.node("reshape", name, (x,), shape=(int(np.prod(shape[:-1], dtype=np.int64)), 1, 1, shape[-1]))


def quantize(
    work: Rewrite, x: str, threshold: Array | float, invert: Array | bool, name: str, output: str | None = None
) -> str:
    """Adds bit = (x < threshold) ^ invert, with constants no larger than they need to be.

    Args:
        output: the tensor to be taken over; a new one where None.
    """
    channels = work.tensors[x].shape[-1]
    limit = np.broadcast_to(np.asarray(threshold, np.float32), (channels,))
    flipped = np.broadcast_to(np.asarray(invert, bool), (channels,))
    if np.all(limit == limit[0]):
        limit = limit[:1]
    operands: list[str | None] = [x, work.constant(f"{name}/threshold", limit)]
    if flipped.any():
        operands.append(work.constant(f"{name}/invert", bits.pack(flipped.astype(np.uint8)), "bits", (channels,)))
    return work.node("quantize", name, tuple(operands), "bits", output=output)


def _trim(operands: list[str | None]) -> tuple[str | None, ...]:
    """Without the absent inputs at the end."""
    while operands and operands[-1] is None:
        operands.pop()
    return tuple(operands)
