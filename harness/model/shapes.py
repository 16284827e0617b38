# SPDX-License-Identifier: Apache-2.0
"""The shape rule of every operation, and the limits that a model file may not exceed.

The C runtime checks the same rules again when it loads a `.bnn` file; here they turn a malformed model into a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ModelError

if TYPE_CHECKING:
    from harness.model.graph import Node, Tensor

Shape = tuple[int, ...]

MAX_RANK = 6
CODES = 256
"""Of int8."""
MAX_ELEMENTS = 1 << 28
"""Elements of one tensor. The largest layer of the Larq zoo has 37.7 million."""


def check(name: str, shape: Shape) -> None:
    """Raises ModelError for a shape that no real model has."""
    if len(shape) > MAX_RANK:
        raise ModelError(f"The tensor {name!r} has {len(shape)} axes; at most {MAX_RANK} are supported.")
    if any(size < 1 for size in shape):
        raise ModelError(
            f"The tensor {name!r} has the shape {list(shape)}, which holds nothing.",
            "A window is larger than the image it slides over, or a size in the file is damaged.",
            "Check the layer before it and the model's input size.",
        )
    elements = 1
    for size in shape:
        elements *= size
    if elements > MAX_ELEMENTS:
        raise ModelError(
            f"The tensor {name!r} of shape {list(shape)} has {elements:,} elements; {MAX_ELEMENTS:,} are the most.",
            "The file is damaged, or not meant for a small board.",
        )


def window(
    kernel: Sequence[int],
    stride: Sequence[int] = (1, 1),
    dilation: Sequence[int] = (1, 1),
    pads: Sequence[Sequence[int]] = ((0, 0), (0, 0)),
) -> dict[str, int]:
    """The fields of `struct bnn_window` from (height, width) each; pads are (before, after) of either axis."""
    sizes = {"kernel": kernel, "stride": stride, "dilation": dilation}
    fields = {f"{name}_{axis}": size for name, pair in sizes.items() for axis, size in zip("hw", pair, strict=True)}
    (top, bottom), (left, right) = pads
    return fields | {"pad_top": top, "pad_left": left, "pad_bottom": bottom, "pad_right": right}


def window_output(name: str, size: tuple[int, int], window: Mapping[str, int]) -> tuple[int, int]:
    """(height, width) of what a window computes from an image of `size`.

    Raises:
        ModelError: a field is out of bounds, or the window does not fit into the padded image.
    """
    result = []
    for axis, low, high, full in (("h", "pad_top", "pad_bottom", size[0]), ("w", "pad_left", "pad_right", size[1])):
        kernel, stride, dilation = window[f"kernel_{axis}"], window[f"stride_{axis}"], window[f"dilation_{axis}"]
        before, after = window.get(low, 0), window.get(high, 0)
        if not (1 <= kernel <= 4096 and 1 <= stride <= 4096 and 1 <= dilation <= 4096):
            raise ModelError(f"{name!r}: a kernel of {kernel}, stride {stride} or dilation {dilation} is not possible.")
        if not (0 <= before <= 65536 and 0 <= after <= 65536):
            raise ModelError(f"{name!r}: a padding of {before} and {after} is not possible.")
        extent = (kernel - 1) * dilation + 1
        padded = full + before + after
        if extent > padded:
            raise ModelError(
                f"{name!r}: a window of {extent} does not fit into a padded image of {padded}.",
                "The kernel or its dilation is larger than the image, or the file is damaged.",
            )
        result.append((padded - extent) // stride + 1)
    return result[0], result[1]


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """(before, after) of TensorFlow's "same" padding along one axis; an odd one goes after."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def infer(node: Node, operands: list[Tensor | None], given: Shape | None) -> Shape:
    """The shape of a node's output.

    Args:
        operands: the tensors of `node.inputs`, in order.
        given: what the caller knows; required by ops whose output is a parameter (reshape, slice, mean).
    """
    present = [operand for operand in operands if operand is not None]
    shape = _RULES[node.op](node, present, operands, given)
    if given is not None and tuple(given) != shape:
        raise ModelError(
            f"{node.name!r}: the file says that its output is {list(given)}, but {node.op} gives {list(shape)}."
        )
    return shape


def _image(node: Node, x: Tensor) -> tuple[int, int, int, int]:
    if len(x.shape) != 4:
        raise ModelError(f"{node.name!r}: {node.op} wants an image [N, H, W, C], not {list(x.shape)}.")
    return x.shape[0], x.shape[1], x.shape[2], x.shape[3]


def _vector(node: Node, operand: Tensor | None, size: int, what: str, scalar: bool = False) -> None:
    if operand is not None and operand.shape != (size,) and not (scalar and operand.shape == (1,)):
        raise ModelError(
            f"{node.name!r}: its {what} has the shape {list(operand.shape)}, but there are {size} channels."
        )


def _conv(node: Node, present: list[Tensor], operands: list[Tensor | None], _: Shape | None) -> Shape:
    n, h, w, c = _image(node, present[0])
    kernel = present[1].shape
    window, groups = node.params["window"], node.params.get("groups", 1)
    if len(kernel) != 4 or groups < 1 or c % groups or kernel[0] % groups or kernel[3] * groups != c:
        raise ModelError(f"{node.name!r}: a filter of {list(kernel)} in {groups} groups does not fit {c} channels.")
    if (window["kernel_h"], window["kernel_w"]) != kernel[1:3]:
        raise ModelError(f"{node.name!r}: the filter {list(kernel)} is not the size of its window.")
    for operand, what in zip(operands[2:], ("bias", "bias", "threshold", "clamp", "clamp"), strict=False):
        if what != "threshold" or operand is None or len(operand.shape) == 1:
            _vector(node, operand, kernel[0], what)
    return (n, *window_output(node.name, (h, w), window), kernel[0])


def _bdepthwise(node: Node, present: list[Tensor], operands: list[Tensor | None], _: Shape | None) -> Shape:
    n, h, w, c = _image(node, present[0])
    window = node.params["window"]
    if present[1].shape != (1, window["kernel_h"], window["kernel_w"], c):
        raise ModelError(f"{node.name!r}: a filter of {list(present[1].shape)} does not fit {c} channels.")
    for operand in operands[2:]:
        _vector(node, operand, c, "per-channel constant")
    return (n, *window_output(node.name, (h, w), window), c)


def _conv_transpose(node: Node, present: list[Tensor], operands: list[Tensor | None], given: Shape | None) -> Shape:
    n, h, w, c = _image(node, present[0])
    kernel, window, groups = present[1].shape, node.params["window"], node.params.get("groups", 1)
    if len(kernel) != 4 or groups < 1 or c % groups or kernel[0] % groups or kernel[3] * groups != c:
        raise ModelError(f"{node.name!r}: a filter of {list(kernel)} in {groups} groups does not fit {c} channels.")
    if len(operands) > 2:
        _vector(node, operands[2], kernel[0], "bias")
    if given is None:
        sizes = []
        for size, axis, low, high in ((h, "h", "pad_top", "pad_bottom"), (w, "w", "pad_left", "pad_right")):
            extent = (window[f"kernel_{axis}"] - 1) * window[f"dilation_{axis}"] + 1
            sizes.append((size - 1) * window[f"stride_{axis}"] + extent - window.get(low, 0) - window.get(high, 0))
        return (n, sizes[0], sizes[1], kernel[0])
    back = window_output(node.name, (given[1], given[2]), window)
    if back != (h, w) or given[0] != n or given[3] != kernel[0]:
        raise ModelError(f"{node.name!r}: an output of {list(given)} does not come from an input of {[n, h, w, c]}.")
    return tuple(given)


def _dense(node: Node, present: list[Tensor], operands: list[Tensor | None], _: Shape | None) -> Shape:
    x, weight = present[0].shape, present[1].shape
    if len(weight) != 2 or not x or weight[1] != x[-1]:
        raise ModelError(f"{node.name!r}: a weight of {list(weight)} does not fit an input of {list(x)}.")
    for operand, what in zip(operands[2:], ("bias", "scale"), strict=False):
        _vector(node, operand, weight[0], what)
    return (*x[:-1], weight[0])


def _pool(node: Node, present: list[Tensor], *_: Any) -> Shape:
    n, h, w, c = _image(node, present[0])
    window = node.params["window"]
    pads = window.get("pad_top", 0), window.get("pad_bottom", 0), window.get("pad_left", 0), window.get("pad_right", 0)
    if max(pads[:2]) >= window["kernel_h"] or max(pads[2:]) >= window["kernel_w"]:
        raise ModelError(f"{node.name!r}: a pool may not be padded by its whole window.")
    return (n, *window_output(node.name, (h, w), window), c)


def _same(node: Node, present: list[Tensor], *_: Any) -> Shape:
    return present[0].shape


def _per_channel(node: Node, present: list[Tensor], operands: list[Tensor | None], _: Shape | None) -> Shape:
    x = present[0].shape
    for operand in operands[1:]:
        _vector(node, operand, x[-1] if x else 1, "per-channel constant", scalar=True)
    return x


def _quantize(node: Node, present: list[Tensor], operands: list[Tensor | None], _: Shape | None) -> Shape:
    x, limits = present[0].shape, present[1].shape
    channels = x[-1] if x else 1
    if not 1 <= len(limits) <= 2 or limits[-1] not in (1, channels):
        raise ModelError(
            f"{node.name!r}: its thresholds have the shape {list(limits)}, but there are {channels} channels."
        )
    return x


def _broadcast(node: Node, present: list[Tensor], *_: Any) -> Shape:
    try:
        return tuple(int(size) for size in np.broadcast_shapes(*(operand.shape for operand in present)))
    except ValueError:
        shapes = " and ".join(str(list(operand.shape)) for operand in present)
        raise ModelError(f"{node.name!r}: the shapes {shapes} do not go together.") from None


def _mean(node: Node, present: list[Tensor], _: Any, given: Shape | None) -> Shape:
    x, axes = present[0].shape, node.params["axes"]
    if axes >> len(x):
        raise ModelError(f"{node.name!r}: takes the mean over an axis that {list(x)} does not have.")
    dropped = tuple(size for axis, size in enumerate(x) if not axes >> axis & 1)
    kept = tuple(1 if axes >> axis & 1 else size for axis, size in enumerate(x))
    return kept if given == kept else dropped


def _pad(node: Node, present: list[Tensor], *_: Any) -> Shape:
    x = present[0].shape
    before, after = node.params["before"], node.params["after"]
    if min(len(before), len(after)) < len(x) or min((*before, *after)) < 0:
        raise ModelError(f"{node.name!r}: its paddings {list(before)} and {list(after)} do not fit {list(x)}.")
    return tuple(b + size + a for size, b, a in zip(x, before, after, strict=False))


def _concat(node: Node, present: list[Tensor], *_: Any) -> Shape:
    first, axis = present[0].shape, node.params["axis"]
    if not 0 <= axis < len(first):
        raise ModelError(f"{node.name!r}: there is no axis {axis} in {list(first)}.")
    for other in present[1:]:
        if len(other.shape) != len(first) or any(
            a != b for i, (a, b) in enumerate(zip(first, other.shape, strict=True)) if i != axis
        ):
            raise ModelError(
                f"{node.name!r}: {list(first)} and {list(other.shape)} cannot be joined along axis {axis}."
            )
    return (*first[:axis], sum(operand.shape[axis] for operand in present), *first[axis + 1 :])


def _slice(node: Node, present: list[Tensor], _: Any, given: Shape | None) -> Shape:
    x = present[0].shape
    if given is None or len(given) != len(x):
        raise ModelError(f"{node.name!r}: a slice of {list(x)} needs a size for each axis.")
    for size, count, begin, step in zip(x, given, node.params["begin"], node.params["step"], strict=False):
        if count < 1 or step < 1 or begin < 0 or begin + (count - 1) * step >= size:
            raise ModelError(f"{node.name!r}: it takes {count} from {begin} in steps of {step}, out of {size}.")
    return tuple(given)


def _reshape(node: Node, present: list[Tensor], _: Any, given: Shape | None) -> Shape:
    x = present[0]
    if given is None or int(np.prod(given, dtype=np.int64)) != x.elements or min(given, default=1) < 1:
        raise ModelError(f"{node.name!r}: {list(x.shape)} cannot be reshaped to {list(given or ())}.")
    return tuple(given)


def _transpose(node: Node, present: list[Tensor], *_: Any) -> Shape:
    x, order = present[0].shape, node.params["permutation"]
    if sorted(order[: len(x)]) != list(range(len(x))):
        raise ModelError(f"{node.name!r}: {list(order)} is not an order of the axes of {list(x)}.")
    return tuple(x[axis] for axis in order[: len(x)])


def _lif(node: Node, present: list[Tensor], operands: list[Tensor | None], _: Shape | None) -> Shape:
    x = present[0].shape
    for operand in operands[1:]:
        if operand is not None and operand.shape not in ((1,), x[-1:], x[1:]):
            raise ModelError(
                f"{node.name!r}: one of its constants has the shape {list(operand.shape)}, its neurons {list(x[1:])}."
            )
    return x


def _lookup(node: Node, present: list[Tensor], *_: Any) -> Shape:
    if present[1].shape != (CODES,):
        raise ModelError(f"{node.name!r}: a table of {list(present[1].shape)} has no entry for each of {CODES} codes.")
    return present[0].shape


_RULES: dict[str, Callable[..., Shape]] = {
    "conv2d": _conv,
    "conv2d_transpose": _conv_transpose,
    "dense": _dense,
    "bconv2d": _conv,
    "bdepthwise2d": _bdepthwise,
    "quantize": _quantize,
    "dequantize": _same,
    "bmaxpool2d": _pool,
    "max_pool2d": _pool,
    "avg_pool2d": _pool,
    "mean": _mean,
    "pad": _pad,
    "arith": _broadcast,
    "unary": _same,
    "clamp": _same,
    "affine": _per_channel,
    "step": _same,
    "prelu": _broadcast,
    "select": _broadcast,
    "softmax": _same,
    "concat": _concat,
    "slice": _slice,
    "reshape": _reshape,
    "transpose": _transpose,
    "lif": _lif,
    "convert": _same,
    "lookup": _lookup,
}
