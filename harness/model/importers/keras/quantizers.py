# SPDX-License-Identifier: Apache-2.0
"""What Larq's quantisers compute, on activations (as nodes of the graph) and on latent weights (in NumPy, float32).

Only the forward pass matters here; clip_value, beta and the like shape gradients. Formulas: larq 0.14, quantizers.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.model.importers.keras.config import Fields, Named
from harness.model.importers.keras.objects import Objects
from harness.model.importers.keras.site import Site

Floats = NDArray[np.float32]

TINY = float(np.finfo(np.float32).tiny)
"""The smallest normal float32. TensorFlow flushes what is smaller to zero, so x > 0 means x >= TINY."""


class Quantizer(Protocol):
    @property
    def bits(self) -> int:
        """The precision that it says it has, which Larq's summary believes."""

    def activation(self, site: Site) -> str:
        """Writes q(x) of the site's input into the graph; returns its tensor."""

    def weights(self, latent: Floats) -> Floats:
        """q of a stored kernel, which has the axes of the Keras layer."""


def _flush(x: Floats) -> Floats:
    return np.where(np.abs(x) < TINY, np.float32(0), x)


def _grid(x: Floats, steps: np.float32) -> Floats:
    return np.asarray(np.round(x * steps) / steps, np.float32)


@dataclass(frozen=True)
class Step:
    """high where x >= threshold, else low."""

    threshold: float
    low: float
    high: float
    bits: int = 1

    def activation(self, site: Site) -> str:
        return site.node("step", (site.x,), threshold=self.threshold, low=self.low, high=self.high)

    def weights(self, latent: Floats) -> Floats:
        reached = _flush(latent) >= np.float32(self.threshold)
        return np.where(reached, np.float32(self.high), np.float32(self.low))


@dataclass(frozen=True)
class Scaled:
    """sign(x) times the mean magnitude, over all axes but the last."""

    bits: int = 1

    def activation(self, site: Site) -> str:
        shape = site.shape
        magnitude = site.unary("ABS", site.x, "abs")
        kept = (*(1 for _ in shape[:-1]), shape[-1])
        scale = site.node("mean", (magnitude,), "mean", kept, axes=(1 << (len(shape) - 1)) - 1)
        sign = site.node("step", (site.x,), "sign", threshold=0.0, low=-1.0, high=1.0)
        return site.arith("MUL", sign, scale)

    def weights(self, latent: Floats) -> Floats:
        scale = np.abs(latent).mean(axis=tuple(range(latent.ndim - 1)), dtype=np.float64)
        signs: Floats = SIGN.weights(latent) * scale.astype(np.float32)
        return signs


@dataclass(frozen=True)
class Magnified:
    """Two values times the mean magnitude of the whole tensor of weights."""

    step: Step
    bits: int = 1

    def activation(self, site: Site) -> str:
        raise site.unsupported("a scale by the mean magnitude of activations")

    def weights(self, latent: Floats) -> Floats:
        scaled: Floats = self.step.weights(latent) * np.abs(latent).mean(dtype=np.float64).astype(np.float32)
        return scaled


@dataclass(frozen=True)
class Ternary:
    """sign(sign(x + t) + sign(x - t)); t is given, or 0.7 times the mean magnitude of the whole tensor."""

    threshold: float
    from_mean: bool
    bits: int = 2

    def activation(self, site: Site) -> str:
        if self.from_mean:
            shape = site.shape
            magnitude = site.unary("ABS", site.x, "abs")
            mean = site.node("mean", (magnitude,), "mean", tuple(1 for _ in shape), axes=(1 << len(shape)) - 1)
            threshold = site.affine(mean, 0.7, 0.0, "threshold")
        else:
            threshold = site.scalar(self.threshold, "threshold")
        above = site.unary("SIGN", site.arith("ADD", site.x, threshold, "add"), "above")
        below = site.unary("SIGN", site.arith("SUB", site.x, threshold, "sub"), "below")
        return site.unary("SIGN", site.arith("ADD", above, below, "sum"))

    def weights(self, latent: Floats) -> Floats:
        threshold = np.float32(self.threshold)
        if self.from_mean:
            threshold = np.float32(0.7 * np.abs(latent).sum(dtype=np.float64) / latent.size)
        total: Floats = np.sign(np.sign(_flush(latent + threshold)) + np.sign(_flush(latent - threshold)))
        return total


@dataclass(frozen=True)
class Uniform:
    """DoReFa: 2**bits evenly spaced levels from 0 to 1; as weights optionally tanh, normed, from -1 to 1."""

    bits: int
    on_weights: bool

    def activation(self, site: Site) -> str:
        if self.on_weights:
            raise site.unsupported("DoReFa in its mode for weights, used on activations,")
        steps = float(2**self.bits - 1)
        unit = site.clamp(site.x, 0.0, 1.0, "clip")
        if steps == 1.0:
            return site.unary("ROUND", unit)
        rounded = site.unary("ROUND", site.affine(unit, steps, 0.0, "scale"), "round")
        return site.affine(rounded, 1.0 / steps, 0.0)

    def weights(self, latent: Floats) -> Floats:
        steps = np.float32(2**self.bits - 1)
        if not self.on_weights:
            return _grid(np.clip(latent, np.float32(0), np.float32(1)), steps)
        limited = np.tanh(latent)
        largest = np.float32(2) * np.abs(limited).max(initial=np.float32(0))
        normed = limited / largest if largest > 0 else np.zeros_like(limited)
        return np.float32(2) * _grid(normed + np.float32(0.5), steps) - np.float32(1)


@dataclass(frozen=True)
class NoOp:
    """Marks a precision and changes nothing, whatever the precision says."""

    bits: int = 32

    def activation(self, site: Site) -> str:
        return site.x

    def weights(self, latent: Floats) -> Floats:
        return latent


SIGN = Step(0.0, -1.0, 1.0)
HEAVISIDE = Step(TINY, 0.0, 1.0)


def _ternary(fields: Fields) -> Quantizer:
    return Ternary(fields.number("threshold_value", 0.05), fields.flag("ternary_weight_networks", False))


def _dorefa(fields: Fields) -> Quantizer:
    mode = fields.choice("mode", ("activations", "weights"), "activations")
    return Uniform(fields.integer("k_bit", 2, 1, 16), mode == "weights")


def _no_op(fields: Fields) -> Quantizer:
    return NoOp(fields.integer("precision", 32))


_CLASSES: dict[str, tuple[str, Callable[[Fields], Quantizer]]] = {
    "SteSign": ("ste_sign", lambda _: SIGN),
    "ApproxSign": ("approx_sign", lambda _: SIGN),
    "SwishSign": ("swish_sign", lambda _: SIGN),
    "SteHeaviside": ("ste_heaviside", lambda _: HEAVISIDE),
    "MagnitudeAwareSign": ("magnitude_aware_sign", lambda _: Scaled()),
    "SteTern": ("ste_tern", _ternary),
    "DoReFa": ("dorefa_quantizer", _dorefa),
    "DoReFaQuantizer": ("dorefa", _dorefa),
    "NoOp": ("no_op", _no_op),
    "NoOpQuantizer": ("no_op_quantizer", _no_op),
}

KNOWN: dict[str, Callable[[Fields], Quantizer]] = {
    name: make for cls, (alias, make) in _CLASSES.items() for name in (cls, alias)
}
"""By class and by the name that larq registers for it."""


def find(named: Named, objects: Objects) -> Quantizer | None:
    """The quantiser that a class or function of the file is, by the user's mapping or by Larq's names, else None."""
    entry = objects.find(named)
    if entry is None:
        return KNOWN[named.key](named.fields) if named.key in KNOWN else None
    if entry.values is not None:
        step = Step(entry.threshold, *entry.values)
        return Magnified(step) if entry.scale else step
    if entry.quantizer is None:
        return None
    return KNOWN[entry.quantizer](Fields(named.fields.where, {**named.fields.values, **entry.parameters}))
