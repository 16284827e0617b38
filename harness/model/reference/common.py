# SPDX-License-Identifier: Apache-2.0
"""What the functions of all operations share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness import abi
from harness.model.graph import Array, Tensor

Params = Mapping[str, Any]
Function = Callable[[list[Array | None], Params, Tensor], Array]
"""(operands, params, output tensor) to the output's value."""
Memory = dict[str, Array]
"""The membranes of a graph's neurons after a step, by the tensor that they give; empty before the first step."""
SMALLEST_NORMAL = np.float32(np.finfo(np.float32).tiny)


def flush(x: Array) -> Array:
    """Denormal numbers become zero, as TensorFlow, LCE and 32-bit NEON have it."""
    return np.where(np.abs(x) < SMALLEST_NORMAL, np.float32(0), x)


def clamp(x: Array, params: Params) -> Array:
    """Between the parameters `lo` and `hi`."""
    return np.minimum(np.maximum(x, np.float32(params["lo"])), np.float32(params["hi"]))


def take(operands: list[Array | None], count: int) -> list[Any]:
    """The first `count` operands, absent ones as None."""
    return [*operands, *[None] * count][:count]


def kind(name: str) -> int:
    """A constant of the headers, without the BNN_ before it."""
    return abi.constant(f"BNN_{name}")
