# SPDX-License-Identifier: Apache-2.0
"""The `.bnn` file: a graph as the C structs of `kernels/include/bnn/format.h`, ready to be mapped."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness import abi
from harness.model.graph import Graph, Tensor

MAGIC = b"\x89BNN\r\n\x1a\n"
DTYPES = {"f32": "BNN_F32", "i8": "BNN_I8", "i32": "BNN_I32", "bits": "BNN_BITS"}
CHECKSUM_AT = 12


def encode(graph: Graph) -> bytes:
    """The bytes of a `.bnn` file; the same graph gives the same bytes."""
    align = abi.constant("BNN_ALIGN")
    used = {name for node in graph.nodes for name in (*node.inputs, node.output) if name} | {
        *graph.inputs,
        *graph.outputs,
    }
    tensors = [tensor for name, tensor in graph.tensors.items() if name in used]
    number = {tensor.name: at for at, tensor in enumerate(tensors)}

    strings, string_at = bytearray(), dict[str, int]()
    for text in (*(tensor.name for tensor in tensors), *(node.name for node in graph.nodes)):
        if text not in string_at:
            string_at[text] = len(strings)
            strings += text.replace("\0", "").encode() + b"\0"

    index = [number[name] for name in (*graph.inputs, *graph.outputs)]
    params, nodes = bytearray(), bytearray()
    for node in graph.nodes:
        packed = _params(node.op, node.params)
        record = abi.struct(
            "node",
            op=abi.ops()[node.op].code,
            name=string_at[node.name],
            inputs=len(index),
            input_count=len(node.inputs),
            output=number[node.output],
            params_offset=len(params),
            params_bytes=len(packed),
        )
        index += [abi.constant("BNN_NONE") if name is None else number[name] for name in node.inputs]
        nodes += abi.pack(record)
        params += packed + bytes(-len(packed) % 8)

    sections: dict[str, bytes] = {
        "nodes": bytes(nodes),
        "index": np.asarray(index, "<u4").tobytes(),
        "params": bytes(params),
        "strings": bytes(strings),
    }
    offsets: dict[str, int] = {}
    at = abi.ffi().sizeof("struct bnn_header")
    at += -at % align
    offsets["tensors"] = at
    at += len(tensors) * abi.ffi().sizeof("struct bnn_tensor")
    for name, section in sections.items():
        at += -at % align
        offsets[name] = at
        at += len(section)
    at += -at % align
    offsets["data"] = at

    data, records = bytearray(), bytearray()
    for tensor in tensors:
        value = b"" if tensor.data is None else np.ascontiguousarray(tensor.data).tobytes()
        records += abi.pack(
            _record(tensor, string_at[tensor.name], at + len(data) if tensor.data is not None else 0, len(value))
        )
        data += value + bytes(-len(value) % align)
    sections["tensors"], sections["data"] = bytes(records), bytes(data)

    header = abi.struct(
        "header",
        magic=MAGIC,
        version=abi.constant("BNN_VERSION"),
        file_bytes=at + len(data),
        tensor_count=len(tensors),
        node_count=len(graph.nodes),
        index_count=len(index),
        input_count=len(graph.inputs),
        output_count=len(graph.outputs),
        state_count=graph.states,
        params_bytes=len(params),
        strings_bytes=len(strings),
        data_bytes=len(data),
        **{f"{name}_offset": offset for name, offset in offsets.items()},
    )
    image = bytearray(at + len(data))
    image[: abi.ffi().sizeof("struct bnn_header")] = abi.pack(header)
    for name, section in sections.items():
        image[offsets[name] : offsets[name] + len(section)] = section
    image[CHECKSUM_AT : CHECKSUM_AT + 4] = zlib.crc32(image).to_bytes(4, "little")
    return bytes(image)


def weight_bytes(graph: Graph) -> int:
    """Bytes of all constants that the graph uses, without alignment."""
    used = {name for node in graph.nodes for name in node.inputs if name}
    return sum(data.nbytes for name in used if (data := graph.tensors[name].data) is not None)


def _record(tensor: Tensor, name: int, offset: int, size: int) -> Any:
    return abi.struct(
        "tensor",
        name=name,
        dtype=abi.constant(DTYPES[tensor.dtype]),
        rank=len(tensor.shape),
        planes=tensor.planes,
        constant=int(tensor.data is not None),
        shape=[*tensor.shape, *[1] * (abi.constant("BNN_MAX_RANK") - len(tensor.shape))],
        scale=tensor.scale,
        zero_point=tensor.zero_point,
        data_offset=offset,
        data_bytes=size,
    )


def _params(op: str, values: Mapping[str, Any]) -> bytes:
    """The params struct of an operation. Clamps that a node does not mention do not clamp."""
    names = abi.fields(f"{op}_params")
    unknown = set(values) - set(names)
    if unknown:
        raise KeyError(f"{op} has no parameter {', '.join(sorted(unknown))}")
    defaults = {key: value for key, value in (("lo", -np.inf), ("hi", np.inf)) if key in names}
    return abi.pack(abi.struct(f"{op}_params", **{**defaults, **values}))
