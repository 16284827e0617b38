# SPDX-License-Identifier: Apache-2.0
"""Quantisers move up to where the numbers come from: through batch norm and activations as a threshold on what arrives
there, and into a binary convolution as an integer threshold on its accumulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.model import bits, reference
from harness.model.graph import Array, Graph, Node, Tensor
from harness.model.passes import chain
from harness.model.passes.binarise import quantize
from harness.model.passes.rewrite import Rewrite

INT32 = np.iinfo(np.int32)


def hoist(graph: Graph) -> Graph:
    """quantize(chain(x)) becomes quantize(x) with thresholds of its own for each channel. Equal ones are shared."""
    work = Rewrite(graph)
    for node in graph.nodes:
        if node.op != "quantize":
            continue
        found = chain.behind(work, str(node.inputs[0]))
        if found.nodes:
            limit, invert = _crossing(work, node, found)
            work.remove(node)
            quantize(work, found.root, limit, invert, node.name, output=node.output)
    _share(work)
    return work.graph()


def _crossing(work: Rewrite, node: Node, found: chain.Chain) -> tuple[Array, Array]:
    """Where a quantize's input, seen as a function of the chain's root, crosses its threshold: (threshold, invert)."""
    limit, invert = constants(work, node)
    rising = found.direction > 0
    channels = rising.size

    def crossed(keys: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Array:
        below = reference.flush(found.evaluate(chain.ordered_to_float(keys))) < limit
        return below ^ rising

    first = chain.first_true(crossed, -1 - chain.LARGEST_KEY, chain.LARGEST_KEY, channels)
    never = first > chain.LARGEST_KEY
    at = chain.ordered_to_float(np.minimum(first, chain.LARGEST_KEY))
    at = np.where(never, np.float32(np.inf), reference.flush(at))
    return at, invert ^ ~rising


def constants(work: Rewrite, node: Node) -> tuple[Array, Array]:
    """(threshold, invert) of a quantize, one for each channel."""
    channels = work.tensors[node.output].shape[-1]
    limit = work.tensors[str(node.inputs[1])].data
    flipped = work.tensors[str(node.inputs[2])].data if len(node.inputs) > 2 else None
    invert = np.zeros(channels, bool) if flipped is None else bits.unpack(flipped, channels).astype(bool)
    return np.broadcast_to(np.asarray(limit), (channels,)), invert


def _share(work: Rewrite) -> None:
    """Quantizes of one tensor that do the same become one."""
    seen: dict[tuple[str, bytes, bytes], str] = {}
    for node in [node for node in work.nodes.values() if node.op == "quantize"]:
        limit, invert = constants(work, node)
        key = (str(node.inputs[0]), limit.tobytes(), invert.tobytes())
        if key in seen and node.output not in work.source.outputs:
            work.remove(node)
            work.redirect(node.output, seen[key])
        else:
            seen.setdefault(key, node.output)


def pack_outputs(graph: Graph) -> Graph:
    """quantize(bconv2d(x)) becomes a bconv2d that writes bits, if nobody else reads its numbers.

    The accumulator is an integer, so its threshold is one too. In a channel whose numbers fall while the accumulator
    rises, the filter is negated, and the accumulator with it.
    """
    work = Rewrite(graph)
    for node in graph.nodes:
        if node.op != "quantize":
            continue
        conv = work.producer.get(str(node.inputs[0]))
        if conv is None or conv.op != "bconv2d" or work.only_reader(conv.output) is None:
            continue
        _pack(work, conv, node)
    return work.graph()


def _pack(work: Rewrite, conv: Node, node: Node) -> None:
    limit, invert = constants(work, node)
    operands = [*conv.inputs, *[None] * 7][:7]
    kernel = work.tensors[str(operands[1])]
    assert kernel.data is not None
    channels = kernel.shape[0]
    most = int(np.prod(kernel.shape[1:], dtype=np.int64))
    multiplier, bias, low, high = (None if i is None else work.tensors[i].data for i in (*operands[2:4], *operands[5:7]))
    falling = np.zeros(channels, bool) if multiplier is None else multiplier < 0

    def bit(acc: Array) -> Array:
        y = acc.astype(np.float32)
        y = y if low is None else np.maximum(y, low.astype(np.float32))
        y = y if high is None else np.minimum(y, high.astype(np.float32))
        y = y if multiplier is None else y * multiplier
        y = y if bias is None else y + bias
        y = np.minimum(np.maximum(y, np.float32(conv.params["lo"])), np.float32(conv.params["hi"]))
        return (reference.flush(y) < limit) ^ invert

    # Below the crossing the bit is `start`, from there on it is not. A bit that starts at 0 wants the filter negated.
    start = ~falling ^ invert
    crossing = chain.first_true(lambda acc: bit(acc) != start, -most, most, channels)
    never = crossing > most
    threshold = np.where(start, crossing, 1 - crossing)
    threshold = np.where(never, np.where(start, INT32.max, INT32.min), threshold)
    negate = ~start
    flipped = bits.unpack(kernel.data, kernel.shape[-1]) ^ negate[:, None, None, None]
    packed = work.constant(f"{conv.name}/bits", bits.pack(flipped.astype(np.uint8)), "bits", kernel.shape)
    limits = work.constant(f"{conv.name}/threshold", np.clip(threshold, INT32.min, INT32.max), "i32")
    work.remove(conv)
    work.remove(node)
    params = {**conv.params, "lo": -np.inf, "hi": np.inf}
    work.tensors[node.output] = Tensor(node.output, work.tensors[node.output].shape, "bits")
    work.add(replace(conv, inputs=(conv.inputs[0], packed, None, None, limits), output=node.output, params=params))
