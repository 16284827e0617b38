# SPDX-License-Identifier: Apache-2.0
"""The `.bnn` file: a graph as the C structs of `kernels/include/bnn/format.h`, ready to be mapped."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import abi
from harness.model.graph import Graph, Tensor

MAGIC = b"\x89BNN\r\n\x1a\n"
DTYPES = {"f32": "BNN_F32", "i8": "BNN_I8", "i32": "BNN_I32", "bits": "BNN_BITS"}
CHECKSUM_AT = 12


def encode(graph: Graph) -> bytes:
    """The bytes of a `.bnn` file; the same graph gives the same bytes."""
    used = {name for node in graph.nodes for name in (*node.inputs, node.output)} | {*graph.inputs, *graph.outputs}
    tensors = [tensor for name, tensor in graph.tensors.items() if name in used]
    strings, string_at = _strings((*(tensor.name for tensor in tensors), *(node.name for node in graph.nodes)))
    nodes, index, params = _nodes(graph, {tensor.name: at for at, tensor in enumerate(tensors)}, string_at)
    room = bytes(len(tensors) * abi.ffi().sizeof("struct bnn_tensor"))
    sections = {"tensors": room, "nodes": nodes, "index": index.tobytes(), "params": params, "strings": strings}
    offsets = _offsets(sections)
    sections["tensors"], sections["data"] = _constants(tensors, string_at, offsets["data"])
    header = abi.struct(
        "header",
        magic=MAGIC,
        version=abi.constant("BNN_VERSION"),
        file_bytes=offsets["data"] + len(sections["data"]),
        tensor_count=len(tensors),
        node_count=len(graph.nodes),
        index_count=len(index),
        input_count=len(graph.inputs),
        output_count=len(graph.outputs),
        state_count=graph.states,
        params_bytes=len(params),
        strings_bytes=len(strings),
        data_bytes=len(sections["data"]),
        **{f"{name}_offset": offset for name, offset in offsets.items()},
    )
    image = bytearray(header.file_bytes)
    for at, section in ((0, abi.pack(header)), *((offsets[name], section) for name, section in sections.items())):
        image[at : at + len(section)] = section
    image[CHECKSUM_AT : CHECKSUM_AT + 4] = zlib.crc32(image).to_bytes(4, "little")
    return bytes(image)


def _aligned(size: int) -> int:
    return size + -size % abi.constant("BNN_ALIGN")


def _strings(texts: Iterable[str]) -> tuple[bytes, dict[str, int]]:
    """Each text once, and where it begins."""
    strings, string_at = bytearray(), dict[str, int]()
    for text in texts:
        if text not in string_at:
            string_at[text] = len(strings)
            strings += text.replace("\0", "").encode() + b"\0"
    return bytes(strings), string_at


def _nodes(
    graph: Graph, number: Mapping[str, int], string_at: Mapping[str, int]
) -> tuple[bytes, NDArray[np.uint32], bytes]:
    """Nodes, the index (the graph's inputs and outputs, then the inputs of each node) and params."""
    index = [number[name] for name in (*graph.inputs, *graph.outputs)]
    nodes, params = bytearray(), bytearray()
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
    return bytes(nodes), np.asarray(index, "<u4"), bytes(params)


def _offsets(sections: Mapping[str, bytes]) -> dict[str, int]:
    """Where each section begins, one after the other behind the header, and the data behind them all."""
    offsets, at = {}, _aligned(abi.ffi().sizeof("struct bnn_header"))
    for name, section in sections.items():
        offsets[name] = at
        at = _aligned(at + len(section))
    return offsets | {"data": at}


def _constants(tensors: Iterable[Tensor], string_at: Mapping[str, int], first: int) -> tuple[bytes, bytes]:
    """The record of each tensor, and the data of the constants, which begin at `first` in the file."""
    records, data = bytearray(), bytearray()
    for tensor in tensors:
        value = b"" if tensor.data is None else np.ascontiguousarray(tensor.data).tobytes()
        offset = 0 if tensor.data is None else first + len(data)
        records += abi.pack(_record(tensor, string_at[tensor.name], offset, len(value)))
        data += value + bytes(_aligned(len(value)) - len(value))
    return bytes(records), bytes(data)


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
