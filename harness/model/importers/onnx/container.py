# SPDX-License-Identifier: Apache-2.0
"""What an `.onnx` file says, as plain frozen values, checked before anything is made of them.

Nothing outside of the model's own folder is ever read: external data has to name a regular file in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from harness.errors import ModelError, UnsupportedModel
from harness.model import shapes
from harness.model.graph import Array

MAX_NODES = 20_000
OLDEST_OPSET = 7
STANDARD = ""
_DTYPES = frozenset(
    {"FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "BOOL"}
    | {f"{sign}INT{bits}" for sign in ("", "U") for bits in (4, 8, 16, 32, 64)}
)


@dataclass(frozen=True)
class Operator:
    """One node of the file.

    Attributes:
        kind: its operator ("Conv", "BipolarQuant").
        domain: empty for ONNX's own.
        inputs: value names; empty for an optional one that is absent.
        attributes: numbers, strings, lists of them; tensors as arrays.
        proto: the node itself, for the constants that ONNX's own reference computes.
    """

    kind: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    proto: onnx.NodeProto


@dataclass(frozen=True)
class Container:
    """The graph of an `.onnx` file, nodes in an order in which they can run.

    Attributes:
        inputs: names and shapes; a symbolic size stands as its name, an unnamed one as "?".
        file_bytes: of the file and of the external data that belongs to it.
    """

    operators: tuple[Operator, ...]
    constants: Mapping[str, Array]
    inputs: Mapping[str, tuple[int | str, ...]]
    outputs: tuple[str, ...]
    opset: int
    file_bytes: int


def read(path: Path) -> Container:
    """The content of an `.onnx` file.

    Raises:
        ModelError: it is another kind of file, damaged, or refers to files that it has no business with.
    """
    content = path.read_bytes()
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        model.Clear()
    if not model.ir_version or not model.graph.node:
        raise ModelError(
            f"{path.name!r} is not an ONNX model, or only a part of one.",
            "It was renamed, or the export or the download was cut off.",
            "Export the model again, or fetch it again.",
        )
    graph = model.graph
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ModelError(
            f"{path.name!r} uses the operator set {opset}; {OLDEST_OPSET} to {newest} are known.",
            "It is older or newer than this version of bitrig, or the file was cut off.",
            "Export it with opset_version=17, for instance.",
        )
    if len(graph.node) > MAX_NODES:
        raise ModelError(f"{path.name!r} has {len(graph.node):,} nodes; at most {MAX_NODES:,} are accepted.")
    if graph.sparse_initializer:
        raise UnsupportedModel(f"{path.name!r} has sparse weights.", operations=("sparse initializer",))
    constants, outside = {}, 0
    for tensor in graph.initializer:
        name = text(tensor.name)
        if name in constants:
            raise ModelError(f"{path.name!r} has two initialisers with the name {name!r}.")
        constants[name] = array(tensor, path.parent)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            outside += constants[name].nbytes
    operators = tuple(_operator(node) for node in graph.node)
    inputs = {text(value.name): _shape(value) for value in graph.input if text(value.name) not in constants}
    outputs = tuple(text(value.name) for value in graph.output)
    _check_order(path.name, operators, {*inputs, *constants}, outputs)
    return Container(operators, constants, inputs, outputs, opset, len(content) + outside)


def text(field: Any) -> str:
    """A string of the file as something that can be shown; protobuf gives bytes where it is no UTF-8."""
    whole = field.decode("utf-8", "replace") if isinstance(field, bytes) else str(field)
    return "".join(letter if letter.isprintable() else "?" for letter in whole)


def array(tensor: onnx.TensorProto, folder: Path | None) -> Array:
    """The value of a tensor; one without a name is a node's attribute.

    Args:
        folder: of the model file; None where external data is not allowed.
    """
    name, shape = text(tensor.name), tuple(int(size) for size in tensor.dims)
    if len(shape) > shapes.MAX_RANK or any(size < 0 for size in shape) or math.prod(shape) > shapes.MAX_ELEMENTS:
        raise ModelError(
            f"The tensor {name!r} claims the shape {list(shape)}.",
            "The file is damaged, or not meant for a small board.",
        )
    kind = onnx.TensorProto.DataType.Name(tensor.data_type) if tensor.data_type in _known() else "unknown"
    if kind not in _DTYPES:
        raise UnsupportedModel(f"The tensor {name!r} has the type {kind}.", operations=(f"{kind} tensor",))
    try:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            value = _external(tensor, shape, folder)
        else:
            value = onnx.numpy_helper.to_array(tensor).reshape(shape)
    except (ValueError, TypeError, OverflowError) as broken:
        raise ModelError(
            f"The tensor {name!r} does not hold what its shape {list(shape)} promises ({broken}).",
            "The file was cut off, or changed after it was written.",
            "Export the model again.",
        ) from None
    if value.dtype.kind not in "fiub":  # 4-bit integers and brain floats come in types that NumPy does not have
        value = value.astype(np.float32 if "FLOAT" in kind else np.int8 if kind == "INT4" else np.uint8)
    if value.dtype.kind == "f" and np.isnan(value).any():
        raise ModelError(
            f"The weights {name!r} hold NaN.",
            "Training diverged, or the file is damaged.",
            "Load the model in the framework that wrote it and look at that layer.",
        )
    return value


def _known() -> tuple[int, ...]:
    return tuple(onnx.TensorProto.DataType.values())


def _external(tensor: onnx.TensorProto, shape: tuple[int, ...], folder: Path | None) -> Array:
    """A tensor whose bytes stand in a file of their own."""
    name, entries = text(tensor.name), {text(entry.key): text(entry.value) for entry in tensor.external_data}
    location = entries.get("location", "")
    parts = Path(location).parts
    path = None if folder is None else folder / location
    inside = path is not None and folder is not None and path.resolve().is_relative_to(folder.resolve())
    if (
        not location
        or "\0" in location
        or Path(location).is_absolute()
        or ".." in parts
        or "\\" in location
        or not inside
    ):
        raise ModelError(
            f"The weights {name!r} are to be read from {location!r}, outside of the model's own folder.",
            "The file was made on another machine, or made to read what it should not.",
            "Export the model with its weights in the same folder.",
        )
    if path is None or not path.is_file():
        raise ModelError(
            f"The weights {name!r} should stand in {location!r} beside the model, which is not there.",
            "Exporters split large models into two files, and only one was copied.",
            f"Put {location!r} into the same folder.",
        )
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    count = math.prod(shape)
    packed = onnx.TensorProto.DataType.Name(tensor.data_type).endswith("INT4")
    size = -(-count // 2) if packed else count * np.dtype(dtype).itemsize
    offset = int(entries.get("offset", "0"))
    if int(entries.get("length", size)) != size or offset < 0 or offset + size > path.stat().st_size:
        raise ValueError(f"{location!r} has {path.stat().st_size:,} bytes")
    with path.open("rb") as file:
        file.seek(offset)
        raw = file.read(size)
    whole = onnx.TensorProto(data_type=tensor.data_type, dims=shape, raw_data=raw)
    return onnx.numpy_helper.to_array(whole).reshape(shape)


def _operator(node: onnx.NodeProto) -> Operator:
    domain = STANDARD if node.domain == "ai.onnx" else text(node.domain)
    attributes: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR:
            attributes[text(attribute.name)] = array(attribute.t, None)
        elif attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            continue  # only loops and conditions have them, and those are refused by name
        else:
            attributes[text(attribute.name)] = _plain(attribute)
    inputs, outputs = tuple(map(text, node.input)), tuple(map(text, node.output))
    name = text(node.name) or next(filter(None, outputs), text(node.op_type))
    return Operator(text(node.op_type), domain, name, inputs, outputs, attributes, node)


def _plain(attribute: onnx.AttributeProto) -> Any:
    try:
        value = onnx.helper.get_attribute_value(attribute)
    except ValueError:
        raise ModelError(f"The attribute {text(attribute.name)!r} has no type; the file is damaged.") from None
    return text(value) if isinstance(value, bytes) else value


def _shape(value: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    kind = value.type.tensor_type
    if kind.elem_type != onnx.TensorProto.FLOAT:
        name = onnx.TensorProto.DataType.Name(kind.elem_type) if kind.elem_type in _known() else "unknown"
        raise UnsupportedModel(
            f"The input {text(value.name)!r} has the type {name}; bitrig feeds FLOAT.", operations=(f"{name} input",)
        )
    return tuple(
        size.dim_value if size.HasField("dim_value") else text(size.dim_param) or "?" for size in kind.shape.dim
    )


def _check_order(name: str, operators: tuple[Operator, ...], known: set[str], outputs: tuple[str, ...]) -> None:
    """Each value is written once, and before it is read."""
    for operator in operators:
        for value in operator.inputs:
            if value and value not in known:
                raise ModelError(
                    f"{name!r}: the node {operator.name!r} reads {value!r}, which nothing before it computes.",
                    "A weight is missing, the nodes are out of order, or they form a circle.",
                    "Export the model again; some exporter versions lose initialisers.",
                )
        for value in operator.outputs:
            if value and value in known:
                raise ModelError(
                    f"{name!r}: the value {value!r} is written twice, the second time by {operator.name!r}."
                )
            known.add(value)
    missing = [value for value in outputs if value not in known]
    if missing or not outputs:
        raise ModelError(
            f"{name!r}: no node computes its output {missing[0]!r}." if missing else f"{name!r} has no output."
        )
