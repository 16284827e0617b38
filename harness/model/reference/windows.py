# SPDX-License-Identifier: Apache-2.0
"""Windows that slide over an image of numbers: convolutions and pools, and the dense layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from harness.model.graph import Array, Tensor
from harness.model.reference.common import Function, Params, clamp, take


def windows(x: Array, window: Params, fill: float) -> Array:
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


def convolve(x: Array, kernel: Array, window: Params, groups: int, fill: float) -> Array:
    """NHWC by OHWI. Sums of integers below 2^24 come out exact, in whatever order they are added."""
    patches = windows(x, window, fill)
    n, out_h, out_w, channels = patches.shape[:4]
    filters = kernel.shape[0]
    if groups == channels and groups > 1:
        per_filter = np.repeat(patches, filters // channels, axis=3) if filters != channels else patches
        out = np.einsum("nyxcij,cij->nyxc", per_filter, kernel[..., 0], optimize=True)
        return np.asarray(out)
    out = np.empty((n, out_h, out_w, filters), np.result_type(x, kernel))
    per_in, per_out = channels // groups, filters // groups
    for group in range(groups):
        rows = patches[:, :, :, group * per_in : (group + 1) * per_in].transpose(0, 1, 2, 4, 5, 3)
        weight = kernel[group * per_out : (group + 1) * per_out].reshape(per_out, -1)
        out[..., group * per_out : (group + 1) * per_out] = (rows.reshape(-1, weight.shape[1]) @ weight.T).reshape(
            n, out_h, out_w, per_out
        )
    return out


def _conv2d(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    x, kernel, bias = take(operands, 3)
    y = convolve(x, kernel, params["window"], params["groups"], params.get("pad_value", 0.0))
    return clamp(y if bias is None else y + bias, params)


def _conv2d_transpose(operands: list[Array | None], params: Params, output: Tensor) -> Array:
    x, kernel, bias = take(operands, 3)
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
    return clamp(y if bias is None else y + bias, params)


def _dense(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    x, weight, bias = take(operands, 3)
    y = x @ weight.T
    return clamp(y if bias is None else y + bias, params)


def _max_pool2d(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    return np.asarray(windows(take(operands, 1)[0], params["window"], -np.inf).max(axis=(4, 5)))


def _avg_pool2d(operands: list[Array | None], params: Params, _: Tensor) -> Array:
    (x,) = take(operands, 1)
    window = params["window"]
    total = windows(x, window, 0.0).sum(axis=(4, 5), dtype=np.float32)
    if params.get("sum"):
        return np.asarray(total)
    if params.get("count_pads"):
        return np.asarray(total / np.float32(window["kernel_h"] * window["kernel_w"]))
    taps = windows(np.ones((1, *x.shape[1:3], 1), np.float32), window, 0.0).sum(axis=(4, 5))
    return np.asarray(total / taps)


FUNCTIONS: Mapping[str, Function] = {
    "conv2d": _conv2d,
    "conv2d_transpose": _conv2d_transpose,
    "dense": _dense,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
}
