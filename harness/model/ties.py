# SPDX-License-Identifier: Apache-2.0
"""Whether a sign of a sum of few-valued products meets exactly 0.

A sign of a real number has two values, but sums of signs are integers, and half of all such sums can be 0. What stands
between the sum and the sign (a batch norm, say) usually moves 0 away, but not always: an untrained one never does.
There are few enough integers to try them all.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.model.graph import Array, Graph, Node
from harness.model.passes import chain
from harness.model.passes.rewrite import Rewrite
from harness.model.spread import spread_of
from harness.model.values import Values

MAX_SUMS = 1 << 23
"""Sums times filters that are tried."""


def lands_on_zero(graph: Graph, node: Node, known: Mapping[str, Values]) -> bool | None:
    """Whether the operand of a sign is 0 for some sum of the layer that it comes from; None if not all can be tried.

    Args:
        known: what every tensor before the sign can hold.
    """
    work = Rewrite(graph)
    chains = [chain.behind(work, str(node.inputs[0]))]
    layer = work.producer.get(chains[-1].root)
    while layer is not None and layer.op == "max_pool2d":
        chains.append(chain.behind(work, str(layer.inputs[0])))
        layer = work.producer.get(chains[-1].root)
    if layer is None or layer.op not in ("conv2d", "dense", "conv2d_transpose"):
        return None
    kernel = work.tensors[str(layer.inputs[1])].data
    if kernel is None or kernel.dtype != np.float32:
        return None
    weights, grid = spread_of(work.tensors[str(layer.inputs[1])]), known[str(layer.inputs[0])].grid
    if grid is None or not weights.count or not weights.symmetric:
        return None
    taps = int(np.prod(kernel.shape[1:], dtype=np.int64))
    if taps * grid.count * weights.count * len(kernel) > MAX_SUMS:
        return None
    # Halves of steps: every product is a whole number of them around the middle of the levels.
    unit = grid.step / 2 * weights.scale / (weights.count - 1)
    middle = (grid.lo + grid.hi) / 2
    shift = middle * kernel.reshape(len(kernel), -1).sum(axis=1, dtype=np.float64)
    bias = work.tensors[str(layer.inputs[2])].data if len(layer.inputs) > 2 and layer.inputs[2] else None
    most = taps * (grid.count - 1) * (weights.count - 1)
    window = layer.params.get("window", {})
    whole = not any(window.get(f"pad_{side}", 0) for side in ("top", "left", "bottom", "right"))
    sums = np.arange(-most, most + 1, 2 if whole else 1, dtype=np.float64)[:, None]
    numbers = sums * unit + shift + (0.0 if bias is None else bias)
    clamped: Array = np.clip(
        numbers.astype(np.float32), layer.params.get("lo", -np.inf), layer.params.get("hi", np.inf)
    )
    for found in reversed(chains):
        clamped = found.evaluate(clamped)
    return bool(np.any(clamped == 0))
