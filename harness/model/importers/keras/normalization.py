# SPDX-License-Identifier: Apache-2.0
"""Layers that bring numbers to a common mean and spread: by what training found, or by the numbers themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import ModelError
from harness.model.importers.keras.site import UNBOUNDED, Site

Floats = NDArray[np.float32]

TINY_SPREAD = 1e-7
"""Keras' epsilon(): the least that Normalization divides by."""
TINY_LENGTH = 1e-12
"""The least square of a length, in UnitNormalization, Dot and l2_normalize."""


def batch_normalization(site: Site) -> str:
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, folded into x * scale + offset in float64."""
    fields, shape = site.fields, site.shape
    axis = fields.raw("axis", -1)
    if axis not in (-1, len(shape) - 1, [-1], [len(shape) - 1]):
        raise site.unsupported("batch normalisation along another axis than the last", "Keep the channels last.")
    if fields.raw("renorm") or fields.raw("virtual_batch_size"):
        raise site.unsupported("batch renormalisation or a virtual batch")
    epsilon = fields.number("epsilon", 1e-3)
    names = [("gamma", fields.flag("scale", True)), ("beta", fields.flag("center", True))]
    wanted = {name: (shape[-1],) for name, present in names if present}
    wanted |= {"moving_mean": (shape[-1],), "moving_variance": (shape[-1],)}

    def make() -> Mapping[str, Floats | None]:
        stored = {name: values.astype(np.float64) for name, values in site.variables(wanted).items()}
        spread = stored["moving_variance"] + epsilon
        if (stored["moving_variance"] < 0).any() or (spread <= 0).any():
            raise ModelError(
                f"{site.fields.where}: its moving variance is not positive.",
                "No data has such a variance; the file is damaged or was edited.",
                "Load the model in the framework that wrote it and look at that layer.",
            )
        scale = stored.get("gamma", 1.0) / np.sqrt(spread)
        offset = stored.get("beta", 0.0) - stored["moving_mean"] * scale
        return {"scale": scale.astype(np.float32), "offset": offset.astype(np.float32)}

    constants = site.constants(make)
    return site.node("affine", (site.x, constants["scale"], constants["offset"]), **UNBOUNDED)


def normalization(site: Site) -> str:
    """(x - mean) / spread, by numbers of the config or by what `adapt` found; `invert` goes the other way."""
    fields, channels = site.fields, site.shape[-1]
    axis = fields.raw("axis", -1)
    last = [axis] if isinstance(axis, int) else axis
    if last not in (None, [], [-1], [len(site.shape) - 1]):
        raise site.unsupported(f"a normalisation along the axes {last!r:.40}", "Keep the channels last.")
    size = (channels,) if last else ()

    def make() -> Mapping[str, Floats | None]:
        stored: dict[str, Any] = {key: _numbers(site, key, channels) for key in ("mean", "variance")}
        if fields.raw("mean") is None:
            stored = dict(site.variables({"mean": size, "variance": size}))
        mean, variance = (np.broadcast_to(stored[key], channels).astype(np.float64) for key in ("mean", "variance"))
        if (variance < 0).any():
            raise fields.fail("variance", "positive")
        spread = np.maximum(np.sqrt(variance), TINY_SPREAD)
        if fields.raw("invert"):
            return {"scale": spread.astype(np.float32), "offset": mean.astype(np.float32)}
        return {"scale": (1 / spread).astype(np.float32), "offset": (-mean / spread).astype(np.float32)}

    constants = site.constants(make)
    return site.node("affine", (site.x, constants["scale"], constants["offset"]), **UNBOUNDED)


def _numbers(site: Site, key: str, channels: int) -> NDArray[np.float64] | None:
    """Numbers of the config, which Keras writes one by one or nested in lists."""
    value = site.fields.raw(key)
    try:
        found = None if value is None else np.asarray(value, np.float64).reshape(-1)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found is not None and (found.size not in (1, channels) or not np.isfinite(found).all()):
        raise site.fields.fail(key, f"a number, or {channels} of them")
    return found


def layer_normalization(site: Site) -> str:
    """Each image by the mean and variance of its own numbers along some axes."""
    shape, fields = site.shape, site.fields
    if fields.raw("rms_scaling"):
        raise site.unsupported("a layer normalisation that scales only")
    axes = _axes(site, -1)
    found = tuple(shape[axis] for axis in axes)
    standing = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
    return _restored(site, _standard(site, site.x, axes), found, standing)


def group_normalization(site: Site) -> str:
    """Each group of channels by its own mean and variance over the whole image."""
    shape, fields = site.shape, site.fields
    if _axes(site, -1) != [len(shape) - 1] or len(shape) > 5:
        raise site.unsupported("a group normalisation along another axis than the last", "Keep the channels last.")
    channels = shape[-1]
    groups = channels if fields.raw("groups", 32) == -1 else fields.integer("groups", 32)
    if channels % groups:
        raise fields.fail("groups", f"a divisor of its {channels} channels")
    split = site.reshape(site.x, (*shape[:-1], groups, channels // groups), "groups")
    axes = [axis for axis in range(1, len(shape) + 1) if axis != len(shape) - 1]
    joined = site.reshape(_standard(site, split, axes), shape, "joined")
    return _restored(site, joined, (channels,), (channels,))


def unit_normalization(site: Site) -> str:
    return of_unit_length(site, _axes(site, -1))


def of_unit_length(site: Site, axes: Sequence[int], part: str = "") -> str:
    """x over the square root of the sum of its squares along `axes`."""
    shape = site.shape
    count = math.prod(shape[axis] for axis in axes)
    mean = _mean(site, site.unary("SQUARE", site.x, f"{part}square"), axes, f"{part}mean")
    least = site.affine(mean, float(count), 0.0, f"{part}sum", lo=TINY_LENGTH, hi=math.inf)
    return site.arith("MUL", site.x, site.unary("RSQRT", least, f"{part}inverse"), f"{part}unit" if part else "")


def _axes(site: Site, default: int) -> list[int]:
    rank, value = len(site.shape), site.fields.raw("axis", default)
    axes = [value] if isinstance(value, int) else value
    if not isinstance(axes, list) or not axes or not all(isinstance(a, int) and -rank <= a < rank for a in axes):
        raise site.fields.fail("axis", f"axes of a tensor of {rank}")
    return sorted({axis % rank for axis in axes})


def _mean(site: Site, x: str, axes: Sequence[int], part: str) -> str:
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(site.build.shape(x)))
    return site.node("mean", (x,), part, shape, axes=sum(1 << axis for axis in axes))


def _standard(site: Site, x: str, axes: Sequence[int]) -> str:
    """x less its mean along `axes`, over the square root of its variance there."""
    centred = site.arith("SUB", x, _mean(site, x, axes, "mean"), "centred")
    variance = _mean(site, site.unary("SQUARE", centred, "square"), axes, "variance")
    held = site.affine(variance, 1.0, site.fields.number("epsilon", 1e-3), "held")
    return site.arith("MUL", centred, site.unary("RSQRT", held, "inverse"), "standard")


def _restored(site: Site, x: str, size: tuple[int, ...], standing: tuple[int, ...]) -> str:
    """x by the layer's gamma and beta, of `size` in the file and `standing` before x."""
    names = [("gamma", site.fields.flag("scale", True)), ("beta", site.fields.flag("center", True))]
    wanted = {name: size for name, present in names if present}
    if not wanted:
        return x
    constants = site.constants(
        lambda: {name: values.reshape(standing) for name, values in site.variables(wanted).items()}
    )
    if "gamma" in constants:
        x = site.arith("MUL", x, constants["gamma"], "" if "beta" not in constants else "scaled")
    return site.arith("ADD", x, constants["beta"]) if "beta" in constants else x
