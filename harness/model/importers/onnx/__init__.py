# SPDX-License-Identifier: Apache-2.0
"""ONNX files: PyTorch's exports, QONNX (Brevitas), QCDQ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.errors import ModelError, UnsupportedModel
from harness.model.graph import Array, Graph
from harness.model.importers.folding import FoldingBuilder
from harness.model.importers.onnx import (
    activations,
    constants,
    elementwise,
    indexing,
    linear,
    masks,
    normalising,
    qlinear,
    quantised,
    reducing,
    remedies,
    resizing,
    shaping,
)
from harness.model.importers.onnx.container import STANDARD, Operator, read
from harness.model.importers.onnx.translation import Translation, Value

_FUNCTIONS: dict[str, shaping.Function] = {
    **elementwise.OPERATORS,
    **activations.OPERATORS,
    **linear.OPERATORS,
    **normalising.OPERATORS,
    **reducing.OPERATORS,
    **shaping.OPERATORS,
    **indexing.OPERATORS,
    **masks.OPERATORS,
    **resizing.OPERATORS,
    **quantised.OPERATORS,
}


@np.errstate(all="ignore")  # a constant that overflows becomes infinite, and is refused as such
def load(path: Path, objects: Path | None = None) -> Graph:
    """The graph of an `.onnx` file, in float. Its inputs and outputs keep the file's own layout.

    Args:
        objects: not used by this format.

    Raises:
        ModelError, UnsupportedModel: see `importers.load`.
    """
    container = read(path)
    operators, known = qlinear.on_numbers(masks.with_fills(container.operators), container.constants)
    operators = _needed(operators, container.outputs)
    _check_known(path.name, known, operators)
    graph = FoldingBuilder(path.stem, container.file_bytes)
    translation = Translation(graph, container.opset)
    for name, data in known.items():
        translation.values[name] = Value(data.shape, data=data)
    for name, sizes in container.inputs.items():
        translation.values[name] = translation.value(graph.input(name, _static(graph, name, sizes)))
    for operator in operators:
        _translate(translation, operator)
    translation.operator = None
    for name in container.outputs:
        if name not in translation.values:
            raise ModelError(f"{path.name!r}: its output {name!r} is a side result that bitrig does not compute.")
        graph.output(translation.place(translation.values[name]))
    return graph.graph(container.file_bytes, "onnx")


def _static(graph: FoldingBuilder, name: str, sizes: tuple[int | str, ...]) -> tuple[int, ...]:
    """The shape of an input; a batch that the file leaves open is 1."""
    named = [size for size in sizes[1:] if isinstance(size, str)]
    if named:
        raise UnsupportedModel(
            f"The input {name!r} of {graph.name!r} has the open sizes {', '.join(map(repr, named))}.",
            "It was exported with dynamic axes other than the batch.",
            "Export it for one size of its input.",
            operations=("dynamic shape",),
        )
    if sizes and isinstance(sizes[0], str):
        graph.notes.append(f"The batch of the input {name!r} is open in the file ({sizes[0]!r}); 1 is assumed.")
    return tuple(1 if isinstance(size, str) else size for size in sizes)


def _function(operator: Operator) -> shaping.Function | None:
    if operator.domain == STANDARD:
        return _FUNCTIONS.get(operator.kind)
    return quantised.QONNX.get(operator.kind) if operator.domain in quantised.QONNX_DOMAINS else None


def _needed(operators: Sequence[Operator], outputs: Sequence[str]) -> list[Operator]:
    """The operators that the outputs depend on."""
    wanted = set(outputs)
    found = []
    for operator in reversed(operators):
        if wanted.intersection(operator.outputs):
            found.append(operator)
            wanted.update(operator.inputs)
    return found[::-1]


def _check_known(name: str, known: Mapping[str, Array], operators: list[Operator]) -> None:
    """Tells every operation that is missing at once."""
    constant = {*known, ""}
    missing: dict[str, str] = {}
    for operator in operators:
        if operator.kind in ("Shape", "Size") or constant.issuperset(operator.inputs):
            constant.update(operator.outputs)
            if constants.known(operator):
                continue
        if _function(operator) is None:
            missing.setdefault(
                f"{operator.domain}::{operator.kind}" if operator.domain else operator.kind, operator.name
            )
    if missing:
        raise UnsupportedModel.of(name, missing, remedies.of(missing))


def _translate(translation: Translation, operator: Operator) -> None:
    translation.operator = operator
    inputs = [translation.optional(position) for position in range(len(operator.inputs))]
    known = constants.known(operator)
    if known and operator.kind in ("Shape", "Size"):
        data = _shape(translation, translation.operand(0).shape)
        results = [Value(data.shape, data=data)]
    elif known and all(value is None or value.data is not None for value in inputs):
        arrays = [None if value is None else value.data for value in inputs]
        computed = constants.compute(operator, arrays, translation.opset, translation.graph.spend)
        results = [Value(data.shape, data=data) for data in computed]
    else:
        function = _function(operator)
        if function is None:
            raise translation.unsupported("of computed values")
        result = function(translation)
        results = result if isinstance(result, list) else [result]
    for name, value in zip(operator.outputs, results, strict=False):
        if name:
            translation.values[name] = value


def _shape(translation: Translation, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    if translation.kind == "Size":
        return np.array(int(np.prod(shape)), np.int64)
    return np.array(shape[translation.attribute("start", 0) : translation.attribute("end", len(shape))], np.int64)
