# SPDX-License-Identifier: Apache-2.0
"""Operators with weights or windows: convolutions, dense layers, pools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.errors import ModelError
from harness.model import shapes
from harness.model.graph import Array
from harness.model.importers.onnx import layout
from harness.model.importers.onnx.translation import FREE, Translation, Value

Window = dict[str, int]


def _image(t: Translation, value: Value) -> str:
    """The value as an image [N, H, W, C]; a sequence [N, C, L] is an image of height 1."""
    rank = len(value.shape)
    if rank not in (3, 4):
        raise t.unsupported(f"on {rank} axes")
    tensor = t.place(value, layout.channels_last_order(rank))
    if rank == 4:
        return tensor
    rows, length, channels = t.graph.shape(tensor)
    return t.emit("reshape", (tensor,), part="image", shape=(rows, 1, length, channels))


def _value(t: Translation, image: str, rank: int) -> Value:
    """The inverse of `_image`."""
    if rank == 4:
        return t.value(image, layout.CHANNELS_LAST)
    rows, _, length, channels = t.graph.shape(image)
    flat = t.emit("reshape", (image,), part="sequence", shape=(rows, length, channels))
    return t.value(flat, layout.channels_last_order(3))


def _window(t: Translation, size: tuple[int, ...], kernel: tuple[int, ...]) -> Window:
    """`struct bnn_window`, with ONNX's padding made explicit, for one or two spatial axes."""
    rank = len(kernel)
    stride, dilation = t.integers("strides", rank, 1), t.integers("dilations", rank, 1)
    pads = t.integers("pads", 2 * rank, 0)
    if list(t.integers("kernel_shape", rank, 0)) not in ([0] * rank, list(kernel)):
        raise ModelError(f"{t.label!r}: kernel_shape is not the shape of the filter, {list(kernel)}.")
    if min(*kernel, *stride, *dilation) < 1 or min(pads) < 0:
        raise ModelError(f"{t.label!r}: a kernel, stride or dilation below 1, or a padding below 0, is not possible.")
    mode = t.attribute("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        pairs = [shapes.same_padding(*axis) for axis in zip(size, kernel, stride, dilation, strict=True)]
        pairs = [(after, before) if mode == "SAME_LOWER" else (before, after) for before, after in pairs]
    elif mode in ("NOTSET", "VALID"):
        pairs = [(0, 0) if mode == "VALID" else (pads[axis], pads[axis + rank]) for axis in range(rank)]
    else:
        raise ModelError(f"{t.label!r}: the padding {mode!r} is not known.")
    row = (1,) * (2 - rank)  # a signal is an image of one row
    return shapes.window((*row, *kernel), (*row, *stride), (*row, *dilation), [*((0, 0) for _ in row), *pairs])


def _filter(t: Translation, value: Value) -> Array:
    """The constant filter with two spatial axes, [., ., kh, kw]."""
    data = t.required(1, len(value.shape))
    return data if data.ndim == 4 else data.reshape(*data.shape[:2], 1, data.shape[2])


def conv(t: Translation) -> Value:
    x = t.operand(0)
    image, filters, rank = _image(t, x), _filter(t, x), len(x.shape)
    groups = t.attribute("group", 1)
    if groups < 1 or filters.shape[1] * groups != x.shape[1] or filters.shape[0] % groups:
        raise ModelError(
            f"{t.label!r}: a filter of {list(filters.shape)} in {groups} groups does not fit {x.shape[1]} channels."
        )
    window = _window(t, x.shape[2:], filters.shape[4 - (rank - 2) :])
    operands = image, t.constant("filter", filters.transpose(0, 2, 3, 1)), _bias(t, 2)
    return _value(t, t.emit("conv2d", operands, window=window, groups=groups, pad_value=0.0, **FREE), rank)


def conv_transpose(t: Translation) -> Value:
    x = t.operand(0)
    image, filters, rank = _image(t, x), _filter(t, x), len(x.shape)
    groups, channels = t.attribute("group", 1), x.shape[1]
    if groups < 1 or filters.shape[0] != channels or channels % groups:
        raise ModelError(
            f"{t.label!r}: a filter of {list(filters.shape)} in {groups} groups does not fit {channels} channels."
        )
    if t.listed("output_shape") is not None or t.attribute("auto_pad", "NOTSET") != "NOTSET":
        raise t.unsupported("with output_shape or auto_pad")
    window = _window(t, x.shape[2:], filters.shape[4 - (rank - 2) :])
    extra = [0, *t.integers("output_padding", rank - 2, 0)][-2:]
    per_group, outputs = filters.shape[1], filters.shape[1] * groups
    grouped = filters.reshape(groups, channels // groups, per_group, *filters.shape[2:])
    ohwi = grouped.transpose(0, 2, 3, 4, 1).reshape(outputs, *filters.shape[2:], channels // groups)
    _, height, width, _ = t.graph.shape(image)
    sizes = [
        (size - 1) * window[f"stride_{axis}"]
        + (window[f"kernel_{axis}"] - 1) * window[f"dilation_{axis}"]
        + (1 + added - window[before] - window[after])
        for size, axis, before, after, added in (
            (height, "h", "pad_top", "pad_bottom", extra[0]),
            (width, "w", "pad_left", "pad_right", extra[1]),
        )
    ]
    operands = image, t.constant("filter", ohwi), _bias(t, 2)
    shape = (x.shape[0], sizes[0], sizes[1], outputs)
    y = t.emit("conv2d_transpose", operands, shape=shape, window=window, groups=groups, **FREE)
    return _value(t, y, rank)


def _bias(t: Translation, position: int) -> str | None:
    data = t.data(position)
    return None if data is None or not data.any() else t.constant("bias", data.reshape(-1))


def gemm(t: Translation) -> Value:
    x, weight, bias = t.operand(0), t.required(1, 2), t.data(2)
    weight = weight if t.attribute("transB", 0) else weight.T
    if t.attribute("transA", 0):
        x = t.permuted(x, (1, 0))
    bias = None if bias is None else bias.astype(np.float32) * np.float32(t.attribute("beta", 1.0))
    return _dense(t, x, weight.astype(np.float32) * np.float32(t.attribute("alpha", 1.0)), bias)


def matmul(t: Translation) -> Value:
    """By constant weights; where they stand first, their product with x is that of x with them, turned around."""
    a, b = t.operand(0), t.operand(1)
    if a.data is None or a.data.ndim != 2 or len(b.shape) < 2:
        return _dense(t, a, t.required(1, 2).T, None)
    turn = (*range(len(b.shape) - 2), len(b.shape) - 1, len(b.shape) - 2)
    return t.permuted(_dense(t, t.permuted(b, turn), a.data, None), turn)


def _dense(t: Translation, x: Value, weight: Array, bias: Array | None) -> Value:
    """x [..., I] by weight [O, I]; where x is an image that was flattened, the weights move instead of it."""
    if not x.shape or weight.shape[1] != x.shape[-1]:
        raise ModelError(f"{t.label!r}: a weight for {weight.shape[1]} inputs does not fit {list(x.shape)}.")
    if x.image is not None:
        weight, tensor = weight[:, layout.channels_last(x.image)], x.tensor
    else:
        tensor = t.place(x)
    if bias is None or not bias.any():
        return t.value(t.emit("dense", (tensor, t.constant("weight", weight)), **FREE))
    if bias.size not in (1, weight.shape[0]):
        raise t.unsupported("whose bias differs from row to row")
    row = np.broadcast_to(bias.reshape(-1), weight.shape[:1])
    return t.value(t.emit("dense", (tensor, t.constant("weight", weight), t.constant("bias", row)), **FREE))


def pool(op: str) -> Callable[[Translation], Value]:
    def translate(t: Translation) -> Value:
        x = t.operand(0)
        image, rank = _image(t, x), len(x.shape)
        kernel = tuple(t.integers("kernel_shape", rank - 2, 0))
        window = _window(t, x.shape[2:], kernel)
        padded = any(size for key, size in window.items() if key.startswith("pad_"))
        if t.attribute("storage_order", 0):
            raise t.unsupported("that stores columns first")
        grown = bool(t.attribute("ceil_mode", 0)) and _grow(window, t.graph.shape(image)[1:3])
        counted: dict[str, Any] = {}
        if op == "avg_pool2d":
            counts = bool(t.attribute("count_include_pad", 0)) and padded
            if counts and grown:
                raise t.unsupported("that counts some pads and not others")
            counted = {"count_pads": int(counts)}
        return _value(t, t.emit(op, (image,), window=window, **counted), rank)

    return translate


def _grow(window: Window, size: tuple[int, ...]) -> bool:
    """Pads the end so far that the last, incomplete window counts, if it begins inside; says whether it did."""
    grown = False
    for full, axis, before, after in ((size[0], "h", "pad_top", "pad_bottom"), (size[1], "w", "pad_left", "pad_right")):
        extent = (window[f"kernel_{axis}"] - 1) * window[f"dilation_{axis}"] + 1
        stride, padded = window[f"stride_{axis}"], full + window[before] + window[after]
        steps = max(-(-(padded - extent) // stride), 0)
        if steps * stride >= full + window[before]:
            steps -= 1
        missing = steps * stride + extent - padded
        if missing > 0:
            window[after] += missing
            grown = True
    return grown


OPERATORS: dict[str, Callable[[Translation], Value]] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Gemm": gemm,
    "MatMul": matmul,
    "MaxPool": pool("max_pool2d"),
    "AveragePool": pool("avg_pool2d"),
}
