# SPDX-License-Identifier: Apache-2.0
"""What TensorFlow Lite's fixed-point arithmetic makes of each int8 code, where that is not its nearest value.

It multiplies by 31 bits, rounds, and shifts the rest away with a second rounding, which moves about one code in ten by
one where the output's grid is coarser than the input's (tensorflow/lite/kernels/internal: common.h, reference/
leaky_relu.h, requantize.h, hard_swish.h, comparisons.h). A function of one code is a table of 256.
"""

from __future__ import annotations

import math

import numpy as np

from harness import abi
from harness.model.graph import Array
from harness.model.importers.tflite.container import Tensor
from harness.model.importers.tflite.translation import FREE, Translation

CODES = np.arange(-128, 128, dtype=np.int64)
_NEAREST_256TH = 8
"""Bits behind the point with which real numbers are compared."""


def requantised(t: Translation) -> str:
    """The same values on the output's grid. The kernel has a form for vector units, whose halves go up."""
    x, y = _tensors(t)
    if (x.scales, x.zero_points) == (y.scales, y.zero_points):
        return t.operand(0)
    mantissa, exponent = multiplier(x.scales[0] / y.scales[0])
    product = _doubled((CODES - x.zero_points[0]) << max(exponent, 0), mantissa, 31)
    bits = max(-exponent, 0)
    return _table(t, (product + ((1 << bits) >> 1) >> bits) + y.zero_points[0])


def bent(t: Translation, lo: float = -math.inf, hi: float = math.inf, slope: float = 1.0) -> str:
    """Negative values times `slope`, all of them held within lo and hi."""
    x, y = _tensors(t)
    codes = CODES - x.zero_points[0]
    scale, step = np.float32(x.scales[0]), np.float32(y.scales[0])
    below, above = float(scale * np.float32(slope) / step), float(scale / step)
    found = np.where(codes < 0, _times(codes, below), _times(codes, above))
    least, most = (np.rint(end / y.scales[0]) for end in (lo, hi))
    return _table(t, np.clip(found, least, most) + y.zero_points[0])


def hard_swish(t: Translation) -> str:
    """In 16 bits: x in 128ths of its step times a gate of x + 3, which is a 32768th of 6 at least and 1 at most."""
    x, y = _tensors(t)
    fine = (CODES - x.zero_points[0]) * 128
    hires = np.float32(1 / 128) * np.float32(x.scales[0])
    mantissa, exponent = _sixteen(float(hires / np.float32(y.scales[0])))
    value = _doubled(fine, mantissa, 15)
    mantissa, gate_exponent = _sixteen(float(hires / np.float32(3 / 32768)))
    gate = fine
    if gate_exponent > 0:
        gate = _held(gate << (gate_exponent - 1))
    gate = _doubled(gate, mantissa, 15)
    gate = _held(gate << 1) if gate_exponent > 0 else _shifted(gate, -gate_exponent)
    product = value * ((gate + 32768) >> 1)
    whole = np.where(product < 0, -(-product >> 15), product >> 15)
    return _table(t, _shifted(whole, -exponent) + y.zero_points[0])


def _tensors(t: Translation) -> tuple[Tensor, Tensor]:
    tensors = t.container.tensors
    return tensors[t.operator.inputs[0] or 0], tensors[t.operator.outputs[0]]


def _table(t: Translation, found: Array) -> str:
    return t.emit("lookup", (t.operand(0), t.constant("codes", np.clip(found, -128, 127), "i8")))


def compared(t: Translation, kind: str) -> str | None:
    """A comparison of int8 values with constants, None where it is not one. Both sides are rounded to 256ths before: so
    each constant becomes the number between the two codes where the answer changes."""
    x, limit = (t.container.tensors[index or 0] for index in t.operator.inputs)
    if limit.data is None or x.data is not None or max(x.scales[0], limit.scales[0]) >= 1:
        return None
    steps = [_fixed(CODES - x.zero_points[0], x), _fixed(limit.data.astype(np.int64) - limit.zero_points[0], limit)]
    first = np.searchsorted(steps[0], steps[1], "left" if kind in ("LESS", "GREATER_EQUAL") else "right")
    between = ((first - 128.5 - x.zero_points[0]) * x.scales[0]).reshape(limit.shape)
    return t.emit("arith", (t.operand(0), t.constant("between", between)), kind=abi.constant(f"BNN_{kind}"), **FREE)


def _fixed(codes: Array, tensor: Tensor) -> Array:
    mantissa, exponent = multiplier(tensor.scales[0])
    return _shifted(_doubled(codes << _NEAREST_256TH, mantissa, 31), -exponent)


def multiplier(ratio: float) -> tuple[int, int]:
    """A ratio as mantissa * 2^(exponent - 31)."""
    fraction, exponent = math.frexp(float(ratio))
    mantissa = math.floor(fraction * (1 << 31) + 0.5)
    return (mantissa, exponent) if mantissa < 1 << 31 else (mantissa >> 1, exponent + 1)


def _sixteen(ratio: float) -> tuple[int, int]:
    mantissa, exponent = multiplier(ratio)
    return min((mantissa + (1 << 15)) >> 16, (1 << 15) - 1), exponent


def _times(codes: Array, ratio: float) -> Array:
    mantissa, exponent = multiplier(ratio)
    return _shifted(_doubled(codes << max(exponent, 0), mantissa, 31), max(-exponent, 0))


def _doubled(codes: Array, mantissa: int, bits: int) -> Array:
    """codes * mantissa / 2^bits, to the nearest; halves go up."""
    product = codes * mantissa
    moved = product + np.where(product < 0, 1 - (1 << (bits - 1)), 1 << (bits - 1))
    return np.where(moved < 0, -(-moved >> bits), moved >> bits)


def _shifted(codes: Array, bits: int) -> Array:
    """codes / 2^bits, to the nearest; halves go away from zero."""
    half = (1 << bits) >> 1
    return np.where(codes < 0, -((-codes + half) >> bits), (codes + half) >> bits)


def _held(codes: Array) -> Array:
    return np.clip(codes, -(1 << 15), (1 << 15) - 1)
