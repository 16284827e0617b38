# SPDX-License-Identifier: Apache-2.0
"""What every operation computes, in NumPy: the golden output, before and after each pass.

One function a row of ops.def. Readable before fast: the C kernels are checked against these, and these against the
outputs that other people's frameworks recorded. Bits are held unpacked, one uint8 an element,
1 standing for -1, with the planes as the first axis: [planes, *shape].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from harness import abi
from harness.errors import ModelError
from harness.model import bits
from harness.model.graph import Array, Graph, Tensor

Params = Mapping[str, Any]
Memory = dict[str, Array]
"""The membranes of a graph's neurons after a step, by the tensor that they give; empty before the first step."""
SMALLEST_NORMAL = np.float32(np.finfo(np.float32).tiny)


def run(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The outputs of a graph.

    Args:
        inputs: one array for each of `graph.inputs`, in order, of exactly its shape; of a spiking graph, time steps one
            after the other along the first axis.

    Returns:
        one array for each of `graph.outputs`, of every step; one of dtype `bits` comes packed, as int32 words.
    """
    memory: Memory = {}
    steps = [trace(graph, step, frozenset(graph.outputs), memory) for step in in_steps(graph, inputs)]
    found = [[_packed(values[name], graph.tensors[name]) for values in steps] for name in graph.outputs]
    return [np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in found]


def in_steps(graph: Graph, inputs: Sequence[Array]) -> list[list[Array]]:
    """The inputs of every time step; all at once where a graph has no time.

    Raises:
        ModelError: the inputs are of different numbers of steps, or of a broken number.
    """
    if not graph.spiking:
        return [list(inputs)]
    sizes = [graph.tensors[name].shape[0] for name in graph.inputs]
    counts = {divmod(len(array), size) for array, size in zip(inputs, sizes, strict=True)}
    if len(counts) != 1 or (found := counts.pop())[1] or not found[0]:
        raise ModelError(f"The inputs of {graph.name!r} do not hold one and the same number of time steps.")
    return [
        [array[step * size : (step + 1) * size] for array, size in zip(inputs, sizes, strict=True)]
        for step in range(found[0])
    ]


def trace(
    graph: Graph, inputs: Sequence[Array], keep: frozenset[str] | None = None, memory: Memory | None = None
) -> dict[str, Array]:
    """The value of every tensor that is computed (or only of those in `keep`), bits unpacked.

    Args:
        memory: what the step before left; this one's takes its place. A first step where None.
    """
    memory = {} if memory is None else memory
    if len(inputs) != len(graph.inputs):
        raise ModelError(f"{graph.name!r} has {len(graph.inputs)} inputs, not {len(inputs)}.")
    values: dict[str, Array] = {}
    for name, array in zip(graph.inputs, inputs, strict=True):
        tensor = graph.tensors[name]
        if array.shape != tensor.shape:
            raise ModelError(f"The input {name!r} has the shape {list(array.shape)}, not {list(tensor.shape)}.")
        values[name] = np.asarray(array, np.int8 if tensor.dtype == "i8" else np.float32)
    last_use = {name: at for at, node in enumerate(graph.nodes) for name in node.inputs if name is not None}
    for at, node in enumerate(graph.nodes):
        operands = [None if name is None else operand(graph.tensors[name], values) for name in node.inputs]
        values[node.output] = apply(node.op, operands, node.params, graph.tensors[node.output], memory)
        if keep is not None:
            for name in {name for name in node.inputs if name is not None}:
                if last_use[name] == at and name not in keep:
                    values.pop(name, None)
    return values


def apply(
    op: str, operands: Sequence[Array | None], params: Params, output: Tensor, memory: Memory | None = None
) -> Array:
    """The value of one operation; neurons read their membranes from `memory` and write them there."""
    with np.errstate(all="ignore"):
        if op == "lif":
            result = _lif(list(operands), params, output, memory)
        elif op in _MOVES and output.dtype == "bits":
            flat = Tensor("", output.shape)
            planes = [
                _FUNCTIONS[op]([None if o is None else o[plane] for o in operands], params, flat)
                for plane in range(output.planes)
            ]
            result = np.stack(planes)
        else:
            result = _FUNCTIONS[op](list(operands), params, output)
    kinds: dict[str, Any] = {"f32": np.float32, "i8": np.int8, "i32": np.int32, "bits": np.uint8}
    return np.ascontiguousarray(result, dtype=kinds[output.dtype])


def operand(tensor: Tensor, values: Mapping[str, Array]) -> Array:
    """The value of an operand: a constant, or what was computed; bits unpacked."""
    if tensor.data is None:
        return values[tensor.name]
    return bits.unpack(tensor.data, tensor.shape, tensor.planes) if tensor.dtype == "bits" else tensor.data


def _packed(value: Array, tensor: Tensor) -> Array:
    return bits.pack(value).view(np.int32) if tensor.dtype == "bits" else value


def flush(x: Array) -> Array:
    """Denormal numbers become zero, as TensorFlow, LCE and 32-bit NEON have it."""
    return np.where(np.abs(x) < SMALLEST_NORMAL, np.float32(0), x)


def _clamp(x: Array, params: Params) -> Array:
    return np.minimum(np.maximum(x, np.float32(params["lo"])), np.float32(params["hi"]))


# --- windows --------------------------------------------------------------------------------------------------------


def _windows(x: Array, window: Params, fill: float) -> Array:
    """[N, H, W, C] to [N, out_h, out_w, C, kernel_h, kernel_w], padded with `fill`."""
    pads = (
        (window.get("pad_top", 0), window.get("pad_bottom", 0)),
        (window.get("pad_left", 0), window.get("pad_right", 0)),
    )
    if any(any(pair) for pair in pads):
        x = np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=fill)
    extent = tuple((window[f"kernel_{axis}"] - 1) * window[f"dilation_{axis}"] + 1 for axis in "hw")
    view = sliding_window_view(x, extent, axis=(1, 2))
    return view[
        :,
        :: window["stride_h"],
        :: window["stride_w"],
        :,
        :: window["dilation_h"],
        :: window["dilation_w"],
    ]


def _convolve(x: Array, kernel: Array, window: Params, groups: int, fill: float) -> Array:
    """NHWC by OHWI. Sums of integers below 2^24 come out exact, in whatever order they are added."""
    patches = _windows(x, window, fill)
    n, out_h, out_w, channels = patches.shape[:4]
    filters = kernel.shape[0]
    if groups == channels and groups > 1:
        per_filter = np.repeat(patches, filters // channels, axis=3) if filters != channels else patches
        out = np.einsum("nyxcij,cij->nyxc", per_filter, kernel[..., 0], optimize=True)
        return np.asarray(out)
    out = np.empty((n, out_h, out_w, filters), np.float32)
    per_in, per_out = channels // groups, filters // groups
    for group in range(groups):
        rows = patches[:, :, :, group * per_in : (group + 1) * per_in].transpose(0, 1, 2, 4, 5, 3)
        weight = kernel[group * per_out : (group + 1) * per_out].reshape(per_out, -1)
        out[..., group * per_out : (group + 1) * per_out] = (rows.reshape(-1, weight.shape[1]) @ weight.T).reshape(
            n, out_h, out_w, per_out
        )
    return out


def _conv2d(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    x, kernel, bias = _take(operands, 3)
    y = _convolve(x, kernel, params["window"], params["groups"], params.get("pad_value", 0.0))
    return _clamp(y if bias is None else y + bias, params)


def _conv2d_transpose(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    x, kernel, bias = _take(operands, 3)
    window, groups = params["window"], params["groups"]
    n, height, width, _ = x.shape
    filters, kernel_h, kernel_w, per_in = kernel.shape
    top, left = window.get("pad_top", 0), window.get("pad_left", 0)
    full_h = (height - 1) * window["stride_h"] + (kernel_h - 1) * window["dilation_h"] + 1
    full_w = (width - 1) * window["stride_w"] + (kernel_w - 1) * window["dilation_w"] + 1
    full = np.zeros((n, max(full_h, top + output.shape[1]), max(full_w, left + output.shape[2]), filters), np.float32)
    per_out = filters // groups
    for i in range(kernel_h):
        for j in range(kernel_w):
            y, z = i * window["dilation_h"], j * window["dilation_w"]
            rows = slice(y, y + (height - 1) * window["stride_h"] + 1, window["stride_h"])
            columns = slice(z, z + (width - 1) * window["stride_w"] + 1, window["stride_w"])
            for group in range(groups):
                part = slice(group * per_out, (group + 1) * per_out)
                source = x[..., group * per_in : (group + 1) * per_in]
                full[:, rows, columns, part] += source @ kernel[part, i, j].T
    y = full[:, top : top + output.shape[1], left : left + output.shape[2]]
    return _clamp(y if bias is None else y + bias, params)


def _dense(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    x, weight, bias = _take(operands, 3)
    y = x @ weight.T
    return _clamp(y if bias is None else y + bias, params)


def _bconv2d(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    x, kernel, multiplier, bias, threshold, low, high = _take(operands, 7)
    border = 1.0 if params["border"] == abi.constant("BNN_BORDER_ONE") else 0.0
    most = float(np.dot(_worth(x, params["x_code"]), np.ones(len(x))))
    image, weight = _sum_of_planes(x, params["x_code"]), _sum_of_planes(kernel, params["w_code"])
    acc = _convolve(image, weight, params["window"], params["groups"], border * most)
    return _binary_output(acc, multiplier, bias, threshold, low, high, params, output)


def _bdepthwise2d(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    x, kernel, multiplier, bias, threshold, low, high = _take(operands, 7)
    border = 1.0 if params["border"] == abi.constant("BNN_BORDER_ONE") else 0.0
    filters = _sum_of_planes(kernel, 0)[0].transpose(2, 0, 1)[..., None]
    acc = _convolve(_sum_of_planes(x, 0), filters, params["window"], len(filters), border)
    return _binary_output(acc, multiplier, bias, threshold, low, high, params, output)


def _binary_output(
    acc: Array,
    multiplier: Array | None,
    bias: Array | None,
    threshold: Array | None,
    low: Array | None,
    high: Array | None,
    params: Params,
    output: Tensor,
) -> Array:
    if output.dtype == "bits":
        assert threshold is not None
        limits = threshold.reshape(-1, threshold.shape[-1])
        return _planes(np.sum([acc < limit for limit in limits], axis=0), output.planes, params.get("y_code", 0))
    if low is not None:
        acc = np.maximum(acc, low.astype(np.float32))
    if high is not None:
        acc = np.minimum(acc, high.astype(np.float32))
    if multiplier is not None:
        acc = acc * multiplier
    if bias is not None:
        acc = acc + bias
    return _clamp(acc, params)


def _worth(planes: Array, code: int) -> Array:
    """What each plane counts."""
    binary = code == abi.constant("BNN_CODE_BINARY")
    return np.asarray([1 << plane if binary else 1 for plane in range(len(planes))], np.float32)


def _sum_of_planes(planes: Array, code: int) -> Array:
    """[planes, *shape] of bits to the numbers that they stand for."""
    signs = np.float32(1) - np.float32(2) * planes.astype(np.float32)
    return np.tensordot(_worth(planes, code), signs, 1)


def _planes(index: Array, planes: int, code: int) -> Array:
    """Numbers 0, 1, .. as [planes, *shape] of bits."""
    if code == abi.constant("BNN_CODE_BINARY"):
        return np.stack([index >> plane & 1 for plane in range(planes)])
    return np.stack([index > plane for plane in range(planes)])


def _max_pool2d(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    return np.asarray(_windows(_take(operands, 1)[0], params["window"], -np.inf).max(axis=(4, 5)))


def _avg_pool2d(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    (x,) = _take(operands, 1)
    window = params["window"]
    total = _windows(x, window, 0.0).sum(axis=(4, 5), dtype=np.float32)
    if params.get("sum"):
        return np.asarray(total)
    if params.get("count_pads"):
        return np.asarray(total / np.float32(window["kernel_h"] * window["kernel_w"]))
    taps = _windows(np.ones((1, *x.shape[1:3], 1), np.float32), window, 0.0).sum(axis=(4, 5))
    return np.asarray(total / taps)


def _bmaxpool2d(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    (x,) = _take(operands, 1)
    reduce, outside = (np.max, 0) if params.get("any") else (np.min, 1)
    return np.stack([reduce(_windows(plane, params["window"], outside), axis=(4, 5)) for plane in x])


# --- bits -----------------------------------------------------------------------------------------------------------


def _quantize(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    x, threshold, invert = _take(operands, 3)
    flipped = np.zeros(1, bool) if invert is None else invert[0] != 0
    limits = threshold.reshape(-1, threshold.shape[-1])
    index = np.sum([(flush(x) < limit) ^ flipped for limit in limits], axis=0)
    return _planes(index, output.planes, params.get("code", 0))


def _dequantize(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    return np.where(_take(operands, 1)[0][0] != 0, np.float32(params["one"]), np.float32(params["zero"]))


# --- element by element ---------------------------------------------------------------------------------------------


def _arith(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    a, b = _take(operands, 2)
    return _clamp(_ARITH[params["kind"]](a, b), {"lo": -np.inf, "hi": np.inf, **params})


def _unary(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    return _UNARY[params["kind"]](_take(operands, 1)[0])


def _clamp_op(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    return _clamp(_take(operands, 1)[0], params)


def _affine(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    x, scale, offset = _take(operands, 3)
    y = x * scale
    return _clamp(y if offset is None else y + offset, {"lo": -np.inf, "hi": np.inf, **params})


def _step(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    reached = flush(_take(operands, 1)[0]) >= np.float32(params["threshold"])
    return np.where(reached, np.float32(params["high"]), np.float32(params["low"]))


def _prelu(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    x, alpha = _take(operands, 2)
    return np.asarray(np.where(x < 0, alpha * x, x))


def _select(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    condition, a, b = _take(operands, 3)
    return np.asarray(np.where(condition != 0, a, b))


def _softmax(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    (x,) = _take(operands, 1)
    shifted = np.exp((x - x.max(axis=-1, keepdims=True)) * np.float32(params.get("beta", 1.0)))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(x.astype(np.float64)))


def _kind(name: str) -> int:
    return abi.constant(f"BNN_{name}")


_ARITH: dict[int, Callable[[Array, Array], Array]] = {
    _kind("ADD"): np.add,
    _kind("SUB"): np.subtract,
    _kind("MUL"): np.multiply,
    _kind("DIV"): np.divide,
    _kind("MIN"): np.minimum,
    _kind("MAX"): np.maximum,
    _kind("LESS"): np.less,
    _kind("LESS_EQUAL"): np.less_equal,
    _kind("GREATER"): np.greater,
    _kind("GREATER_EQUAL"): np.greater_equal,
    _kind("EQUAL"): np.equal,
    _kind("NOT_EQUAL"): np.not_equal,
}

_UNARY: dict[int, Callable[[Array], Array]] = {
    _kind("ABS"): np.abs,
    _kind("NEG"): np.negative,
    _kind("SIGN"): lambda x: np.sign(flush(x)),
    _kind("ROUND"): np.rint,
    _kind("FLOOR"): np.floor,
    _kind("CEIL"): np.ceil,
    _kind("SQRT"): np.sqrt,
    _kind("RSQRT"): lambda x: np.float32(1) / np.sqrt(x),
    _kind("EXP"): np.exp,
    _kind("LOG"): np.log,
    _kind("TANH"): np.tanh,
    _kind("SIGMOID"): lambda x: np.float32(1) / (np.float32(1) + np.exp(-x)),
    _kind("ELU"): lambda x: np.where(x < 0, np.expm1(x), x),
    _kind("SOFTPLUS"): lambda x: np.logaddexp(np.float32(0), x),
    _kind("SQUARE"): np.square,
    _kind("ERF"): _erf,
}

COMPARISONS = frozenset(
    _kind(name) for name in ("LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL")
)
SUMS = frozenset({_kind("ADD"), _kind("SUB")})
INTEGER_KINDS = frozenset(_kind(name) for name in ("ROUND", "FLOOR", "CEIL", "SIGN"))


# --- time -----------------------------------------------------------------------------------------------------------


def _lif(operands: list[Array | None], params: Params, output: Tensor, memory: Memory | None = None) -> Array:
    x, threshold, decay, gain, offset, reset, initial = _take(operands, 7)
    v = None if memory is None else memory.get(output.name)
    if v is None:
        v = np.broadcast_to(np.float32(0) if initial is None else initial, x.shape)
    h = v if decay is None else decay * v
    h = h + (x if gain is None else gain * x)
    h = h if offset is None else h + offset
    if threshold is not None and params["reset"] == abi.constant("BNN_RESET_SUBTRACT_LATER"):
        h = h - _spikes(v, threshold, params) * threshold
    y = np.zeros_like(h) if threshold is None else _spikes(h, threshold, params)
    if memory is not None:
        kept = h
        if threshold is not None and params["reset"] == abi.constant("BNN_RESET_VALUE"):
            kept = np.where(y > 0, np.float32(0) if reset is None else reset, h)
        elif threshold is not None and params["reset"] == abi.constant("BNN_RESET_SUBTRACT"):
            kept = h - y * threshold
        memory[output.name] = np.asarray(kept, np.float32)
    if params["emit"] == abi.constant("BNN_EMIT_MEMBRANE"):
        return np.asarray(h)
    return (y == params.get("spike", 0))[np.newaxis] if output.dtype == "bits" else y


def _spikes(h: Array, threshold: Array, params: Params) -> Array:
    """How many spikes each membrane gives."""
    if params["emit"] == abi.constant("BNN_EMIT_COUNT"):
        return np.where(h > 0, np.floor(h / threshold), np.float32(0))
    reached = h > threshold if params.get("strict") else h >= threshold
    return reached.astype(np.float32)


# --- shapes ---------------------------------------------------------------------------------------------------------


def _mean(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    (x,) = _take(operands, 1)
    axes = tuple(axis for axis in range(x.ndim) if params["axes"] >> axis & 1)
    return np.asarray(x.mean(axis=axes, dtype=np.float32).reshape(output.shape))


def _pad(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    (x,) = _take(operands, 1)
    widths = list(zip(params["before"], params["after"], strict=True))[: x.ndim]
    return np.pad(x, widths, constant_values=params.get("value", 0.0))


def _concat(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    return np.concatenate([operand for operand in operands if operand is not None], axis=params["axis"])


def _slice(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    (x,) = _take(operands, 1)
    steps = zip(params["begin"], params["step"], output.shape, strict=False)
    return np.asarray(x[tuple(slice(begin, begin + (count - 1) * step + 1, step) for begin, step, count in steps)])


def _reshape(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    return np.asarray(_take(operands, 1)[0].reshape(output.shape))


def _transpose(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    (x,) = _take(operands, 1)
    return np.asarray(x.transpose(params["permutation"][: x.ndim]))


def _take(operands: list[Array | None], count: int) -> list[Any]:
    """The first `count` operands, absent ones as None."""
    return [*operands, *[None] * count][:count]


_FUNCTIONS: dict[str, Callable[[list[Array | None], Params, Tensor], Array]] = {
    "conv2d": _conv2d,
    "conv2d_transpose": _conv2d_transpose,
    "dense": _dense,
    "bconv2d": _bconv2d,
    "bdepthwise2d": _bdepthwise2d,
    "quantize": _quantize,
    "dequantize": _dequantize,
    "bmaxpool2d": _bmaxpool2d,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "mean": _mean,
    "pad": _pad,
    "arith": _arith,
    "unary": _unary,
    "clamp": _clamp_op,
    "affine": _affine,
    "step": _step,
    "prelu": _prelu,
    "select": _select,
    "softmax": _softmax,
    "concat": _concat,
    "slice": _slice,
    "reshape": _reshape,
    "transpose": _transpose,
    "lif": _lif,
}

_MOVES = frozenset({"concat", "slice", "reshape", "transpose"})
"""Ops that only move elements, and do so plane by plane where these are bits."""
