# SPDX-License-Identifier: Apache-2.0
"""Element by element: arithmetic, activations, comparisons; and softmax, which sums over channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from harness.model.graph import Array, Tensor
from harness.model.reference.common import Function, Params, clamp, flush, kind, take


def _arith(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    a, b = take(operands, 2)
    return clamp(_ARITH[params["kind"]](a, b), {"lo": -np.inf, "hi": np.inf, **params})


def _unary(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    return _UNARY[params["kind"]](take(operands, 1)[0])


def _clamp(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    return clamp(take(operands, 1)[0], params)


def _affine(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    x, scale, offset = take(operands, 3)
    y = x * scale
    return clamp(y if offset is None else y + offset, {"lo": -np.inf, "hi": np.inf, **params})


def _convert(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    return np.asarray(take(operands, 1)[0])


def _step(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    reached = flush(take(operands, 1)[0]) >= np.float32(params["threshold"])
    return np.where(reached, np.float32(params["high"]), np.float32(params["low"]))


def _prelu(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    x, alpha = take(operands, 2)
    return np.asarray(np.where(x < 0, alpha * x, x))


def _select(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    condition, a, b = take(operands, 3)
    return np.asarray(np.where(condition != 0, a, b))


def _softmax(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    (x,) = take(operands, 1)
    shifted = np.exp((x - x.max(axis=-1, keepdims=True)) * np.float32(params.get("beta", 1.0)))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(x.astype(np.float64)))


_ARITH: dict[int, Callable[[Array, Array], Array]] = {
    kind("ADD"): np.add,
    kind("SUB"): np.subtract,
    kind("MUL"): np.multiply,
    kind("DIV"): np.divide,
    kind("MIN"): np.minimum,
    kind("MAX"): np.maximum,
    kind("LESS"): np.less,
    kind("LESS_EQUAL"): np.less_equal,
    kind("GREATER"): np.greater,
    kind("GREATER_EQUAL"): np.greater_equal,
    kind("EQUAL"): np.equal,
    kind("NOT_EQUAL"): np.not_equal,
}

_UNARY: dict[int, Callable[[Array], Array]] = {
    kind("ABS"): np.abs,
    kind("NEG"): np.negative,
    kind("SIGN"): lambda x: np.sign(flush(x)),
    kind("ROUND"): np.rint,
    kind("FLOOR"): np.floor,
    kind("CEIL"): np.ceil,
    kind("SQRT"): np.sqrt,
    kind("RSQRT"): lambda x: np.float32(1) / np.sqrt(x),
    kind("EXP"): np.exp,
    kind("LOG"): np.log,
    kind("TANH"): np.tanh,
    kind("SIGMOID"): lambda x: np.float32(1) / (np.float32(1) + np.exp(-x)),
    kind("ELU"): lambda x: np.where(x < 0, np.expm1(x), x),
    kind("SOFTPLUS"): lambda x: np.logaddexp(np.float32(0), x),
    kind("SQUARE"): np.square,
    kind("ERF"): _erf,
}

COMPARISONS = frozenset(kind(name) for name in ("LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL"))
SUMS = frozenset({kind("ADD"), kind("SUB")})
INTEGER_KINDS = frozenset(kind(name) for name in ("ROUND", "FLOOR", "CEIL", "SIGN"))

FUNCTIONS: Mapping[str, Function] = {
    "arith": _arith,
    "unary": _unary,
    "clamp": _clamp,
    "affine": _affine,
    "step": _step,
    "prelu": _prelu,
    "select": _select,
    "softmax": _softmax,
    "convert": _convert,
}
