# SPDX-License-Identifier: Apache-2.0
"""What follows a convolution element by element goes into it: batch norm into weights or multipliers, clamps into its
output. What is left of an affine or a sum takes the clamp behind it along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.model.graph import Array, Graph, Node
from harness.model.passes.rewrite import Rewrite
from harness.model.passes.threshold import ON_BITS, Accumulator

CLAMPS = frozenset({"conv2d", "conv2d_transpose", "dense", "affine", "arith"}) | ON_BITS


def fuse(graph: Graph) -> Graph:
    """Folds every affine and clamp that directly follows a node which can take it, until none is left."""
    work = Rewrite(graph)
    pending = [node.name for node in graph.nodes if node.op in ("affine", "clamp")]
    for name in pending:
        node = work.nodes[name]
        host = work.producer.get(str(node.inputs[0]))
        if host is None or host.op not in CLAMPS or work.only_reader(host.output) is not node:
            continue
        fused = _clamp(host, node) if node.op == "clamp" else _affine(work, host, node)
        if fused is not None:
            work.remove(node)
            work.remove(host)
            work.add(replace(fused, output=node.output))
    return work.graph()


def _clamp(host: Node, node: Node) -> Node | None:
    lo, hi = float(node.params["lo"]), float(node.params["hi"])
    first, last = float(host.params.get("lo", -np.inf)), float(host.params.get("hi", np.inf))
    if max(lo, first) > min(hi, last):
        return None
    return replace(host, params={**host.params, "lo": max(lo, first), "hi": min(hi, last)})


def _affine(work: Rewrite, host: Node, node: Node) -> Node | None:
    scale = _constant(work, node, 1)
    offset = _constant(work, node, 2)
    if scale is None or host.op == "arith" or not _free(node):
        return None
    if not _free(host):
        return _after_clamp(work, host, scale, offset)
    if host.op in ON_BITS:
        return _with_output(work, host, scale, offset)
    if host.op == "affine":
        return _merge(work, host, scale, offset)
    kernel, bias = _constant(work, host, 1), _constant(work, host, 2)
    if kernel is None:
        return None
    filters = kernel.shape[0]
    scale = np.broadcast_to(scale, (filters,)).astype(np.float64)
    weight = kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1))
    shift = (0.0 if bias is None else bias * scale) + (0.0 if offset is None else offset)
    inputs = [host.inputs[0], work.constant(f"{host.name}/kernel", weight)]
    if np.any(np.asarray(shift) != 0):
        inputs.append(work.constant(f"{host.name}/bias", np.broadcast_to(shift, (filters,))))
    return replace(host, inputs=tuple(inputs))


def _free(node: Node) -> bool:
    """Whether a node does not clamp yet."""
    return float(node.params.get("lo", -np.inf)) == -np.inf and float(node.params.get("hi", np.inf)) == np.inf


def _with_output(work: Rewrite, host: Node, scale: Array, offset: Array | None) -> Node:
    filters = work.tensors[host.output].shape[-1]
    multiplier, bias = _constant(work, host, 2), _constant(work, host, 3)
    scale = np.broadcast_to(scale, (filters,)).astype(np.float64)
    factor = scale if multiplier is None else multiplier * scale
    shift = (0.0 if bias is None else bias * scale) + (0.0 if offset is None else offset)
    inputs = [*host.inputs, *[None] * 7][:7]
    inputs[2] = work.constant(f"{host.name}/multiplier", factor)
    inputs[3] = work.constant(f"{host.name}/bias", np.broadcast_to(shift, (filters,)))
    while inputs[-1] is None:
        inputs.pop()
    return replace(host, inputs=tuple(inputs))


def _after_clamp(work: Rewrite, host: Node, scale: Array, offset: Array | None) -> Node | None:
    """A clamp between accumulator and affine becomes a clamp of the accumulator, where its ends are integers there."""
    if host.op not in ON_BITS or any(name is not None for name in host.inputs[5:7]):
        return None
    filters, most = work.tensors[host.output].shape[-1], Accumulator(work, host).most
    multiplier, bias = _constant(work, host, 2), _constant(work, host, 3)
    factor = np.broadcast_to(1.0 if multiplier is None else multiplier, (filters,)).astype(np.float64)
    shift = np.broadcast_to(0.0 if bias is None else bias, (filters,)).astype(np.float64)
    if np.any(factor == 0):
        return None
    ends = [np.clip((float(host.params[end]) - shift) / factor, -most, most) for end in ("lo", "hi")]
    if any(np.any(end != np.rint(end)) for end in ends):
        return None
    inputs: list[str | None] = [*host.inputs, *[None] * 7][:7]
    inputs[5] = work.constant(f"{host.name}/clamp_lo", np.minimum(*ends), "i32")
    inputs[6] = work.constant(f"{host.name}/clamp_hi", np.maximum(*ends), "i32")
    free = replace(host, inputs=tuple(inputs), params={**host.params, "lo": -np.inf, "hi": np.inf})
    return _with_output(work, free, scale, offset)


def _merge(work: Rewrite, host: Node, scale: Array, offset: Array | None) -> Node:
    first, shift = _constant(work, host, 1), _constant(work, host, 2)
    assert first is not None
    factor = first.astype(np.float64) * scale
    inputs = [host.inputs[0], work.constant(f"{host.name}/scale", factor)]
    total = np.asarray(
        (0.0 if shift is None else shift.astype(np.float64) * scale) + (0.0 if offset is None else offset)
    )
    if np.any(total != 0):
        inputs.append(
            work.constant(f"{host.name}/offset", np.broadcast_to(total, np.broadcast_shapes(total.shape, factor.shape)))
        )
    return replace(host, inputs=tuple(inputs))


def _constant(work: Rewrite, node: Node, at: int) -> Array | None:
    """The value of a constant input; None where it is absent or computed."""
    name = node.inputs[at] if at < len(node.inputs) else None
    return None if name is None else work.tensors[name].data
