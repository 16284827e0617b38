# SPDX-License-Identifier: Apache-2.0
"""Quantisers: ONNX's QuantizeLinear and DequantizeLinear, and QONNX's BipolarQuant and Quant.

Each becomes the arithmetic that defines it. QONNX's definitions stand in `docs/qonnx-custom-ops/` of the qonnx package.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.errors import ModelError
from harness.model.graph import Array
from harness.model.importers.onnx.elementwise import binary, kind, number, through
from harness.model.importers.onnx.translation import Translation, Value

QONNX_DOMAINS = frozenset({"qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas"})
MAX_BITS = 32

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
    scale, zero_point, bits = _scale(t, 1), t.required(2), t.number(3, 0.0)
    if not 1 <= bits <= MAX_BITS or bits != int(bits):
        raise ModelError(
            f"{t.label!r}: a quantiser of {bits:g} bits.", "The file is damaged.", "Export the model again."
        )
    rounding = _ROUNDING.get(t.attribute("rounding_mode", "ROUND").upper())
    if rounding is None:
        raise t.unsupported(f"with the rounding mode {t.attribute('rounding_mode', '')!r}")
    signed, narrow = bool(t.attribute("signed", 1)), bool(t.attribute("narrow", 0))
    lowest = -(2.0 ** (bits - 1)) + narrow if signed else 0.0
    highest = 2.0 ** (bits - 1) - 1 if signed else 2.0**bits - 1 - narrow
    x = _steps(t, t.operand(0), scale)
    if zero_point.any():
        x = binary(t, "ADD", x, _constant(zero_point), "shifted")
    return _scaled(t, _levels(t, x, rounding, lowest, highest), scale, zero_point)


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


def _steps(t: Translation, x: Value, scale: Array) -> Value:
    """x / scale, literally: a product with 1 / scale would round elsewhere."""
    return x if (scale == 1).all() else binary(t, "DIV", x, _constant(scale), "steps")


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
QONNX: dict[str, Callable[[Translation], Value]] = {"BipolarQuant": bipolar, "Quant": quant, "IntQuant": quant}
