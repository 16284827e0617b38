# SPDX-License-Identifier: Apache-2.0
"""From a model file to all that is known of it: the float graph, the graph of bits, the verdict on every layer, the
`.bnn` bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.model import analyse, container, importers, others, proof, reference
from harness.model.analyse import ON_BITS, Kind, Verdict
from harness.model.graph import Array, Graph, Node
from harness.model.near import near
from harness.model.passes import fuse, integers
from harness.model.passes.order import LOWER, PASSES, TIDY, Pass
from harness.model.proof import Proof
from harness.model.reasons import REASONS
from harness.model.reference import integer
from harness.model.simulation import Simulation

SEED = 20_261_123
"""Of the random input that proofs and benchmarks use when the user brings none."""
STEPS = 16
"""Time steps of such an input, where a model spikes."""
SPIKE_RATE = 0.25
"""Of such an input: how many of its values are spikes."""


@dataclass(frozen=True)
class Layer:
    """One layer with weights, as the user reads of it.

    Attributes:
        op: what it is in the graph (conv2d, dense, ..), `layer` what it is in the model file (QuantConv2D, ..).
        bits: of an activation.
        macs: multiply-accumulates for one input, pads included.
        param_bytes: of the weights, multipliers and thresholds in the `.bnn` file; `param_bytes_float` as float32.
        activation, weight: the values that were found.
    """

    name: str
    op: str
    layer: str
    kind: Kind
    bits: int
    reason: str
    reason_text: str
    remedy: str
    macs: int
    param_bytes: int
    param_bytes_float: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    kernel_shape: tuple[int, ...]
    activation: str
    weight: str

    @property
    def saves_bytes(self) -> int:
        """What its weights would save as bits."""
        return 0 if self.kind in ON_BITS else max(0, self.param_bytes - self.param_bytes_float // 32)

    def described(self) -> dict[str, Any]:
        return asdict(self) | {"saves_bytes": self.saves_bytes}


@dataclass(frozen=True)
class Prepared:
    """A model, ready to be explained, proved, deployed and timed.

    Attributes:
        graph: as imported, in float.
        binary: what runs.
        elsewhere: what other tools would make of it, a sentence each.
    """

    name: str
    source: Path
    graph: Graph
    binary: Graph
    layers: tuple[Layer, ...]
    elsewhere: tuple[str, ...] = ()

    @property
    def source_bytes(self) -> int:
        return self.graph.source_bytes

    @property
    def source_format(self) -> str:
        return self.graph.source_format

    @property
    def caveats(self) -> tuple[str, ...]:
        """What a reader should know of the file, a sentence each."""
        return (*self.graph.notes, *self.elsewhere)

    @cached_property
    def bnn(self) -> bytes:
        """The `.bnn` file."""
        return container.encode(self.binary)

    @property
    def weight_bytes(self) -> int:
        return container.weight_bytes(self.binary)

    @property
    def totals(self) -> dict[str, Any]:
        kinds = Counter(layer.kind for layer in self.layers)
        macs: Counter[str] = Counter()
        for layer in self.layers:
            macs[layer.kind] += layer.macs
        return {
            "layers": len(self.layers),
            "binary_layers": sum(count for kind, count in kinds.items() if kind in ON_BITS),
            "kinds": dict(kinds),
            "macs": sum(macs.values()),
            "macs_by_kind": dict(macs),
            "param_bytes": sum(layer.param_bytes for layer in self.layers),
            "param_bytes_float": sum(layer.param_bytes_float for layer in self.layers),
            "source_bytes": self.source_bytes,
            "file_bytes": len(self.bnn),
            "weight_bytes": self.weight_bytes,
        }

    def explain(self) -> dict[str, Any]:
        """The document of `explain --json`."""
        return {
            "model": self.name,
            "source": self.source.name,
            "format": self.source_format,
            "layers": [layer.described() for layer in self.layers],
            "totals": self.totals,
            "notes": list(self.graph.notes),
            "elsewhere": list(self.elsewhere),
        }

    def random_inputs(self, seed: int = SEED) -> list[Array]:
        """Standard normal inputs (of int8, all codes alike), the same on every machine; of a spiking model, STEPS time
        steps.

        An input that holds levels takes the highest of them with the chance SPIKE_RATE, which is 1 for a spike.
        """
        draw = np.random.default_rng(seed)
        steps = STEPS if self.graph.spiking else 1
        inputs = []
        for name in self.graph.arguments:
            size = self.graph.tensors[name].shape
            shape = (steps * size[0], *size[1:]) if size else size
            if self.graph.tensors[name].dtype == "i8":
                inputs.append(draw.integers(integer.LOWEST, integer.HIGHEST, shape, np.int8, endpoint=True))
                continue
            if levels := self.graph.levels.get(name):
                x = np.where(draw.random(shape) < SPIKE_RATE, max(levels), min(levels))
            else:
                x = draw.standard_normal(shape)
            inputs.append(x.astype(np.float32))
        return inputs

    def golden(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs of the float graph: what every board must reproduce."""
        return reference.run(self.graph, inputs)

    def prove(self, inputs: Sequence[Array] | None = None) -> Proof:
        """Runs the reference before and after every pass.

        Raises:
            WrongOutput: a pass changed the result; the message names pass and layer.
        """
        inputs = self.random_inputs() if inputs is None else inputs
        graphs = [self.graph]
        for _, rewrite in PASSES:
            graphs.append(rewrite(graphs[-1]))
        memories: list[reference.Memory] = [{} for _ in graphs]
        found = Proof()
        for step in reference.in_steps(self.graph, inputs):
            given = [*step, *reference.states(self.graph, memories[0])]
            expected = reference.trace(self.graph, step, memory=memories[0])
            allowed: dict[str, Array] = {}
            for at, (name, _) in enumerate(PASSES):
                before, after = graphs[at : at + 2]
                part, expected = proof.compare(name, before, after, expected, given, memories[at + 1], allowed)
                found += part
            found += Proof(0, 0, *near(graphs[-1], expected))
        return found


def prepare(path: Path, objects: Path | None = None, sim: Simulation | str = "") -> Prepared:
    """Imports, analyses and binarises a model file.

    Args:
        sim: how a spiking network is simulated.

    Raises:
        ModelError, UsageError: see importers.load.
    """
    graph = importers.load(path, objects, sim)
    tidy = _through(TIDY, graph)
    found = analyse.verdicts(tidy)
    binary = _through(LOWER, tidy)
    layers = tuple(_layer(tidy, binary, verdict) for verdict in found.values())
    told = () if graph.spiking else (_larq(graph, layers), others.sentence(others.lce(tidy, found), found))
    return Prepared(path.stem, path, graph, binary, layers, tuple(line for line in told if line))


def _larq(graph: Graph, layers: Sequence[Layer]) -> str:
    sizes = {layer.name: (layer.macs, int(np.prod(layer.kernel_shape))) for layer in layers}
    on_bits = sum(layer.macs for layer in layers if layer.kind in ON_BITS)
    share = on_bits / max(sum(layer.macs for layer in layers), 1)
    return others.larq(graph, sizes, sum(layer.param_bytes for layer in layers), share)


def twin(prepared: Prepared) -> Prepared:
    """The float version of the same net: the same weights and quantisers, every layer on bits a float convolution.

    Layers of int8 stay what they are in the file. What binarising buys on a board is the ratio of the two.
    """
    plain = integers.keep_codes(fuse.fuse(_through(TIDY, prepared.graph)))
    layers = tuple(
        replace(
            layer,
            kind="float",
            bits=32,
            reason="twin",
            reason_text=REASONS["twin"].sentence,
            remedy="",
            param_bytes=sum(_constant_bytes(plain, part) for part in plain.nodes if belongs(part.name, layer.name)),
        )
        if layer.kind != "int8"
        else layer
        for layer in prepared.layers
    )
    return replace(prepared, name=f"{prepared.name} (float twin)", binary=plain, layers=layers, elsewhere=())


def _through(passes: Sequence[Pass], graph: Graph) -> Graph:
    for _, rewrite in passes:
        graph = rewrite(graph)
    return graph


def _layer(graph: Graph, binary: Graph, verdict: Verdict) -> Layer:
    node = verdict.node
    x, weight = str(node.inputs[0]), str(node.inputs[1])
    kernel, output = graph.tensors[weight], graph.tensors[node.output]
    return Layer(
        name=node.name,
        op=node.op,
        layer=node.layer,
        kind=verdict.kind,
        bits=verdict.bits,
        reason=verdict.reason,
        reason_text=verdict.reason_text,
        remedy=verdict.remedy,
        macs=_macs(graph, node),
        param_bytes=sum(_constant_bytes(binary, part) for part in binary.nodes if belongs(part.name, node.name)),
        param_bytes_float=_float_bytes(graph, node),
        input_shape=graph.tensors[x].shape,
        output_shape=output.shape,
        kernel_shape=kernel.shape,
        activation=verdict.activation,
        weight=verdict.weight,
    )


def belongs(part: str, layer: str) -> bool:
    """Whether a node of the binary graph came from a layer: it has its name, or one below it."""
    return part == layer or part.startswith(f"{layer}/")


def _constant_bytes(graph: Graph, node: Node) -> int:
    return sum(tensor.data.nbytes for tensor in graph.constants(node) if tensor.data is not None)


def _float_bytes(graph: Graph, node: Node) -> int:
    """Of a layer's weights as float32, also where the file holds them in bits already."""
    constants = (tensor for tensor in graph.constants(node) if tensor.dtype != "i32")
    return sum(4 * tensor.elements for tensor in constants)


def _macs(graph: Graph, node: Node) -> int:
    """Taps times output elements; a transposed convolution has them for each element of its input."""
    kernel = graph.tensors[str(node.inputs[1])].shape
    if node.op == "conv2d_transpose":
        x = graph.tensors[str(node.inputs[0])].shape
        return int(np.prod(x[:3], dtype=np.int64) * np.prod(kernel, dtype=np.int64))
    output = graph.tensors[node.output].shape
    if node.op == "bdepthwise2d":
        kernel = kernel[:3]
    return int(np.prod(output, dtype=np.int64) * np.prod(kernel[1:], dtype=np.int64))
