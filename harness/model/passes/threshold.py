# SPDX-License-Identifier: Apache-2.0
"""Quantisers move up to where the numbers come from: through batch norm and activations as a threshold on what arrives
there, and into a binary convolution as an integer threshold on its accumulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness import abi
from harness.model import bits, reference
from harness.model.graph import Array, Graph, Node
from harness.model.passes import chain
from harness.model.passes.binarise import quantize
from harness.model.passes.rewrite import Rewrite

ON_BITS = frozenset({"bconv2d", "bdepthwise2d"})
INT32 = np.iinfo(np.int32)


def hoist(graph: Graph) -> Graph:
    """quantize(chain(x)) becomes quantize(x) with thresholds of its own for each channel. Equal ones are shared."""
    work = Rewrite(graph)
    for node in graph.nodes:
        if node.op != "quantize":
            continue
        found = chain.behind(work, str(node.inputs[0]))
        if found.nodes:
            limits, invert = _crossings(work, node, found)
            work.remove(node)
            move(work, node, found.root, limits, invert, node.output)
    _share(work)
    return work.graph()


def move(work: Rewrite, node: Node, x: str, limits: Array, invert: Array, output: str | None = None) -> str:
    """Puts a quantize that reads `x` in the place of one that was removed; it writes `output`, or a new tensor."""
    planes = work.tensors[node.output].planes
    return quantize(work, x, limits, invert, node.name, output, planes, node.params.get("code", 0))


def _crossings(work: Rewrite, node: Node, found: chain.Chain) -> tuple[Array, Array]:
    """Where a quantize's input, seen as a function of the chain's root, crosses each threshold: ([T, C], [C])."""
    limits, invert = constants(work, node)
    rising = found.direction > 0
    crossings = []
    for limit in limits:

        def crossed(keys: NDArray[np.int64], limit: Array = limit) -> Array:
            samples = reference.flush(chain.ordered_to_float(keys))
            below = reference.flush(found.evaluate(samples)) < limit
            return below ^ rising

        first = chain.first_true(crossed, -1 - chain.LARGEST_KEY, chain.LARGEST_KEY, rising.size)
        never = first > chain.LARGEST_KEY
        at = chain.ordered_to_float(np.minimum(first, chain.LARGEST_KEY))
        crossings.append(np.where(never, np.float32(np.inf), reference.flush(at)))
    return np.stack(crossings), invert ^ ~rising


def constants(work: Rewrite, node: Node) -> tuple[Array, Array]:
    """(thresholds [T, C], invert [C]) of a quantize."""
    channels = work.tensors[node.output].shape[-1]
    limits = work.tensors[str(node.inputs[1])].data
    mask = work.tensors[str(node.inputs[2])].data if len(node.inputs) > 2 else None
    assert limits is not None
    invert = np.zeros(channels, bool) if mask is None else bits.unpack(mask, (channels,))[0].astype(bool)
    limits = limits.reshape(-1, limits.shape[-1])
    return np.broadcast_to(limits, (len(limits), channels)), invert


def _share(work: Rewrite) -> None:
    """Quantizes of one tensor that do the same become one."""
    seen: dict[tuple[object, ...], str] = {}
    for node in [node for node in work.nodes.values() if node.op == "quantize"]:
        limits, invert = constants(work, node)
        key = (
            node.inputs[0],
            limits.tobytes(),
            invert.tobytes(),
            node.params.get("code", 0),
            work.tensors[node.output].planes,
        )
        if key in seen and node.output not in work.source.outputs:
            work.remove(node)
            work.redirect(node.output, seen[key])
        else:
            seen.setdefault(key, node.output)


def pack_outputs(graph: Graph) -> Graph:
    """quantize(bconv2d(x)) becomes a bconv2d that writes bits, if nobody else reads its numbers; and so does a lif.

    The accumulator is an integer, so its thresholds are too. In a channel whose numbers fall while the accumulator
    rises, the filter is negated, and the accumulator with it.
    """
    work = Rewrite(graph)
    for node in graph.nodes:
        if node.op != "quantize":
            continue
        conv = work.producer.get(str(node.inputs[0]))
        if conv is None or work.only_reader(conv.output) is None:
            continue
        unary = node.params.get("code", 0) == abi.constant("BNN_CODE_UNARY")
        if conv.op == "bconv2d" or (conv.op == "bdepthwise2d" and not unary):  # which writes numbers of bits alone
            _pack(work, conv, node)
        elif conv.op == "lif":
            _pack_spikes(work, conv, node)
    return work.graph()


def _pack_spikes(work: Rewrite, neurons: Node, node: Node) -> None:
    """quantize(lif(x)) becomes a lif that writes bits, if 0 and 1 lie on both sides of the threshold everywhere."""
    limits, invert = constants(work, node)
    spikes = neurons.params["emit"] == abi.constant("BNN_EMIT_SPIKE")
    if spikes and len(limits) == 1 and np.all((limits > 0) & (limits <= 1)) and np.all(invert == invert[0]):
        work.remove(neurons)
        work.remove(node)
        work.add(replace(neurons, output=node.output, params={**neurons.params, "spike": int(invert[0])}))


def _pack(work: Rewrite, conv: Node, node: Node) -> None:
    limits, invert = constants(work, node)
    accumulator = Accumulator(work, conv)
    rising = accumulator.rising
    # Below its crossing a bit is `start`, from there on it is not. A bit that starts at 0 wants the filter negated.
    start = rising ^ invert
    thresholds = []
    for limit in limits:

        def turned(acc: NDArray[np.int64], limit: Array = limit) -> Array:
            return np.asarray(((reference.flush(accumulator.evaluate(acc)) < limit) ^ invert) != start)

        crossing = chain.first_true(turned, -accumulator.most, accumulator.most, rising.size)
        never = crossing > accumulator.most
        threshold = np.where(start, crossing, 1 - crossing)
        thresholds.append(np.where(never, np.where(start, INT32.max, INT32.min), threshold))
    kernel = accumulator.kernel
    assert kernel.data is not None
    negate = ~start if conv.op == "bdepthwise2d" else ~start[:, None, None, None]
    planes = bits.unpack(kernel.data, kernel.shape, kernel.planes) ^ negate
    packed = work.constant(f"{conv.name}/bits", bits.pack(planes.astype(np.uint8)), "bits", kernel.shape, kernel.planes)
    stacked = np.stack(thresholds)
    limit = work.constant(f"{conv.name}/threshold", stacked[0] if len(stacked) == 1 else stacked, "i32")
    work.remove(conv)
    work.remove(node)
    params = {**conv.params, "lo": -np.inf, "hi": np.inf, "y_code": node.params.get("code", 0)}
    if conv.op == "bdepthwise2d":
        del params["y_code"]
    work.add(replace(conv, inputs=(conv.inputs[0], packed, None, None, limit), output=node.output, params=params))


class Accumulator:
    """What a bconv2d with float output makes of its integer sum."""

    def __init__(self, work: Rewrite, conv: Node) -> None:
        operands = [*conv.inputs, *[None] * 7][:7]
        constants = [None if name is None else work.tensors[name].data for name in operands]
        self.multiplier, self.bias, self.low, self.high = *constants[2:4], *constants[5:7]
        self.params = conv.params
        self.kernel = work.tensors[str(operands[1])]
        self.filters = work.tensors[conv.output].shape[-1]
        x = work.tensors[str(conv.inputs[0])]
        self.most = self.kernel.elements // self.filters
        self.most *= worth(x.planes, conv.params.get("x_code", 0)) * worth(
            self.kernel.planes, conv.params.get("w_code", 0)
        )
        """The largest sum: every product +1."""

    @property
    def rising(self) -> NDArray[np.bool_]:
        """Whether the output rises with the sum, for each channel."""
        return np.ones(self.filters, bool) if self.multiplier is None else self.multiplier >= 0

    def evaluate(self, acc: NDArray[np.int64]) -> Array:
        """The output for sums [..., O], in float32 as the runtime computes it."""
        y: Array = acc.astype(np.float32)
        y = y if self.low is None else np.maximum(y, self.low.astype(np.float32))
        y = y if self.high is None else np.minimum(y, self.high.astype(np.float32))
        y = y if self.multiplier is None else y * self.multiplier
        y = y if self.bias is None else y + self.bias
        return np.minimum(np.maximum(y, np.float32(self.params["lo"])), np.float32(self.params["hi"]))


def worth(planes: int, code: int) -> int:
    """The sum of what the planes count."""
    return planes if code == abi.constant("BNN_CODE_UNARY") else (1 << planes) - 1
