# SPDX-License-Identifier: Apache-2.0
"""Pooling layers. One-dimensional ones run as images of height 1."""

from __future__ import annotations

from harness.model import shapes
from harness.model.importers.keras.convolutions import window
from harness.model.importers.keras.site import Site


def pool(op: str, rank: int, site: Site) -> str:
    """Padding is never counted: a maximum ignores it and Keras' average divides by what lies inside."""
    shape = site.image(rank + 2)
    image = site.feed(site.reshape(site.x, (shape[0], 1, *shape[1:]), "as_image")) if rank == 1 else site
    y = site.node(op, (image.x,), window=window(image, rank, "pool_size"))
    if rank == 2:
        return y
    n, _, length, channels = site.build.shape(y)
    return site.reshape(y, (n, length, channels), "as_sequence")


def global_average(rank: int, site: Site) -> str:
    shape = site.image(rank + 2)
    return site.node("mean", (site.x,), shape=_pooled(site, shape), axes=0b110 if rank == 2 else 0b10)


def global_maximum(rank: int, site: Site) -> str:
    shape = site.image(rank + 2)
    n, height, width, channels = shape if rank == 2 else (shape[0], 1, *shape[1:])
    x = site.reshape(site.x, (n, height, width, channels), "as_image")
    y = site.node("max_pool2d", (x,), window=shapes.window((height, width)))
    return site.reshape(y, _pooled(site, shape), "flat")


def _pooled(site: Site, shape: tuple[int, ...]) -> tuple[int, ...]:
    if site.fields.flag("keepdims", False):
        return (shape[0], *(1 for _ in shape[1:-1]), shape[-1])
    return (shape[0], shape[-1])
