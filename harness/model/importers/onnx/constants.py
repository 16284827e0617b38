# SPDX-License-Identifier: Apache-2.0
"""Nodes that depend on constants alone: shapes computed step by step, and the arithmetic on weights.

ONNX brings a reference implementation of every operator; it computes them. What a node may ask for is bounded first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from harness.errors import ModelError
from harness.model.graph import Array
from harness.model.importers.onnx.container import STANDARD, Operator

_ELEMENTWISE = frozenset(
    {
        "Abs",
        "Add",
        "And",
        "Cast",
        "CastLike",
        "Ceil",
        "Clip",
        "Div",
        "Equal",
        "Exp",
        "Floor",
        "Greater",
        "GreaterOrEqual",
    }
    | {"Identity", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow"}
    | {"Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sqrt", "Sub", "Sum", "Tanh", "Where", "Xor", "Trunc"}
    | {"Dropout"}
)
_SHRINKING = frozenset(
    {"ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"}
    | {"Concat", "Flatten", "Reshape", "Shape", "Size", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
)
"""Their results are not larger than what they are given."""


def _ints(value: Array) -> list[int]:
    return [int(number) for number in np.asarray(value).reshape(-1)]


def _gather(operator: Operator, inputs: Sequence[Array]) -> int:
    x, indices = inputs[0], inputs[1]
    axis = int(operator.attributes.get("axis", 0))
    if not -x.ndim <= axis < x.ndim:
        raise ModelError(f"{operator.name!r}: there is no axis {axis} in {list(x.shape)}.")
    return int(x.size // max(x.shape[axis], 1) * indices.size)


def _range(operator: Operator, inputs: Sequence[Array]) -> int:
    start, limit, step = (float(value.reshape(-1)[0]) for value in inputs[:3])
    if step == 0 or not math.isfinite((limit - start) / step):
        raise ModelError(f"{operator.name!r}: a range from {start} to {limit} in steps of {step}.")
    return max(0, math.ceil((limit - start) / step))


def _broadcast(operator: Operator, inputs: Sequence[Array]) -> int:
    try:
        return math.prod(np.broadcast_shapes(*(value.shape for value in inputs)))
    except ValueError:  # a scale along an axis does not broadcast, and does not enlarge
        return sum(value.size for value in inputs)


_SIZES: dict[str, Callable[[Operator, Sequence[Array]], int]] = {
    **dict.fromkeys(_ELEMENTWISE, _broadcast),
    **dict.fromkeys(_SHRINKING, lambda _, inputs: sum(value.size for value in inputs) + 8),
    "ConstantOfShape": lambda _, inputs: math.prod(_ints(inputs[0])),
    "Expand": lambda _, inputs: inputs[0].size * math.prod(_ints(inputs[1])),
    "Tile": lambda _, inputs: inputs[0].size * math.prod(_ints(inputs[1])),
    "Gather": _gather,
    "Range": _range,
}
"""Elements that a node may allocate, by operator. An operator that is missing here is never computed."""


def known(operator: Operator) -> bool:
    """Whether the node can be computed from constants."""
    return operator.domain == STANDARD and operator.kind in (*_SIZES, "Constant")


def compute(
    operator: Operator, inputs: Sequence[Array | None], opset: int, spend: Callable[[int], None]
) -> list[Array]:
    """The outputs of a node whose inputs are constants.

    Args:
        inputs: None for an optional one that is absent.
        spend: is told how many elements will be allocated, and may refuse.
    """
    if operator.kind == "Constant":
        return [_constant(operator)]
    present = [value for value in inputs if value is not None]
    try:
        elements = _SIZES[operator.kind](operator, present)
    except (IndexError, ValueError):
        raise ModelError(f"{operator.name!r}: {operator.kind} lacks an input, or has an empty one.") from None
    spend(abs(elements))
    feeds = {name: value for name, value in zip(operator.inputs, inputs, strict=True) if name}
    try:
        results = ReferenceEvaluator(_model(operator, opset)).run(None, feeds)
    except Exception as broken:  # whatever a foreign operator may raise when its operands make no sense
        reason = " ".join(str(broken).split())[:200]
        raise ModelError(
            f"{operator.name!r}: {operator.kind} cannot be computed from its constants ({reason}).",
            "The file is damaged, or its weights do not fit together.",
        ) from None
    values = [np.asarray(result) for result in results]
    if any(value.dtype.kind not in "fiub" for value in values):
        raise ModelError(f"{operator.name!r}: {operator.kind} gives values that are no numbers.")
    if any(value.dtype.kind == "f" and np.isnan(value).any() for value in values):
        raise ModelError(f"{operator.name!r}: {operator.kind} computes NaN from the weights.")
    return values


def _model(operator: Operator, opset: int) -> onnx.ModelProto:
    """A model of one node. ONNX's evaluator takes a lone node for one of the newest opset, whose inputs differ."""
    kind = onnx.TensorProto.UNDEFINED
    inputs, outputs = (
        [helper.make_tensor_value_info(name, kind, None) for name in dict.fromkeys(names) if name]
        for names in (operator.inputs, operator.outputs)
    )
    graph = helper.make_graph([operator.proto], "node", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(STANDARD, opset)])


_CONSTANTS = {
    "value": None,
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def _constant(operator: Operator) -> Array:
    for key, kind in _CONSTANTS.items():
        if key in operator.attributes:
            try:
                data = np.asarray(operator.attributes[key], kind)
            except (ValueError, TypeError, OverflowError):
                break
            if data.dtype.kind in "fiub":
                return data
    raise ModelError(f"{operator.name!r}: a Constant that holds no numbers, or sparse ones, is not known.")
