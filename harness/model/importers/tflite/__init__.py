# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite files, plain and of Larq Compute Engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ModelError, UnsupportedModel
from harness.model import bits
from harness.model.graph import Graph
from harness.model.importers.folding import FoldingBuilder
from harness.model.importers.tflite import (
    dilated,
    elementwise,
    integer,
    lce,
    linear,
    quantised,
    reducing,
    shaping,
    taking,
    tensordot,
)
from harness.model.importers.tflite.container import Container, Operator, Tensor, read
from harness.model.importers.tflite.translation import Translation, short

_FUNCTIONS: dict[str, Callable[[Translation], str | Sequence[str]]] = {
    **elementwise.OPERATORS,
    **linear.OPERATORS,
    **shaping.OPERATORS,
    **reducing.OPERATORS,
    **taking.OPERATORS,
    **lce.OPERATORS,
}
_HELD = {"FLOAT32", "BOOL", *quantised.RANGES}
"""Types of tensors that are computed. Bool is 0 and 1 in the graph; int32 means packed bits, where Larq has it."""


@np.errstate(all="ignore")  # a constant that overflows becomes infinite, and is refused as such
def load(path: Path, objects: Path | None = None) -> Graph:
    """The graph of a `.tflite` file, in float; packed tensors of Larq Compute Engine are tensors of -1 and +1 in it.

    Args:
        objects: not used by this format.

    Raises:
        ModelError, UnsupportedModel: see `importers.load`.
    """
    content = path.read_bytes()
    container = tensordot.joined(dilated.joined(read(path.name, content)))
    operators = _needed(container)
    _check_known(path.name, container, operators)
    graph = FoldingBuilder(path.stem, len(content))
    translation = Translation(container, graph)
    if any(_mixed(container, operator) for operator in operators):
        graph.notes.append(
            "Weights are integers and activations float in this file: they are multiplied as float, "
            "where TensorFlow Lite would round the activations too."
        )
    for index in container.inputs:
        tensor = container.tensors[index]
        if integer.is_grid(tensor):
            grid: dict[str, Any] = {"scale": tensor.scales[0], "zero_point": tensor.zero_points[0]}
            translation.values[index] = graph.input(short(tensor.name) or "input", tensor.shape, "i8", **grid)
            continue
        name = graph.input(short(tensor.name) or "input", tensor.shape)
        if tensor.dtype in quantised.RANGES:
            graph.notes.append(f"The input {name!r} takes the file's {tensor.dtype.lower()} numbers as floats.")
            name = quantised.from_codes(translation, name, tensor)
        translation.values[index] = name
    for operator in operators:
        _translate(translation, operator)
    for index in container.outputs:
        graph.output(_output(translation, index))
    return graph.graph(len(content), "tflite")


def _mixed(container: Container, operator: Operator) -> bool:
    """Whether an operator has float activations and integer weights ("dynamic range" quantisation)."""
    tensors = [container.tensors[index] for index in operator.inputs if index is not None]
    weights = any(tensor.dtype == "INT8" and tensor.data is not None for tensor in tensors[1:])
    return weights and tensors[0].dtype == "FLOAT32"


def _needed(container: Container) -> list[Operator]:
    """The operators that the outputs depend on, without those that only compute a shape."""
    wanted = set(container.outputs)
    found = []
    for operator in reversed(container.operators):
        if wanted.intersection(operator.outputs):
            found.append(operator)
            skipped = shaping.SHAPES.get(operator.kind, ())
            wanted.update(index for at, index in enumerate(operator.inputs) if index is not None and at not in skipped)
    return found[::-1]


def _check_known(name: str, container: Container, operators: list[Operator]) -> None:
    """Tells every operation that is missing at once."""
    missing = set()
    for operator in operators:
        skipped = shaping.SHAPES.get(operator.kind, ())
        read_ = [index for at, index in enumerate(operator.inputs) if index is not None and at not in skipped]
        computed = [index for index in (*read_, *operator.outputs) if container.tensors[index].data is None]
        allowed = _HELD | ({"INT32"} if operator.kind in lce.OPERATORS else set())
        foreign = {container.tensors[index].dtype for index in computed} - allowed
        if operator.kind not in _FUNCTIONS:
            missing.add(operator.kind)
        missing.update(f"{dtype.lower()} {operator.kind}" for dtype in foreign)
    missing.update(
        f"{container.tensors[index].dtype.lower()} input"
        for index in container.inputs
        if container.tensors[index].dtype not in _HELD
    )
    if missing:
        raise UnsupportedModel.of(name, missing)


def _translate(translation: Translation, operator: Operator) -> None:
    translation.begin(operator)
    translation.integer = integer.stays(translation)
    result = _FUNCTIONS[operator.kind](translation)
    names = [result] if isinstance(result, str) else list(result)
    if len(names) != len(operator.outputs):
        raise ModelError(f"{operator.kind} has {len(operator.outputs)} outputs in the file, not {len(names)}.")
    for index, name in zip(operator.outputs, names, strict=True):
        tensor = translation.container.tensors[index]
        declared, shape = tensor.shape, translation.graph.shape(name)
        if index in translation.packed and shape:
            shape = (*shape[:-1], bits.words(shape[-1]))
        if not _agree(declared or (1,), shape or (1,), tensor):  # a scalar constant has one axis in the graph
            raise ModelError(
                f"The file says that {tensor.name!r} has the shape {list(declared)}, "
                f"but its operator {operator.kind} gives {list(shape)}.",
                "The file is damaged.",
            )
        if index in translation.values:
            raise ModelError(f"{tensor.name!r} is computed twice; the file is damaged.")
        translation.values[index] = _rounded(translation, name, tensor)


def _agree(declared: tuple[int, ...], shape: tuple[int, ...], tensor: Tensor) -> bool:
    return len(declared) == len(shape) and all(
        stated == size or axis in tensor.open for axis, (stated, size) in enumerate(zip(declared, shape, strict=True))
    )


def _rounded(translation: Translation, name: str, tensor: Tensor) -> str:
    """What an operator gave, as the file's tensor can hold it."""
    if translation.graph.tensors[name].dtype == "i8" or tensor.dtype not in quantised.RANGES:
        return name
    return (
        translation.convert(name, tensor) if integer.is_grid(tensor) else quantised.to_grid(translation, name, tensor)
    )


def _output(translation: Translation, index: int) -> str:
    """An output of the model; one that the file has packed is packed again."""
    tensor = translation.container.tensors[index]
    translation.integer = integer.is_grid(tensor)
    name = translation.value(index)
    if translation.integer:
        return name
    if tensor.dtype in quantised.RANGES:
        return quantised.to_codes(translation, name, tensor)
    if index not in translation.packed:
        return name
    threshold = translation.graph.constant("output/threshold", np.zeros(1, np.float32))
    return translation.graph.node("quantize", "output", (name, threshold), dtype="bits", layer="LceQuantize")
