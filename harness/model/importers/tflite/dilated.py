# SPDX-License-Identifier: Apache-2.0
"""Dilated convolutions that TensorFlow wrote as plain ones between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND.

The first takes the image apart into as many images as the dilation has steps, the second puts the results together.
Where the converter does not see through that, the file has it, with a batch that no shape in it tells rightly. Here the
three are one convolution again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.model.importers.tflite.container import Container, Operator
from harness.model.importers.tflite.translation import VALID

PADS = "Pads"
"""An option that no file has: ((top, bottom), (left, right)) of a window, in the place of the file's `Padding`."""
_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})


def joined(container: Container) -> Container:
    """The same with one convolution in the place of each BATCH_TO_SPACE_ND that ends such a three.

    What led there stays, and is not needed any more.
    """
    made = {output: operator for operator in container.operators for output in operator.outputs}
    return replace(container, operators=tuple(_whole(container, made, last) or last for last in container.operators))


def _whole(container: Container, made: Mapping[int, Operator], last: Operator) -> Operator | None:
    convolution = _source(made, last) if last.kind == "BATCH_TO_SPACE_ND" else None
    first = _source(made, convolution) if convolution and convolution.kind in _CONVOLUTIONS else None
    if convolution is None or first is None or first.kind != "SPACE_TO_BATCH_ND":
        return None
    steps, pads = _numbers(container, first, 1), _numbers(container, first, 2)
    crops, options = _numbers(container, last, 2), convolution.options
    plain = options.get("Padding") == VALID and options.get("StrideH") == options.get("StrideW") == 1
    if len(steps) != 2 or steps != _numbers(container, last, 1) or not len(pads) == len(crops) == 4 or not plain:
        return None
    # With a stride of 1, what is cropped from the result need not have been padded on.
    top, bottom, left, right = (pad - crop for pad, crop in zip(pads, crops, strict=True))
    if min(top, bottom, left, right) < 0:
        return None
    dilation = {
        f"Dilation{axis}Factor": options.get(f"Dilation{axis}Factor", 1) * step
        for axis, step in zip("HW", steps, strict=True)
    }
    return Operator(
        convolution.kind,
        (first.inputs[0], *convolution.inputs[1:]),
        last.outputs,
        {**options, **dilation, PADS: ((top, bottom), (left, right))},
    )


def _source(made: Mapping[int, Operator], operator: Operator) -> Operator | None:
    """What computes the first input of an operator."""
    index = operator.inputs[0] if operator.inputs else None
    return None if index is None else made.get(index)


def _numbers(container: Container, operator: Operator, position: int) -> list[int]:
    """A constant input of a few integers; empty where it is something else."""
    index = operator.inputs[position] if position < len(operator.inputs) else None
    data = None if index is None else container.tensors[index].data
    if data is None or data.dtype.kind not in "iu" or data.size > 4:
        return []
    return [int(number) for number in data.reshape(-1)]
