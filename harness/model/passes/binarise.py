# SPDX-License-Identifier: Apache-2.0
"""Layers whose input and weights are evenly spaced become binary convolutions.

Let the input be a = m + d*A and the weights w = c + g*W, with A and W sums of bit planes (one sign for two values, two
signs for three, 1, 2, 4.. times a sign for 2^k). Then

    sum(a * w) = g*d * sum(A * W) + g*m * sum(W) + c * sum(a)

so every such pair runs on one XNOR kernel: {-1, +1} has m = 0, {0, 1} has m = 1/2 and d = ±1/2. The second sum is a
constant of the filter as long as each tap is counted; the third is there only for weights that do not lie around zero,
and is a filter of ones. Where the image is padded, the padding value is an end of the levels and is given the bits 0,
which is what the kernel reads outside the image (the sign of d follows); or it is 0 amid levels around it, and then
m = 0 and the kernel leaves those taps out; or it is another level, and the image is padded before it is quantised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import abi
from harness.model import analyse, bits
from harness.model.analyse import Verdict
from harness.model.graph import Array, Graph, Node
from harness.model.passes import integers, transposed
from harness.model.passes.rewrite import Rewrite
from harness.model.spread import Spread
from harness.model.values import Grid

POINT: dict[str, int] = {f"{name}_{axis}": 1 for name in ("kernel", "stride", "dilation") for axis in "hw"}
FREE: dict[str, Any] = {"lo": -np.inf, "hi": np.inf}


@dataclass(frozen=True)
class Code:
    """How evenly spaced numbers are written in bits: number = middle + distance * (sum of the planes' signs).

    Attributes:
        thresholds: between the numbers, and as many as the planes can tell apart; those beyond are never crossed.
        inverted: the bits 0 stand for the lowest number; else for the highest.
    """

    planes: int
    unary: bool
    middle: float
    distance: float
    inverted: bool
    thresholds: tuple[float, ...]

    @property
    def most(self) -> int:
        """The sum of the planes' signs where all bits are 0."""
        return self.planes if self.unary else (1 << self.planes) - 1

    @property
    def kind(self) -> int:
        return abi.constant("BNN_CODE_UNARY" if self.unary else "BNN_CODE_BINARY")


def encode(grid: Grid, inverted: bool = False) -> Code:
    most = grid.planes if grid.unary else (1 << grid.planes) - 1
    distance = -grid.step / 2 if inverted else grid.step / 2
    middle = (grid.lo if inverted else grid.hi) - distance * most
    between = [grid.lo + (at + 0.5) * grid.step for at in range(grid.count - 1)]
    beyond = [np.inf if inverted else -np.inf] * (most - len(between))
    return Code(grid.planes, grid.unary, middle, distance, inverted, (*between, *beyond))


def binarise(graph: Graph) -> Graph:
    """Rewrites every layer whose verdict allows it. Each gets its own quantize; later passes share and move them."""
    graph = _real_where_binary(graph)
    work = Rewrite(graph)
    for verdict in analyse.verdicts(graph).values():
        if verdict.kind in analyse.ON_BITS and verdict.node.op in analyse.LAYERS:
            _layer(work, verdict)
    return work.graph()


def _real_where_binary(graph: Graph) -> Graph:
    """Layers of int8 that bits can carry become layers of real numbers, between two conversions."""
    if not any(tensor.dtype == "i8" for tensor in graph.tensors.values()):
        return graph
    work = Rewrite(graph)
    for verdict in analyse.verdicts(graph).values():
        coded = graph.tensors[str(verdict.node.inputs[0])].dtype == "i8"
        if coded and verdict.kind in analyse.ON_BITS:
            integers.as_real(work, verdict.node)
    return work.graph() if len(work.nodes) > len(graph.nodes) else graph


def _layer(work: Rewrite, verdict: Verdict) -> None:
    node, grid = verdict.node, verdict.arriving.grid
    assert grid is not None
    x, weight, bias = (*node.inputs, None)[:3]
    assert x is not None
    assert weight is not None
    kernel = work.tensors[weight].data
    assert kernel is not None
    work.remove(node)
    filters = _as_filters(kernel, verdict.spread)
    window, groups = dict(node.params.get("window", POINT)), int(node.params.get("groups", 1))
    if node.op == "dense":
        filters = filters[:, None, None, :]
        x = _as_image(work, x, f"{node.name}/rows")
    inside = analyse.border(node) in (grid.lo, grid.hi)
    outside = analyse.padded(node) or node.op == "conv2d_transpose"
    if outside and not inside and not analyse.masked(node, grid):
        x, window, outside = *_fill(work, x, window, analyse.border(node), f"{node.name}/border"), False
    depthwise = analyse.depthwise(work.source, node)
    if depthwise:
        x = _repeat(work, x, len(filters) // groups, node.name)
    elif groups > 1:
        x, filters = _widen(work, x, filters, groups, grid, verdict.spread, node.name)

    code = encode(grid, inverted=outside and inside and analyse.border(node) == grid.lo)
    limits = np.asarray(code.thresholds)[:, None]
    packed = quantize(work, x, limits, code.inverted, f"{node.name}/quantize", planes=code.planes, code=code.kind)
    border = abi.constant("BNN_BORDER_ONE" if inside or not outside else "BNN_BORDER_ZERO")
    layer = _Layer(work, node, code, encode(verdict.spread.grid), verdict.spread, packed, border, groups, depthwise)
    extra = None if bias is None else work.tensors[bias].data
    if node.op == "conv2d_transpose":
        transposed.split(work, node, filters, lambda name, part, place: layer.convolve(name, part, place, extra))
    else:
        layer.finish(layer.convolve(node.name, filters, window, extra), filters, window)


def _as_filters(kernel: Array, spread: Spread) -> Array:
    """Weights [O, ..] as the index of each value, counted from the largest down."""
    shape = (-1, *[1] * (kernel.ndim - 1))
    if spread.count == 2:  # the usual case, and the largest tensors
        return np.less(kernel, spread.centre.astype(np.float32).reshape(shape)).view(np.uint8)
    unit = (kernel - spread.centre.reshape(shape)) / spread.scale.reshape(shape)
    return np.rint((1 - unit) * ((spread.count - 1) / 2)).astype(np.uint8)


def _as_image(work: Rewrite, x: str, name: str) -> str:
    """[..., I] as [N, 1, 1, I], which costs nothing at run time."""
    shape = work.tensors[x].shape
    if len(shape) == 4:
        return x
    return work.node("reshape", name, (x,), shape=(int(np.prod(shape[:-1], dtype=np.int64)), 1, 1, shape[-1]))


def _fill(work: Rewrite, x: str, window: dict[str, int], value: float, name: str) -> tuple[str, dict[str, int]]:
    """The image with the window's padding written out, and the window without it."""
    before = [0, window.get("pad_top", 0), window.get("pad_left", 0), 0, 0, 0]
    after = [0, window.get("pad_bottom", 0), window.get("pad_right", 0), 0, 0, 0]
    bare = {key: 0 if key.startswith("pad_") else size for key, size in window.items()}
    return work.node("pad", name, (x,), before=before, after=after, value=value), bare


def _repeat(work: Rewrite, x: str, times: int, name: str) -> str:
    """Each channel as often as it has filters, one after the other."""
    if times == 1:
        return x
    shape = work.tensors[x].shape
    apart = work.node("reshape", f"{name}/channels", (x,), shape=(*shape, 1))
    copies = work.node("concat", f"{name}/copies", (apart,) * times, axis=len(shape))
    return work.node("reshape", f"{name}/repeated", (copies,), shape=(*shape[:-1], shape[-1] * times))


def _widen(
    work: Rewrite, x: str, filters: Array, groups: int, grid: Grid, spread: Spread, name: str
) -> tuple[str, Array]:
    """Groups that do not fill whole words get as many +1 as -1 weights on constant channels: these add nothing."""
    n, height, width, channels = work.tensors[x].shape
    per_group = channels // groups
    missing = -per_group % bits.WORD
    if not missing:
        return x, filters
    parted = work.node("reshape", f"{name}/groups", (x,), shape=(n, height, width, groups, per_group))
    after = [0, 0, 0, 0, missing, 0]
    wide = work.node("pad", f"{name}/widen", (parted,), before=[0] * 6, after=after, value=grid.hi)
    joined = work.node("reshape", f"{name}/wide", (wide,), shape=(n, height, width, groups * (per_group + missing)))
    ends = np.repeat(np.asarray([0, spread.count - 1], np.uint8), missing // 2)
    return joined, np.concatenate([filters, np.broadcast_to(ends, (*filters.shape[:3], missing))], axis=3)


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer on its way to the bit kernels."""

    work: Rewrite
    node: Node
    code: Code
    weights: Code
    spread: Spread
    packed: str
    border: int
    groups: int
    depthwise: bool

    def convolve(self, name: str, filters: Array, window: Mapping[str, int], bias: Array | None) -> str:
        """g*d * sum(A * W) + g*m * sum(W) + bias."""
        most = self.weights.most
        taps = int(np.prod(filters.shape[1:], dtype=np.int64))
        unit = self.spread.scale / most
        sums = taps * most - 2 * filters.reshape(len(filters), -1).sum(axis=1, dtype=np.int64)
        offset = unit * self.code.middle * sums + (0.0 if bias is None else bias)
        return self._bconv2d(name, filters, window, unit * self.code.distance, offset)

    def finish(self, image: str, filters: Array, window: Mapping[str, int]) -> None:
        """Adds c * sum(a) where there is a c, and the activation; gives the result the layer's own shape and name."""
        work, node = self.work, self.node
        limits: dict[str, Any] = {end: float(node.params.get(end, free)) for end, free in FREE.items()}
        if not self.spread.symmetric:
            ones = np.zeros((1, *filters.shape[1:]), np.uint8)
            constant = self.code.middle * ones.size * np.ones(1)
            total = self._bconv2d(f"{node.name}/sum", ones, window, np.full(1, self.code.distance), constant)
            centre = work.constant(f"{node.name}/centre", self.spread.centre)
            share = work.node("arith", f"{node.name}/share", (total, centre), kind=abi.constant("BNN_MUL"))
            image = work.node("arith", f"{node.name}/add", (image, share), kind=abi.constant("BNN_ADD"), **limits)
        elif limits != FREE:
            host = work.producer[image]
            work.replace(host, params={**host.params, **limits})
        shape = work.tensors[node.output].shape
        if work.tensors[image].shape == shape:
            host = work.producer[image]
            work.replace(host, output=node.output)
        else:
            work.node("reshape", f"{node.name}/shape", (image,), shape=shape, output=node.output)

    def _bconv2d(self, name: str, filters: Array, window: Mapping[str, int], multiplier: Array, bias: Array) -> str:
        work, weights = self.work, self.weights
        if weights.planes == 1:
            planes = filters[np.newaxis]
        elif weights.unary:
            planes = np.stack([filters > plane for plane in range(weights.planes)])
        else:
            planes = np.stack([filters >> plane & 1 for plane in range(weights.planes)])
        if self.depthwise:
            planes = planes.transpose(0, 4, 2, 3, 1)
        operands: list[str | None] = [
            self.packed,
            work.constant(
                f"{name}/bits", bits.pack(planes.astype(np.uint8, copy=False)), "bits", planes.shape[1:], weights.planes
            ),
            None if np.all(multiplier == 1) else work.constant(f"{name}/multiplier", multiplier),
            None if np.all(bias == 0) else work.constant(f"{name}/bias", bias),
        ]
        while operands[-1] is None:
            operands.pop()
        params: dict[str, Any] = {"window": dict(window), "border": self.border, **FREE}
        if self.depthwise:
            return work.node("bdepthwise2d", name, tuple(operands), layer=self.node.layer, **params)
        params |= {"groups": self.groups, "x_code": self.code.kind, "w_code": weights.kind}
        return work.node("bconv2d", name, tuple(operands), layer=self.node.layer, **params)


def quantize(
    work: Rewrite,
    x: str,
    thresholds: Array,
    invert: Array | bool,
    name: str,
    output: str | None = None,
    planes: int = 1,
    code: int = 0,
) -> str:
    """Adds a quantize with constants no larger than they need to be.

    Args:
        thresholds: [T, C] or [T, 1].
        output: the tensor to be taken over; a new one where None.
        planes, code: how many bit planes, and an enumerator of bnn_code.
    """
    channels = work.tensors[x].shape[-1]
    limits = np.asarray(thresholds, np.float32)
    flipped = np.broadcast_to(np.asarray(invert, bool), (channels,))
    if np.all(limits == limits[:, :1]):
        limits = limits[:, :1]
    operands: list[str | None] = [x, work.constant(f"{name}/threshold", limits[0] if len(limits) == 1 else limits)]
    if flipped.any():
        mask = bits.pack(flipped[None].astype(np.uint8))
        operands.append(work.constant(f"{name}/invert", mask, "bits", (channels,)))
    return work.node("quantize", name, tuple(operands), "bits", output=output, planes=planes, code=code)
