# SPDX-License-Identifier: Apache-2.0
"""Writes a float graph as an ONNX file, so that another engine can run the same net.

Images are NCHW there, and so is every tensor of rank 4; the others stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from harness import abi
from harness.errors import UsageError
from harness.model.graph import Array, Graph, Node

OPSET = 17
IR_VERSION = 8
"""What went with that opset: older engines refuse newer ones."""

_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)

_ARITH = ("Add", "Sub", "Mul", "Div", "Min", "Max")
_UNARY = (
    "Abs",
    "Neg",
    "Sign",
    "Round",
    "Floor",
    "Ceil",
    "Sqrt",
    "Exp",
    "Log",
    "Tanh",
    "Sigmoid",
    "Elu",
    "Softplus",
    "Erf",
)
"""Operations of ONNX that are kinds of ours by the same name."""


def _kind(node: Node, named: Sequence[str]) -> str:
    kinds = {abi.constant(f"BNN_{name.upper()}"): name for name in named}
    if node.params["kind"] not in kinds:
        raise UsageError(f"{node.name!r} is a {node.op} of another kind: no ONNX is written for that.")
    return kinds[node.params["kind"]]


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.fresh = 0

    def shape(self, tensor: str) -> tuple[int, ...]:
        """As ONNX has it."""
        own = self.graph.tensors[tensor].shape
        return tuple(own[axis] for axis in _TO_NCHW) if len(own) == 4 else own

    def value(self, tensor: str) -> Array | None:
        """The constant that a tensor is, in the graph's own layout; None where it is computed."""
        return self.graph.tensors[tensor].data

    def name(self, hint: str) -> str:
        self.fresh += 1
        return f"{hint}/{self.fresh}"

    def constant(self, hint: str, value: Any, dtype: Any = np.float32) -> str:
        name = self.name(hint)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
        return name

    def add(self, op: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        output = output or self.name(op)
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=self.name(op), **attributes))
        return output

    def clamped(self, node: Node, op: str, inputs: Sequence[str], **attributes: Any) -> None:
        """An operation with the clamp behind it that every one of ours may have."""
        lo, hi = float(node.params.get("lo", -math.inf)), float(node.params.get("hi", math.inf))
        if (lo, hi) == (-math.inf, math.inf):
            self.add(op, inputs, node.output, **attributes)
        else:
            self.clip(self.add(op, inputs, **attributes), lo, hi, node.output)

    def clip(self, x: str, lo: float, hi: float, output: str) -> None:
        if (lo, hi) == (0.0, math.inf):
            self.add("Relu", [x], output)
        else:
            bounds = [self.constant("bound", bound) if math.isfinite(bound) else "" for bound in (lo, hi)]
            self.add("Clip", [x, *bounds], output)

    def operand(self, tensor: str, rank: int) -> str:
        """An operand of an elementwise operation on tensors of a rank: constants come as they broadcast there."""
        value = self.value(tensor)
        if value is None:
            if rank == 4 and len(self.graph.tensors[tensor].shape) not in (0, 4):
                raise UsageError(f"{tensor!r} broadcasts against an image: no ONNX is written for that.")
            return tensor
        value = value.reshape((1,) * (rank - value.ndim) + value.shape)
        return self.constant(tensor, value.transpose(_TO_NCHW) if rank == 4 else value)


def _window(node: Node) -> dict[str, Any]:
    w: Mapping[str, int] = node.params["window"]
    return {
        "kernel_shape": [w["kernel_h"], w["kernel_w"]],
        "strides": [w["stride_h"], w["stride_w"]],
        "dilations": [w["dilation_h"], w["dilation_w"]],
        "pads": [w["pad_top"], w["pad_left"], w["pad_bottom"], w["pad_right"]],
    }


def _conv2d(writer: _Writer, node: Node) -> None:
    x, kernel, *bias = (str(name) for name in node.inputs if name)
    if node.params.get("pad_value"):
        raise UsageError(f"{node.name!r} pads with {node.params['pad_value']:g}: no ONNX is written for that.")
    weight = writer.value(kernel)
    assert weight is not None
    inputs = [x, writer.constant(kernel, weight.transpose(0, 3, 1, 2))]
    inputs += [writer.constant(name, writer.value(name)) for name in bias]
    writer.clamped(node, "Conv", inputs, group=node.params.get("groups", 1), **_window(node))


def _dense(writer: _Writer, node: Node) -> None:
    x, kernel, *bias = (str(name) for name in node.inputs if name)
    inputs = [x, writer.constant(kernel, writer.value(kernel))]
    inputs += [writer.constant(name, writer.value(name)) for name in bias]
    writer.clamped(node, "Gemm", inputs, transB=1)


def _affine(writer: _Writer, node: Node) -> None:
    x, scale, *offset = (str(name) for name in node.inputs if name)
    rank = len(writer.shape(node.output))
    factors = [x, writer.operand(scale, rank)]
    if offset:
        writer.clamped(node, "Add", [writer.add("Mul", factors), writer.operand(offset[0], rank)])
    else:
        writer.clamped(node, "Mul", factors)


def _arith(writer: _Writer, node: Node) -> None:
    rank = len(writer.shape(node.output))
    writer.clamped(node, _kind(node, _ARITH), [writer.operand(str(name), rank) for name in node.inputs if name])


def _unary(writer: _Writer, node: Node) -> None:
    writer.add(_kind(node, _UNARY), [str(node.inputs[0])], node.output)


def _clamp(writer: _Writer, node: Node) -> None:
    writer.clip(str(node.inputs[0]), float(node.params["lo"]), float(node.params["hi"]), node.output)


def _max_pool2d(writer: _Writer, node: Node) -> None:
    writer.add("MaxPool", [str(node.inputs[0])], node.output, **_window(node))


def _avg_pool2d(writer: _Writer, node: Node) -> None:
    if node.params.get("sum"):
        raise UsageError(f"{node.name!r} sums without dividing: no ONNX is written for that.")
    window = _window(node)
    if window.pop("dilations") != [1, 1]:
        raise UsageError(f"{node.name!r} is a dilated pool: no ONNX is written for that.")
    count = int(node.params.get("count_pads", 0))
    writer.add("AveragePool", [str(node.inputs[0])], node.output, count_include_pad=count, **window)


def _mean(writer: _Writer, node: Node) -> None:
    x = str(node.inputs[0])
    rank, own = len(writer.shape(x)), [axis for axis in range(6) if node.params["axes"] >> axis & 1]
    axes = [_TO_NCHW.index(axis) for axis in own] if rank == 4 else own
    kept = len(writer.shape(node.output)) == rank
    if not kept and rank == 4 and len(own) == 1:
        raise UsageError(f"{node.name!r} takes the mean of one axis of an image: no ONNX is written for that.")
    writer.add("ReduceMean", [x], node.output, axes=axes, keepdims=int(kept))


def _softmax(writer: _Writer, node: Node) -> None:
    if node.params.get("beta", 1.0) != 1.0 or len(writer.shape(node.output)) == 4:
        raise UsageError(f"{node.name!r}: no ONNX is written for such a softmax.")
    writer.add("Softmax", [str(node.inputs[0])], node.output, axis=-1)


def _reshape(writer: _Writer, node: Node) -> None:
    x = str(node.inputs[0])
    if len(writer.shape(x)) == 4:
        x = writer.add("Transpose", [x], perm=_TO_NHWC)
    shape = writer.constant("shape", writer.graph.tensors[node.output].shape, np.int64)
    if len(writer.shape(node.output)) == 4:
        writer.add("Transpose", [writer.add("Reshape", [x, shape])], node.output, perm=_TO_NCHW)
    else:
        writer.add("Reshape", [x, shape], node.output)


def _concat(writer: _Writer, node: Node) -> None:
    rank = len(writer.shape(node.output))
    axis = _TO_NCHW.index(node.params["axis"]) if rank == 4 else node.params["axis"]
    writer.add("Concat", [writer.operand(str(name), rank) for name in node.inputs if name], node.output, axis=axis)


def _slice(writer: _Writer, node: Node) -> None:
    x = str(node.inputs[0])
    order = _TO_NCHW if len(writer.shape(x)) == 4 else tuple(range(len(writer.shape(x))))
    begin = [node.params["begin"][axis] for axis in order]
    step = [node.params["step"][axis] for axis in order]
    sizes = writer.shape(node.output)
    end = [first + (size - 1) * by + 1 for first, size, by in zip(begin, sizes, step, strict=True)]
    bounds = [writer.constant("bound", part, np.int64) for part in (begin, end, range(len(order)), step)]
    writer.add("Slice", [x, *bounds], node.output)


def _pad(writer: _Writer, node: Node) -> None:
    x = str(node.inputs[0])
    order = _TO_NCHW if len(writer.shape(x)) == 4 else tuple(range(len(writer.shape(x))))
    pads = [node.params[side][axis] for side in ("before", "after") for axis in order]
    value = writer.constant("value", node.params.get("value", 0.0))
    writer.add("Pad", [x, writer.constant("pads", pads, np.int64), value], node.output)


def _prelu(writer: _Writer, node: Node) -> None:
    x, alpha = (str(name) for name in node.inputs)
    writer.add("PRelu", [x, writer.operand(alpha, len(writer.shape(x)))], node.output)


OPS: Mapping[str, Callable[[_Writer, Node], None]] = {
    "conv2d": _conv2d,
    "dense": _dense,
    "affine": _affine,
    "arith": _arith,
    "unary": _unary,
    "clamp": _clamp,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "mean": _mean,
    "softmax": _softmax,
    "reshape": _reshape,
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
    "prelu": _prelu,
}


def encode(graph: Graph) -> bytes:
    """The bytes of an ONNX file that computes what a float graph does; images go in and come out as NCHW.

    Raises:
        UsageError: the graph holds an operation that this module does not write.
    """
    writer = _Writer(graph)
    for node in graph.nodes:
        if node.op not in OPS:
            raise UsageError(f"{node.name!r} is a {node.op}: no ONNX is written for that.")
        OPS[node.op](writer, node)
    ports = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, writer.shape(name)) for name in names]
        for names in (graph.inputs, graph.outputs)
    ]
    made = helper.make_graph(writer.nodes, graph.name, ports[0], ports[1], writer.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def image(array: Array) -> Array:
    """An array of the graph as the ONNX file takes it."""
    return np.ascontiguousarray(array.transpose(_TO_NCHW) if array.ndim == 4 else array)
