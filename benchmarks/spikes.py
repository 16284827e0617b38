# SPDX-License-Identifier: Apache-2.0
"""Layers of spiking networks: their float path, and the bit kernels behind spikes {0, 1} and behind inputs ±1."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.layers import ours
from benchmarks.race import Entrant, Times, race
from harness import abi
from harness.model import container, reference
from harness.model.graph import Array, Builder, Graph
from harness.model.passes import fuse
from harness.model.passes.order import LOWER, TIDY, Pass

FLOAT, SPIKES, SIGNS = "float", "{0, 1}", "±1"
"""The forms: float convolutions of the very same weights and spikes; bits; bits of a net whose inputs are signs."""
WEIGHT, THRESHOLD = 0.1, 0.37
"""No whole number of weights meets the threshold, so that rounding decides no spike."""


@dataclass(frozen=True)
class Layer:
    """A 3x3 convolution, stride 1, padded with nothing spiking, and a neuron behind each of its outputs."""

    size: int
    channels: int
    filters: int

    @property
    def what(self) -> str:
        return f"{self.size}x{self.size}x{self.channels}->{self.filters} 3x3"


LAYERS = (Layer(56, 2, 64), Layer(56, 64, 64), Layer(28, 128, 128), Layer(14, 256, 256), Layer(7, 512, 512))


@dataclass(frozen=True)
class Raced:
    """The times of an inference of `steps` time steps, by form."""

    layer: Layer
    steps: int
    rate: float
    times: Mapping[str, Times]


def compare(
    layers: Sequence[Layer],
    steps: int,
    rate: float,
    binary: Path,
    folder: Path,
    rounds: int,
    seed: int,
    tell: Callable[[str], None],
) -> Iterator[Raced]:
    """Races the three forms of each layer, one thread each. Every spike of every step is compared first.

    Args:
        rate: the share of the inputs that spike.
    """
    for layer in layers:
        draw = np.random.default_rng(seed)
        x = (draw.random((steps, layer.size, layer.size, layer.channels)) < rate).astype(np.float32)
        weights = np.where(draw.random((layer.filters, 3, 3, layer.channels)) < 0.5, -WEIGHT, WEIGHT).astype(np.float32)
        spikes, signs = _net(layer, weights, (0.0, 1.0)), _net(layer, weights, (-1.0, 1.0))
        field = (
            _entrant(FLOAT, _through(spikes, TIDY, (("fuse", fuse.fuse),)), spikes, x, binary, folder),
            _entrant(SPIKES, _through(spikes, TIDY, LOWER), spikes, x, binary, folder),
            _entrant(SIGNS, _through(signs, TIDY, LOWER), signs, 2 * x - 1, binary, folder),
        )
        yield Raced(layer, steps, rate, race(field, rounds, seed))
        tell(layer.what)


def _net(layer: Layer, weights: Array, levels: tuple[float, float]) -> Graph:
    build = Builder(layer.what)
    x = build.input("x", (1, layer.size, layer.size, layer.channels))
    build.levels[x] = levels
    window = {f"{name}_{axis}": size for name, size in (("kernel", 3), ("stride", 1), ("dilation", 1)) for axis in "hw"}
    window |= dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 1)
    free: dict[str, Any] = {"lo": -np.inf, "hi": np.inf}
    y = build.node(
        "conv2d", "conv", (x, build.constant("w", weights)), window=window, groups=1, pad_value=levels[0], **free
    )
    limit = build.constant("threshold", np.full(1, THRESHOLD, np.float32))
    kinds: dict[str, Any] = {"emit": abi.constant("BNN_EMIT_SPIKE"), "reset": abi.constant("BNN_RESET_VALUE")}
    build.output(build.node("lif", "neurons", (y, limit), strict=0, spike=0, **kinds))
    return build.graph()


def _through(graph: Graph, *passes: Sequence[Pass]) -> Graph:
    for _, rewrite in itertools.chain(*passes):
        graph = rewrite(graph)
    return graph


def _entrant(name: str, runs: Graph, proves: Graph, x: Array, binary: Path, folder: Path) -> Entrant:
    """A form of a layer with its files; `proves` says what it must answer."""
    stem = folder / name
    (y,) = reference.run(proves, [x])
    for suffix, content in {".bnn": container.encode(runs), ".x": x.tobytes(), ".y": y.tobytes()}.items():
        stem.with_suffix(suffix).write_bytes(content)
    return Entrant(name, ours(binary, stem, 0.0), 0.0)
