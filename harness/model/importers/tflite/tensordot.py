# SPDX-License-Identifier: Apache-2.0
"""Dense layers of images, which TensorFlow writes as a matrix product between two reshapes.

With an open batch the first shape is computed in the file, and what is stated for its result is a guess that holds
nothing. A product over the last axis needs neither reshape.
"""

from __future__ import annotations

from dataclasses import replace

from harness.model.importers.tflite.container import Container, Operator


def joined(container: Container) -> Container:
    """The same with one product in the place of each reshape that ends such a three."""
    made = {output: operator for operator in container.operators for output in operator.outputs}

    def whole(last: Operator) -> Operator | None:
        product = made.get(_first(last)) if last.kind == "RESHAPE" else None
        first = made.get(_first(product)) if product and product.kind == "FULLY_CONNECTED" else None
        if product is None or first is None or first.kind != "RESHAPE" or len(first.inputs) < 2:
            return None
        sizes, weights = first.inputs[1], product.inputs[1] if len(product.inputs) > 1 else None
        if _first(first) < 0 or sizes is None or weights is None or container.tensors[sizes].data is not None:
            return None
        x, y, weight = (container.tensors[index].shape for index in (_first(first), last.outputs[0], weights))
        if len(x) < 2 or len(weight) != 2 or x[-1] != weight[1] or y != (*x[:-1], weight[0]):
            return None
        options = {**product.options, "KeepNumDims": True}
        return replace(product, inputs=(first.inputs[0], *product.inputs[1:]), outputs=last.outputs, options=options)

    return replace(container, operators=tuple(whole(last) or last for last in container.operators))


def _first(operator: Operator) -> int:
    """The tensor that an operator reads first; -1, which is none, where it reads nothing."""
    index = operator.inputs[0] if operator.inputs else None
    return -1 if index is None else index
