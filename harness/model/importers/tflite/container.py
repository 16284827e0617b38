# SPDX-License-Identifier: Apache-2.0
"""What a `.tflite` file says, as plain frozen values: tensors, operators and their options.

The file is a flatbuffer, that is, offsets into itself. The generated readers of the `tflite` package follow any offset,
so each access happens here and nowhere else: what falls outside of the file becomes one ModelError, and counts are
compared with the size of the file before anything is made of them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import flatbuffers.flexbuffers
import numpy as np
import tflite

from harness.errors import ModelError
from harness.model import shapes
from harness.model.graph import Array

IDENTIFIER = b"TFL3"
MAX_OPERATORS = 20_000
MAX_TENSORS = 100_000
MAX_OPERANDS = 256
MAX_NAME = 4096
MAX_CUSTOM_OPTIONS = 4096
"""Bytes. Larq Compute Engine writes 171."""

_DTYPES: dict[str, Any] = {
    "FLOAT32": "<f4",
    "FLOAT16": "<f2",
    "INT32": "<i4",
    "UINT8": "u1",
    "INT64": "<i8",
    "BOOL": "?",
    "INT16": "<i2",
    "INT8": "i1",
}


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor as the file declares it.

    Attributes:
        shape: a symbolic batch already stands as 1, as TFLite writes it.
        dtype: TFLite's name of the type ("FLOAT32").
        data: a view into the file, for a constant.
        scales, zero_points: of a quantised tensor, one for all or one for each index of `axis`; else empty.
        open: axes that the converter left open. Their 1 in `shape` may be wrong behind what changes the batch.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: Array | None
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    open: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Operator:
    """One operator.

    Attributes:
        kind: TFLite's name ("CONV_2D"), or the name of a custom operator ("LceBconv2d").
        inputs: tensor indices; None where an optional one is absent.
        options: the fields of its options table, by their names in TFLite's schema; of a custom operator, its map.
    """

    kind: str
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Container:
    """The one subgraph of a `.tflite` file, operators in the order in which they run."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


_ACTIVATION = ("FusedActivationFunction",)
_SLIDE = ("Padding", "StrideH", "StrideW", *_ACTIVATION)
_POOL = ("Pool2DOptions", (*_SLIDE, "FilterHeight", "FilterWidth"))
_PLACES = ("AlignCorners", "HalfPixelCenters")
_OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": ("Conv2DOptions", (*_SLIDE, "DilationHFactor", "DilationWFactor")),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", (*_SLIDE, "DilationHFactor", "DilationWFactor")),
    "TRANSPOSE_CONV": ("TransposeConvOptions", _SLIDE),
    "FULLY_CONNECTED": ("FullyConnectedOptions", (*_ACTIVATION, "WeightsFormat", "KeepNumDims")),
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "ADD": ("AddOptions", _ACTIVATION),
    "SUB": ("SubOptions", _ACTIVATION),
    "MUL": ("MulOptions", _ACTIVATION),
    "DIV": ("DivOptions", _ACTIVATION),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", *_ACTIVATION)),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "PACK": ("PackOptions", ("Axis",)),
    "UNPACK": ("UnpackOptions", ("Axis",)),
    "SPACE_TO_DEPTH": ("SpaceToDepthOptions", ("BlockSize",)),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", ("BlockSize",)),
    "GELU": ("GeluOptions", ("Approximate",)),
    "GATHER": ("GatherOptions", ("Axis", "BatchDims")),
    "MIRROR_PAD": ("MirrorPadOptions", ("Mode",)),
    "L2_NORMALIZATION": ("L2NormOptions", _ACTIVATION),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", _PLACES),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", _PLACES),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask"),
    ),
}


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


_KINDS = _names(tflite.BuiltinOperator)
_TYPES = _names(tflite.TensorType)


def read(name: str, content: bytes) -> Container:
    """The content of a `.tflite` file.

    Args:
        name: of the file, for messages.

    Raises:
        ModelError: it is another kind of file, damaged, or larger than any real model.
    """
    if content[4:8] != IDENTIFIER:
        raise ModelError(
            f"{name!r} is not a TensorFlow Lite file: the mark {IDENTIFIER.decode()!r} is missing.",
            "It was renamed, or the download was cut off or replaced by an error page.",
            "Convert the model again, or fetch it again.",
        )
    with _damage_told(name):
        return _read(name, content)


@contextmanager
def _damage_told(name: str) -> Iterator[None]:
    try:
        yield
    except (struct.error, IndexError, KeyError, ValueError, TypeError, OverflowError) as broken:
        raise ModelError(
            f"{name!r} is damaged: it points outside of itself or contradicts itself ({broken}).",
            "The file was cut off, or changed after it was written.",
            "Convert the model again, or fetch it again.",
        ) from None


def _read(name: str, content: bytes) -> Container:
    model = tflite.Model.GetRootAsModel(content, 0)
    if model.SubgraphsLength() != 1:
        raise ModelError(
            f"{name!r} has {model.SubgraphsLength()} subgraphs; a network without control flow has one.",
            "The model has loops or conditions, or several signatures.",
            "Convert it with one signature and without tf.while_loop and tf.cond.",
        )
    buffers = [_buffer(model.Buffers(i), content) for i in range(_count(model.BuffersLength(), MAX_TENSORS, "buffers"))]
    graph = model.Subgraphs(0)
    tensors = tuple(
        _tensor(graph.Tensors(i), buffers) for i in range(_count(graph.TensorsLength(), MAX_TENSORS, "tensors"))
    )
    kinds = [
        _kind(model.OperatorCodes(i))
        for i in range(_count(model.OperatorCodesLength(), MAX_OPERATORS, "operator codes"))
    ]
    operators = tuple(
        _operator(graph.Operators(i), kinds, len(tensors))
        for i in range(_count(graph.OperatorsLength(), MAX_OPERATORS, "operators"))
    )
    inputs = _indices(graph.InputsLength(), graph.Inputs, len(tensors))
    outputs = _indices(graph.OutputsLength(), graph.Outputs, len(tensors))
    if not outputs:
        raise ModelError(f"{name!r} has no output.")
    return Container(tensors, operators, inputs, outputs)


def _count(length: int, most: int, what: str) -> int:
    if length > most:
        raise ValueError(f"{length:,} {what}")
    return length


def _buffer(buffer: Any, content: bytes) -> Array:
    """The bytes of a buffer: inside the flatbuffer or, in files of more than 2 GB, behind it."""
    start, size = buffer.Offset(), buffer.Size()
    if start > 1:
        if start + size > len(content):
            raise ValueError("a buffer behind the end")
        return np.frombuffer(content, np.uint8, size, start)
    if buffer.DataIsNone():
        return np.empty(0, np.uint8)
    data: Array = np.asarray(buffer.DataAsNumpy())
    return data


def _tensor(tensor: Any, buffers: list[Array]) -> Tensor:
    text = (tensor.Name() or b"")[:MAX_NAME].decode("utf-8", "replace")
    rank = _count(tensor.ShapeLength(), shapes.MAX_RANK + 2, f"axes of the tensor {text!r}")
    shape = tuple(int(tensor.Shape(axis)) for axis in range(rank))
    dtype = _TYPES.get(tensor.Type(), f"type {tensor.Type()}")
    if tensor.IsVariable():
        raise ModelError(
            f"The tensor {text!r} is a variable: the model keeps state from one inference to the next.",
            "Recurrent layers do that.",
            "Convert a model without state.",
        )
    raw = buffers[tensor.Buffer()]
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis = 0
    quantization = tensor.Quantization()
    if quantization is not None and quantization.ScaleLength() > 0:
        most = max(1, *shape) if shape else 1
        scales = tuple(quantization.Scale(i) for i in range(_count(quantization.ScaleLength(), most, "scales")))
        points = [quantization.ZeroPoint(i) for i in range(_count(quantization.ZeroPointLength(), most, "zero points"))]
        zero_points = tuple(int(point) for point in points) or (0,) * len(scales)
        axis = quantization.QuantizedDimension()
        if len(zero_points) != len(scales) or not all(math.isfinite(scale) and scale > 0 for scale in scales):
            raise ValueError(f"the quantisation of the tensor {text!r}")
    count = min(tensor.ShapeSignatureLength(), rank)
    left = frozenset(at for at in range(count) if tensor.ShapeSignature(at) < 0)
    return Tensor(text, shape, dtype, _data(raw, shape, dtype, text), scales, zero_points, axis, left)


def _data(raw: Array, shape: tuple[int, ...], dtype: str, name: str) -> Array | None:
    """A constant's value; None for a tensor that is computed."""
    if raw.size == 0 or dtype not in _DTYPES:
        return None
    kind = np.dtype(_DTYPES[dtype])
    if any(size < 0 for size in shape) or math.prod(shape) * kind.itemsize != raw.size:
        raise ValueError(f"{raw.size:,} bytes for the tensor {name!r} of shape {list(shape)}")
    data: Array = raw.view(kind).reshape(shape)
    return data


def _kind(code: Any) -> str:
    # Codes above 127 stand in a field that was added later; the old one then holds a placeholder.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number != tflite.BuiltinOperator.CUSTOM:
        return _KINDS.get(number, f"operator {number}")
    name = (code.CustomCode() or b"")[:MAX_NAME].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in name) or "CUSTOM"


def _indices(length: int, at: Callable[[int], int], tensors: int) -> tuple[int, ...]:
    found = tuple(int(at(i)) for i in range(_count(length, MAX_OPERANDS, "operands")))
    if any(not 0 <= index < tensors for index in found):
        raise ValueError("a tensor index")
    return found


def _operator(operator: Any, kinds: list[str], tensors: int) -> Operator:
    kind = kinds[operator.OpcodeIndex()]
    given = [int(operator.Inputs(i)) for i in range(_count(operator.InputsLength(), MAX_OPERANDS, "operands"))]
    if any(index >= tensors for index in given):
        raise ValueError("a tensor index")
    inputs = tuple(None if index < 0 else index for index in given)
    outputs = _indices(operator.OutputsLength(), operator.Outputs, tensors)
    if operator.CustomOptionsLength():
        return Operator(kind, inputs, outputs, _custom_options(operator))
    return Operator(kind, inputs, outputs, _builtin_options(kind, operator))


def _builtin_options(kind: str, operator: Any) -> dict[str, Any]:
    table = operator.BuiltinOptions()
    if kind not in _OPTIONS or table is None:
        return {}
    name, wanted = _OPTIONS[kind]
    if operator.BuiltinOptionsType() != getattr(tflite.BuiltinOptions, name):
        raise ValueError(f"{kind} has the options of another operator")
    options = getattr(tflite, name)()
    options.Init(table.Bytes, table.Pos)
    values = {key: getattr(options, key)() for key in wanted}
    if not all(math.isfinite(value) for value in values.values()):
        raise ValueError(f"an option of {kind}")
    return values


def _custom_options(operator: Any) -> dict[str, Any]:
    """A flexbuffer map of integers; whatever else it holds is left alone."""
    size = _count(operator.CustomOptionsLength(), MAX_CUSTOM_OPTIONS, "bytes of custom options")
    root = flatbuffers.flexbuffers.GetRoot(bytes(operator.CustomOptionsAsNumpy()[:size]))
    if not root.IsMap:
        return {}
    found = root.AsMap
    _count(len(found), 64, "custom options")
    pairs = zip((found.Keys[i] for i in range(len(found))), (found.Values[i] for i in range(len(found))), strict=True)
    return {str(key.AsKey): int(value.AsInt) for key, value in pairs if value.IsInt or value.IsBool}
