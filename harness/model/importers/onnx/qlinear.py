# SPDX-License-Identifier: Apache-2.0
"""Operators on codes, onnxruntime's QOperator format: each is written as the operator on numbers that it stands for,
between a DequantizeLinear of its inputs and a QuantizeLinear of its result.

Their inputs come as (codes, scale, zero point), and the result's scale and zero point are inputs, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.model.graph import Array
from harness.model.importers.onnx.container import STANDARD, Operator

MICROSOFT = "com.microsoft"


@dataclass(frozen=True)
class Codes:
    """Where the inputs of such an operator stand.

    Attributes:
        kind: the operator on numbers.
        codes: the first input of each (codes, scale, zero point).
        result: that of the result's (scale, zero point).
        bias: an int32 input in steps of the product of both scales, of which each belongs to one filter.
    """

    kind: str
    codes: tuple[int, ...]
    result: int
    bias: int | None = None


_PAIR, _ONE = ((0, 3), 6), ((0,), 3)
TABLE: Mapping[tuple[str, str], Codes] = {
    (STANDARD, "QLinearConv"): Codes("Conv", *_PAIR, bias=8),
    (STANDARD, "QLinearMatMul"): Codes("MatMul", *_PAIR),
    (MICROSOFT, "QGemm"): Codes("Gemm", (0, 3), 7, bias=6),
    (MICROSOFT, "QLinearAdd"): Codes("Add", *_PAIR),
    (MICROSOFT, "QLinearMul"): Codes("Mul", *_PAIR),
    (MICROSOFT, "QLinearAveragePool"): Codes("AveragePool", *_ONE),
    (MICROSOFT, "QLinearGlobalAveragePool"): Codes("GlobalAveragePool", *_ONE),
    (MICROSOFT, "QLinearLeakyRelu"): Codes("LeakyRelu", *_ONE),
    (MICROSOFT, "QLinearSigmoid"): Codes("Sigmoid", *_ONE),
    (MICROSOFT, "QLinearSoftmax"): Codes("Softmax", *_ONE),
    (MICROSOFT, "QLinearConcat"): Codes("Concat", (), 0),
}


def on_numbers(
    operators: Sequence[Operator], constants: Mapping[str, Array]
) -> tuple[list[Operator], dict[str, Array]]:
    """The operators with those on codes written out, and the constants with the biases that this needs.

    One whose scales are no constants, or which is told to keep its channels last, stays as it is.
    """
    found: list[Operator] = []
    known = dict(constants)
    for operator in operators:
        codes = TABLE.get((operator.domain, operator.kind))
        written = None if codes is None or not operator.outputs else _written_out(operator, codes, known)
        found.extend(written or [operator])
    return found, known


def _written_out(operator: Operator, codes: Codes, constants: dict[str, Array]) -> list[Operator] | None:
    if operator.attributes.get("channels_last", 0):
        return None
    inputs, output = operator.inputs, operator.outputs[0]
    starts = codes.codes or range(2, len(inputs), 3)
    axis = 0 if codes.kind == "Conv" or operator.attributes.get("transB", 0) else 1
    names = [f"{output}/numbers{at}" for at in starts]
    parts = [
        _part(operator, "DequantizeLinear", inputs[at : at + 3], name, axis=axis)
        for at, name in zip(starts, names, strict=True)
    ]
    if codes.bias is not None and any(inputs[codes.bias : codes.bias + 1]):
        bias = _bias(operator, codes, constants)
        if bias is None:
            return None
        names.append(f"{output}/bias")
        constants[names[-1]] = bias
    scale = inputs[codes.result : codes.result + 2]
    result = f"{output}/result" if any(scale) else output
    parts.append(replace(operator, kind=codes.kind, domain=STANDARD, inputs=tuple(names), outputs=(result,)))
    if result != output:
        parts.append(_part(operator, "QuantizeLinear", (result, *scale), output))
    return parts


def _bias(operator: Operator, codes: Codes, constants: Mapping[str, Array]) -> Array | None:
    """The bias as numbers; None where it or a scale is no constant, or they do not fit."""
    bias = constants.get(operator.inputs[codes.bias or 0])
    step = np.full(1, operator.attributes.get("alpha", 1.0), np.float64)
    for at in codes.codes:
        scale = constants.get("".join(operator.inputs[at + 1 : at + 2]))
        if bias is None or scale is None or scale.size not in (1, bias.size):
            return None
        step = step * scale.reshape(-1)
    return None if bias is None else np.asarray(bias.reshape(-1) * step, np.float32)


def _part(operator: Operator, kind: str, inputs: tuple[str, ...], output: str, **attributes: Any) -> Operator:
    return replace(
        operator, kind=kind, domain=STANDARD, name=output, inputs=inputs, outputs=(output,), attributes=attributes
    )
