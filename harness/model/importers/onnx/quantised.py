# SPDX-License-Identifier: Apache-2.0
"""Quantisers: ONNX's QuantizeLinear and DequantizeLinear, and QONNX's BipolarQuant and Quant.

Each becomes the arithmetic that defines it. QONNX's definitions stand in `docs/qonnx-custom-ops/` of the qonnx package.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.errors import ModelError
from harness.model.graph import Array
from harness.model.importers.onnx.activations import affine
from harness.model.importers.onnx.elementwise import binary, kind, number, through
from harness.model.importers.onnx.translation import Translation, Value

QONNX_DOMAINS = frozenset({"qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas"})
MAX_BITS = 32
MAX_THRESHOLDS = 15
"""Of a layer: those of four bits, the most that planes of bits are good for."""

_TRUNC = ("x", "scale", "zero_point", "input_bit_width", "output_scale", "output_bit_width")
"""The inputs of QONNX's Trunc."""

_ROUNDING = {"ROUND": "ROUND", "HALF_EVEN": "ROUND", "FLOOR": "FLOOR", "CEIL": "CEIL"}


def bipolar(t: Translation) -> Value:
    """y = scale * (x >= 0 ? 1 : -1)"""
    x, scale = t.operand(0), _scale(t, 1)
    producer = next((node for node in reversed(t.graph.nodes) if x.tensor and node.output == x.tensor), None)
    if producer is not None and producer.op == "clamp" and producer.params["lo"] >= 0:
        t.graph.notes.append(
            f"{t.label!r} takes the sign of what is never negative, so that its output is constant: "
            "Brevitas exports QuantReLU with one bit like that. Use a threshold above zero."
        )
    sign = through(t, x, "step", "" if (scale == 1).all() else "sign", threshold=0.0, low=-1.0, high=1.0)
    return sign if (scale == 1).all() else binary(t, "MUL", sign, _constant(scale))


def quant(t: Translation) -> Value:
    """y = (clip(round(x / scale + zero_point), lowest, highest) - zero_point) * scale"""
    scale, zero_point = _scale(t, 1), t.required(2)
    lowest, highest = _range(t, _bits(t, 3))
    x = _shifted(t, _steps(t, t.operand(0), scale), zero_point)
    return _scaled(t, _levels(t, x, _rounding(t, "ROUND"), lowest, highest), scale, zero_point)


def trunc(t: Translation) -> Value:
    """The high bits of a whole number of steps: y = (clip(round_down(round(x / scale + zero_point) / 2^k)) - zero_point
    / 2^k) * 2^k * scale. The older form, of five inputs, clips nothing and keeps scale and zero point as they are."""
    scale, zero_point = _scale(t, 1), t.required(2)
    x = _shifted(t, _steps(t, t.operand(0), scale), zero_point)
    x = through(t, x, "unary", "whole", kind=kind("ROUND"))
    newer = len(t.operands()) == len(_TRUNC)
    if newer:
        coarse = _scale(t, _TRUNC.index("output_scale"))
        divisor = np.exp2(np.rint(np.log2(coarse / scale)))
    else:
        coarse, divisor = scale, np.exp2(np.asarray(_bits(t, 3) - _bits(t, 4)))
    x, rounding = _steps(t, x, divisor, "coarse"), _rounding(t, "FLOOR")
    if newer:
        x = _levels(t, x, rounding, *_range(t, _bits(t, _TRUNC.index("output_bit_width"))))
        return _scaled(t, x, coarse, zero_point / divisor)
    return _scaled(t, through(t, x, "unary", "levels", kind=kind(rounding)), coarse, zero_point)


def multi_threshold(t: Translation) -> Value:
    """y = out_scale * (how many of a channel's thresholds x reaches) + out_bias"""
    x, thresholds = t.operand(0), t.required(1, 2)
    rank, (rows, count) = len(x.shape), thresholds.shape
    axis = rank - 1 if t.attribute("data_layout", "").endswith("C") and rank > 2 else 1
    if rank < 2 or rows not in (1, x.shape[axis]) or not count:
        raise ModelError(f"{t.label!r}: thresholds {list(thresholds.shape)} do not fit {list(x.shape)}.")
    if count > MAX_THRESHOLDS:
        raise t.unsupported(f"of {count} thresholds")
    shape = [rows if at == axis else 1 for at in range(rank)]
    reached = [
        binary(t, "GREATER_EQUAL", x, _constant(thresholds[:, at].reshape(shape)), f"reaches{at}")
        for at in range(count)
    ]
    total = reached[0]
    for at, one in enumerate(reached[1:]):
        total = binary(t, "ADD", total, one, f"sum{at}")
    return affine(t, total, t.attribute("out_scale", 1.0), t.attribute("out_bias", 0.0))


def _bits(t: Translation, position: int) -> float:
    bits = t.number(position, 0.0)
    if not 1 <= bits <= MAX_BITS or bits != int(bits):
        raise ModelError(
            f"{t.label!r}: a quantiser of {bits:g} bits.", "The file is damaged.", "Export the model again."
        )
    return bits


def _range(t: Translation, bits: float) -> tuple[float, float]:
    """The lowest and the highest number of so many bits."""
    signed, narrow = bool(t.attribute("signed", 1)), bool(t.attribute("narrow", 0))
    lowest = -(2.0 ** (bits - 1)) + narrow if signed else 0.0
    return lowest, 2.0 ** (bits - 1) - 1 if signed else 2.0**bits - 1 - narrow


def _rounding(t: Translation, default: str) -> str:
    rounding = _ROUNDING.get(t.attribute("rounding_mode", default).upper())
    if rounding is None:
        raise t.unsupported(f"with the rounding mode {t.attribute('rounding_mode', '')!r}")
    return rounding


def _shifted(t: Translation, x: Value, zero_point: Array) -> Value:
    return binary(t, "ADD", x, _constant(zero_point), "shifted") if zero_point.any() else x


def quantize_linear(t: Translation) -> Value:
    """y = clip(round(x / scale) + zero_point), in the range of the zero point's type; y stays a float here."""
    x = t.operand(0)
    scale, zero_point = _along(t, x, _scale(t, 1)), t.data(2)
    if t.attribute("block_size", 0) or t.attribute("output_dtype", 0):
        raise t.unsupported("with a block size or an output type")
    kinds = zero_point.dtype if zero_point is not None else np.dtype(np.uint8)
    if kinds.kind not in "iu":
        raise t.unsupported(f"to {kinds}")
    zero = _along(t, x, np.zeros(1) if zero_point is None else zero_point)
    limits = np.iinfo(kinds)
    steps = _steps(t, x, scale)
    if zero.size == 1:
        shift = float(zero.reshape(-1)[0])
        levels = _levels(t, steps, "ROUND", limits.min - shift, limits.max - shift)
        return binary(t, "ADD", levels, number(shift)) if shift else levels
    shifted = binary(t, "ADD", through(t, steps, "unary", "round", kind=kind("ROUND")), _constant(zero), "shifted")
    return through(t, shifted, "clamp", lo=float(limits.min), hi=float(limits.max))


def dequantize_linear(t: Translation) -> Value:
    """y = (x - zero_point) * scale"""
    x, zero_point = t.operand(0), t.data(2)
    if t.attribute("block_size", 0):
        raise t.unsupported("with a block size")
    return _scaled(t, x, _along(t, x, _scale(t, 1)), _along(t, x, np.zeros(1) if zero_point is None else zero_point))


def _scale(t: Translation, position: int) -> Array:
    scale = t.required(position)
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ModelError(f"{t.label!r}: a quantiser whose scale is not positive.", "The file is damaged.")
    return scale


def _along(t: Translation, x: Value, data: Array) -> Array:
    """A scale or zero point for each index of the axis, so that it broadcasts."""
    if data.size == 1:
        return data.reshape(())
    axis = t.axis(t.attribute("axis", 1), len(x.shape))
    if data.shape != (x.shape[axis],):
        raise ModelError(f"{t.label!r}: {list(data.shape)} scales for the axis {axis} of {list(x.shape)}.")
    return data.reshape([-1 if at == axis else 1 for at in range(len(x.shape))])


def _constant(data: Array) -> Value:
    return Value(data.shape, data=data.astype(np.float32))


def _steps(t: Translation, x: Value, scale: Array, part: str = "steps") -> Value:
    """x / scale, literally: a product with 1 / scale would round elsewhere."""
    return x if (scale == 1).all() else binary(t, "DIV", x, _constant(scale), part)


def _levels(t: Translation, x: Value, rounding: str, lowest: float, highest: float) -> Value:
    """clip(round(x)), between whole numbers. Clipped first, which is the same and shows that the levels are few."""
    return through(t, through(t, x, "clamp", "range", lo=lowest, hi=highest), "unary", "levels", kind=kind(rounding))


def _scaled(t: Translation, x: Value, scale: Array, zero_point: Array) -> Value:
    if zero_point.any():
        x = binary(t, "SUB", x, _constant(zero_point), "centred")
    return binary(t, "MUL", x, _constant(scale) if scale.size > 1 else number(float(scale.reshape(-1)[0])))


OPERATORS: dict[str, Callable[[Translation], Value]] = {
    "QuantizeLinear": quantize_linear,
    "DequantizeLinear": dequantize_linear,
}
QONNX: dict[str, Callable[[Translation], Value]] = {
    "BipolarQuant": bipolar,
    "Quant": quant,
    "IntQuant": quant,
    "Trunc": trunc,
    "MultiThreshold": multi_threshold,
}
