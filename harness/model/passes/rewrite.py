# SPDX-License-Identifier: Apache-2.0
"""Changing a graph: the workbench that every pass uses."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import Any

import numpy as np

from harness.model import reference, shapes
from harness.model.graph import Array, Dtype, Graph, Node, Tensor


class Rewrite:
    """A graph taken apart. Nodes may be added anywhere; `graph()` puts them in an order that runs, without the dead."""

    def __init__(self, graph: Graph) -> None:
        self.source = graph
        self.nodes: dict[str, Node] = {node.name: node for node in graph.nodes}
        self.tensors: dict[str, Tensor] = dict(graph.tensors)
        self.producer: dict[str, Node] = graph.producers()

    def constant(
        self, name: str, data: Array, dtype: Dtype = "f32", shape: tuple[int, ...] | None = None, planes: int = 1
    ) -> str:
        """Adds a constant; `shape` is given for bits, whose packed data does not show the channel count."""
        kinds: dict[Dtype, Any] = {"f32": np.float32, "i8": np.int8, "i32": np.int32, "bits": np.uint32}
        unique = _unique(name, self.tensors)
        data = np.ascontiguousarray(data, kinds[dtype])
        self.tensors[unique] = Tensor(unique, data.shape if shape is None else shape, dtype, data, planes=planes)
        return unique

    def node(
        self,
        op: str,
        name: str,
        inputs: tuple[str | None, ...],
        dtype: Dtype = "f32",
        shape: tuple[int, ...] | None = None,
        output: str | None = None,
        layer: str = "",
        planes: int = 1,
        scale: float = 1.0,
        zero_point: int = 0,
        **params: Any,
    ) -> str:
        """Adds a node and returns its output tensor, which is new unless `output` names one to be taken over."""
        unique = _unique(name, self.nodes)
        operands = [None if i is None else self.tensors[i] for i in inputs]
        draft = Node(op, unique, inputs, "", params, layer)
        inferred = shapes.infer(draft, operands, shape)
        target = _unique(name, self.tensors) if output is None else output
        self.tensors[target] = Tensor(target, inferred, dtype, None, scale, zero_point, planes)
        self.add(replace(draft, output=target))
        return target

    def add(self, node: Node) -> None:
        self.nodes[node.name] = node
        self.producer[node.output] = node

    def remove(self, node: Node) -> None:
        del self.nodes[node.name]
        if self.producer.get(node.output) is node:
            del self.producer[node.output]

    def replace(self, node: Node, **changes: Any) -> Node:
        """Puts a changed node in the place of another."""
        self.remove(node)
        changed = replace(node, **changes)
        self.add(changed)
        return changed

    def redirect(self, old: str, new: str) -> None:
        """Every reader of the tensor `old` reads `new` instead."""
        for node in list(self.nodes.values()):
            if old in node.inputs:
                self.replace(node, inputs=tuple(new if name == old else name for name in node.inputs))

    def readers(self, tensor: str) -> list[Node]:
        return [node for node in self.nodes.values() if tensor in node.inputs]

    def only_reader(self, tensor: str) -> Node | None:
        """The node that reads a tensor, if there is exactly one and the tensor is no output of the graph."""
        readers = self.readers(tensor)
        return readers[0] if len(readers) == 1 and tensor not in self.source.outputs else None

    def varying(self, node: Node) -> list[str]:
        """The inputs of a node that are computed."""
        return [name for name in node.inputs if name is not None and self.tensors[name].data is None]

    def graph(self) -> Graph:
        ordered: list[Node] = []
        placed: set[str] = set()
        pending: list[tuple[str, bool]] = [(name, False) for name in reversed(self.source.outputs)]
        while pending:
            tensor, ready = pending.pop()
            node = self.producer.get(tensor)
            if node is None or node.name in placed:
                continue
            if ready:
                placed.add(node.name)
                ordered.append(node)
                continue
            pending.append((tensor, True))
            pending.extend((name, False) for name in reversed(node.inputs) if name is not None)
        used = {name for node in ordered for name in (*node.inputs, node.output) if name is not None}
        used.update(self.source.inputs)
        tensors = {name: tensor for name, tensor in self.tensors.items() if name in used}
        return replace(self.source, nodes=tuple(ordered), tensors=tensors)


def _unique(name: str, taken: Container[str]) -> str:
    candidate, count = name, 0
    while candidate in taken:
        count += 1
        candidate = f"{name}:{count}"
    return candidate


def fold_constants(graph: Graph) -> Graph:
    """Computes what depends on constants alone."""
    work = Rewrite(graph)
    for node in graph.nodes:
        if work.varying(node) or node.output in graph.outputs or work.tensors[node.output].dtype != "f32":
            continue
        inputs = graph.operands(node)
        operands = [None if name is None else work.tensors[name].data for name in node.inputs]
        output = work.tensors[node.output]
        value = reference.apply(node.op, operands, node.params, output, inputs=inputs)
        work.tensors[node.output] = replace(output, data=value)
        work.remove(node)
    return work.graph()
