# SPDX-License-Identifier: Apache-2.0
"""TFLite's own operators: one function each, or one row of a table where they differ by a number.

Where TensorFlow's converter states an output's shape, that is taken, and what merely computes a shape is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from harness import abi
from harness.errors import ModelError
from harness.model.importers.tflite.translation import FREE, Translation

Function = Callable[[Translation], str | Sequence[str]]


def _kind(name: str) -> int:
    return abi.constant(f"BNN_{name}")


# --- windows and weights --------------------------------------------------------------------------------------------


def _stride(t: Translation) -> tuple[int, int]:
    return t.option("StrideH"), t.option("StrideW")


def _dilation(t: Translation) -> tuple[int, int]:
    return t.option("DilationHFactor"), t.option("DilationWFactor")


def conv2d(t: Translation) -> str:
    _, height, width, channels = t.image()
    filters = t.weights(1, 4)
    if channels % filters.shape[3]:
        raise ModelError(f"CONV_2D has a filter for {filters.shape[3]} channels, and an input of {channels}.")
    window = t.window((height, width), filters.shape[1:3], _stride(t), _dilation(t), t.option("Padding"))
    operands, groups = (t.operand(0), t.operand(1), t.optional(2)), channels // filters.shape[3]
    return t.emit("conv2d", operands, window=window, groups=groups, pad_value=0.0, **t.activation())


def depthwise(t: Translation) -> str:
    _, height, width, channels = t.image()
    filters = t.weights(1, 4)
    if filters.shape[0] != 1:
        raise ModelError(f"DEPTHWISE_CONV_2D has a filter of shape {list(filters.shape)}, which should begin with 1.")
    window = t.window((height, width), filters.shape[1:3], _stride(t), _dilation(t), t.option("Padding"))
    operands = t.operand(0), t.constant("filter", filters.transpose(3, 1, 2, 0)), t.optional(2)
    return t.emit("conv2d", operands, window=window, groups=channels, pad_value=0.0, **t.activation())


def transpose_conv(t: Translation) -> str:
    filters, shape = t.weights(1, 4), t.declared()
    if len(shape) != 4:
        raise ModelError(f"TRANSPOSE_CONV gives an image, not {list(shape)}.")
    window = t.window(shape[1:3], filters.shape[1:3], _stride(t), (1, 1), t.option("Padding"))
    operands = t.operand(2), t.operand(1), t.optional(3)
    return t.emit("conv2d_transpose", operands, shape=shape, window=window, groups=1, **t.activation())


def fully_connected(t: Translation) -> str:
    if t.operator.options.get("WeightsFormat", 0):
        raise t.unsupported("with shuffled weights")
    weight, x, shape = t.weights(1, 2), t.operand(0), t.shape()
    rows, rest = divmod(math.prod(shape), weight.shape[1])
    if not shape or rest:
        raise ModelError(f"FULLY_CONNECTED has a weight of {list(weight.shape)} for an input of {list(shape)}.")
    if shape[-1] != weight.shape[1] or (len(shape) != 2 and not t.operator.options.get("KeepNumDims", False)):
        x = t.emit("reshape", (x,), part="rows", shape=(rows, weight.shape[1]))
    return t.emit("dense", (x, t.operand(1), t.optional(2)), **t.activation())


def pool(op: str, t: Translation) -> str:
    _, height, width, _ = t.image()
    kernel = t.option("FilterHeight"), t.option("FilterWidth")
    window = t.window((height, width), kernel, _stride(t), (1, 1), t.option("Padding"))
    return _activate(t, t.emit(op, (t.operand(0),), window=window))


def _activate(t: Translation, y: str) -> str:
    activation = t.activation()
    return y if activation == FREE else t.emit("clamp", (y,), part="activation", **activation)


# --- element by element ---------------------------------------------------------------------------------------------


def arith(kind: str, t: Translation) -> str:
    return t.emit("arith", (t.operand(0), t.operand(1)), kind=_kind(kind), **t.activation())


def unary(kind: str, t: Translation) -> str:
    return t.emit("unary", (t.operand(0),), kind=_kind(kind))


def clamp(lo: float, hi: float, t: Translation) -> str:
    return t.emit("clamp", (t.operand(0),), lo=lo, hi=hi)


def squared_difference(t: Translation) -> str:
    difference = t.emit("arith", (t.operand(0), t.operand(1)), part="difference", kind=_kind("SUB"), **FREE)
    return t.emit("unary", (difference,), kind=_kind("SQUARE"))


def prelu(t: Translation) -> str:
    return t.emit("prelu", (t.operand(0), t.operand(1)))


def leaky_relu(t: Translation) -> str:
    return t.emit("prelu", (t.operand(0), t.constant("alpha", [t.option("Alpha")])))


def hard_swish(t: Translation) -> str:
    x = t.operand(0)
    gate = t.emit("affine", (x, t.constant("one", [1.0]), t.constant("three", [3.0])), part="gate", lo=0.0, hi=6.0)
    gated = t.emit("arith", (x, gate), part="gated", kind=_kind("MUL"), **FREE)
    return t.emit("affine", (gated, t.constant("sixth", [1 / 6])), **FREE)


def softmax(t: Translation) -> str:
    return t.emit("softmax", (t.operand(0),), beta=float(t.option("Beta")))


def log_softmax(t: Translation) -> str:
    return t.emit("unary", (t.emit("softmax", (t.operand(0),), part="softmax", beta=1.0),), kind=_kind("LOG"))


def select(t: Translation) -> str:
    condition, shape = t.operand(0), t.shape(1)
    if t.operator.kind == "SELECT" and len(t.shape()) == 1 < len(shape):
        # The older operator picks whole rows by a vector.
        condition = t.emit("reshape", (condition,), part="rows", shape=(*t.shape(), *[1] * (len(shape) - 1)))
    return t.emit("select", (condition, t.operand(1), t.operand(2)))


def cast(t: Translation) -> str:
    before, after = (t.container.tensors[index].dtype for index in (t.operator.inputs[0] or 0, t.operator.outputs[0]))
    if after == "BOOL" and before != "BOOL":
        return t.emit("arith", (t.operand(0), t.constant("zero", [0.0])), kind=_kind("NOT_EQUAL"), **FREE)
    return t.operand(0)


def same(t: Translation) -> str:
    """What only changes the type: the graph holds real values throughout, and rounds where a type asks for it."""
    return t.operand(0)


def logical_not(t: Translation) -> str:
    return t.emit("affine", (t.operand(0), t.constant("minus", [-1.0]), t.constant("one", [1.0])), **FREE)


def zeros_like(t: Translation) -> str:
    return t.constant("zeros", np.zeros(_constant_shape(t), np.float32))


def fill(t: Translation) -> str:
    return t.constant("value", np.full(_constant_shape(t), t.weights(1, 0)))


def _constant_shape(t: Translation) -> tuple[int, ...]:
    shape = t.declared()
    if any(size < 1 for size in shape):
        raise ModelError(f"{t.operator.kind} gives the shape {list(shape)}, which holds nothing.")
    t.graph.spend(math.prod(shape))
    return shape


# --- shapes ---------------------------------------------------------------------------------------------------------


def mean(t: Translation) -> str:
    return t.emit("mean", (t.operand(0),), axes=sum(1 << axis for axis in _axes(t)), shape=t.declared())


def total(t: Translation) -> str:
    shape = t.shape()
    count = math.prod(shape[axis] for axis in _axes(t))
    average = t.emit("mean", (t.operand(0),), part="mean", axes=sum(1 << axis for axis in _axes(t)), shape=t.declared())
    return t.emit("arith", (average, t.constant("count", [count])), kind=_kind("MUL"), **FREE)


def _axes(t: Translation) -> set[int]:
    return {t.axis(axis, len(t.shape())) for axis in t.numbers(1)}


def pad(t: Translation) -> str:
    rank, widths = len(t.shape()), t.numbers(1)
    if len(widths) != 2 * rank or min(widths, default=0) < 0:
        raise ModelError(f"{t.operator.kind} pads {rank} axes by {widths}.")
    value = float(t.weights(2, len(t.shape(2))).reshape(-1)[0]) if t.operator.kind == "PADV2" else 0.0
    return t.emit("pad", (t.operand(0),), before=widths[::2], after=widths[1::2], value=value)


def reshape(t: Translation) -> str:
    return t.emit("reshape", (t.operand(0),), shape=t.declared())


def transpose(t: Translation) -> str:
    return t.emit("transpose", (t.operand(0),), permutation=t.numbers(1))


def concatenation(t: Translation) -> str:
    operands = tuple(t.operand(i) for i in range(len(t.operator.inputs)))
    axis = t.axis(t.option("Axis"), len(t.shape()))
    return _activate(t, operands[0] if len(operands) == 1 else t.emit("concat", operands, axis=axis))


def pack(t: Translation) -> str:
    shape = t.declared()
    axis = t.axis(t.option("Axis"), len(shape))
    thin = (*shape[:axis], 1, *shape[axis + 1 :])
    count = len(t.operator.inputs)
    slabs = tuple(t.emit("reshape", (t.operand(i),), part=f"slab{i}", shape=thin) for i in range(count))
    return t.emit("concat", slabs, axis=axis)


def unpack(t: Translation) -> list[str]:
    axis = t.axis(t.option("Axis"), len(t.shape()))
    slabs = _cut(t, t.operand(0), axis, [1] * len(t.operator.outputs))
    return [t.emit("reshape", (slab,), part=f"flat{i}", shape=t.declared(i)) for i, slab in enumerate(slabs)]


def split(t: Translation) -> list[str]:
    rank, count = len(t.shape(1)), len(t.operator.outputs)
    axis = t.axis(_one(t, 0), rank)
    return _cut(t, t.operand(1), axis, [t.shape(1)[axis] // count] * count)


def split_v(t: Translation) -> list[str]:
    axis, sizes = t.axis(_one(t, 2), len(t.shape())), t.numbers(1)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = t.shape()[axis] - sum(sizes) - 1
    if len(sizes) != len(t.operator.outputs):
        raise ModelError(f"SPLIT_V has {len(sizes)} sizes for {len(t.operator.outputs)} outputs.")
    return _cut(t, t.operand(0), axis, sizes)


def _one(t: Translation, position: int) -> int:
    numbers = t.numbers(position)
    if len(numbers) != 1:
        raise ModelError(f"{t.operator.kind} wants one number as its input {position}, not {numbers}.")
    return numbers[0]


def _cut(t: Translation, x: str, axis: int, sizes: list[int]) -> list[str]:
    shape, begin, parts = t.graph.shape(x), 0, []
    for i, size in enumerate(sizes):
        start = [begin if at == axis else 0 for at in range(len(shape))]
        piece = (*shape[:axis], size, *shape[axis + 1 :])
        parts.append(t.emit("slice", (x,), part=str(i), begin=start, step=[1] * len(shape), shape=piece))
        begin += size
    return parts


def slice_(t: Translation) -> str:
    shape, begin, sizes = t.shape(), t.numbers(1), t.numbers(2)
    if not len(shape) == len(begin) == len(sizes):
        raise ModelError(f"SLICE begins at {begin} and takes {sizes} of {list(shape)}.")
    taken = tuple(full - b if size == -1 else size for full, b, size in zip(shape, begin, sizes, strict=True))
    return t.emit("slice", (t.operand(0),), begin=begin, step=[1] * len(shape), shape=taken)


def strided_slice(t: Translation) -> str:
    shape, begin, end, step = t.shape(), t.numbers(1), t.numbers(2), t.numbers(3)
    if t.option("EllipsisMask") or t.option("NewAxisMask"):
        raise t.unsupported("with an ellipsis or a new axis")
    if not len(begin) == len(end) == len(step) <= len(shape):
        raise ModelError(f"STRIDED_SLICE takes {begin} to {end} in steps of {step} of {list(shape)}.")
    starts, counts, steps = [0] * len(shape), list(shape), [1] * len(shape)
    for axis, (first, last, stride) in enumerate(zip(begin, end, step, strict=True)):
        single = t.option("ShrinkAxisMask") >> axis & 1
        if stride < 1 and not single:
            raise t.unsupported("with a negative step")
        lowest = None if t.option("BeginMask") >> axis & 1 and not single else first
        highest = None if t.option("EndMask") >> axis & 1 else last
        taken = range(shape[axis])[slice(lowest, highest, stride)] if not single else [first % shape[axis]]
        starts[axis], counts[axis], steps[axis] = taken[0] if taken else 0, len(taken), 1 if single else stride
    piece = t.emit("slice", (t.operand(0),), begin=starts, step=steps, shape=tuple(counts))
    return piece if tuple(counts) == t.declared() else t.emit("reshape", (piece,), part="flat", shape=t.declared())


def space_to_depth(t: Translation) -> str:
    n, height, width, channels = t.image()
    block = _block(t, height, width)
    blocks = (n, height // block, block, width // block, block, channels)
    apart = t.emit("reshape", (t.operand(0),), part="blocks", shape=blocks)
    turned = t.emit("transpose", (apart,), part="turned", permutation=(0, 1, 3, 2, 4, 5))
    return t.emit("reshape", (turned,), shape=(n, height // block, width // block, block * block * channels))


def depth_to_space(t: Translation) -> str:
    n, height, width, channels = t.image()
    block = t.option("BlockSize")
    if block < 1 or channels % (block * block):
        raise ModelError(f"DEPTH_TO_SPACE by {block} does not divide {channels} channels.")
    blocks = (n, height, width, block, block, channels // (block * block))
    apart = t.emit("reshape", (t.operand(0),), part="blocks", shape=blocks)
    turned = t.emit("transpose", (apart,), part="turned", permutation=(0, 1, 3, 2, 4, 5))
    return t.emit("reshape", (turned,), shape=(n, height * block, width * block, channels // (block * block)))


def _block(t: Translation, height: int, width: int) -> int:
    block: int = t.option("BlockSize")
    if block < 1 or height % block or width % block:
        raise ModelError(f"{t.operator.kind} by {block} does not divide an image of {height} by {width}.")
    return block


_ARITH = {
    "ADD": "ADD",
    "SUB": "SUB",
    "MUL": "MUL",
    "DIV": "DIV",
    "MINIMUM": "MIN",
    "MAXIMUM": "MAX",
    "LESS": "LESS",
    "LESS_EQUAL": "LESS_EQUAL",
    "GREATER": "GREATER",
    "GREATER_EQUAL": "GREATER_EQUAL",
    "EQUAL": "EQUAL",
    "NOT_EQUAL": "NOT_EQUAL",
    "LOGICAL_AND": "MUL",
    "LOGICAL_OR": "MAX",
}
_UNARY = {
    "ABS": "ABS",
    "NEG": "NEG",
    "SIGN": "SIGN",
    "ROUND": "ROUND",
    "FLOOR": "FLOOR",
    "CEIL": "CEIL",
    "SQRT": "SQRT",
    "RSQRT": "RSQRT",
    "EXP": "EXP",
    "LOG": "LOG",
    "TANH": "TANH",
    "LOGISTIC": "SIGMOID",
    "ELU": "ELU",
    "SQUARE": "SQUARE",
}
_CLAMPS = {
    "RELU": (0.0, math.inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}

OPERATORS: dict[str, Function] = {
    "CONV_2D": conv2d,
    "DEPTHWISE_CONV_2D": depthwise,
    "TRANSPOSE_CONV": transpose_conv,
    "FULLY_CONNECTED": fully_connected,
    "AVERAGE_POOL_2D": partial(pool, "avg_pool2d"),
    "MAX_POOL_2D": partial(pool, "max_pool2d"),
    **{name: partial(arith, kind) for name, kind in _ARITH.items()},
    **{name: partial(unary, kind) for name, kind in _UNARY.items()},
    **{name: partial(clamp, lo, hi) for name, (lo, hi) in _CLAMPS.items()},
    "SQUARED_DIFFERENCE": squared_difference,
    "PRELU": prelu,
    "LEAKY_RELU": leaky_relu,
    "HARD_SWISH": hard_swish,
    "SOFTMAX": softmax,
    "LOG_SOFTMAX": log_softmax,
    "SELECT": select,
    "SELECT_V2": select,
    "CAST": cast,
    "LOGICAL_NOT": logical_not,
    "ZEROS_LIKE": zeros_like,
    "FILL": fill,
    "MEAN": mean,
    "SUM": total,
    "PAD": pad,
    "PADV2": pad,
    "RESHAPE": reshape,
    "SQUEEZE": reshape,
    "EXPAND_DIMS": reshape,
    "TRANSPOSE": transpose,
    "CONCATENATION": concatenation,
    "PACK": pack,
    "UNPACK": unpack,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SLICE": slice_,
    "STRIDED_SLICE": strided_slice,
    "SPACE_TO_DEPTH": space_to_depth,
    "DEPTH_TO_SPACE": depth_to_space,
    "QUANTIZE": same,
    "DEQUANTIZE": same,
}

SHAPES: dict[str, tuple[int, ...]] = {
    "RESHAPE": (1,),
    "EXPAND_DIMS": (1,),
    "TRANSPOSE_CONV": (0,),
    "ZEROS_LIKE": (0,),
    "FILL": (0,),
}
"""Inputs that only say a shape, which the file states for the output as well."""
