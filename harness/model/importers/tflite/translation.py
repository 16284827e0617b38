# SPDX-License-Identifier: Apache-2.0
"""The state of one translation: which tensor of the file is which of the graph, and how nodes get their names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from harness.errors import ModelError, UnsupportedModel
from harness.model import shapes
from harness.model.graph import Array, Dtype
from harness.model.graph import Tensor as GraphTensor
from harness.model.importers.folding import FoldingBuilder
from harness.model.importers.tflite.container import Container, Operator
from harness.model.reference import integer

SAME, VALID = 0, 1
Pads = tuple[tuple[int, int], ...]
"""Before and after each axis of a window."""
FREE: dict[str, Any] = {"lo": -math.inf, "hi": math.inf}
"""No activation."""
_ACTIVATIONS = {0: (-math.inf, math.inf), 1: (0.0, math.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""ActivationFunctionType of TFLite's schema: none, RELU, RELU_N1_TO_1, RELU6."""

_TENSORFLOW_OP = re.compile(r"[A-Z][A-Za-z0-9]*(_\d+)?$")
_QUANTISER = re.compile(r"(?P<layer>[^/;]+/[^;]+)/[^/;]+/(?:Sign|Round|Select)")
_LINEAR = re.compile(r"/(?:Quant|Depthwise|Separable)?(?:Conv|MatMul)|/separable_conv2d|/Tensordot", re.IGNORECASE)


class Translation:
    """One pass over the operators of a container.

    Attributes:
        values: tensor index to the name of the graph's tensor that holds it.
        operator: the one that is being translated.
        packed: indices of the int32 tensors that hold bits in the file; the graph has them as -1 and +1.
        integer: whether the operator computes on the codes of int8 tensors; else on their real values.
    """

    def __init__(self, container: Container, graph: FoldingBuilder) -> None:
        self.container = container
        self.graph = graph
        self.values: dict[int, str] = {}
        self.packed: set[int] = set()
        self.operator = Operator("", (), ())
        self.integer = False
        self._reals: dict[int, str] = {}
        self._codes: dict[int, str] = {}
        self._label = "output"

    def begin(self, operator: Operator) -> None:
        self.operator = operator
        self._label = self._readable(operator)

    def emit(self, op: str, inputs: Iterable[str | None], part: str = "", **more: Any) -> str:
        """Adds a node that belongs to the current operator; `part` tells its nodes apart."""
        name = f"{self._label}/{part}" if part else self._label
        if self.integer:
            operands = tuple(inputs)
            moves = op in ("reshape", "slice", "transpose")
            grid = self.graph.tensors[str(operands[0])] if moves else self._output_grid()
            return self.graph.node(
                op,
                name,
                operands,
                layer=self.operator.kind,
                dtype="i8",
                scale=grid.scale,
                zero_point=grid.zero_point,
                **more,
            )
        return self.graph.node(op, name, tuple(inputs), layer=self.operator.kind, **more)

    def on_grid(
        self, part: str, x: str, scale: float, zero_point: int, op: str = "lookup", shape: Any = None, **params: Any
    ) -> str:
        """A node whose codes stand for numbers of this grid; without another operation, those of x."""
        label = f"{self._label}/{part}" if part else self._label
        table = (self.constant("same", np.arange(integer.LOWEST, integer.HIGHEST + 1), "i8"),) if op == "lookup" else ()
        grid: dict[str, Any] = {"dtype": "i8", "scale": scale, "zero_point": zero_point}
        return self.graph.node(op, label, (x, *table), shape, layer=self.operator.kind, **grid, **params)

    def constant(self, part: str, value: Any, dtype: Dtype = "f32") -> str:
        """A constant that belongs to the current operator."""
        data = np.asarray(value)
        self.graph.spend(data.size)
        return self.graph.constant(f"{self._label}/{part}", data, dtype)

    def convert(self, name: str, tensor: Any) -> str:
        """A float tensor of the graph, rounded to the grid of an int8 tensor of the file."""
        scale, zero_point = tensor.scales[0], tensor.zero_points[0]
        label = f"{name}/int8"
        return self.graph.node(
            "convert", label, (name,), layer=self.operator.kind, dtype="i8", scale=scale, zero_point=zero_point
        )

    # What the current operator is given.

    def operand(self, position: int) -> str:
        """The graph's tensor for an input of the operator."""
        name = self.optional(position)
        if name is None:
            raise ModelError(f"{self._label!r}: {self.operator.kind} lacks its input {position}.")
        return name

    def optional(self, position: int) -> str | None:
        inputs = self.operator.inputs
        index = inputs[position] if position < len(inputs) else None
        return None if index is None else self.value(index)

    def value(self, index: int) -> str:
        """The graph's tensor for a tensor of the file; constants are added when they are first used.

        Of an int8 tensor that is the one of its real values, unless the operator computes on codes.
        """
        if self.integer:
            return self._coded(index)
        name = self._held(index)
        if self.graph.tensors[name].dtype == "f32":
            return name
        if index not in self._reals:
            self._reals[index] = self.graph.node("convert", f"{name}/real", (name,), layer="DEQUANTIZE")
        return self._reals[index]

    def scales(self, position: int) -> tuple[str, ...]:
        """One scale for each filter, where the operator computes on codes."""
        if not self.integer:
            return ()
        tensor = self.container.tensors[self.operator.inputs[position] or 0]
        filters = tensor.shape[3 if self.operator.kind == "DEPTHWISE_CONV_2D" else 0]
        return (self.constant("scale", np.broadcast_to(np.asarray(tensor.scales, np.float32), (filters,))),)

    def _output_grid(self) -> GraphTensor:
        output = self.container.tensors[self.operator.outputs[0]]
        return GraphTensor("", (), "i8", None, output.scales[0], output.zero_points[0])

    def _coded(self, index: int) -> str:
        """The graph's tensor with the numbers that the file has."""
        tensor = self.container.tensors[index]
        if tensor.data is None:
            return self._held(index)
        if index not in self._codes:
            self.graph.spend(tensor.data.size)
            dtype: Dtype = "i32" if tensor.dtype == "INT32" else "i8"
            grid: dict[str, Any] = {}
            if dtype == "i8" and len(tensor.scales) == 1:
                grid = {"scale": tensor.scales[0], "zero_point": tensor.zero_points[0]}
            self._codes[index] = self.graph.constant(short(tensor.name) or "constant", tensor.data, dtype, **grid)
        return self._codes[index]

    def _held(self, index: int) -> str:
        if index not in self.values:
            tensor = self.container.tensors[index]
            if tensor.data is None:
                raise ModelError(
                    f"{self._label!r} reads {tensor.name!r}, which nothing has computed before it.",
                    "The file is damaged, or its operators are out of order.",
                )
            self.graph.spend(tensor.data.size)
            self.values[index] = self.graph.constant(short(tensor.name) or "constant", real(tensor))
        return self.values[index]

    def weights(self, position: int, rank: int | None = None) -> Array:
        """The value of a constant float input.

        Raises:
            UnsupportedModel: it is computed while the network runs.
        """
        data = self.graph.data(self.operand(position))
        if data is None:
            raise self.unsupported("with weights that are computed")
        if rank is not None and data.ndim != rank:
            raise ModelError(f"{self._label!r}: its weights have the shape {list(data.shape)}, not {rank} axes.")
        return data

    def numbers(self, position: int, most: int = 4 * shapes.MAX_RANK) -> list[int]:
        """The value of a constant integer input (axes, sizes, paddings), flat."""
        inputs = self.operator.inputs
        index = inputs[position] if position < len(inputs) else None
        data = None if index is None else self.container.tensors[index].data
        if data is None:
            raise self.unsupported(f"whose input {position} is computed or absent")
        if data.dtype.kind not in "iu" or data.size > most:
            raise ModelError(f"{self._label!r}: its input {position} should be a few integers.")
        return [int(number) for number in data.reshape(-1)]

    def shape(self, position: int = 0) -> tuple[int, ...]:
        return self.graph.shape(self.operand(position))

    def image(self, position: int = 0) -> tuple[int, int, int, int]:
        shape = self.shape(position)
        if len(shape) != 4:
            raise ModelError(f"{self._label!r}: {self.operator.kind} wants an image [N, H, W, C], not {list(shape)}.")
        return shape[0], shape[1], shape[2], shape[3]

    def declared(self, output: int = 0) -> tuple[int, ...]:
        """The shape that the file states for an output."""
        return self.container.tensors[self.operator.outputs[output]].shape

    def axis(self, axis: int, rank: int) -> int:
        if not -rank <= axis < rank:
            raise ModelError(f"{self._label!r}: there is no axis {axis} in {rank}.")
        return axis % rank

    def option(self, key: str) -> Any:
        """An option of the operator.

        Raises:
            ModelError: the file does not state it.
        """
        if key not in self.operator.options:
            raise ModelError(f"{self._label!r}: the options of {self.operator.kind} lack {key!r}; the file is damaged.")
        return self.operator.options[key]

    def activation(self, key: str = "FusedActivationFunction") -> dict[str, Any]:
        """`lo` and `hi` of the activation that is fused into the operator."""
        code = self.operator.options.get(key, 0)
        if code not in _ACTIVATIONS:
            raise self.unsupported(f"with fused activation {code}")
        lo, hi = _ACTIVATIONS[code]
        return {"lo": lo, "hi": hi}

    def activated(self, y: str) -> str:
        """What a node without a clamp of its own computes, after the fused activation."""
        activation = self.activation()
        if activation == FREE:
            return y
        if not self.integer:
            return self.emit("clamp", (y,), part="activation", **activation)
        held = np.clip(np.arange(integer.LOWEST, integer.HIGHEST + 1), *integer.limits(activation, self._output_grid()))
        return self.emit("lookup", (y, self.constant("codes", held, "i8")), part="activation")

    def window(
        self,
        size: tuple[int, int],
        kernel: tuple[int, int],
        stride: tuple[int, int],
        dilation: tuple[int, int],
        padding: int | Pads,
    ) -> dict[str, int]:
        """`struct bnn_window`, with TFLite's padding (0 is "same", 1 is "valid") made explicit, unless it is."""
        if min(*kernel, *stride, *dilation) < 1:
            raise ModelError(f"{self._label!r}: a kernel, stride or dilation below 1 is not possible.")
        pads = padding
        if isinstance(pads, int):
            axes = list(zip(size, kernel, stride, dilation, strict=True))
            pads = tuple(shapes.same_padding(*axis) if padding == SAME else (0, 0) for axis in axes)
        return shapes.window(kernel, stride, dilation, pads)

    def unsupported(self, how: str) -> UnsupportedModel:
        operation = f"{self.operator.kind} {how}"
        return UnsupportedModel(
            f"{self.graph.name!r} has an operation that bitrig does not know: {operation} (at {self._label!r}).",
            operations=(operation,),
        )

    def _readable(self, operator: Operator) -> str:
        """What to call the operator: as its author's layer, as far as the converter has kept that name.

        A convolution takes the name of the batch norm that was folded into it; the name of its filter, or of the
        quantiser before it, tells better which layer it was.
        """
        tensors = self.container.tensors
        names = tensors[operator.outputs[0]].name.split(";") if operator.outputs else []
        if "CONV" in operator.kind.upper() or operator.kind == "FULLY_CONNECTED":
            near = [tensors[index].name for index in operator.inputs if index is not None]
            quantised = [found["layer"] for found in map(_QUANTISER.match, near) if found]
            names = [*(name for name in (*names, *near) if _LINEAR.search(name)), *quantised, *names]
        return next(filter(None, map(short, names)), operator.kind.lower())


def short(name: str) -> str:
    """A tensor's name without the model's scope and TensorFlow's operator: `net/conv_1/BiasAdd;...` to `conv_1`.

    Empty where the name is the converter's own invention.
    """
    first = name.split(";")[0].removeprefix("serving_default_").partition(":")[0]
    if first.startswith(("StatefulPartitionedCall", "arith.constant", "Identity", "PartitionedCall")):
        return ""
    parts = [part for part in first.split("/") if part]
    if len(parts) > 1:
        parts = parts[1:]
    if len(parts) > 1 and _TENSORFLOW_OP.match(parts[-1]):
        parts = parts[:-1]
    return "/".join(parts)


def real(tensor: Any) -> Array:
    """The real values of a constant of the file, as float32."""
    data: Array = tensor.data
    if not tensor.scales:
        return data.astype(np.float32, copy=False)
    along = [1] * data.ndim
    if len(tensor.scales) > 1:
        if not 0 <= tensor.axis < data.ndim or data.shape[tensor.axis] != len(tensor.scales):
            raise ModelError(f"The weights {tensor.name!r} have {len(tensor.scales)} scales on the axis {tensor.axis}.")
        along[tensor.axis] = -1
    scales = np.asarray(tensor.scales, np.float32).reshape(along if data.ndim else ())
    zero_points = np.asarray(tensor.zero_points, np.int64).reshape(along if data.ndim else ())
    result: Array = ((data - zero_points) * scales).astype(np.float32)
    return result
