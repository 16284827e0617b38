# SPDX-License-Identifier: Apache-2.0
"""Layers with weights: convolutions and dense layers.

Keras keeps kernels as [kh, kw, in, out]; the graph wants OHWI. One-dimensional layers run as images of height 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.model import shapes
from harness.model.importers.keras import quantizers
from harness.model.importers.keras.activations import activate, quantized
from harness.model.importers.keras.config import named
from harness.model.importers.keras.site import UNBOUNDED, Site

Floats = NDArray[np.float32]


def kernel(site: Site, field: str, latent: Floats) -> Floats:
    """A stored kernel through the quantiser in `field`, as the layer uses it."""
    function = named(site.fields.raw(field), site.fields.where)
    quantizer = None if function is None else quantizers.find(function, site.imported.objects)
    if quantizer is None:
        return latent
    site.build.claim(site.name, kernel_bits=quantizer.bits)
    return quantizer.weights(latent)


def _bias(site: Site, count: int) -> dict[str, tuple[int, ...]]:
    return {"bias": (count,)} if site.fields.flag("use_bias", True) else {}


def _lifted(site: Site, rank: int) -> Site:
    """The quantised input as an image; `rank` is that of the layer's images without batch and channels."""
    shape = site.image(rank + 2)
    x = quantized(site)
    return site.feed(site.reshape(x, (shape[0], 1, *shape[1:]), "as_image") if rank == 1 else x)


def _lowered(site: Site, x: str, rank: int) -> str:
    if rank == 2:
        return x
    n, _, length, channels = site.build.shape(x)
    return site.reshape(x, (n, length, channels), "as_sequence")


def window(site: Site, rank: int, kernel_key: str = "kernel_size", padding: str | None = None) -> dict[str, int]:
    """The window of a convolution or pool over an image of `rank` dimensions, its padding resolved to numbers.

    Raises:
        ModelError: sizes that are no sizes.
    """
    fields = site.fields
    size = fields.sizes(kernel_key, rank, 2 if kernel_key == "pool_size" else None)
    pooling = kernel_key == "pool_size"
    stride = size if pooling else (1,) * rank
    if fields.raw("strides") is not None:
        stride = fields.sizes("strides", rank)
    dilation = (1,) * rank if pooling else fields.sizes("dilation_rate", rank, 1)
    if rank == 1:
        size, stride, dilation = (1, *size), (1, *stride), (1, *dilation)
    padding = padding or fields.choice(
        "padding", ("valid", "same") if rank == 2 else ("valid", "same", "causal"), "valid"
    )
    image = site.shape[1:3]
    pads = [(0, 0), (0, 0)]
    if padding == "same":
        pads = [shapes.same_padding(*axis) for axis in zip(image, size, stride, dilation, strict=True)]
    elif padding == "causal":
        pads[1] = ((size[1] - 1) * dilation[1], 0)
    return shapes.window(size, stride, dilation, pads)


def _kernel_shape(site: Site, rank: int) -> tuple[int, ...]:
    return site.fields.sizes("kernel_size", rank)


def _pad_value(site: Site) -> float:
    value = site.fields.number("pad_values", 0.0)
    if value and site.fields.raw("padding") == "causal":
        raise site.fields.fail("pad_values", "0, as causal padding wants it")
    return value


def _convolved(
    site: Site, image: Site, rank: int, groups: int, operands: tuple[str | None, ...], part: str = ""
) -> str:
    frame, border = window(image, rank), _pad_value(site)
    return site.node("conv2d", operands, part, window=frame, groups=groups, pad_value=border, **UNBOUNDED)


def convolution(rank: int, site: Site) -> str:
    image = _lifted(site, rank)
    channels, filters = image.shape[3], site.fields.integer("filters")
    groups = site.fields.integer("groups", 1)
    if channels % groups:
        raise site.fields.fail("groups", f"a divisor of its {channels} input channels")
    size = _kernel_shape(site, rank)

    def make() -> Mapping[str, Floats | None]:
        stored = site.variables({"kernel": (*size, channels // groups, filters), **_bias(site, filters)})
        values = kernel(site, "kernel_quantizer", stored["kernel"]).reshape(-1, *size[-1:], channels // groups, filters)
        return {"kernel": values.transpose(3, 0, 1, 2), "bias": stored.get("bias")}

    constants = site.constants(make)
    operands = (image.x, constants["kernel"], constants.get("bias"))
    return activate(site, _lowered(site, _convolved(site, image, rank, groups, operands), rank))


def depthwise(rank: int, site: Site) -> str:
    image = _lifted(site, rank)
    channels, multiplier = image.shape[3], site.fields.integer("depth_multiplier", 1)
    size = _kernel_shape(site, rank)

    def make() -> Mapping[str, Floats | None]:
        wanted = {"depthwise_kernel": (*size, channels, multiplier), **_bias(site, channels * multiplier)}
        stored = site.variables(wanted)
        values = kernel(site, "depthwise_quantizer", stored["depthwise_kernel"])
        return {"kernel": _per_channel(values), "bias": stored.get("bias")}

    constants = site.constants(make)
    operands = (image.x, constants["kernel"], constants.get("bias"))
    return activate(site, _lowered(site, _convolved(site, image, rank, channels, operands), rank))


def _per_channel(values: Floats) -> Floats:
    """[kh, kw, in, multiplier] (or [k, in, multiplier]) to a filter of one channel for each output channel."""
    channels, multiplier = values.shape[-2:]
    flat = values.reshape(-1, values.shape[-3], channels * multiplier)
    return flat.transpose(2, 0, 1)[..., np.newaxis]


def separable(rank: int, site: Site) -> str:
    """A depthwise convolution, then one of 1x1 over its channels; the bias comes last."""
    image = _lifted(site, rank)
    channels, multiplier = image.shape[3], site.fields.integer("depth_multiplier", 1)
    filters, size, between = site.fields.integer("filters"), _kernel_shape(site, rank), channels * multiplier

    def make() -> Mapping[str, Floats | None]:
        wanted = {
            "depthwise_kernel": (*size, channels, multiplier),
            "pointwise_kernel": (*(1 for _ in size), between, filters),
            **_bias(site, filters),
        }
        stored = site.variables(wanted)
        pointwise = kernel(site, "pointwise_quantizer", stored["pointwise_kernel"])
        return {
            "depthwise_kernel": _per_channel(kernel(site, "depthwise_quantizer", stored["depthwise_kernel"])),
            "pointwise_kernel": pointwise.reshape(1, 1, between, filters).transpose(3, 0, 1, 2),
            "bias": stored.get("bias"),
        }

    constants = site.constants(make)
    y = _convolved(site, image, rank, channels, (image.x, constants["depthwise_kernel"]), "depthwise")
    operands = (y, constants["pointwise_kernel"], constants.get("bias"))
    point = shapes.window((1, 1))
    y = site.node("conv2d", operands, "pointwise", window=point, groups=1, pad_value=0.0, **UNBOUNDED)
    return activate(site, _lowered(site, y, rank))


def transposed(rank: int, site: Site) -> str:
    """Keras keeps the kernel as [kh, kw, out, in]. The size of the output is Keras' choice, not the window's."""
    image = _lifted(site, rank)
    if site.fields.raw("groups", 1) not in (1, None):
        raise site.unsupported("a transposed convolution in groups")
    n, height, width, channels = image.shape
    filters, size = site.fields.integer("filters"), _kernel_shape(site, rank)
    frame = window(image, rank, padding="valid")
    padding = site.fields.choice("padding", ("valid", "same"), "valid")
    extra: tuple[int, ...] | None = None
    if site.fields.raw("output_padding") is not None:
        extra = site.fields.sizes("output_padding", rank, low=0)
        extra = (0, *extra) if rank == 1 else extra
    out = []
    for index, (axis, length) in enumerate((("h", height), ("w", width))):
        stride = frame[f"stride_{axis}"]
        extent = (frame[f"kernel_{axis}"] - 1) * frame[f"dilation_{axis}"] + 1
        if extra is not None:
            inset = extent // 2 if padding == "same" else 0
            out.append((length - 1) * stride + extent - 2 * inset + extra[index])
        else:
            out.append(length * stride if padding == "same" else length * stride + max(extent - stride, 0))
        if padding == "same":
            sides = ("pad_top", "pad_bottom") if axis == "h" else ("pad_left", "pad_right")
            dilation = frame[f"dilation_{axis}"]
            pads = shapes.same_padding(max(out[-1], 1), frame[f"kernel_{axis}"], stride, dilation)
            frame |= dict(zip(sides, pads, strict=True))

    def make() -> Mapping[str, Floats | None]:
        stored = site.variables({"kernel": (*size, filters, channels), **_bias(site, filters)})
        values = kernel(site, "kernel_quantizer", stored["kernel"]).reshape(-1, *size[-1:], filters, channels)
        return {"kernel": values.transpose(2, 0, 1, 3), "bias": stored.get("bias")}

    constants = site.constants(make)
    operands = (image.x, constants["kernel"], constants.get("bias"))
    shape = (n, *out, filters)
    y = site.node("conv2d_transpose", operands, shape=shape, window=frame, groups=1, **UNBOUNDED)
    return activate(site, _lowered(site, y, rank))


def dense(site: Site) -> str:
    x = quantized(site)
    inputs, units = site.shape[-1], site.fields.integer("units")

    def make() -> Mapping[str, Floats | None]:
        stored = site.variables({"kernel": (inputs, units), **_bias(site, units)})
        return {"kernel": kernel(site, "kernel_quantizer", stored["kernel"]).T, "bias": stored.get("bias")}

    constants = site.constants(make)
    return activate(site, site.node("dense", (x, constants["kernel"], constants.get("bias")), **UNBOUNDED))
