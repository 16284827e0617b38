# SPDX-License-Identifier: Apache-2.0
"""`y[mask] = number`.

PyTorch's exporter writes it as the places where the mask holds (NonZero, as many as there are), as many copies of the
number, and a ScatterND that puts them there. No step of that has a fixed size; the whole has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harness.model.importers.onnx.container import STANDARD, Operator
from harness.model.importers.onnx.elementwise import where_of
from harness.model.importers.onnx.translation import Translation, Value

FILL = "ScatterND of NonZero"
_COPIES = frozenset({"Expand", "Reshape", "Squeeze", "Unsqueeze", "Identity"})

Producers = Mapping[str, Operator]


def with_fills(operators: Sequence[Operator]) -> list[Operator]:
    """The operators, with each such ScatterND as one that reads (y, mask, number); what it read before may be left."""
    producers = {name: operator for operator in operators for name in operator.outputs}
    return [_fill(operator, producers) or operator for operator in operators]


def _fill(operator: Operator, producers: Producers) -> Operator | None:
    if (operator.kind, operator.domain, len(operator.inputs)) != ("ScatterND", STANDARD, 3):
        return None
    data, indices, updates = operator.inputs
    turned = producers.get(indices)
    if turned is None or turned.kind != "Transpose" or turned.attributes.get("perm") not in (None, [1, 0]):
        return None
    places = producers.get(_first(turned))
    if places is None or places.kind != "NonZero" or operator.attributes.get("reduction", "none") != "none":
        return None
    source = producers.get(updates)
    while source is not None and source.kind in _COPIES:
        updates = _first(source)
        source = producers.get(updates)
    if source is not None and source.kind != "Constant":
        return None
    return replace(operator, kind=FILL, inputs=(data, _first(places), updates))


def _first(operator: Operator) -> str:
    return operator.inputs[0] if operator.inputs else ""


def fill(t: Translation) -> Value:
    data, mask, number = t.operands()
    if mask.shape != data.shape or number.shape not in ((), (1,)):
        raise t.unsupported("that puts rows or several numbers")
    return where_of(t, mask, number, data)


OPERATORS: dict[str, Callable[[Translation], Value]] = {FILL: fill}
