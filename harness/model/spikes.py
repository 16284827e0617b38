# SPDX-License-Identifier: Apache-2.0
"""Around a spiking network: what goes in, what is read out, and how much of it spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import UsageError
from harness.model import analyse, reference
from harness.model.graph import Array
from harness.model.pipeline import Prepared

READOUTS: Mapping[str, Callable[[Array], Array]] = {
    "count": lambda y: y.sum(axis=0),
    "mean": lambda y: y.mean(axis=0),
    "last": lambda y: y[-1],
}
"""From the outputs of all time steps to one answer: the sum of spikes, the mean (of a membrane), the last step."""


def encode(x: Array, kind: str, steps: int, seed: int = 0) -> Array:
    """A static input as `steps` time steps, along a new first axis.

    Args:
        kind: constant, the same number in each step; rate, a spike with the number as its chance, which is in [0, 1].
        seed: of the chances.

    Raises:
        UsageError: another kind, no steps, or numbers that are no chances.
    """
    if steps < 1:
        raise UsageError(f"An input is encoded in at least one time step, not {steps}.")
    if kind == "constant":
        return np.repeat(np.asarray(x, np.float32)[np.newaxis], steps, axis=0)
    if kind != "rate":
        raise UsageError(f"There is no encoding {kind!r}.", "", "There are: constant, rate.")
    if x.min() < 0 or x.max() > 1:
        raise UsageError(
            f"Spike rates lie between 0 and 1; the array holds numbers from {x.min():.6g} to {x.max():.6g}.",
            "",
            "Scale the input, or encode it as a constant current: constant, with --sim input=real.",
        )
    return (np.random.default_rng(seed).random((steps, *x.shape)) < x).astype(np.float32)


def encoded(x: Array, words: str) -> Array:
    """The same in the words of a command line: rate,steps=16,seed=1.

    Raises:
        UsageError: see `encode`.
    """
    kind, *settings = words.split(",")
    found = {"steps": 16, "seed": 0}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in found or not value.isdecimal():
            raise UsageError(f"{setting!r} is no setting of an encoding.", "", "For example: --encode rate,steps=16")
        found[name] = int(value)
    return encode(x, kind, **found)


def read_out(y: Array, kind: str) -> Array:
    """One answer from the outputs [T, ...] of all time steps.

    Raises:
        UsageError: another kind.
    """
    if kind not in READOUTS:
        raise UsageError(f"There is no readout {kind!r}.", "", f"There are: {', '.join(READOUTS)}.")
    return READOUTS[kind](y)


@dataclass(frozen=True)
class Activity:
    """How much a layer with weights has to do.

    Attributes:
        rate: the share of its inputs that are not zero, over all time steps.
        macs: multiply-accumulates of one time step.
        synaptic_ops: of these, those of inputs that are not zero; the measure of work that papers on spikes use. It
            says nothing about time or energy: kernels on bits do 32 and more of them at once, zero or not.
    """

    name: str
    rate: float
    macs: int
    synaptic_ops: float


def activity(prepared: Prepared, inputs: Sequence[Array]) -> tuple[Activity, ...]:
    """The activity of every layer with weights, measured on an input of one or more time steps."""
    graph = prepared.graph
    layers = {layer.name: layer for layer in prepared.layers}
    nodes = {node.name: str(node.inputs[0]) for node in graph.nodes if node.op in analyse.LAYERS}
    counts = {name: [0, 0] for name in nodes}
    memory: reference.Memory = {}
    for step in reference.in_steps(graph, inputs):
        values = reference.trace(graph, step, frozenset(nodes.values()), memory)
        for name, tensor in nodes.items():
            counts[name][0] += int(np.count_nonzero(values[tensor]))
            counts[name][1] += values[tensor].size
    return tuple(
        Activity(name, active / of, layers[name].macs, layers[name].macs * active / of)
        for name, (active, of) in counts.items()
        if name in layers
    )
