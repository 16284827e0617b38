# SPDX-License-Identifier: Apache-2.0
"""Writes small `.tflite` files, for operators that no recorded model has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tflite

from harness.model import importers
from harness.model.graph import Graph

_TYPES = {
    np.dtype(np.float32): tflite.TensorType.FLOAT32,
    np.dtype(np.float16): tflite.TensorType.FLOAT16,
    np.dtype(np.int32): tflite.TensorType.INT32,
    np.dtype(np.int8): tflite.TensorType.INT8,
    np.dtype(np.bool_): tflite.TensorType.BOOL,
}


@dataclass(frozen=True)
class Tensor:
    """A tensor; `data` of a constant."""

    shape: tuple[int, ...]
    dtype: Any = np.float32
    data: Any = None
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    signature: tuple[int, ...] = ()


@dataclass(frozen=True)
class Operator:
    """An operator; `table` names its options table, `options` has that table's fields."""

    kind: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    table: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def constant(value: Any) -> Tensor:
    data = np.asarray(value)
    data = data.astype({"f": np.float32, "i": np.int32, "b": np.bool_}[data.dtype.kind])
    return Tensor(data.shape, data.dtype, data)


def write(
    tensors: Mapping[str, Tensor], operators: Sequence[Operator], inputs: Sequence[str], outputs: Sequence[str]
) -> bytes:
    """The bytes of a file with these tensors; an empty name among operands is an absent one."""
    builder = flatbuffers.Builder(1024)
    index = {name: at for at, name in enumerate(tensors)} | {"": -1}
    buffers = [_table(builder, "Buffer")]
    rows = []
    for name, tensor in tensors.items():
        if tensor.data is not None:
            data = builder.CreateByteVector(np.ascontiguousarray(tensor.data, tensor.dtype).tobytes())
            buffers.append(_table(builder, "Buffer", Data=data))
        rows.append(_tensor(builder, name, tensor, len(buffers) - 1 if tensor.data is not None else 0))
    kinds = list(dict.fromkeys(operator.kind for operator in operators))
    codes = []
    for kind in kinds:
        code = getattr(tflite.BuiltinOperator, kind)
        codes.append(_table(builder, "OperatorCode", BuiltinCode=code, DeprecatedBuiltinCode=min(code, 127)))
    steps = []
    for operator in operators:
        options = _table(builder, operator.table, **operator.options) if operator.table else 0
        ins = _ints(builder, [index[name] for name in operator.inputs])
        outs = _ints(builder, [index[name] for name in operator.outputs])
        fields = {}
        if operator.table:
            member = getattr(tflite.BuiltinOptions, operator.table)
            fields = {"BuiltinOptions": options, "BuiltinOptionsType": member}
        steps.append(
            _table(builder, "Operator", OpcodeIndex=kinds.index(operator.kind), Inputs=ins, Outputs=outs, **fields)
        )
    graph = _table(
        builder,
        "SubGraph",
        Tensors=_offsets(builder, rows),
        Operators=_offsets(builder, steps),
        Inputs=_ints(builder, [index[name] for name in inputs]),
        Outputs=_ints(builder, [index[name] for name in outputs]),
    )
    model = _table(
        builder,
        "Model",
        Version=3,
        OperatorCodes=_offsets(builder, codes),
        Subgraphs=_offsets(builder, [graph]),
        Buffers=_offsets(builder, buffers),
    )
    builder.Finish(model, file_identifier=b"TFL3")
    return bytes(builder.Output())


def load(folder: Path, content: bytes) -> Graph:
    """What the importer makes of a file."""
    file = folder / "model.tflite"
    file.write_bytes(content)
    return importers.load(file)


def _tensor(builder: Any, name: str, tensor: Tensor, buffer: int) -> int:
    text = builder.CreateString(name)
    shape = _ints(builder, tensor.shape)
    fields = {}
    if tensor.signature:
        fields["ShapeSignature"] = _ints(builder, tensor.signature)
    if tensor.scales:
        builder.StartVector(4, len(tensor.scales), 4)
        for scale in reversed(tensor.scales):
            builder.PrependFloat32(scale)
        scales = builder.EndVector()
        builder.StartVector(8, len(tensor.zero_points), 8)
        for point in reversed(tensor.zero_points):
            builder.PrependInt64(point)
        points = builder.EndVector()
        grid = {"Scale": scales, "ZeroPoint": points, "QuantizedDimension": tensor.axis}
        fields["Quantization"] = _table(builder, "QuantizationParameters", **grid)
    kind = _TYPES[np.dtype(tensor.dtype)]
    return _table(builder, "Tensor", Name=text, Shape=shape, Buffer=buffer, Type=kind, **fields)


def _table(builder: Any, name: str, **values: Any) -> int:
    getattr(tflite, f"{name}Start")(builder)
    for key, value in values.items():
        getattr(tflite, f"{name}Add{key}")(builder, value)
    end: int = getattr(tflite, f"{name}End")(builder)
    return end


def _ints(builder: Any, values: Sequence[int]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependInt32(value)
    end: int = builder.EndVector()
    return end


def _offsets(builder: Any, values: Sequence[int]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependUOffsetTRelative(value)
    end: int = builder.EndVector()
    return end
