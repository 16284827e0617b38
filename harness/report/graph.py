# SPDX-License-Identifier: Apache-2.0
"""The graph of a net as a list that folds: readable at a hundred and fifty layers, and by a screen reader.

Nodes stand in the order in which they run. Most read the node before them; one that reads another says which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from harness.bench.record import Model, Node, Run

FOLD_ABOVE = 24
"""A net of no more nodes is shown whole."""
LONGEST = 12
"""Nodes that fold together at most."""


@dataclass(frozen=True)
class Step:
    """A node.

    Attributes:
        kind: of a layer with weights; "rest" for others.
        reads: the nodes that it reads and that do not stand just before it; "" is the input.
    """

    node: Node
    kind: str
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Nodes that fold together; `kinds` counts them by kind."""

    title: str
    steps: tuple[Step, ...]
    open: bool

    @property
    def kinds(self) -> dict[str, int]:
        return dict(Counter(step.kind for step in self.steps))


@dataclass(frozen=True)
class Net:
    model: Model
    blocks: tuple[Block, ...]


def graph(run: Run) -> tuple[Net, ...] | None:
    """The graph of every model, once for variants of the same one."""
    distinct = {model.bnn_sha256: model for model in run.models if model.graph}
    return tuple(Net(model, _blocks(model)) for model in distinct.values()) or None


def _blocks(model: Model) -> tuple[Block, ...]:
    kinds = {layer.name: layer.kind for layer in model.layers}
    steps = []
    before = ""
    for node in model.graph:
        reads = tuple(name for name in node.inputs if name != before)
        steps.append(Step(node, kinds.get(node.name, "rest"), reads if before or len(node.inputs) > 1 else ()))
        before = node.name
    if len(steps) <= FOLD_ABOVE:
        return (Block("", tuple(steps), True),)
    return tuple(Block(_title(part), part, len(part) == 1) for part in _parts(steps))


def _parts(steps: list[Step]) -> Iterator[tuple[Step, ...]]:
    """Runs of nodes that end where branches join, as the blocks of residual nets do, or when they grow long."""
    part: list[Step] = []
    for step in steps:
        part.append(step)
        if len(step.node.inputs) > 1 or len(part) == LONGEST:
            yield tuple(part)
            part = []
    if part:
        yield tuple(part)


def _title(steps: tuple[Step, ...]) -> str:
    first, last = (re.sub(r"/.*", "", step.node.name) for step in (steps[0], steps[-1]))
    return first if first == last else f"{first} – {last}"
