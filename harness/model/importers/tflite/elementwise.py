# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators that work element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from harness import abi
from harness.errors import ModelError
from harness.model.importers.tflite import codes, integer
from harness.model.importers.tflite.translation import FREE, Translation

_POWERS = 8
"""Up to which a power is a product of so many factors."""


def _kind(name: str) -> int:
    return abi.constant(f"BNN_{name}")


def arith(kind: str, t: Translation) -> str:
    if kind in _ORDERED and integer.on_grids(t) and (y := codes.compared(t, kind)) is not None:
        return y
    return t.emit("arith", (t.operand(0), t.operand(1)), kind=_kind(kind), **t.activation())


def add_n(t: Translation) -> str:
    total = t.operand(0)
    for at in range(1, len(t.operator.inputs)):
        total = t.emit("arith", (total, t.operand(at)), kind=_kind("ADD"), **FREE)
    return total


def unary(kind: str, t: Translation) -> str:
    return t.emit("unary", (t.operand(0),), kind=_kind(kind))


def clamp(lo: float, hi: float, t: Translation) -> str:
    if t.integer:
        return codes.bent(t, lo, hi)
    return t.emit("clamp", (t.operand(0),), lo=lo, hi=hi)


def squared_difference(t: Translation) -> str:
    difference = t.emit("arith", (t.operand(0), t.operand(1)), part="difference", kind=_kind("SUB"), **FREE)
    return t.emit("unary", (difference,), kind=_kind("SQUARE"))


def prelu(t: Translation) -> str:
    return t.emit("prelu", (t.operand(0), t.operand(1)))


def leaky_relu(t: Translation) -> str:
    if t.integer:
        return codes.bent(t, slope=t.option("Alpha"))
    return t.emit("prelu", (t.operand(0), t.constant("alpha", [t.option("Alpha")])))


def hard_swish(t: Translation) -> str:
    if t.integer:
        return codes.hard_swish(t)
    x = t.operand(0)
    gate = t.emit("affine", (x, t.constant("one", [1.0]), t.constant("three", [3.0])), part="gate", lo=0.0, hi=6.0)
    gated = t.emit("arith", (x, gate), part="gated", kind=_kind("MUL"), **FREE)
    return t.emit("affine", (gated, t.constant("sixth", [1 / 6])), **FREE)


def gelu(t: Translation) -> str:
    """Half of x * (1 + erf(x / sqrt 2)); its approximation takes tanh(sqrt(2 / pi) * (x + 0.044715 x^3)) for erf."""
    x = t.operand(0)
    if t.option("Approximate"):
        square = t.emit("unary", (x,), part="square", kind=_kind("SQUARE"))
        inner = t.emit(
            "affine", (square, t.constant("cubic", [0.044715]), t.constant("one", [1.0])), part="inner", **FREE
        )
        bent = t.emit("arith", (x, inner), part="bent", kind=_kind("MUL"), **FREE)
        scaled = t.emit("affine", (bent, t.constant("scale", [math.sqrt(2 / math.pi)])), part="scaled", **FREE)
    else:
        scaled = t.emit("affine", (x, t.constant("scale", [math.sqrt(0.5)])), part="scaled", **FREE)
    curve = t.emit("unary", (scaled,), part="curve", kind=_kind("TANH" if t.option("Approximate") else "ERF"))
    half = t.constant("half", [0.5])
    gate = t.emit("affine", (curve, half, half), part="gate", **FREE)
    return t.emit("arith", (x, gate), kind=_kind("MUL"), **FREE)


def power(t: Translation) -> str:
    """By a whole number, or a half: products and a root."""
    x, exponent = t.operand(0), t.weights(1).reshape(-1)
    steps = float(np.abs(exponent[0])) if exponent.size else 0.0
    whole, half = int(steps), steps % 1
    if not exponent.size or np.any(exponent != exponent[0]) or half not in (0, 0.5) or not 0 < steps <= _POWERS:
        raise t.unsupported(f"by {exponent[:4].tolist()}")
    factors = [x] * whole + ([t.emit("unary", (x,), part="root", kind=_kind("SQRT"))] if half else [])
    y = factors[0]
    for factor in factors[1:]:
        y = t.emit("arith", (y, factor), part="product", kind=_kind("MUL"), **FREE)
    if exponent[0] > 0:
        return y
    return t.emit("arith", (t.constant("one", [1.0]), y), part="inverse", kind=_kind("DIV"), **FREE)


def softmax(t: Translation) -> str:
    return t.emit("softmax", (t.operand(0),), beta=float(t.option("Beta")))


def log_softmax(t: Translation) -> str:
    return t.emit("unary", (t.emit("softmax", (t.operand(0),), part="softmax", beta=1.0),), kind=_kind("LOG"))


def select(t: Translation) -> str:
    condition, shape = t.operand(0), t.shape(1)
    if t.operator.kind == "SELECT" and len(t.shape()) == 1 < len(shape):
        # The older operator picks whole rows by a vector.
        condition = t.emit("reshape", (condition,), part="rows", shape=(*t.shape(), *[1] * (len(shape) - 1)))
    return t.emit("select", (condition, t.operand(1), t.operand(2)))


def cast(t: Translation) -> str:
    before, after = (t.container.tensors[index].dtype for index in (t.operator.inputs[0] or 0, t.operator.outputs[0]))
    if after == "BOOL" and before != "BOOL":
        return t.emit("arith", (t.operand(0), t.constant("zero", [0.0])), kind=_kind("NOT_EQUAL"), **FREE)
    return t.operand(0)


def same(t: Translation) -> str:
    """What only changes the type: the graph holds real values throughout, and rounds where a type asks for it."""
    return codes.requantised(t) if t.integer else t.operand(0)


def logical_not(t: Translation) -> str:
    return t.emit("affine", (t.operand(0), t.constant("minus", [-1.0]), t.constant("one", [1.0])), **FREE)


def zeros_like(t: Translation) -> str:
    return t.constant("zeros", np.zeros(_constant_shape(t), np.float32))


def fill(t: Translation) -> str:
    return t.constant("value", np.full(_constant_shape(t), float(t.weights(1).reshape(-1)[0])))


def _constant_shape(t: Translation) -> tuple[int, ...]:
    shape = t.declared()
    if any(size < 1 for size in shape):
        raise ModelError(f"{t.operator.kind} gives the shape {list(shape)}, which holds nothing.")
    t.graph.spend(math.prod(shape))
    return shape


_ARITH = {
    "ADD": "ADD",
    "SUB": "SUB",
    "MUL": "MUL",
    "DIV": "DIV",
    "MINIMUM": "MIN",
    "MAXIMUM": "MAX",
    "LESS": "LESS",
    "LESS_EQUAL": "LESS_EQUAL",
    "GREATER": "GREATER",
    "GREATER_EQUAL": "GREATER_EQUAL",
    "EQUAL": "EQUAL",
    "NOT_EQUAL": "NOT_EQUAL",
    "LOGICAL_AND": "MUL",
    "LOGICAL_OR": "MAX",
}
_ORDERED = frozenset({"LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"})
_UNARY = {
    "ABS": "ABS",
    "NEG": "NEG",
    "SIGN": "SIGN",
    "ROUND": "ROUND",
    "FLOOR": "FLOOR",
    "CEIL": "CEIL",
    "SQRT": "SQRT",
    "RSQRT": "RSQRT",
    "EXP": "EXP",
    "LOG": "LOG",
    "TANH": "TANH",
    "LOGISTIC": "SIGMOID",
    "ELU": "ELU",
    "SQUARE": "SQUARE",
}
_CLAMPS = {
    "RELU": (0.0, math.inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}

OPERATORS: dict[str, Callable[[Translation], str]] = {
    **{name: partial(arith, kind) for name, kind in _ARITH.items()},
    **{name: partial(unary, kind) for name, kind in _UNARY.items()},
    **{name: partial(clamp, lo, hi) for name, (lo, hi) in _CLAMPS.items()},
    "ADD_N": add_n,
    "SQUARED_DIFFERENCE": squared_difference,
    "PRELU": prelu,
    "LEAKY_RELU": leaky_relu,
    "HARD_SWISH": hard_swish,
    "GELU": gelu,
    "POW": power,
    "SOFTMAX": softmax,
    "LOG_SOFTMAX": log_softmax,
    "SELECT": select,
    "SELECT_V2": select,
    "CAST": cast,
    "LOGICAL_NOT": logical_not,
    "ZEROS_LIKE": zeros_like,
    "FILL": fill,
    "QUANTIZE": same,
    "DEQUANTIZE": same,
}
