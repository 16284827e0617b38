# SPDX-License-Identifier: Apache-2.0
"""The state of one translation: values, the order of their axes, and how nodes get their names.

ONNX keeps images as [N, C, H, W] and bitrig as [N, H, W, C]. Each value remembers which of its axes stands where in the
graph's tensor. A Transpose then costs nothing, elementwise nodes work in whatever order they meet, a Flatten keeps the
channels last and lets the next weights be rearranged instead; data moves only where nothing else helps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from harness.errors import ModelError, UnsupportedModel
from harness.model import shapes
from harness.model.graph import Array
from harness.model.importers.folding import FoldingBuilder
from harness.model.importers.onnx import layout, remedies
from harness.model.importers.onnx.container import Operator

T = TypeVar("T", int, float, str)
FREE: dict[str, Any] = {"lo": -math.inf, "hi": math.inf}
"""No activation."""


@dataclass(frozen=True, eq=False)
class Value:
    """A value of the file.

    Attributes:
        shape: as the file has it.
        tensor: the graph's tensor; empty for a constant that the graph does not have (yet).
        order: axis i of the graph's tensor is axis order[i] of the value.
        data: the value of a constant, as the file has it.
        image: (H, W, C), where the last axis is an image that was flattened with its channels last instead of first.
    """

    shape: tuple[int, ...]
    tensor: str = ""
    order: tuple[int, ...] = ()
    data: Array | None = None
    image: tuple[int, int, int] | None = None


class Translation:
    """One pass over the operators of a container.

    Attributes:
        operator: the one that is being translated.
        values: by the name that the file gives them.
    """

    def __init__(self, graph: FoldingBuilder, opset: int) -> None:
        self.graph = graph
        self.opset = opset
        self.values: dict[str, Value] = {}
        self.operator: Operator | None = None
        self._placed: dict[tuple[str, tuple[int, ...]], str] = {}

    @property
    def label(self) -> str:
        return self.operator.name if self.operator else "output"

    @property
    def kind(self) -> str:
        return self.operator.kind if self.operator else ""

    # What the current operator is given.

    def optional(self, position: int) -> Value | None:
        names = self.operator.inputs if self.operator else ()
        if position >= len(names) or not names[position]:
            return None
        if names[position] not in self.values:
            raise self.unsupported(f"that reads the side output {names[position]!r}")
        return self.values[names[position]]

    def operand(self, position: int) -> Value:
        value = self.optional(position)
        if value is None:
            raise ModelError(f"{self.label!r}: {self.kind} lacks its input {position}.")
        return value

    def operands(self) -> list[Value]:
        return [self.operand(position) for position in range(len(self.operator.inputs if self.operator else ()))]

    def data(self, position: int) -> Array | None:
        """The value of a constant input; None where it is absent.

        Raises:
            UnsupportedModel: it is computed while the network runs.
        """
        value = self.optional(position)
        if value is not None and value.data is None:
            raise self.unsupported(f"whose input {position} is computed")
        return None if value is None else value.data

    def required(self, position: int, rank: int | None = None) -> Array:
        """A constant input that has to be there, with `rank` axes."""
        data = self.data(position)
        if data is None or (rank is not None and data.ndim != rank):
            raise ModelError(f"{self.label!r}: {self.kind} wants a constant of {rank} axes as its input {position}.")
        return data

    def numbers(self, position: int) -> list[int] | None:
        """A constant input of a few integers, flat; None where it is absent."""
        data = self.data(position)
        if data is None:
            return None
        if data.dtype.kind not in "iu" or data.size > 4 * shapes.MAX_RANK:
            raise ModelError(f"{self.label!r}: input {position} of {self.kind} should be a few integers.")
        return [int(number) for number in data.reshape(-1)]

    def number(self, position: int, default: float) -> float:
        """A constant input of one element."""
        data = self.data(position)
        if data is None:
            return default
        if data.size != 1:
            raise self.unsupported(f"whose input {position} is not one number")
        return float(data.reshape(-1)[0])

    def attribute(self, key: str, default: T) -> T:
        """An attribute of the type of its default; a float may be written as an integer."""
        value = self.operator.attributes.get(key, default) if self.operator else default
        if isinstance(default, float) and isinstance(value, int):
            value = float(value)
        if not isinstance(value, type(default)) or (value is not default and value != value):
            raise ModelError(f"{self.label!r}: {key} of {self.kind} should be {type(default).__name__}, not {value!r}.")
        return value

    def listed(self, key: str) -> list[int] | None:
        """An attribute that is a list of a few integers; None where it is absent."""
        values = self.operator.attributes.get(key) if self.operator else None
        if values is None:
            return None
        numbers = [value for value in values if isinstance(value, int)] if isinstance(values, Sequence) else []
        if len(numbers) > 4 * shapes.MAX_RANK or not isinstance(values, Sequence) or len(numbers) != len(values):
            raise ModelError(f"{self.label!r}: {key} of {self.kind} should be a few integers.")
        return numbers

    def integers(self, key: str, count: int, default: int) -> list[int]:
        """An attribute that is a list of `count` integers."""
        values = self.listed(key)
        if values is not None and len(values) != count:
            raise ModelError(f"{self.label!r}: {key} of {self.kind} should be {count} integers, not {values}.")
        return [default] * count if values is None else values

    def axis(self, axis: int, rank: int) -> int:
        if not -rank <= axis < rank:
            raise ModelError(f"{self.label!r}: {self.kind} has an axis {axis} for {rank} axes.")
        return axis % rank

    # What it adds to the graph.

    def emit(self, op: str, inputs: Iterable[str | None], part: str = "", **more: Any) -> str:
        """Adds a node that belongs to the current operator; `part` tells its nodes apart."""
        name = f"{self.label}/{part}" if part else self.label
        return self.graph.node(op, name, tuple(inputs), layer=self.kind, **more)

    def constant(self, part: str, data: Any) -> str:
        """A float constant that belongs to the current operator, in the graph's layout."""
        floats = np.asarray(data, np.float32)
        self.graph.spend(floats.size)
        return self.graph.constant(f"{self.label}/{part}", floats)

    def value(
        self, tensor: str, order: tuple[int, ...] | None = None, image: tuple[int, int, int] | None = None
    ) -> Value:
        """The value that a tensor of the graph holds; what has become constant is one again."""
        shape = self.graph.shape(tensor)
        order = tuple(range(len(shape))) if order is None else order
        logical = layout.logical(shape, order)
        data = self.graph.data(tensor)
        if data is not None and image is None:
            if data.ndim != len(order):  # a scalar has one axis in the graph
                return Value((), data=data.reshape(()))
            return Value(logical, data=data.transpose(layout.inverse(order)))
        return Value(logical, tensor, order, None, image)

    def place(self, value: Value, order: tuple[int, ...] | None = None) -> str:
        """The graph's tensor that holds a value with its axes in this order (the file's own, where None)."""
        order = tuple(range(len(value.shape))) if order is None else order
        if value.data is not None:
            return self.constant("constant", value.data.transpose(order))
        value = self.unflattened(value)
        if value.order == order:
            return value.tensor
        permutation = tuple(value.order.index(axis) for axis in order)
        key = (value.tensor, permutation)
        if key not in self._placed:
            shape = self.graph.shape(value.tensor)
            target = tuple(shape[axis] for axis in permutation)
            if layout.moves_nothing(shape, permutation):
                self._placed[key] = self.emit("reshape", (value.tensor,), part="layout", shape=target)
            else:
                self._placed[key] = self.emit("transpose", (value.tensor,), part="layout", permutation=permutation)
        return self._placed[key]

    def held(self, value: Value) -> Value:
        """The value with a tensor of the graph, a constant too."""
        if value.data is None:
            return value
        return Value(value.shape, self.place(value), tuple(range(len(value.shape))))

    def unflattened(self, value: Value) -> Value:
        """The value with the features of a flattened image in the file's own order."""
        if value.image is None:
            return value
        height, width, channels = value.image
        rows = value.shape[0]
        image = self.emit("reshape", (value.tensor,), part="image", shape=(rows, height, width, channels))
        turned = self.emit("transpose", (image,), part="layout", permutation=(0, 3, 1, 2))
        return self.value(self.emit("reshape", (turned,), part="flat", shape=value.shape))

    def together(self, values: Sequence[Value]) -> tuple[list[str], tuple[int, ...], tuple[int, int, int] | None]:
        """Operands of an elementwise node, with their axes in one order.

        Returns:
            tensors that broadcast as the values do (constants without leading axes of one), and the order (and image,
            see Value) of the result.
        """
        rank = max(len(value.shape) for value in values)
        computed = [value for value in values if value.data is None]
        images = {value.image for value in computed}
        image = next(iter(images)) if len(images) == 1 else None
        if image is None or rank != 2 or len({value.shape for value in computed}) > 1:
            image = None
            values = [self.unflattened(value) for value in values]
        lead = next((value for value in values if value.data is None and len(value.shape) == rank), None)
        order = lead.order if lead is not None else tuple(range(rank))
        tensors = []
        for value in values:
            if value.data is not None:
                data = self._aligned(value.data, rank, order, image)
                while lead is not None and data.ndim > 1 and data.shape[0] == 1:
                    data = data[0]
                tensors.append(self.constant("constant", data))
            elif image is not None:
                tensors.append(value.tensor)
            else:
                tensors.append(
                    self.place(self.reshaped(value, (*[1] * (rank - len(value.shape)), *value.shape)), order)
                )
        return tensors, order, image

    @staticmethod
    def _aligned(data: Array, rank: int, order: tuple[int, ...], image: tuple[int, int, int] | None) -> Array:
        """A constant operand with the axes of the others, in their order."""
        data = data.reshape((*[1] * (rank - data.ndim), *data.shape))
        if image is not None and data.shape[-1] > 1:
            data = data[..., layout.channels_last(image)]
        return data.transpose(order)

    def reshaped(self, value: Value, shape: tuple[int, ...]) -> Value:
        """The value in another shape; the data moves only where the new axes run across the order of the old."""
        if shape == value.shape:
            return value
        if (
            math.prod(shape) != math.prod(value.shape)
            or any(size < 1 for size in shape)
            or len(shape) > shapes.MAX_RANK
        ):
            raise ModelError(f"{self.label!r}: {list(value.shape)} cannot be reshaped to {list(shape)}.")
        if value.data is not None:
            return Value(shape, data=value.data.reshape(shape))
        value = self.unflattened(value)
        flattens = len(value.shape) == 4 and len(shape) == 2 and shape[0] == value.shape[0]
        if flattens and value.order == layout.CHANNELS_LAST:
            rows, height, width, channels = self.graph.shape(value.tensor)
            tensor = self.emit("reshape", (value.tensor,), part="flat", shape=(rows, height * width * channels))
            plain = height * width == 1 or channels == 1
            return self.value(tensor, None, None if plain else (height, width, channels))
        order = layout.reshaped(value.shape, shape, value.order)
        if order is None:
            before = layout.sorted_groups(value.shape, shape, value.order)
            value = replace(value, tensor=self.place(value, before), order=before)
            order = layout.reshaped(value.shape, shape, before)
        if order is None:
            raise ModelError(f"{self.label!r}: {list(value.shape)} cannot be reshaped to {list(shape)}.")
        target = tuple(shape[axis] for axis in order)
        return self.value(self.emit("reshape", (value.tensor,), part="shape", shape=target), order)

    def permuted(self, value: Value, permutation: Sequence[int]) -> Value:
        """The value with axis i taken from its axis permutation[i]; nothing is added to the graph."""
        if sorted(permutation) != list(range(len(value.shape))):
            raise ModelError(f"{self.label!r}: {list(permutation)} is not an order of the axes of {list(value.shape)}.")
        if value.data is not None:
            data = value.data.transpose(permutation)
            return Value(data.shape, data=data)
        value = self.unflattened(value)
        shape = tuple(value.shape[axis] for axis in permutation)
        return Value(shape, value.tensor, tuple(list(permutation).index(axis) for axis in value.order))

    def unsupported(self, how: str) -> UnsupportedModel:
        operation = f"{self.kind} {how}"
        return UnsupportedModel(
            f"{self.graph.name!r} has an operation that bitrig does not know: {operation} (at {self.label!r}).",
            remedy=remedies.of([self.kind]),
            operations=(operation,),
        )
