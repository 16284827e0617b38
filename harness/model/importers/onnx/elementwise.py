# SPDX-License-Identifier: Apache-2.0
"""Operators that work element by element. Chains of them are kept as they are written: they are quantisers, mostly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx

from harness import abi
from harness.errors import ModelError
from harness.model.importers.onnx.translation import FREE, Translation, Value

Function = Callable[[Translation], Value]

MOST_FACTORS = 8
"""Of a power that is multiplied out."""


def kind(name: str) -> int:
    return abi.constant(f"BNN_{name}")


def number(value: float) -> Value:
    return Value((), data=np.asarray(value, np.float32))


def through(t: Translation, value: Value, op: str, part: str = "", inputs: Sequence[str] = (), **params: Any) -> Value:
    """A node with one operand (and per-tensor constants) whose result has the operand's layout."""
    value = t.held(value)
    return t.value(t.emit(op, (value.tensor, *inputs), part=part, **params), value.order, value.image)


def binary(t: Translation, name: str, a: Value, b: Value, part: str = "") -> Value:
    (left, right), order, image = t.together((a, b))
    return t.value(t.emit("arith", (left, right), part=part, kind=kind(name), **FREE), order, image)


def arith(name: str, t: Translation) -> Value:
    """Of two operands, or of any number of them where the operator is associative."""
    first, *rest = t.operands()
    if t.kind not in ("Min", "Max", "Sum") and len(rest) != 1:
        raise ModelError(f"{t.label!r}: {t.kind} takes two inputs, not {len(rest) + 1}.")
    for i, other in enumerate(rest):
        first = binary(t, name, first, other, "" if i == len(rest) - 1 else str(i))
    return first


def unary(name: str, t: Translation) -> Value:
    return through(t, t.operand(0), "unary", kind=kind(name))


def clip(t: Translation) -> Value:
    if t.opset < 11:
        lo, hi = t.attribute("min", -math.inf), t.attribute("max", math.inf)
    else:
        lo, hi = t.number(1, -math.inf), t.number(2, math.inf)
    return through(t, t.operand(0), "clamp", lo=max(float(lo), -math.inf), hi=min(float(hi), math.inf))


def power(t: Translation) -> Value:
    """Of a small whole exponent, by multiplying, or of a half."""
    x, exponent = t.operand(0), t.number(1, 1.0)
    if exponent == 0.5:
        return unary("SQRT", t)
    if exponent not in range(1, MOST_FACTORS + 1):
        raise t.unsupported(f"with exponent {exponent}")
    product = x
    for at in range(2, int(exponent) + 1):
        part = "" if at == exponent else str(at)
        product = through(t, x, "unary", part, kind=kind("SQUARE")) if at == 2 else binary(t, "MUL", product, x, part)
    return product


def reciprocal(t: Translation) -> Value:
    return binary(t, "DIV", number(1.0), t.operand(0))


def where(t: Translation) -> Value:
    return where_of(t, *(t.operand(position) for position in range(3)))


def where_of(t: Translation, condition: Value, a: Value, b: Value) -> Value:
    tensors, order, image = t.together([condition, a, b])
    return t.value(t.emit("select", tensors), order, image)


def logical_not(t: Translation) -> Value:
    return binary(t, "SUB", number(1.0), t.operand(0))


def same(t: Translation) -> Value:
    return t.operand(0)


_WHOLE = {"arith": range(kind("LESS"), kind("NOT_EQUAL") + 1), "unary": (kind("ROUND"), kind("FLOOR"), kind("SIGN"))}


def cast(t: Translation) -> Value:
    return _cast(t, t.attribute("to", 0))


def cast_like(t: Translation) -> Value:
    """To the type of the second input; what is computed is a float."""
    data = t.operand(1).data
    return _cast(t, onnx.TensorProto.FLOAT if data is None else onnx.helper.np_dtype_to_tensor_dtype(data.dtype))


def _cast(t: Translation, target: int) -> Value:
    """Numbers are floats in the graph, and what is true is 1; so most casts change nothing."""
    x, types = t.operand(0), onnx.TensorProto
    if target == types.BOOL:
        return binary(t, "NOT_EQUAL", x, number(0.0))
    if target in (types.FLOAT, types.DOUBLE):
        return x
    producer = next((node for node in reversed(t.graph.nodes) if node.output == x.tensor), None)
    if producer is not None and producer.params.get("kind", 0) in _WHOLE.get(producer.op, ()):
        return x
    if target in (types.INT32, types.INT64):  # towards zero
        size = through(t, through(t, x, "unary", "size", kind=kind("ABS")), "unary", "whole", kind=kind("FLOOR"))
        return binary(t, "MUL", through(t, x, "unary", "sign", kind=kind("SIGN")), size)
    raise t.unsupported(f"to {types.DataType.Name(target) if target in types.DataType.values() else target}")


_ARITH = {
    "Add": "ADD",
    "Sum": "ADD",
    "Sub": "SUB",
    "Mul": "MUL",
    "Div": "DIV",
    "Min": "MIN",
    "Max": "MAX",
    "Less": "LESS",
    "LessOrEqual": "LESS_EQUAL",
    "Greater": "GREATER",
    "GreaterOrEqual": "GREATER_EQUAL",
    "Equal": "EQUAL",
    "And": "MUL",
    "Or": "MAX",
    "Xor": "NOT_EQUAL",
}
_UNARY = {
    "Abs": "ABS",
    "Neg": "NEG",
    "Sign": "SIGN",
    "Round": "ROUND",
    "Floor": "FLOOR",
    "Ceil": "CEIL",
    "Sqrt": "SQRT",
    "Exp": "EXP",
    "Log": "LOG",
    "Erf": "ERF",
}

OPERATORS: dict[str, Function] = {
    **{name: partial(arith, row) for name, row in _ARITH.items()},
    **{name: partial(unary, row) for name, row in _UNARY.items()},
    "Clip": clip,
    "Pow": power,
    "Reciprocal": reciprocal,
    "Where": where,
    "Not": logical_not,
    "Cast": cast,
    "CastLike": cast_like,
    "Identity": same,
    "Dropout": same,
}
