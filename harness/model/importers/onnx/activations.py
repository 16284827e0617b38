# SPDX-License-Identifier: Apache-2.0
"""Activation functions, as the arithmetic that they are."""

from __future__ import annotations

import math
from functools import partial

from harness.model.importers.onnx.elementwise import Function, binary, kind, number, through
from harness.model.importers.onnx.translation import FREE, Translation, Value

SELU_ALPHA, SELU_SCALE = 1.67326319217681884765625, 1.05070102214813232421875
"""The defaults that ONNX states."""


def affine(t: Translation, x: Value, scale: float, offset: float, part: str = "", **bounds: float) -> Value:
    """x * scale + offset."""
    name = part or "affine"
    inputs = [t.constant(f"{name}/scale", [scale])]
    inputs += [t.constant(f"{name}/offset", [offset])] if offset else []
    return through(t, x, "affine", part, inputs, **(bounds or FREE))


def relu(t: Translation) -> Value:
    return through(t, t.operand(0), "clamp", lo=0.0, hi=math.inf)


def leaky_relu(t: Translation) -> Value:
    return through(t, t.operand(0), "prelu", inputs=(t.constant("alpha", [t.attribute("alpha", 0.01)]),))


def prelu(t: Translation) -> Value:
    (x, alpha), order, image = t.together((t.operand(0), t.operand(1)))
    return t.value(t.emit("prelu", (x, alpha)), order, image)


def elu(t: Translation) -> Value:
    """Elu, Celu, Selu: above zero x, below it alpha * (exp(x / width) - 1), all of it times a scale."""
    alpha = t.attribute("alpha", SELU_ALPHA if t.kind == "Selu" else 1.0)
    scale = t.attribute("gamma", SELU_SCALE) if t.kind == "Selu" else 1.0
    width = alpha if t.kind == "Celu" else 1.0
    x = t.operand(0)
    if alpha == scale == width == 1:
        return through(t, x, "unary", kind=kind("ELU"))
    if width == 0:
        raise t.unsupported("with an alpha of zero")
    above = affine(t, through(t, x, "clamp", "above", lo=0.0, hi=math.inf), scale, 0.0, "above_scaled")
    below = affine(t, through(t, x, "clamp", "below", lo=-math.inf, hi=0.0), 1 / width, 0.0, "width")
    curve = affine(t, through(t, below, "unary", "curve", kind=kind("ELU")), alpha * scale, 0.0, "curve_scaled")
    return binary(t, "ADD", above, curve)


def gelu(t: Translation) -> Value:
    """Half of x * (1 + erf(x / sqrt 2)); its approximation takes tanh(sqrt(2 / pi) * (x + 0.044715 x^3)) for erf."""
    x, name = t.operand(0), "ERF"
    if t.attribute("approximate", "none") == "tanh":
        name = "TANH"
        inner = affine(t, through(t, x, "unary", "square", kind=kind("SQUARE")), 0.044715, 1.0, "inner")
        scaled = affine(t, binary(t, "MUL", x, inner, "bent"), math.sqrt(2 / math.pi), 0.0, "scaled")
    else:
        scaled = affine(t, x, math.sqrt(0.5), 0.0, "scaled")
    curve = through(t, scaled, "unary", "curve", kind=kind(name))
    return binary(t, "MUL", x, affine(t, curve, 0.5, 0.5, "gate"))


def mish(t: Translation) -> Value:
    x = t.operand(0)
    softplus = through(t, x, "unary", "softplus", kind=kind("SOFTPLUS"))
    return binary(t, "MUL", x, through(t, softplus, "unary", "tanh", kind=kind("TANH")))


def softsign(t: Translation) -> Value:
    x = t.operand(0)
    below = affine(t, through(t, x, "unary", "abs", kind=kind("ABS")), 1.0, 1.0, "below")
    return binary(t, "DIV", x, below)


def hard_sigmoid(t: Translation) -> Value:
    return affine(t, t.operand(0), t.attribute("alpha", 0.2), t.attribute("beta", 0.5), lo=0.0, hi=1.0)


def hard_swish(t: Translation) -> Value:
    x = t.operand(0)
    return binary(t, "MUL", x, affine(t, x, 1 / 6, 0.5, "gate", lo=0.0, hi=1.0))


def thresholded_relu(t: Translation) -> Value:
    x = t.operand(0)
    return binary(t, "MUL", x, binary(t, "GREATER", x, number(t.attribute("alpha", 1.0)), "above"))


def softmax(t: Translation) -> Value:
    x = t.operand(0)
    rank = len(x.shape)
    axis = t.axis(t.attribute("axis", 1 if t.opset < 13 else -1), rank)
    if t.opset < 13 and axis != rank - 1:
        # The older operator flattens from its axis on.
        rows = math.prod(x.shape[:axis])
        return t.reshaped(_softmax(t, t.reshaped(x, (rows, math.prod(x.shape[axis:]))), 1), x.shape)
    return _softmax(t, x, axis)


def _softmax(t: Translation, x: Value, axis: int) -> Value:
    order = (*(other for other in range(len(x.shape)) if other != axis), axis)
    y = t.emit("softmax", (t.place(x, order),), part="softmax" if t.kind == "LogSoftmax" else "", beta=1.0)
    if t.kind == "LogSoftmax":
        y = t.emit("unary", (y,), kind=kind("LOG"))
    return t.value(y, order)


def _unary(name: str, t: Translation) -> Value:
    return through(t, t.operand(0), "unary", kind=kind(name))


OPERATORS: dict[str, Function] = {
    **{name: partial(_unary, name.upper()) for name in ("Tanh", "Sigmoid", "Softplus")},
    "Relu": relu,
    "LeakyRelu": leaky_relu,
    "PRelu": prelu,
    "Elu": elu,
    "Celu": elu,
    "Selu": elu,
    "Gelu": gelu,
    "Mish": mish,
    "Softsign": softsign,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": hard_swish,
    "ThresholdedRelu": thresholded_relu,
    "Softmax": softmax,
    "LogSoftmax": softmax,
}
