# SPDX-License-Identifier: Apache-2.0
"""Operators that cut, join and reorder tensors: tf.split, tf.concat, x[...], tf.nn.depth_to_space and the like."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from harness.errors import ModelError
from harness.model.importers.keras import shaping
from harness.model.importers.keras.arguments import Arguments
from harness.model.importers.keras.config import show
from harness.model.importers.keras.site import Site


def concat(site: Site, args: Arguments) -> str:
    fields = args.fields(axis=args.raw("axis", -1))
    return shaping.concatenate(replace(site, fields=fields, inputs=args.tensors()))


def stack(site: Site, args: Arguments) -> str:
    tensors = args.tensors()
    shape = site.build.shape(tensors[0])
    axis = args.axis("axis", len(shape) + 1, 0)
    thick = (*shape[:axis], 1, *shape[axis:])
    layers = [site.reshape(x, thick, f"layer_{index}") for index, x in enumerate(tensors)]
    return shaping.concatenate(replace(site, fields=args.fields(axis=axis), inputs=tuple(layers)))


def reshape(_: Site, args: Arguments) -> str:
    here = args.only()
    return here.reshape(here.x, shaping.resolved(here, args.sizes("shape"), "shape"))


def transpose(_: Site, args: Arguments) -> str:
    here = args.only()
    return shaping.transpose(here, args.order("perm", list(range(len(here.shape)))[::-1]))


def pad(site: Site, args: Arguments) -> str:
    here = args.only()
    if str(args.raw("mode", "constant")).lower() != "constant":
        raise site.unsupported(f"padding of the mode {show(args.raw('mode'))}")
    pairs = args.fields(paddings=args.raw("paddings")).pairs("paddings", len(here.shape))
    return shaping.pad(here, pairs, args.number("value", 0.0))


def expand_dims(_: Site, args: Arguments) -> str:
    here = args.only()
    axis = args.axis("axis", len(here.shape) + 1, -1)
    return here.reshape(here.x, (*here.shape[:axis], 1, *here.shape[axis:]))


def squeeze(_: Site, args: Arguments) -> str:
    here = args.only()
    ones = [axis for axis, size in enumerate(here.shape) if size == 1]
    axes = args.axes("axis", len(here.shape)) if args.raw("axis") not in (None, []) else ones
    return here.reshape(here.x, tuple(size for axis, size in enumerate(here.shape) if axis not in axes))


def split(_: Site, args: Arguments) -> list[str]:
    here = args.only()
    axis = args.axis("axis", len(here.shape), 0)
    size, parts = here.shape[axis], args.raw("parts")
    if isinstance(args.raw("indices"), int):
        parts = args.raw("indices")
    elif args.raw("indices") is not None:
        edges = [0, *args.order("indices", []), size]
        parts = [end - begin for begin, end in pairwise(edges)]
    if isinstance(parts, int) and 0 < parts <= 64 and size % parts == 0:
        parts = [size // parts] * parts
    if not isinstance(parts, list) or len(parts) > 64 or not all(isinstance(part, int) and part > 0 for part in parts):
        raise args.fail("parts", f"a way to split {size}")
    if sum(parts) != size:
        raise args.fail("parts", f"a way to split {size}")
    outputs, begin = [], 0
    for index, count in enumerate(parts):
        start = tuple(begin if i == axis else 0 for i in range(len(here.shape)))
        shape = (*here.shape[:axis], count, *here.shape[axis + 1 :])
        outputs.append(shaping.cut(here, start, shape, part=f"part_{index}"))
        begin += count
    return outputs


def get_item(site: Site, args: Arguments) -> str:
    """x[...]: slices with a positive step, whole numbers (which drop their axis) and an ellipsis."""
    here, spec = args.only(), args.raw("slice_spec")
    items = list(spec) if isinstance(spec, list | tuple) else [spec]
    gaps = [index for index, item in enumerate(items) if _is_ellipsis(item)]
    missing = len(here.shape) - (len(items) - len(gaps))
    if len(gaps) > 1 or missing < 0:
        raise args.fail("slice_spec", f"an index of a tensor of shape {list(here.shape)}")
    gap = gaps[0] if gaps else len(items)
    items = [*items[:gap], *[{}] * missing, *items[gap + len(gaps) :]]
    ranges = [_taken(site, item, size) for item, size in zip(items, here.shape, strict=True)]
    counts = tuple(len(taken) for taken in ranges)
    whole = shaping.cut(here, tuple(r.start for r in ranges), counts, tuple(r.step for r in ranges))
    kept = tuple(count for count, item in zip(counts, items, strict=True) if isinstance(item, dict))
    return here.reshape(whole, kept or (1,), "drop")


def _is_ellipsis(item: Any) -> bool:
    return item == "..." or (isinstance(item, dict) and item.get("class_name") in ("__ellipsis__", "Ellipsis"))


def _taken(site: Site, item: Any, size: int) -> range:
    """The positions along an axis of `size` that one part of an index takes."""
    if isinstance(item, dict):
        part = item.get("config", item) if item.get("class_name") == "__slice__" else item
        bounds = [part.get(key) for key in ("start", "stop", "step")]
    else:
        bounds = [item, item + 1 or None, 1] if isinstance(item, int) else ["?"]
    if not all(bound is None or (isinstance(bound, int) and not isinstance(bound, bool)) for bound in bounds):
        raise site.unsupported(f"the index {show(item)}")
    if bounds[2] is not None and bounds[2] < 1:
        raise site.unsupported("a slice that runs backwards")
    taken = range(*slice(*bounds).indices(size))
    if not taken:
        raise ModelError(f"{site.fields.where}: {show(item)} takes nothing from {size}.")
    return taken


def space_to_depth(_: Site, args: Arguments) -> str:
    here, block = args.only(), _block(args)
    n, height, width, channels = here.image()
    if height % block or width % block:
        raise args.fail("block", f"a divisor of {height} and {width}")
    x = here.reshape(here.x, (n, height // block, block, width // block, block, channels), "split")
    x = shaping.transpose(here.at("order", x), (0, 1, 3, 2, 4, 5))
    return here.reshape(x, (n, height // block, width // block, block * block * channels))


def depth_to_space(_: Site, args: Arguments) -> str:
    here, block = args.only(), _block(args)
    n, height, width, channels = here.image()
    if channels % (block * block):
        raise args.fail("block", f"a block whose square divides {channels} channels")
    x = here.reshape(here.x, (n, height, width, block, block, channels // block**2), "split")
    x = shaping.transpose(here.at("order", x), (0, 1, 3, 2, 4, 5))
    return here.reshape(x, (n, height * block, width * block, channels // block**2))


def _block(args: Arguments) -> int:
    return args.fields(block=args.raw("block")).integer("block", low=1, high=64)
