# SPDX-License-Identifier: Apache-2.0
"""The custom operators of Larq Compute Engine, described as what they compute in float.

Bit 0 stands for +1 and bit 1 for -1; a tensor that is packed in the file is a tensor of -1 and +1 in the graph, and the
binarising passes find that by its values. Larq defines the operators in `larq_compute_engine/mlir/ir/lce_ops.td` and
the arithmetic of the convolution in `core/bconv2d/output_transform.h`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.errors import ModelError
from harness.model import bits
from harness.model.graph import Array
from harness.model.importers.tflite.translation import FREE, Translation


def quantize(t: Translation) -> str:
    t.packed.add(t.operator.outputs[0])
    index = t.operator.inputs[0] if t.operator.inputs else None
    of_bool = index is not None and t.container.tensors[index].dtype == "BOOL"
    return t.emit("step", (t.operand(0),), threshold=0.5 if of_bool else 0.0, low=-1.0, high=1.0)


def dequantize(t: Translation) -> str:
    if t.container.tensors[t.operator.outputs[0]].dtype == "BOOL":
        return t.emit("step", (t.operand(0),), threshold=0.0, low=0.0, high=1.0)
    return t.operand(0)


def max_pool(t: Translation) -> str:
    t.packed.add(t.operator.outputs[0])
    _, height, width, _ = t.image()
    kernel = t.option("filter_height"), t.option("filter_width")
    stride = t.option("stride_height"), t.option("stride_width")
    window = t.window((height, width), kernel, stride, (1, 1), t.option("padding"))
    return t.emit("max_pool2d", (t.operand(0),), window=window)


def conv2d(t: Translation) -> str:
    _, height, width, channels = t.image()
    if channels != t.option("channels_in"):
        raise ModelError(
            f"{t.operator.kind} is told to read {t.option('channels_in')} channels of a tensor that has {channels}."
        )
    filters = _filters(t, channels)
    window = t.window(
        (height, width),
        (filters.shape[1], filters.shape[2]),
        (t.option("stride_height"), t.option("stride_width")),
        (t.option("dilation_height_factor"), t.option("dilation_width_factor")),
        t.option("padding"),
    )
    padded = any(size for key, size in window.items() if key.startswith("pad_"))
    output = t.container.tensors[t.operator.outputs[0]]
    to_bits = output.dtype == "INT32"
    if to_bits and padded and not t.option("pad_values"):
        raise t.unsupported("with packed output and zero padding")
    y = t.emit(
        "conv2d",
        (t.operand(0), t.constant("filter", filters)),
        window=window,
        groups=channels // filters.shape[3],
        pad_value=float(t.option("pad_values")),
        # A packed output carries its activation in the thresholds; the attribute is left over from before.
        **(FREE if to_bits else t.activation("fused_activation_function")),
    )
    return _threshold(t, y, filters) if to_bits else _transform(t, y)


def _filters(t: Translation, channels: int) -> Array:
    """The filters as -1 and +1, OHWI, with the channels of one group."""
    index = t.operator.inputs[1] if len(t.operator.inputs) > 1 else None
    packed = None if index is None else t.container.tensors[index].data
    if packed is None or packed.dtype != np.int32 or packed.ndim != 4:
        raise ModelError("LceBconv2d needs a constant filter of four axes, packed into int32.")
    words = bits.words(channels)
    if packed.shape[3] == 0 or words % packed.shape[3]:
        raise ModelError(f"LceBconv2d has a filter of {packed.shape[3]} words for an input of {words}.")
    groups = words // packed.shape[3]
    if groups > 1 and channels % (groups * bits.WORD):
        raise ModelError(f"LceBconv2d divides {channels} channels into {groups} groups that are not whole words.")
    t.graph.spend(packed.size * bits.WORD)
    shape = (*packed.shape[:-1], channels // groups)
    ones = bits.unpack(packed.view(np.uint32), shape)[0].view(np.int8)
    return np.asarray(1 - 2 * ones, np.float32)


def _transform(t: Translation, y: str) -> str:
    """y * multiplier + bias, after the clamp."""
    multiplier, bias = t.weights(2, 1), t.weights(3, 1)
    if np.all(multiplier == 1) and not np.any(bias):
        return y
    scale, offset = t.operand(2), t.operand(3)
    return t.emit("affine", (y, scale, offset), part="transform", **FREE)


def _threshold(t: Translation, y: str, filters: Array) -> str:
    """Packed output: bit = popcount > threshold, where popcount = (taps - y) / 2; that is y < taps - 2 * threshold."""
    t.packed.add(t.operator.outputs[0])
    index = t.operator.inputs[4] if len(t.operator.inputs) > 4 else None
    threshold = None if index is None else t.container.tensors[index].data
    if threshold is None or threshold.shape != filters.shape[:1] or threshold.dtype.kind != "i":
        raise ModelError("LceBconv2d with packed output needs one integer threshold for each filter.")
    taps = int(np.prod(filters.shape[1:]))
    # Beyond these, a threshold (INT_MIN and INT_MAX among them) only says that the bit is constant.
    offset = 2 * np.clip(threshold.astype(np.int64), -1, taps) - taps
    reached = t.emit(
        "affine",
        (y, t.constant("one", [1.0]), t.constant("threshold", offset)),
        part="threshold",
        **FREE,
    )
    return t.emit("step", (reached,), part="bits", threshold=0.0, low=-1.0, high=1.0)


OPERATORS: dict[str, Callable[[Translation], str]] = {
    "LceQuantize": quantize,
    "LceDequantize": dequantize,
    "LceBMaxPool2d": max_pool,
    "LceBconv2d": conv2d,
}
