# SPDX-License-Identifier: Apache-2.0
"""The float layers that binary nets keep, one by one, in our runtime and in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import onnx_file, peers
from benchmarks.race import Entrant, Times, race
from harness.model import container, reference
from harness.model.graph import Graph, Node

OPS = frozenset({"conv2d", "dense", "max_pool2d", "avg_pool2d"})
"""What takes time. Sums and clamps belong to the layer before them in another engine."""

RELATIVE = 1e-4
"""How far engines may differ that add up in another order, as a fraction of the largest output."""


@dataclass(frozen=True)
class Layer:
    """One layer as a net of its own.

    Attributes:
        what: its shapes, such as "224x224x3->64 7x7/2"; layers that agree in it take the same time.
        count: how many of them the net has.
    """

    net: str
    name: str
    what: str
    macs: int
    count: int
    graph: Graph


@dataclass(frozen=True)
class Raced:
    layer: Layer
    ours: Times
    theirs: Times


def of(net: str, graph: Graph) -> list[Layer]:
    """The float layers of a net, equal ones once."""
    found: dict[str, Layer] = {}
    for node in graph.nodes:
        if node.op not in OPS:
            continue
        what = _what(graph, node)
        count = found[what].count + 1 if what in found else 1
        found[what] = Layer(net, node.name, what, _macs(graph, node), count, _alone(graph, node))
    return list(found.values())


def compare(
    layers: Sequence[Layer], binary: Path, folder: Path, rounds: int, seed: int, tell: Callable[[str], None]
) -> Iterator[Raced]:
    """Races each layer: ours against onnxruntime's, one thread each.

    Args:
        binary: our program for this machine.
        folder: where the files go.
    """
    python = peers.python()
    for index, layer in enumerate(layers):
        stem = folder / f"layer{index}"
        shape = layer.graph.tensors[layer.graph.inputs[0]].shape
        x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
        y = reference.run(layer.graph, [x])[0]
        atol = RELATIVE * float(np.abs(y).max())
        for suffix, content in {
            ".bnn": container.encode(layer.graph),
            ".x": x.tobytes(),
            ".y": y.tobytes(),
            ".onnx": onnx_file.encode(layer.graph),
            ".nchw.x": onnx_file.image(x).tobytes(),
            ".nchw.y": onnx_file.image(y).tobytes(),
        }.items():
            stem.with_suffix(suffix).write_bytes(content)
        field = (
            Entrant("ours", ours(binary, stem, atol), atol),
            Entrant("onnxruntime", peer(python, "onnxruntime", stem, ".onnx", ".nchw"), atol),
        )
        found = race(field, rounds, seed)
        yield Raced(layer, found["ours"], found["onnxruntime"])
        tell(f"{layer.net} {layer.what}")


def ours(binary: Path, stem: Path, atol: float) -> tuple[str, ...]:
    """The command that times a layer in bitrig's runtime."""
    files = (f"--{name}={stem.with_suffix(suffix)}" for name, suffix in _FILES.items())
    return (str(binary), "bench", *files, f"--atol={atol:.3g}")


_FILES = {"model": ".bnn", "input": ".x", "golden": ".y"}


def peer(python: Path, engine: str, stem: Path, model: str, layout: str = "") -> tuple[str, ...]:
    """The command that times it in another engine; its files have `layout` in their names."""
    files = (str(stem.with_suffix(suffix)) for suffix in (model, f"{layout}.x", f"{layout}.y"))
    return (str(python), str(peers.SCRIPT), engine, *files)


def _what(graph: Graph, node: Node) -> str:
    x, y = (graph.tensors[name].shape for name in (str(node.inputs[0]), node.output))
    text = f"{node.op} {'x'.join(map(str, x[1:]))}->{y[-1]}"
    if "window" in node.params:
        w = node.params["window"]
        text += f" {w['kernel_h']}x{w['kernel_w']}" + (f"/{w['stride_h']}" if w["stride_h"] > 1 else "")
    groups = node.params.get("groups", 1)
    return f"{text} in {groups} groups" if groups > 1 else text


def _macs(graph: Graph, node: Node) -> int:
    outputs = graph.tensors[node.output].elements
    if node.op in ("conv2d", "dense"):
        return outputs * int(np.prod(graph.tensors[str(node.inputs[1])].shape[1:]))
    return 0


def _alone(graph: Graph, node: Node) -> Graph:
    names = {*(name for name in node.inputs if name), node.output}
    return Graph(
        node.name,
        (node,),
        {name: graph.tensors[name] for name in names},
        (str(node.inputs[0]),),
        (node.output,),
    )
