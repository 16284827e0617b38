# SPDX-License-Identifier: Apache-2.0
"""Images made larger or smaller."""

from __future__ import annotations

import numpy as np

from harness.model.importers import interpolate, repeat
from harness.model.importers.keras.arguments import Arguments
from harness.model.importers.keras.site import Site
from harness.model.importers.repeat import LONGEST

_MODES = ("nearest", "bilinear")


def up_sampling(rank: int, site: Site) -> str:
    """Each pixel repeated, or new ones between them."""
    shape = site.image(rank + 2)
    factors = site.fields.sizes("size", rank, 2)
    mode = str(site.fields.raw("interpolation", "nearest"))
    if mode == "nearest":
        if max(factors) > repeat.MOST:
            raise site.unsupported(f"an enlargement by more than {repeat.MOST}")
        return repeat.repeated(site.node, site.x, site.shape, (1, *factors, 1))
    return resized(site, tuple(size * factor for size, factor in zip(shape[1:], factors, strict=False)), mode)


def resizing(site: Site) -> str:
    site.image()
    if site.fields.raw("crop_to_aspect_ratio") or site.fields.raw("pad_to_aspect_ratio"):
        raise site.unsupported("resizing that keeps the proportions", "Give images of the right proportions.")
    wanted = site.fields.integer("height"), site.fields.integer("width")
    return resized(site, wanted, str(site.fields.raw("interpolation", "bilinear")))


def image_resize(site: Site, args: Arguments) -> str:
    """tf.image.resize."""
    here = args.only()
    here.image()
    if any(args.raw(key) for key in ("antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio")):
        raise site.unsupported("resizing that smooths the image or keeps its proportions")
    return resized(here, args.fields(size=args.raw("size")).sizes("size", 2), str(args.raw("mode", "bilinear")))


def resized(site: Site, sizes: tuple[int, ...], mode: str) -> str:
    """The image with `sizes` for its height and width; what counts is where the centres of pixels lie."""
    if mode not in _MODES:
        raise site.unsupported(f"the interpolation {mode[:20]!r}", "Use 'nearest' or 'bilinear'.")
    if max(sizes) > LONGEST:
        raise site.unsupported(f"resizing to {list(sizes)}")
    x = site.x
    for axis, new in enumerate(sizes, start=1):
        shape = site.build.shape(x)
        places = (np.arange(new) + 0.5) * shape[axis] / new - 0.5
        if mode == "nearest":
            nearest = np.minimum(np.floor(places + 0.5), shape[axis] - 1).astype(int).tolist()
            x = repeat.taken(site.node, x, shape, axis, nearest, f"axis_{axis}")
        else:
            x = interpolate.blended(site.node, site.constant, x, shape, axis, places)
    return x
