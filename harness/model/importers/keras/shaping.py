# SPDX-License-Identifier: Apache-2.0
"""Layers that move values about, scale them all alike, or join several tensors."""

from __future__ import annotations

import math

import numpy as np

from harness.errors import ModelError
from harness.model.importers import repeat
from harness.model.importers.keras.normalization import of_unit_length
from harness.model.importers.keras.site import UNBOUNDED, Site
from harness.model.importers.keras.weights import Shape


def flatten(site: Site) -> str:
    site.channels_last()
    return site.reshape(site.x, (site.shape[0], math.prod(site.shape[1:])))


def reshape(site: Site) -> str:
    target = site.fields.raw("target_shape")
    if not isinstance(target, list):
        raise site.fields.fail("target_shape", "a shape")
    return site.reshape(site.x, resolved(site, [site.shape[0], *target], "target_shape"))


def resolved(site: Site, target: list[object], key: str) -> Shape:
    """A target shape in which one size may be -1 and the batch may be left open."""
    sizes = [site.shape[0] if index == 0 and size is None else size for index, size in enumerate(target)]
    whole = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool)]
    if len(whole) < len(sizes) or any(size < 1 and size != -1 for size in whole) or whole.count(-1) > 1:
        raise site.fields.fail(key, "a shape in which at most one size is open")
    known = math.prod(size for size in whole if size != -1)
    elements = math.prod(site.shape)
    return tuple(elements // known if size == -1 else size for size in whole)


def permute(site: Site) -> str:
    order = site.fields.raw("dims")
    if not isinstance(order, list) or not all(isinstance(axis, int) for axis in order):
        raise site.fields.fail("dims", "an order of axes")
    return transpose(site, (0, *order))


def transpose(site: Site, order: tuple[int, ...]) -> str:
    if sorted(order) != list(range(len(site.shape))):
        raise ModelError(f"{site.fields.where}: {list(order)} is no order of the axes of {list(site.shape)}.")
    full = (*order, *range(len(order), 6))
    return site.node("transpose", (site.x,), permutation=full)


def zero_padding(rank: int, site: Site) -> str:
    site.image(rank + 2)
    pads = site.fields.pairs("padding", rank, 1) if rank > 1 else _pair(site, "padding")
    return pad(site, ((0, 0), *pads, (0, 0)), 0.0)


def pad(site: Site, pads: tuple[tuple[int, int], ...], value: float) -> str:
    filled = (*pads, *((0, 0) for _ in range(6 - len(pads))))
    before, after = tuple(pair[0] for pair in filled), tuple(pair[1] for pair in filled)
    return site.node("pad", (site.x,), before=before, after=after, value=value)


def _pair(site: Site, key: str) -> tuple[tuple[int, int], ...]:
    """The single (before, after) of a one-dimensional layer, which Keras writes without the outer list."""
    value = site.fields.raw(key, 1)
    flat = isinstance(value, list) and all(isinstance(size, int) for size in value)
    return site.fields.pairs(key, 1) if not flat else type(site.fields)(site.fields.where, {key: [value]}).pairs(key, 1)


def cropping(rank: int, site: Site) -> str:
    shape = site.image(rank + 2)
    crops = ((0, 0), *(site.fields.pairs("cropping", rank, 0) if rank > 1 else _pair(site, "cropping")), (0, 0))
    sizes = tuple(size - before - after for size, (before, after) in zip(shape, crops, strict=True))
    if min(sizes) < 1:
        raise ModelError(f"{site.fields.where} crops {list(shape)} down to nothing.")
    return cut(site, tuple(crop[0] for crop in crops), sizes)


def cut(site: Site, begin: tuple[int, ...], sizes: Shape, step: tuple[int, ...] | None = None, part: str = "") -> str:
    rest = 6 - len(sizes)
    steps = step or (1,) * len(sizes)
    return site.node("slice", (site.x,), part, sizes, begin=(*begin, *(0,) * rest), step=(*steps, *(1,) * rest))


def center_crop(site: Site) -> str:
    """The middle of an image. Keras enlarges smaller images in ways of its own."""
    shape = site.image()
    sizes = (shape[0], site.fields.integer("height"), site.fields.integer("width"), shape[3])
    if any(size > whole for size, whole in zip(sizes, shape, strict=True)):
        raise site.unsupported("a crop that is larger than the image")
    begin = tuple((whole - size) // 2 for size, whole in zip(sizes, shape, strict=True))
    return cut(site, begin, sizes)


def repeat_vector(site: Site) -> str:
    n, channels = site.image(2)
    count = site.fields.integer("n", low=1, high=repeat.MOST)
    row = site.reshape(site.x, (n, 1, channels), "row")
    return site.node("concat", (row,) * count, axis=1)


def rescaling(site: Site) -> str:
    """x * scale + offset; either may be one number or one for each channel."""
    channels = site.shape[-1]
    values = {}
    for key, default in (("scale", 1.0), ("offset", 0.0)):
        raw = site.fields.raw(key, default)
        items = raw if isinstance(raw, list) else [raw]
        if len(items) not in (1, channels) or not all(isinstance(item, int | float) for item in items):
            raise site.fields.fail(key, f"a number, or {channels} of them")
        values[key] = np.broadcast_to(np.array(items, np.float64), channels)
    constants = site.constants(lambda: values, channels)
    return site.node("affine", (site.x, constants["scale"], constants["offset"]), **UNBOUNDED)


def concatenate(site: Site) -> str:
    rank = len(site.build.shape(site.inputs[0]))
    axis = site.fields.integer("axis", -1, -rank, rank - 1) % rank
    if axis == 0:
        raise site.unsupported("a concatenation along the batch")
    return site.node("concat", site.inputs, axis=axis) if len(site.inputs) > 1 else site.inputs[0]


def merge(kind: str, site: Site) -> str:
    """Element by element over all inputs, from left to right. Like Keras, an input of fewer axes gets new ones after
    the batch: a vector of channels meets every pixel."""
    rank = max(len(site.build.shape(x)) for x in site.inputs)
    aligned = []
    for index, x in enumerate(site.inputs):
        shape = site.build.shape(x)
        missing = (1,) * (rank - len(shape))
        aligned.append(site.reshape(x, (shape[0], *missing, *shape[1:]), f"align_{index}"))
    total = aligned[0]
    for index, x in enumerate(aligned[1:], start=1):
        last = index == len(aligned) - 1
        total = site.arith(kind, total, x, "" if last else f"part_{index}")
    return total


def subtract(site: Site) -> str:
    if len(site.inputs) != 2:
        raise ModelError(f"{site.fields.where} gets {len(site.inputs)} tensors; it takes two.")
    return merge("SUB", site)


def average(site: Site) -> str:
    total = merge("ADD", site.at("sum", *site.inputs))
    return site.arith("DIV", total, site.scalar(float(len(site.inputs)), "count"))


def dot(site: Site) -> str:
    """The sum of products of two vectors; of their directions alone where `normalize` is set."""
    shapes = [site.build.shape(x) for x in site.inputs]
    axes = site.fields.raw("axes", -1)
    if len(shapes) != 2 or any(len(shape) != 2 for shape in shapes) or shapes[0] != shapes[1]:
        raise site.unsupported("a dot product of other tensors than two vectors of one length")
    if any(axis not in (1, -1) for axis in (axes if isinstance(axes, list) else [axes])):
        raise site.fields.fail("axes", "the axis of the vectors")
    a, b = site.inputs
    if site.fields.flag("normalize", False):
        a, b = (of_unit_length(site.feed(x), [1], f"{name}_") for x, name in ((a, "first"), (b, "second")))
    mean = site.node("mean", (site.arith("MUL", a, b, "products"),), "mean", (shapes[0][0], 1), axes=0b10)
    return site.affine(mean, float(shapes[0][1]), 0.0)
