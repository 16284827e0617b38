# SPDX-License-Identifier: Apache-2.0
"""Int8 tensors on their way to the kernels: fewer trips to float and back.

Between two int8 tensors, a function of single numbers is a table of 256 codes. A sum reads the codes of one operand and
writes codes itself, and so does what a binary convolution gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness.model import reference
from harness.model.graph import Array, Graph, Node, Tensor
from harness.model.passes.rewrite import Rewrite
from harness.model.reference import integer

_MAPS = frozenset({"clamp", "affine", "unary", "step", "arith", "prelu", "select", "convert"})
_WRITERS = frozenset({"arith", "bconv2d"})


def keep_codes(graph: Graph) -> Graph:
    """Takes out every conversion that the operation before or after it can do on the way."""
    work = Rewrite(graph)
    for node in graph.nodes:
        if node.op == "convert" and node.name in work.nodes and work.tensors[node.output].dtype == "i8":
            _tabulate(work, node)
    for node in graph.nodes:
        if node.op == "arith" and node.name in work.nodes:
            _read_codes(work, node.name)
    for node in graph.nodes:
        if node.op == "convert" and node.name in work.nodes and work.tensors[node.output].dtype == "i8":
            _write_codes(work, node)
    return work.graph()


def as_real(work: Rewrite, node: Node) -> None:
    """Puts a layer of real numbers in the place of an int8 one, between two conversions."""
    x, output = work.tensors[str(node.inputs[0])], work.tensors[node.output]
    kernel = integer.weights(work.tensors, node)
    scale, bias = work.tensors[str(node.inputs[3])].data, node.inputs[2]
    assert kernel is not None
    assert scale is not None
    inputs: list[str | None] = [
        work.node("convert", f"{node.name}/real", (x.name,)),
        work.constant(f"{node.name}/weights", kernel),
    ]
    if bias is not None:
        steps = work.tensors[bias].data
        assert steps is not None
        inputs.append(work.constant(f"{node.name}/offset", np.float64(x.scale) * scale * steps))
    work.remove(node)
    name = f"{node.name}/sum"
    params = {"lo": node.params.get("lo", -np.inf), "hi": node.params.get("hi", np.inf)}
    real = work.node(node.op, node.name, tuple(inputs), output=None, layer=node.layer, **{**node.params, **params})
    work.add(Node("convert", name, (real,), output.name, {}, node.layer))


def _tabulate(work: Rewrite, node: Node) -> None:
    """convert(f(convert(x))) becomes a table, where f maps single numbers, the same in each channel."""
    names, region = [str(node.inputs[0])], [node]
    sources: set[str] = set()
    while names:
        name = names.pop()
        producer = work.producer.get(name)
        if work.tensors[name].dtype == "i8":
            sources.add(name)
        elif producer is None or producer.op not in _MAPS or not _uniform(work, producer):
            return
        elif producer not in region:
            region.append(producer)
            names.extend(work.varying(producer))
    if len(sources) != 1 or len(region) == 1:
        return
    (source,) = sources
    x, y = work.tensors[source], work.tensors[node.output]
    if x.shape != y.shape:
        return
    found: dict[str, Array] = {source: np.arange(integer.LOWEST, integer.HIGHEST + 1).astype(np.int8)}
    for part in _in_order(work, region, source):
        tensors = [None if name is None else work.tensors[name] for name in part.inputs]
        operands = [_flat(tensor, found) for tensor in tensors]
        output = replace(work.tensors[part.output], shape=(len(found[source]),))
        found[part.output] = reference.apply(part.op, operands, part.params, output, inputs=tensors)
    results = found[node.output]
    work.remove(node)
    if x.scale == y.scale and x.zero_point == y.zero_point and np.array_equal(results, found[source]):
        if node.output in work.source.outputs:
            work.add(replace(node, op="reshape", inputs=(source,)))
        else:
            work.redirect(node.output, source)
        return
    table = work.constant(f"{node.name}/table", results, "i8")
    work.add(replace(node, op="lookup", inputs=(source, table), params={}))


def _in_order(work: Rewrite, region: Sequence[Node], source: str) -> Iterator[Node]:
    """The nodes, each after those it reads. In the graph, what was put back stands behind its readers."""
    known, waiting = {source}, list(region)
    while waiting:
        at = next(at for at, part in enumerate(waiting) if known.issuperset(work.varying(part)))
        known.add(waiting[at].output)
        yield waiting.pop(at)


def _uniform(work: Rewrite, node: Node) -> bool:
    """Whether the constants of a node are single numbers."""
    return all(work.tensors[name].data is None or work.tensors[name].elements == 1 for name in node.inputs if name)


def _flat(tensor: Tensor | None, found: dict[str, Array]) -> Array | None:
    if tensor is None:
        return None
    return found[tensor.name] if tensor.data is None else tensor.data.reshape(-1)


def _read_codes(work: Rewrite, name: str) -> None:
    """arith(convert(a), b) becomes arith(a, b), unless both would be int8: then it would be a sum of integers."""
    node = work.nodes[name]
    for at, operand in enumerate(node.inputs):
        producer = work.producer.get(str(operand))
        if producer is None or producer.op != "convert" or work.tensors[str(operand)].dtype != "f32":
            continue
        others = [work.tensors[str(other)].dtype for other in node.inputs if other != operand]
        if others == ["f32"]:
            work.replace(
                node, inputs=tuple(producer.inputs[0] if i == at else other for i, other in enumerate(node.inputs))
            )
            return


def _write_codes(work: Rewrite, node: Node) -> None:
    """convert(arith(a, b)) becomes arith(a, b) with codes for its output, and convert(bconv2d(x)) likewise."""
    host = work.producer.get(str(node.inputs[0]))
    if host is None or host.op not in _WRITERS or work.only_reader(host.output) is not node:
        return
    if work.tensors[host.output].dtype != "f32":
        return
    work.remove(node)
    work.remove(host)
    work.add(replace(host, output=node.output))
