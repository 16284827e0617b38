# SPDX-License-Identifier: Apache-2.0
"""Functions applied element by element, whether the file names them as a layer, as an activation or as an operator."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from harness.model.importers.keras import quantizers
from harness.model.importers.keras.config import Named, named
from harness.model.importers.keras.objects import Objects
from harness.model.importers.keras.site import Site

Emit = Callable[[Site], str]


def identity(site: Site) -> str:
    return site.x


def clamped(lo: float, hi: float) -> Emit:
    return lambda site: site.clamp(site.x, lo, hi)


def unary(kind: str) -> Emit:
    return lambda site: site.unary(kind, site.x)


def rectified(site: Site, slope: float, threshold: float, most: float) -> str:
    """Keras' general ReLU: `most` bounds it above, `slope` continues it below the threshold."""
    x = site.x
    if threshold != 0.0:
        limit = site.scalar(threshold, "threshold")
        gated = site.arith("MUL", x, site.arith("GREATER", x, limit, "passed"), "gated")
        if slope == 0.0:
            return site.clamp(gated, -math.inf, most)
        below = site.clamp(site.arith("SUB", limit, x, "missing"), 0.0, math.inf, "below")
        lost = site.arith("MUL", below, site.scalar(slope, "slope"), "lost")
        return site.arith("SUB", site.clamp(gated, -math.inf, most, "held"), lost)
    if slope == 0.0:
        return site.clamp(x, 0.0, most)
    if most == math.inf:
        return leaky(site, slope)
    return site.clamp(leaky(site, slope, "leaky"), -math.inf, most)


def leaky(site: Site, slope: float, part: str = "") -> str:
    """x where x >= 0, slope * x elsewhere."""
    alpha = site.constant("alpha", np.full(site.shape[-1], slope))
    return site.node("prelu", (site.x, alpha), part)


def relu(site: Site) -> str:
    fields = site.fields
    most = math.inf if fields.raw("max_value") is None else fields.number("max_value")
    return rectified(site, _optional(site, "negative_slope"), _optional(site, "threshold"), most)


def _optional(site: Site, key: str) -> float:
    return 0.0 if site.fields.raw(key) is None else site.fields.number(key)


def leaky_relu(site: Site) -> str:
    key = "negative_slope" if "negative_slope" in site.fields.values else "alpha"
    return leaky(site, site.fields.number(key, 0.3))


def thresholded_relu(site: Site) -> str:
    theta = site.fields.number("theta", 1.0)
    passed = site.arith("GREATER", site.x, site.scalar(theta, "theta"), "passed")
    return site.arith("MUL", site.x, passed)


def elu(site: Site) -> str:
    return scaled_elu(site, site.fields.number("alpha", 1.0), 1.0)


def scaled_elu(site: Site, alpha: float, scale: float) -> str:
    """scale * (x where x > 0, else alpha * (exp(x) - 1))."""
    if alpha == 1.0 and scale == 1.0:
        return site.unary("ELU", site.x)
    below = site.unary("ELU", site.clamp(site.x, -math.inf, 0.0, "negative"), "elu")
    above = site.clamp(site.x, 0.0, math.inf, "positive")
    below = site.affine(below, alpha * scale, 0.0, "below")
    return site.arith("ADD", above if scale == 1.0 else site.affine(above, scale, 0.0, "above"), below)


def hard_sigmoid(site: Site) -> str:
    """The same name, another line: relu6(x + 3) / 6 since Keras 3, clip(0.2 x + 0.5) before."""
    return site.affine(site.x, 1 / 6 if site.imported.keras3 else 0.2, 0.5, lo=0.0, hi=1.0)


def hard_swish(site: Site) -> str:
    return site.arith("MUL", site.x, site.affine(site.x, 1 / 6, 0.5, "gate", lo=0.0, hi=1.0))


def swish(site: Site) -> str:
    return site.arith("MUL", site.x, site.unary("SIGMOID", site.x, "sigmoid"))


def mish(site: Site) -> str:
    return site.arith("MUL", site.x, site.unary("TANH", site.unary("SOFTPLUS", site.x, "softplus"), "tanh"))


def softsign(site: Site) -> str:
    below = site.arith("ADD", site.unary("ABS", site.x, "abs"), site.scalar(1.0, "one"), "below")
    return site.arith("DIV", site.x, below)


def gelu(site: Site) -> str:
    """Half of x * (1 + erf(x / sqrt 2)); Keras' default, `approximate` off."""
    error = site.unary("ERF", site.affine(site.x, 1 / math.sqrt(2), 0.0, "scaled"), "erf")
    return site.arith("MUL", site.x, site.affine(error, 0.5, 0.5, "gate"))


def gelu_by_tanh(site: Site) -> str:
    """Half of x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))): what Keras calls approximate."""
    inner = site.affine(site.unary("SQUARE", site.x, "square"), 0.044715, 1.0, "inner")
    inner = site.affine(site.arith("MUL", site.x, inner, "cubic"), math.sqrt(2 / math.pi), 0.0, "scaled")
    return site.arith("MUL", site.x, site.affine(site.unary("TANH", inner, "tanh"), 0.5, 0.5, "gate"))


def leaky_tanh(site: Site) -> str:
    """Larq's: clip(x, -1, 1), continued outside with slope 0.2. Written as a blend of x and its clip."""
    inner = site.affine(site.clamp(site.x, -1.0, 1.0, "clip"), 0.8, 0.0, "inner")
    return site.arith("ADD", inner, site.affine(site.x, 0.2, 0.0, "outer"))


def softmax(site: Site) -> str:
    axis = site.fields.raw("axis", -1)
    if axis not in (-1, len(site.shape) - 1, [-1], [len(site.shape) - 1]):
        raise site.unsupported(f"a softmax along axis {axis!r:.20}")
    return site.node("softmax", (site.x,), beta=1.0)


FUNCTIONS: dict[str, Emit] = {
    "linear": identity,
    "relu": lambda site: site.clamp(site.x, 0.0, math.inf),
    "relu6": clamped(0.0, 6.0),
    "leaky_relu": lambda site: leaky(site, 0.2),
    "hard_tanh": clamped(-1.0, 1.0),
    "leaky_tanh": leaky_tanh,
    "sigmoid": unary("SIGMOID"),
    "hard_sigmoid": hard_sigmoid,
    "tanh": unary("TANH"),
    "softmax": softmax,
    "softplus": unary("SOFTPLUS"),
    "softsign": softsign,
    "elu": lambda site: scaled_elu(site, 1.0, 1.0),
    "selu": lambda site: scaled_elu(site, 1.6732632423543772, 1.0507009873554805),
    "exponential": unary("EXP"),
    "swish": swish,
    "silu": swish,
    "hard_swish": hard_swish,
    "hard_silu": hard_swish,
    "mish": mish,
    "gelu": gelu,
}
"""Activation functions, by the name that stands in the file."""

LAYERS: dict[str, Emit] = {
    "ReLU": relu,
    "LeakyReLU": leaky_relu,
    "ThresholdedReLU": thresholded_relu,
    "ELU": elu,
    "Softmax": softmax,
}
"""Layers without weights that may also be given as an activation."""


def known(function: Named, objects: Objects) -> bool:
    """Whether `apply` can write this function, quantiser or layer."""
    function = objects.layer(function) or function
    return function.key in FUNCTIONS or function.key in LAYERS or quantizers.find(function, objects) is not None


def apply(function: Named, site: Site) -> str:
    """The function, quantiser or layer that a field refers to, applied to the site's input."""
    function = site.imported.objects.layer(function) or function
    here = Site(site.imported, site.layer, site.name, function.fields, site.inputs)
    quantizer = quantizers.find(function, site.imported.objects)
    if quantizer is not None:
        return quantizer.activation(here)
    emit = FUNCTIONS.get(function.key) or LAYERS.get(function.key)
    if emit is None:
        raise site.unsupported(f"the activation {function.key[:80]!r}")
    return emit(here)


def activate(site: Site, x: str) -> str:
    """`x` through the layer's own `activation`, if it has one."""
    function = named(site.fields.raw("activation"), site.fields.where)
    return x if function is None else apply(function, site.at("activation", x))


def activation(site: Site) -> str:
    """The layer Activation."""
    function = named(site.fields.raw("activation"), site.fields.where)
    return site.x if function is None else apply(function, site)


def quantized(site: Site) -> str:
    """The layer's input through its `input_quantizer`, if it has one."""
    function = named(site.fields.raw("input_quantizer"), site.fields.where)
    if function is None:
        return site.x
    quantizer = quantizers.find(function, site.imported.objects)
    if quantizer is not None:
        site.build.claim(site.name, input_bits=quantizer.bits)
    return apply(function, site.at("input_quantizer", site.x))


def prelu(site: Site) -> str:
    """Its slope has the shape of one input, with 1 on the shared axes."""
    shape = list(site.shape[1:])
    shared = site.fields.raw("shared_axes") or []
    if not isinstance(shared, list) or not all(isinstance(axis, int) and 1 <= axis <= len(shape) for axis in shared):
        raise site.fields.fail("shared_axes", "a list of axes")
    for axis in shared:
        shape[axis - 1] = 1
    slope = site.constants(lambda: site.variables({"alpha": tuple(shape)}))["alpha"]
    return site.node("prelu", (site.x, slope))
