# SPDX-License-Identifier: Apache-2.0
"""A transposed convolution of stride s is s*s plain ones, each of which computes every s-th pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.model.graph import Array, Node
from harness.model.passes.rewrite import Rewrite

Convolve = Callable[[str, Array, Mapping[str, int]], str]


def split(work: Rewrite, node: Node, filters: Array, convolve: Convolve) -> None:
    """Replaces a transposed convolution that `analyse.phases` allows.

    Output row s*q + r gathers filter row k from input row i where s*i + k = s*q + r + pad. So k runs over r + pad mod s
    in steps of s, and i falls while k rises: the phase's filter is every s-th row, turned around.

    Args:
        filters: [O, kernel_h, kernel_w, C] as `convolve` takes them.
        convolve: (name, filters, window) to the name of the result.
    """
    window = node.params["window"]
    n, height, width, channels = work.tensors[node.output].shape
    size = dict(zip("hw", work.tensors[str(node.inputs[0])].shape[1:3], strict=True))
    strides = {axis: int(window[f"stride_{axis}"]) for axis in "hw"}
    steps = {"h": -(-height // strides["h"]), "w": -(-width // strides["w"])}
    parts = []
    for row in range(strides["h"]):
        for column in range(strides["w"]):
            place: dict[str, int] = {}
            taps, skipped = {}, {}
            for axis, phase, low, high in (("h", row, "top", "bottom"), ("w", column, "left", "right")):
                shifted = phase + int(window.get(f"pad_{low}", 0))
                taps[axis] = np.arange(shifted % strides[axis], window[f"kernel_{axis}"], strides[axis])[::-1]
                count = len(taps[axis])
                before = count - 1 - shifted // strides[axis]
                after = steps[axis] - 1 + count - size[axis] - before
                skipped[axis] = max(0, -before)
                place |= {f"kernel_{axis}": count, f"stride_{axis}": 1, f"dilation_{axis}": 1}
                place |= {f"pad_{low}": max(0, before), f"pad_{high}": max(0, after)}
            part = np.ascontiguousarray(filters[:, taps["h"]][:, :, taps["w"]])
            name = f"{node.name}/phase{row}{column}"
            parts.append(
                _crop(work, convolve(name, part, place), (skipped["h"], skipped["w"]), (steps["h"], steps["w"]))
            )
    shape = (n, steps["h"], steps["w"], strides["h"], strides["w"], channels)
    rows = work.node("concat", f"{node.name}/concat", tuple(parts), axis=3)
    split_up = work.node("reshape", f"{node.name}/phases", (rows,), shape=shape)
    woven = work.node("transpose", f"{node.name}/weave", (split_up,), permutation=[0, 1, 3, 2, 4, 5])
    limits: dict[str, Any] = {end: float(node.params[end]) for end in ("lo", "hi")}
    whole = (n, shape[1] * shape[3], shape[2] * shape[4], channels)
    image = work.node("reshape", f"{node.name}/image", (woven,), shape=whole)
    image = _crop(work, image, (0, 0), (height, width))
    work.node("clamp", node.name, (image,), output=node.output, **limits)


def _crop(work: Rewrite, image: str, begin: tuple[int, int], size: tuple[int, int]) -> str:
    """The part of an image [N, H, W, C] that is wanted; the image itself where that is all of it."""
    n, height, width, channels = work.tensors[image].shape
    if (height, width) == size:
        return image
    first = [0, *begin, 0, 0, 0]
    return work.node("slice", f"{image}/crop", (image,), shape=(n, *size, channels), begin=first, step=[1] * 6)
