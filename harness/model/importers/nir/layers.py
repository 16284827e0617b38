# SPDX-License-Identifier: Apache-2.0
"""Each class of NIR as nodes of the graph.

In a step, NIR has images [C, H, W], signals [C, L] and vectors [F]; the graph [1, H, W, C], [1, 1, L, C] and [1, F].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness import abi
from harness.model import shapes
from harness.model.graph import Array, Builder
from harness.model.importers.nir.container import Entry
from harness.model.simulation import Simulation

Shape = tuple[int, ...]


def spatial(shape: Shape) -> Shape:
    """The [C, H, W] of an image, or of a signal [C, L], which is an image of one row."""
    return shape if len(shape) == 3 else (shape[0], 1, shape[1])


@dataclass(frozen=True, eq=False)
class Value:
    """What a node gives in one time step.

    Attributes:
        tensor: in the graph, with a batch of one in front.
        shape: in the file's own layout.
        image: the [C, H, W] or [C, L] that the file flattened into features; they stand in the order of the graph here.
    """

    tensor: str
    shape: Shape
    image: Shape = ()

    def of(self, tensor: str) -> Value:
        """Another tensor with the same layout."""
        return replace(self, tensor=tensor)

    def laid_out(self, data: Array) -> Array:
        """Data [..., *shape] in the layout of the tensor."""
        places = self.image or self.shape
        if len(places) == 1:
            return data
        before = data.shape[: data.ndim - len(self.shape)]
        placed = np.moveaxis(data.reshape(*before, *spatial(places)), -3, -1)
        return placed.reshape(data.shape) if self.image else placed


@dataclass(frozen=True, eq=False)
class Site:
    """The place where a node is written."""

    build: Builder
    simulation: Simulation
    entry: Entry
    x: Value

    def constant(self, field: str, data: Array) -> str:
        return self.build.constant(f"{self.entry.name}/{field}", data)

    def node(
        self, op: str, inputs: tuple[str | None, ...], name: str = "", shape: Shape | None = None, **more: Any
    ) -> str:
        name = f"{self.entry.name}/{name}" if name else self.entry.name
        return self.build.node(op, name, inputs, shape, layer=self.entry.kind, **more)

    def features(self) -> int:
        if len(self.x.shape) != 1:
            raise self.entry.broken(f"it wants a vector of features, not {list(self.x.shape)}")
        return self.x.shape[0]

    def channels(self, axes: int) -> int:
        """Of what it reads, which has so many axes beside them."""
        if len(self.x.shape) != axes + 1:
            wanted = "a signal [C, L]" if axes == 1 else "an image [C, H, W]"
            raise self.entry.broken(f"it wants {wanted}, not {list(self.x.shape)}")
        return self.x.shape[0]

    def mapped(self, tensor: str) -> Value:
        """What a convolution or pool gives: an image or a signal, as its input is."""
        _, height, width, channels = self.build.shape(tensor)
        return Value(tensor, (channels, height, width)[:: 1 if len(self.x.shape) == 3 else 2])

    def spread(self, field: str, default: float | None = None) -> Array:
        """A constant of each neuron, [1], [C] or as many as there are, in the graph's layout and in float64."""
        shape = self.x.shape
        if default is not None and not self.entry.has(field):
            return np.full(1, default)
        data = self.entry.floats(field).astype(np.float64)
        if data.size == 1:
            return data.reshape(1)
        if data.ndim == 1 and data.size == math.prod(shape):  # whole numbers come flat
            data = data.reshape(shape)
        if data.shape == shape[:1] and len(shape) > 1:
            return data
        if data.shape != shape:
            raise self.entry.broken(f"its {field} has the shape {list(data.shape)}, its neurons {list(shape)}")
        placed = self.x.laid_out(data)
        rows = placed.reshape(-1, placed.shape[-1])
        if np.all(rows == rows[:1]):
            placed = rows[0]
        return placed[:1] if placed.ndim == 1 and np.all(placed == placed[0]) else placed


def _convolution(site: Site, axes: int) -> Value:
    entry, channels = site.entry, site.channels(axes)
    weight, (groups,) = entry.floats("weight"), entry.integers("groups", 1, 1)
    if weight.ndim != axes + 2 or groups < 1 or channels != weight.shape[1] * groups:
        raise entry.broken(f"a weight {list(weight.shape)} in {groups} groups does not fit {channels} channels")
    stride, dilation = entry.integers("stride", axes, 1), entry.integers("dilation", axes, 1)
    named = entry.text("padding")
    if named == "same":  # as in torch: an odd one goes after
        total = tuple(step * (size - 1) for step, size in zip(dilation, weight.shape[2:], strict=True))
        before = tuple(size // 2 for size in total)
        after = tuple(size - size // 2 for size in total)
    elif named in (None, "valid"):
        before = after = (0,) * axes if named else entry.integers("padding", axes, 0)
    else:
        raise entry.broken(f"its padding is {named[:40]!r}")
    if axes == 1:
        weight = weight[:, :, np.newaxis]
        stride, dilation, before, after = (1, *stride), (1, *dilation), (0, *before), (0, *after)
    inputs = [site.x.tensor, site.constant("weight", weight.transpose(0, 2, 3, 1))]
    inputs += _bias(site, weight.shape[0])
    window = shapes.window(weight.shape[2:], stride, dilation, list(zip(before, after, strict=True)))
    y = site.node("conv2d", tuple(inputs), window=window, groups=groups, pad_value=0.0, lo=-np.inf, hi=np.inf)
    return site.mapped(y)


def _conv1d(site: Site) -> Value:
    return _convolution(site, 1)


def _conv2d(site: Site) -> Value:
    return _convolution(site, 2)


def _bias(site: Site, count: int) -> list[str]:
    """The bias, where there is one that is not all zero."""
    if not site.entry.has("bias"):
        return []
    bias = site.entry.floats("bias")
    if bias.shape != (count,):
        raise site.entry.broken(f"its bias has the shape {list(bias.shape)} for {count} outputs")
    return [site.constant("bias", bias)] if bias.any() else []


def _linear(site: Site) -> Value:
    features, weight = site.features(), site.entry.floats("weight")
    if weight.ndim != 2 or weight.shape[1] != features:
        raise site.entry.broken(f"a weight {list(weight.shape)} does not fit {features} features")
    inputs = [site.x.tensor, site.constant("weight", site.x.laid_out(weight)), *_bias(site, weight.shape[0])]
    return Value(site.node("dense", tuple(inputs), lo=-np.inf, hi=np.inf), (weight.shape[0],))


def _pool(site: Site, **params: Any) -> Value:
    site.channels(2)
    kernel, entry = site.entry.integers("kernel_size", 2), site.entry
    sides = entry.integers("padding", 2, 0)
    window = shapes.window(kernel, entry.integers("stride", 2), pads=[(side, side) for side in sides])
    return site.mapped(site.node("avg_pool2d", (site.x.tensor,), window=window, **params))


def _sum_pool(site: Site) -> Value:
    return _pool(site, sum=1)


def _avg_pool(site: Site) -> Value:
    return _pool(site, count_pads=1)


def _flatten(site: Site) -> Value:
    """All axes of a step become one. Exporters count the first of them as 0 or, with the batch in mind, as 1."""
    (start,), (end,) = site.entry.integers("start_dim", 1, 1), site.entry.integers("end_dim", 1, -1)
    shape = site.x.shape
    if len(shape) == 1:
        return site.x
    if start not in (0, 1) or end not in (-1, len(shape) - 1, len(shape)):
        raise site.entry.broken(f"it flattens the axes {start} to {end} of {list(shape)}, not all of them")
    features = int(np.prod(shape))
    return Value(site.node("reshape", (site.x.tensor,), shape=(1, features)), (features,), shape)


def _scale(site: Site) -> Value:
    factor = site.constant("scale", site.spread("scale"))
    return site.x.of(site.node("arith", (site.x.tensor, factor), kind=abi.constant("BNN_MUL")))


def _threshold(site: Site) -> Value:
    limit = site.constant("threshold", site.spread("threshold"))
    return site.x.of(site.node("arith", (site.x.tensor, limit), kind=abi.constant("BNN_GREATER_EQUAL")))


FUNCTIONS: Mapping[str, Callable[[Site], Value]] = {
    "Conv1d": _conv1d,
    "Conv2d": _conv2d,
    "Linear": _linear,
    "Affine": _linear,
    "Scale": _scale,
    "Threshold": _threshold,
    "Flatten": _flatten,
    "SumPool2d": _sum_pool,
    "AvgPool2d": _avg_pool,
}
