# SPDX-License-Identifier: Apache-2.0
"""Normalisation: with statistics of the training, which is a scale and an offset, or with those of what it is given."""

from __future__ import annotations

import numpy as np

from harness.errors import ModelError
from harness.model.importers.onnx import layout
from harness.model.importers.onnx.activations import affine
from harness.model.importers.onnx.elementwise import binary, kind, through
from harness.model.importers.onnx.reducing import Axes, mean_over, sum_over
from harness.model.importers.onnx.shaping import Function
from harness.model.importers.onnx.translation import FREE, Translation, Value


def batch_norm(t: Translation) -> Value:
    if t.attribute("training_mode", 0):
        raise t.unsupported("in training mode")
    x = t.operand(0)
    channels = x.shape[1] if len(x.shape) > 1 else 0
    gamma, beta, mean, variance = (t.required(position, 1).astype(np.float64) for position in (1, 2, 3, 4))
    if any(data.shape != (channels,) for data in (gamma, beta, mean, variance)):
        raise ModelError(f"{t.label!r}: its statistics do not fit the {channels} channels of {list(x.shape)}.")
    total = variance + float(t.attribute("epsilon", 1e-5))
    if not (total > 0).all():
        raise ModelError(
            f"{t.label!r}: a batch norm with a negative variance.",
            "The file is damaged: a variance is a mean of squares.",
            "Export the model again from its checkpoint.",
        )
    scale = gamma / np.sqrt(total)
    offset = beta - mean * scale
    if x.image is not None:
        turned = layout.channels_last(x.image)
        tensor, order, scale, offset = x.tensor, x.order, scale[turned], offset[turned]
    else:
        order = layout.channels_last_order(len(x.shape))
        tensor = t.place(x, order)
    y = t.emit("affine", (tensor, t.constant("scale", scale), t.constant("offset", offset)), **FREE)
    return t.value(y, order, x.image)


def layer_norm(t: Translation) -> Value:
    x = t.operand(0)
    axes = tuple(range(t.axis(t.attribute("axis", -1), len(x.shape)), len(x.shape)))
    return _scaled(t, _standard(t, x, axes, t.attribute("epsilon", 1e-5)))


def rms_norm(t: Translation) -> Value:
    x = t.operand(0)
    axes = tuple(range(t.axis(t.attribute("axis", -1), len(x.shape)), len(x.shape)))
    return _scaled(t, _over_root(t, x, axes, t.attribute("epsilon", 1e-5)))


def instance_norm(t: Translation) -> Value:
    x = t.operand(0)
    y = _standard(t, x, tuple(range(2, len(x.shape))), t.attribute("epsilon", 1e-5))
    return _scaled(t, y, (-1, *[1] * (len(x.shape) - 2)))


def group_norm(t: Translation) -> Value:
    """Groups of channels share their statistics; until operator set 21 they shared scale and offset, too."""
    x, groups = t.operand(0), t.attribute("num_groups", 0)
    if len(x.shape) < 2 or groups < 1 or x.shape[1] % groups:
        raise ModelError(f"{t.label!r}: {groups} groups of the channels of {list(x.shape)}.")
    parted = t.reshaped(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    y = _standard(t, parted, tuple(range(2, len(parted.shape))), t.attribute("epsilon", 1e-5))
    ones = [1] * (len(x.shape) - 2)
    if t.opset < 21:
        return t.reshaped(_scaled(t, y, (-1, 1, *ones)), x.shape)
    return _scaled(t, t.reshaped(y, x.shape), (-1, *ones))


def lp_norm(t: Translation) -> Value:
    """x by the length of its vectors."""
    x, p = t.operand(0), t.attribute("p", 2)
    axes = (t.axis(t.attribute("axis", -1), len(x.shape)),)
    if p not in (1, 2):
        raise t.unsupported(f"with p = {p}")
    size = sum_over(t, through(t, x, "unary", "each", kind=kind("ABS" if p == 1 else "SQUARE")), axes, True, "sum")
    return binary(t, "DIV", x, size if p == 1 else through(t, size, "unary", "root", kind=kind("SQRT")))


def _standard(t: Translation, x: Value, axes: Axes, epsilon: float) -> Value:
    """(x - mean) / sqrt(variance + epsilon) over axes."""
    return _over_root(t, binary(t, "SUB", x, mean_over(t, x, axes, True, "mean"), "centred"), axes, epsilon)


def _over_root(t: Translation, x: Value, axes: Axes, epsilon: float) -> Value:
    square = mean_over(t, through(t, x, "unary", "square", kind=kind("SQUARE")), axes, True, "variance")
    root = through(t, affine(t, square, 1.0, epsilon, "stable"), "unary", "root", kind=kind("SQRT"))
    return binary(t, "DIV", x, root, "standard")


def _scaled(t: Translation, x: Value, shape: tuple[int, ...] | None = None) -> Value:
    """Times the constant input 1, plus the constant input 2, each in a shape that broadcasts."""
    for position, name, part in ((1, "MUL", "scaled"), (2, "ADD", "")):
        data = t.data(position)
        if data is None:
            continue
        data = data.reshape(shape) if shape else data
        if any(size not in (1, have) for size, have in zip(data.shape[::-1], x.shape[::-1], strict=False)):
            raise ModelError(f"{t.label!r}: input {position} of {list(data.shape)} does not fit {list(x.shape)}.")
        x = binary(t, name, x, Value(data.shape, data=data), part)
    return x


OPERATORS: dict[str, Function] = {
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "InstanceNormalization": instance_norm,
    "GroupNormalization": group_norm,
    "LpNormalization": lp_norm,
}
