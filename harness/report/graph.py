# SPDX-License-Identifier: Apache-2.0
"""The graph of a net as a list that folds: readable at a hundred and fifty layers, and by a screen reader.

Nodes stand in the order in which they run, one a line. Beside the list a gutter draws who reads whom: a straight line
from the node above, an arc from one further up, and a stub where it lies outside of the block, which is then named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.bench.record import Model, Node, Run
from harness.report import words

FOLD_ABOVE = 24
"""A net of no more nodes is shown whole."""
LONGEST = 12
"""Nodes that fold together at most."""
LINE, SPINE, LANE = 30, 40, 9
"""Pixels: height of a line, where the dots stand, between two arcs. The style of the list knows the first two."""
LANES = 3


@dataclass(frozen=True)
class Step:
    """A node.

    Attributes:
        kind: of a layer with weights; else what it does.
        far: the nodes that it reads and that do not stand in its block; "" is the input.
    """

    node: Node
    kind: str
    far: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Nodes that fold together; `edges` are the paths of their gutter, which is `height` pixels high."""

    title: str
    steps: tuple[Step, ...]
    edges: tuple[str, ...]
    open: bool

    @property
    def height(self) -> int:
        return LINE * len(self.steps)

    @property
    def dots(self) -> tuple[tuple[int, str], ...]:
        """(y, kind) of each node."""
        return tuple((_y(at), step.kind) for at, step in enumerate(self.steps))


@dataclass(frozen=True)
class Net:
    model: Model
    blocks: tuple[Block, ...]


def graph(run: Run) -> tuple[Net, ...] | None:
    """The graph of every model, once for variants of the same one."""
    distinct = {model.bnn_sha256: model for model in run.models if model.graph}
    return tuple(Net(model, tuple(_blocks(model))) for model in distinct.values()) or None


def _blocks(model: Model) -> Iterator[Block]:
    kinds = {layer.name: layer.kind for layer in model.layers}
    nodes = model.graph
    whole = len(nodes) <= FOLD_ABOVE
    above = ""
    for part in [nodes] if whole else _parts(nodes):
        at = {node.name: index for index, node in enumerate(part)}
        steps = tuple(
            Step(
                node,
                kinds.get(node.name) or words.role(node.op),
                tuple(name for name in node.inputs if name not in at and not (index == 0 and name == above)),
            )
            for index, node in enumerate(part)
        )
        yield Block("" if whole else _title(part), steps, _edges(part, at), whole)
        above = part[-1].name


def _parts(nodes: tuple[Node, ...]) -> Iterator[tuple[Node, ...]]:
    """Runs of nodes that end where branches join, as the blocks of residual nets do, or when they grow long."""
    part: list[Node] = []
    for node in nodes:
        part.append(node)
        if len(node.inputs) > 1 or len(part) == LONGEST:
            yield tuple(part)
            part = []
    if part:
        yield tuple(part)


def _edges(part: tuple[Node, ...], at: dict[str, int]) -> tuple[str, ...]:
    """The SVG paths of the gutter."""
    paths, ends = [], [-1] * LANES  # where the last arc of each lane ended
    for index, node in enumerate(part):
        for name in dict.fromkeys(node.inputs):
            start = at.get(name, -1)
            if start == index - 1:
                paths.append(f"M{SPINE} {_y(start) if start >= 0 else 0}V{_y(index)}")
                continue
            lane = next((lane for lane in range(LANES) if ends[lane] <= start), LANES - 1)
            ends[lane] = index
            side = SPINE - 12 - LANE * lane
            top = f"M{SPINE} {_y(start)}" if start >= 0 else f"M{side} 0"
            turn = f"Q{side} {_y(start)} {side} {_y(start) + 12}" if start >= 0 else ""
            paths.append(f"{top}{turn}V{_y(index) - 12}Q{side} {_y(index)} {SPINE} {_y(index)}")
    return tuple(paths)


def _y(at: int) -> int:
    return LINE * at + LINE // 2


def _title(part: tuple[Node, ...]) -> str:
    first, last = (re.sub(r"/.*", "", node.name) for node in (part[0], part[-1]))
    return first if first == last else f"{first} – {last}"
