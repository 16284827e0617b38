# SPDX-License-Identifier: Apache-2.0
"""Tensors of int8: real value = scale * (code - zero_point).

An operation means on codes what it means on the real values, and its result is rounded to the grid of its output. Those
that multiply and add have an arithmetic of integers of their own, that of TensorFlow Lite on processors with vectors
(gemmlowp's multipliers in 31 bits, rounded as sqrdmulh and srshl do), so that its files give their very codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.model.graph import Array, Node, Tensor
from harness.model.reference.common import Params, kind, take
from harness.model.reference.windows import convolve, windows

LOWEST, HIGHEST = -128, 127
ADD_SHIFT = 20
"""Bits that are added below the codes of a sum before each of them is scaled."""


def decode(codes: Array, tensor: Tensor) -> Array:
    """The real values of codes. Both products round: so the code of zero is 0, and others are as TFLite has them."""
    scale = np.float32(tensor.scale)
    real: Array = scale * codes.astype(np.float32) - scale * np.float32(tensor.zero_point)
    return real


def encode(real: Any, tensor: Tensor) -> Array:
    """The nearest codes; halves go away from zero, what is no number to the lowest code."""
    steps = np.asarray(real, np.float32) * (np.float32(1) / np.float32(tensor.scale))
    codes = _away(steps) + np.float32(tensor.zero_point)
    held = np.where(codes > LOWEST, np.minimum(codes, HIGHEST), LOWEST)
    return np.asarray(held).astype(np.int8)


def ends(tensor: Tensor) -> tuple[float, float]:
    """The lowest and the highest real value that a tensor of int8 can hold."""
    low, high = decode(np.asarray([LOWEST, HIGHEST]), tensor)
    return float(low), float(high)


def weights(tensors: Mapping[str, Tensor], node: Node) -> Array | None:
    """The real weights [O, ..] of a layer; None where they are computed."""
    kernel = tensors[str(node.inputs[1])]
    if kernel.data is None or kernel.dtype != "i8":
        return kernel.data
    scale = tensors[str(node.inputs[3])].data
    assert scale is not None
    real: Array = kernel.data.astype(np.float32) * scale.reshape(-1, *[1] * (kernel.data.ndim - 1))
    return real


def _away(x: Array) -> Array:
    """Rounded, halves away from zero; x + 0.5 would itself be rounded."""
    x = np.clip(x, np.float32(-1024), np.float32(1024))  # beyond every code, and less than infinity
    whole = np.trunc(x)
    rounded: Array = whole + np.where(np.abs(x - whole) >= 0.5, np.sign(x), np.float32(0))
    return rounded


def multiplier(real: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(mantissa, exponent) of positive numbers: mantissa * 2^(exponent - 31), with mantissas of 31 bits."""
    fraction, exponent = np.frexp(np.asarray(real, np.float64))
    mantissa = np.floor(fraction * 2**31 + 0.5).astype(np.int64)
    full = mantissa == 1 << 31
    mantissa, exponent = np.where(full, mantissa >> 1, mantissa), exponent.astype(np.int64) + full
    return np.where(exponent < -31, 0, mantissa), exponent


def rescale(sums: Array, mantissa: Any, exponent: Any, away: bool = False) -> NDArray[np.int64]:
    """Whole numbers times multipliers; each of the two steps rounds to the nearest, halves up.

    Args:
        away: in the second step, halves go away from zero.
    """
    left, right = np.maximum(exponent, 0), np.maximum(-np.asarray(exponent), 0)
    high = ((sums.astype(np.int64) << left) * mantissa + (1 << 30)) >> 31
    half = ((1 << right) >> 1) - ((high < 0) & (right > 0) if away else 0)
    rescaled: NDArray[np.int64] = (high + half) >> right
    return rescaled


def limits(params: Params, output: Tensor) -> tuple[int, int]:
    """The codes of the clamp `lo`, `hi` of an operation."""
    low, high = (
        int(encode(np.float32(params.get(end, free)), output)) for end, free in (("lo", -np.inf), ("hi", np.inf))
    )
    return low, high


def _held(sums: Array, real: Any, params: Params, output: Tensor, away: bool = False) -> Array:
    """Sums times real multipliers, as codes."""
    codes = rescale(sums, *multiplier(real), away) + output.zero_point
    return np.clip(codes, *limits(params, output))


Inputs = Sequence[Tensor | None]
Function = Callable[[list[Array | None], Params, Inputs, Tensor], Array]


def _centred(codes: Array, tensor: Tensor | None) -> Array:
    """Codes counted from that of zero; float64 holds every product and sum of them exactly."""
    assert tensor is not None
    centred: Array = codes.astype(np.float64) - tensor.zero_point
    return centred


def _layer(sums: Array, operands: list[Array | None], params: Params, inputs: Inputs, output: Tensor) -> Array:
    bias, scale = take(operands, 4)[2:]
    assert inputs[0] is not None
    sums = sums if bias is None else sums + bias
    return _held(
        sums, np.float64(np.float32(inputs[0].scale)) * scale / np.float64(np.float32(output.scale)), params, output
    )


def _conv2d(operands: list[Array | None], params: Params, inputs: Inputs, output: Tensor) -> Array:
    x, kernel = take(operands, 2)
    border = encode(np.float32(params.get("pad_value", 0.0)), inputs[0]) if inputs[0] else 0
    sums = convolve(
        _centred(x, inputs[0]),
        kernel.astype(np.float64),
        params["window"],
        params["groups"],
        float(_centred(np.asarray(border), inputs[0])),
    )
    return _layer(sums, operands, params, inputs, output)


def _dense(operands: list[Array | None], params: Params, inputs: Inputs, output: Tensor) -> Array:
    x, weight = take(operands, 2)
    return _layer(_centred(x, inputs[0]) @ weight.T.astype(np.float64), operands, params, inputs, output)


def _arith(operands: list[Array | None], params: Params, inputs: Inputs, output: Tensor) -> Array:
    a, b = (_centred(codes, tensor) for codes, tensor in zip(take(operands, 2), inputs, strict=True))
    first, second, result = (np.float64(np.float32(tensor.scale)) for tensor in (*inputs, output) if tensor)
    if params["kind"] == kind("MUL"):
        return _held(a * b, first * second / result, params, output, away=True)
    twice = 2 * max(first, second)
    a, b = _summand(a, first / twice), _summand(b, second / twice)
    total = a + b if params["kind"] == kind("ADD") else a - b
    return _held(total, twice / ((1 << ADD_SHIFT) * result), params, output, away=True)


def _summand(codes: Array, real: float) -> Array:
    """Codes times a factor of at most a half, with the bits that are added below; rounded once, halves up."""
    mantissa, exponent = (int(part) for part in multiplier(real))
    shift = 31 - exponent
    summand: Array = ((codes.astype(np.int64) << ADD_SHIFT) * mantissa + (1 << shift - 1)) >> shift
    return summand


def _avg_pool2d(operands: list[Array | None], params: Params, inputs: Inputs, output: Tensor) -> Array:
    """The mean of the codes inside the image; halves go away from zero."""
    (x,) = take(operands, 1)
    total = windows(x.astype(np.int64), params["window"], 0).sum(axis=(4, 5))
    taps = windows(np.ones((1, *x.shape[1:3], 1), np.int64), params["window"], 0).sum(axis=(4, 5))
    return np.asarray(np.sign(total) * ((np.abs(total) + taps // 2) // taps))


def _mean(operands: list[Array | None], params: Params, inputs: Inputs, output: Tensor) -> Array:
    (x,) = take(operands, 1)
    axes = tuple(axis for axis in range(x.ndim) if params["axes"] >> axis & 1)
    count = int(np.prod([x.shape[axis] for axis in axes], dtype=np.int64))
    sums = _centred(x, inputs[0]).sum(axis=axes).reshape(output.shape)
    assert inputs[0] is not None
    mantissa, exponent = multiplier(np.float64(np.float32(inputs[0].scale)) / np.float64(np.float32(output.scale)))
    shift = min(count.bit_length() - 1, 32, 31 + int(exponent))
    codes = rescale(sums, (int(mantissa) << shift) // count, int(exponent) - shift, away=True) + output.zero_point
    return np.asarray(np.clip(codes, LOWEST, HIGHEST))


def _softmax(operands: list[Array | None], params: Params, inputs: Inputs, output: Tensor) -> Array:
    """Exponentials of the distances to the largest code, which are few."""
    (x,) = take(operands, 1)
    assert inputs[0] is not None
    step = -np.float32(inputs[0].scale) * np.float32(params["beta"])
    powers = np.exp(step * np.arange(256, dtype=np.float32))
    parts = powers[x.max(axis=-1, keepdims=True).astype(np.int64) - x]
    share = np.float32(1) / (np.cumsum(parts, axis=-1, dtype=np.float32)[..., -1:] * np.float32(output.scale))
    codes = (parts * share + np.float32(0.5)).astype(np.int64) + output.zero_point
    return np.asarray(np.clip(codes, LOWEST, HIGHEST))


def lookup(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    """The entry of each code in a table of 256, which begins with that of -128."""
    x, results = take(operands, 2)
    return np.asarray(results[x.astype(np.int64) - LOWEST])


NATIVE: Mapping[str, Function] = {
    "conv2d": _conv2d,
    "dense": _dense,
    "arith": _arith,
    "avg_pool2d": _avg_pool2d,
    "mean": _mean,
    "softmax": _softmax,
}
"""Operations from int8 to int8 that do not go through the real values."""


def concerns(inputs: Inputs, output: Tensor) -> bool:
    """Whether an operation reads or writes int8."""
    return output.dtype == "i8" or any(tensor is not None and tensor.dtype == "i8" for tensor in inputs)


def apply(
    op: str,
    operands: Sequence[Array | None],
    params: Params,
    inputs: Inputs,
    output: Tensor,
    plain: Callable[[str, Sequence[Array | None], Params, Tensor], Array],
) -> Array:
    """The value of an operation that reads or writes int8; `plain` is `reference.apply`, for the real values."""
    if op in NATIVE and all(tensor is not None and tensor.dtype == "i8" for tensor in (*inputs[:2], output)):
        return NATIVE[op](list(operands), params, inputs, output)
    if op == "lookup":
        return lookup(list(operands), params, output)
    reals = [
        decode(value, tensor) if value is not None and tensor is not None and tensor.dtype == "i8" else value
        for value, tensor in zip(operands, inputs, strict=True)
    ]
    if output.dtype != "i8":
        return plain(op, reals, params, output)
    return encode(plain(op, reals, params, replace(output, dtype="f32")), output)
