# SPDX-License-Identifier: Apache-2.0
"""A model as a bench uses it: imported, its golden output computed, and the files that travel written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.bench import golden
from harness.bench.golden import Golden
from harness.bench.record import Caveat, Layer, Model, Node
from harness.bench.variants import Entrant
from harness.model import pipeline, reference, spikes
from harness.model.graph import Graph
from harness.model.pipeline import Prepared
from harness.model.proof import Proof


@dataclass(frozen=True)
class Subject:
    """An entrant that was read: its `.bnn` file, and an input with its golden output."""

    model: Model
    golden: Golden
    bnn: bytes

    @property
    def parts(self) -> dict[str, bytes]:
        """The files that a board needs, by name; arrays are raw, little-endian, in C order."""
        parts = {"model.bnn": self.bnn}
        parts |= {f"input{index}.bin": array.tobytes() for index, array in enumerate(self.golden.inputs)}
        return parts | {f"golden{index}.bin": array.tobytes() for index, array in enumerate(self.golden.outputs)}

    def write(self, folder: Path) -> dict[str, Path]:
        """Writes the files into a folder and returns their paths by name."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.parts.items():
            (folder / name).write_bytes(content)
        return {name: folder / name for name in self.parts}


def prepare(field: Sequence[Entrant], objects: Path | None = None, sim: str = "") -> Iterator[Subject]:
    """Imports the models and computes golden outputs, once a file.

    Raises:
        ModelError: a model cannot be read or is refused.
        WrongOutput: turning it into bits changed what it computes, in some layer that is named.
    """
    ready: dict[Path, tuple[Prepared, Golden, Proof]] = {}
    for entrant in field:
        if entrant.path not in ready:
            prepared = pipeline.prepare(entrant.path, objects, sim)
            settled = golden.settle(prepared)
            ready[entrant.path] = prepared, settled, prepared.prove(settled.inputs)
        prepared, settled, proved = ready[entrant.path]
        prepared = pipeline.twin(prepared) if entrant.variant.twin else prepared
        described = model(prepared, entrant.name, settled)
        notes = (*described.notes, *filter(None, [proved.sentence]))
        more = {"baseline": entrant.baseline, "variant": entrant.variant, "notes": notes}
        described = described.model_copy(update=more)
        yield Subject(described, settled, prepared.bnn)


def model(prepared: Prepared, name: str, settled: Golden | None = None) -> Model:
    """The record of a prepared model."""
    source = prepared.source
    digest = hashlib.sha256(source.read_bytes()).hexdigest() if source.is_file() else ""
    steps = _steps(prepared, settled) if settled else 1
    described = (layer.described() | {"macs": layer.macs * steps} for layer in prepared.layers)
    layers = tuple(Layer.model_validate(layer) for layer in described)
    return Model(
        name=name,
        source=str(source),
        source_format=prepared.source_format,
        source_bytes=prepared.source_bytes,
        source_sha256=digest,
        bnn_bytes=len(prepared.bnn),
        bnn_sha256=hashlib.sha256(prepared.bnn).hexdigest(),
        weight_bytes=prepared.weight_bytes,
        weight_bytes_float=sum(layer.param_bytes_float for layer in layers),
        layers=layers,
        graph=_nodes(prepared.binary),
        inputs=tuple(prepared.graph.tensors[name].shape for name in prepared.graph.arguments),
        notes=(*prepared.caveats, *(_spiking(prepared, settled) if settled and prepared.graph.spiking else ())),
        input_seed=settled.seed if settled else 0,
        atol=settled.atol if settled else 0.0,
        rtol=settled.rtol if settled else 0.0,
    )


def _nodes(graph: Graph) -> tuple[Node, ...]:
    made = {node.output: node.name for node in graph.nodes} | dict.fromkeys(graph.inputs, "")
    return tuple(
        Node(name=node.name, op=node.op, inputs=tuple(made[name] for name in node.inputs if name in made))
        for node in graph.nodes
    )


def _spiking(prepared: Prepared, settled: Golden) -> tuple[str, ...]:
    """What the times of a spiking model are times of, and how much of its input spiked."""
    steps, active = _steps(prepared, settled), spikes.activity(prepared, settled.inputs)
    macs, operations = sum(layer.macs for layer in active), sum(layer.synaptic_ops for layer in active)
    rates = ", ".join(f"{layer.name} {layer.rate:.0%}" for layer in active)
    return (
        f"An inference is {steps} time steps of a random input: times and MACs are those of all of them.",
        f"Inputs that are not zero, by layer: {rates}; {operations:,.0f} of {macs:,} MACs of a step add something.",
    )


def _steps(prepared: Prepared, settled: Golden) -> int:
    """Time steps of an inference; 1 where there is no time."""
    return len(reference.in_steps(prepared.graph, settled.inputs))


def caveats(subject: Subject) -> list[Caveat]:
    """What the golden output itself gives reason to say."""
    if subject.golden.steady:
        return []
    return [
        Caveat(
            code="TIES",
            weight="warn",
            subject=subject.model.name,
            evidence=f"a change of the input by one millionth moves the output by {subject.golden.moved:.2%}.",
            advice="Some sign lies within rounding of its threshold for every input tried; "
            "a board may answer otherwise and be right. Compare with real inputs: inv run --golden.",
        )
    ]
