# SPDX-License-Identifier: Apache-2.0
"""Operations on bits: [planes, *shape], one uint8 an element, 1 standing for -1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.model.graph import Array, Tensor
from harness.model.reference.common import Function, Params, clamp, flush, kind, take
from harness.model.reference.windows import convolve, windows


def _bconv2d(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    x, kernel, multiplier, bias, threshold, low, high = take(operands, 7)
    border = 1.0 if params["border"] == kind("BORDER_ONE") else 0.0
    most = float(np.dot(_worth(x, params["x_code"]), np.ones(len(x))))
    image, weight = _sum_of_planes(x, params["x_code"]), _sum_of_planes(kernel, params["w_code"])
    acc = convolve(image, weight, params["window"], params["groups"], border * most)
    return _binary_output(acc, multiplier, bias, threshold, low, high, params, output)


def _bdepthwise2d(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    x, kernel, multiplier, bias, threshold, low, high = take(operands, 7)
    border = 1.0 if params["border"] == kind("BORDER_ONE") else 0.0
    filters = _sum_of_planes(kernel, 0)[0].transpose(2, 0, 1)[..., None]
    acc = convolve(_sum_of_planes(x, 0), filters, params["window"], len(filters), border)
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
    return clamp(acc, params)


def _bmaxpool2d(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    (x,) = take(operands, 1)
    reduce, outside = (np.max, 0) if params.get("any") else (np.min, 1)
    return np.stack([reduce(windows(plane, params["window"], outside), axis=(4, 5)) for plane in x])


def _quantize(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    x, threshold, invert = take(operands, 3)
    flipped = np.zeros(1, bool) if invert is None else invert[0] != 0
    limits = threshold.reshape(-1, threshold.shape[-1])
    index = np.sum([(flush(x) < limit) ^ flipped for limit in limits], axis=0)
    return _planes(index, output.planes, params.get("code", 0))


def _dequantize(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    return np.where(take(operands, 1)[0][0] != 0, np.float32(params["one"]), np.float32(params["zero"]))


def _worth(planes: Array, code: int) -> Array:
    """What each plane counts."""
    binary = code == kind("CODE_BINARY")
    return np.asarray([1 << plane if binary else 1 for plane in range(len(planes))], np.float32)


def _sum_of_planes(planes: Array, code: int) -> Array:
    """[planes, *shape] of bits to the numbers that they stand for."""
    signs = np.float32(1) - np.float32(2) * planes.astype(np.float32)
    return np.tensordot(_worth(planes, code), signs, 1)


def _planes(index: Array, planes: int, code: int) -> Array:
    """Numbers 0, 1, .. as [planes, *shape] of bits."""
    if code == kind("CODE_BINARY"):
        return np.stack([index >> plane & 1 for plane in range(planes)])
    return np.stack([index > plane for plane in range(planes)])


FUNCTIONS: Mapping[str, Function] = {
    "bconv2d": _bconv2d,
    "bdepthwise2d": _bdepthwise2d,
    "bmaxpool2d": _bmaxpool2d,
    "quantize": _quantize,
    "dequantize": _dequantize,
}
