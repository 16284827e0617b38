# SPDX-License-Identifier: Apache-2.0
"""Operations that move elements, or make one of many."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.model.graph import Array, Tensor
from harness.model.reference.common import Function, Params, take

MOVES = frozenset({"concat", "slice", "reshape", "transpose"})
"""Ops that only move elements, and do so plane by plane where these are bits."""


def _mean(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    (x,) = take(operands, 1)
    axes = tuple(axis for axis in range(x.ndim) if params["axes"] >> axis & 1)
    return np.asarray(x.mean(axis=axes, dtype=np.float32).reshape(output.shape))


def _pad(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    (x,) = take(operands, 1)
    widths = list(zip(params["before"], params["after"], strict=True))[: x.ndim]
    return np.pad(x, widths, constant_values=params.get("value", 0.0))


def _concat(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    return np.concatenate([operand for operand in operands if operand is not None], axis=params["axis"])


def _slice(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    (x,) = take(operands, 1)
    steps = zip(params["begin"], params["step"], output.shape, strict=False)
    return np.asarray(x[tuple(slice(begin, begin + (count - 1) * step + 1, step) for begin, step, count in steps)])


def _reshape(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    return np.asarray(take(operands, 1)[0].reshape(output.shape))


def _transpose(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    (x,) = take(operands, 1)
    return np.asarray(x.transpose(params["permutation"][: x.ndim]))


FUNCTIONS: Mapping[str, Function] = {
    "mean": _mean,
    "pad": _pad,
    "concat": _concat,
    "slice": _slice,
    "reshape": _reshape,
    "transpose": _transpose,
}
