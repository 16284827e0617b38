# SPDX-License-Identifier: Apache-2.0
"""A `.bnn` file back into a graph, so that what was made once can be run, explained and timed again."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from harness import abi
from harness.errors import ModelError
from harness.model import bits, container
from harness.model.graph import Array, Builder, Dtype, Graph

_DTYPES: dict[int, Dtype] = {abi.constant(code): cast(Dtype, name) for name, code in container.DTYPES.items()}
_KINDS: dict[Dtype, str] = {"f32": "<f4", "i8": "<i1", "i32": "<i4", "bits": "<u4"}


def load(path: Path, objects: Path | None) -> Graph:
    """Reads a `.bnn` file.

    Raises:
        ModelError: it is cut, damaged or of another version; or a field of it points outside.
    """
    image = path.read_bytes()
    try:
        return _graph(path, image)
    except (IndexError, ValueError, KeyError, UnicodeDecodeError, OverflowError) as error:
        raise _damaged(path, f"a field contradicts the file ({str(error)[:80]})") from None


def _damaged(path: Path, what: str) -> ModelError:
    return ModelError(
        f"{path.name!r} is no sound .bnn file: {what}.",
        "It was cut, changed after it was written, or made by another version.",
        "Make it again from the model it came from.",
    )


def _graph(path: Path, image: bytes) -> Graph:
    header = _header(path, image)
    index = np.frombuffer(image, "<u4", header.index_count, header.index_offset)
    strings = image[header.strings_offset : header.strings_offset + header.strings_bytes]
    tensors = [_struct(image, "tensor", header.tensors_offset, at) for at in range(_count(header.tensor_count))]
    by_code = {op.code: op for op in abi.ops().values()}
    build = Builder(path.stem)
    names: dict[int, str] = {}
    for number, tensor in enumerate(tensors):
        if tensor.constant:
            dtype, shape = _DTYPES[tensor.dtype], tuple(tensor.shape)[: tensor.rank]
            data = _data(image, tensor, dtype, shape)
            text = _text(strings, tensor.name)
            grid = {"scale": tensor.scale, "zero_point": tensor.zero_point}
            names[number] = build.constant(text, data, dtype, shape, finite=False, planes=tensor.planes, **grid)
    for number in index[: header.input_count]:
        tensor = tensors[number]
        shape = tuple(tensor.shape)[: tensor.rank]
        grid = {"scale": tensor.scale, "zero_point": tensor.zero_point}
        names[int(number)] = build.input(_text(strings, tensor.name), shape, _DTYPES[tensor.dtype], **grid)
    for at in range(_count(header.node_count)):
        node = _struct(image, "node", header.nodes_offset, at)
        op = by_code[node.op]
        operands = [
            None if number == abi.constant("BNN_NONE") else names[int(number)]
            for number in index[node.inputs : node.inputs + node.input_count]
        ]
        output = tensors[node.output]
        names[int(node.output)] = build.node(
            op.name,
            _text(strings, node.name),
            tuple(operands),
            tuple(output.shape)[: output.rank],
            _DTYPES[output.dtype],
            output=_text(strings, output.name),
            scale=output.scale,
            zero_point=output.zero_point,
            planes=output.planes,
            **_params(image, op.name, header.params_offset + node.params_offset),
        )
    for number in index[header.input_count : header.input_count + header.output_count]:
        build.output(names[int(number)])
    if header.state_count > header.input_count or header.state_count >= header.output_count:
        raise ValueError(f"{header.state_count:,} states")
    graph = replace(build.graph(len(image), ".bnn"), states=int(header.state_count))
    for state, left in graph.loops:
        if build.tensors[state].dtype != "f32" or build.shape(state) != build.shape(left):
            raise ValueError(f"the state {state!r} cannot take over {left!r}")
    return replace(graph, tensors={names[number]: graph.tensors[names[number]] for number in sorted(names)})


def _header(path: Path, image: bytes) -> Any:
    if len(image) < abi.ffi().sizeof("struct bnn_header"):
        raise _damaged(path, f"it has only {len(image)} bytes")
    header = _struct(image, "header", 0)
    if bytes(header.magic) != container.MAGIC:
        raise _damaged(path, "it does not begin as one")
    if header.version != abi.constant("BNN_VERSION"):
        raise _damaged(path, f"its version is {header.version}, and {abi.constant('BNN_VERSION')} can be read")
    if header.file_bytes != len(image):
        raise _damaged(path, f"its header says {header.file_bytes:,} bytes, and it has {len(image):,}")
    at = container.CHECKSUM_AT
    if zlib.crc32(image[:at] + bytes(4) + image[at + 4 :]) != header.checksum:
        raise _damaged(path, "its checksum does not match")
    return header


def _count(claimed: int) -> int:
    """A count of the header, bounded before anything is made of it."""
    if claimed > 1 << 16:
        raise ValueError(f"a count of {claimed:,}")
    return int(claimed)


def _struct(image: bytes, name: str, offset: int, at: int = 0) -> Any:
    size = abi.ffi().sizeof(f"struct bnn_{name}")
    start = offset + at * size
    if start + size > len(image):
        raise ValueError(f"a {name} at byte {start:,}")
    value = abi.struct(name)
    abi.ffi().buffer(value)[:] = image[start : start + size]
    return value


def _text(strings: bytes, offset: int) -> str:
    return strings[offset : strings.index(b"\0", offset)].decode()


def _data(image: bytes, tensor: Any, dtype: Dtype, shape: tuple[int, ...]) -> Array:
    stored = (*shape[:-1], tensor.planes * bits.words(shape[-1])) if dtype == "bits" else shape
    count = int(np.prod(stored, dtype=np.int64))
    return np.frombuffer(image, _KINDS[dtype], count, tensor.data_offset).reshape(stored)


def _params(image: bytes, op: str, offset: int) -> Mapping[str, Any]:
    return {name: _plain(value) for name, value in _fields(_struct(image, f"{op}_params", offset))}


def _fields(value: Any) -> list[tuple[str, Any]]:
    kind = abi.ffi().typeof(value)
    kind = kind.item if kind.kind == "pointer" else kind
    return [(name, getattr(value, name)) for name, _ in kind.fields if name != "reserved"]


def _plain(value: Any) -> Any:
    """A field as Python has it: numbers as they are, arrays as lists, structs as dicts."""
    if isinstance(value, int | float):
        return value
    if abi.ffi().typeof(value).kind == "array":
        return list(value)
    return dict(_fields(value))
