# SPDX-License-Identifier: Apache-2.0
"""Every model of a corpus against its golden output: first the reference on the host, then each device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from harness.bench import once
from harness.bench.corpus import Item
from harness.bench.execute import unexpected
from harness.bench.golden import compare
from harness.bench.once import Bench
from harness.errors import JobFailed, ModelError, UnsupportedModel, UsageError, WrongOutput
from harness.model import pipeline
from harness.model.graph import Array
from harness.model.pipeline import Prepared

Outcome = Literal["ok", "wrong", "unsupported", "refused"]
HOST = "reference"


@dataclass(frozen=True)
class Verified:
    """What came of one model file at one place.

    Attributes:
        device: where; "reference" for the host's own executor, which also answers for import and passes.
        outcome: ok; wrong: an output differs, or a pass is unsound; unsupported: operations are `missing`; refused: it
            cannot be read or run.
        worst: the largest absolute error; None if no output came.
        strict: False where the corpus itself accepts a difference: then `wrong` is told and does not count.
    """

    name: str
    format: str
    device: str
    outcome: Outcome
    detail: str = ""
    missing: tuple[str, ...] = ()
    worst: float | None = None
    binary_layers: int = 0
    layers: int = 0
    strict: bool = True

    @property
    def fails(self) -> bool:
        """Whether it makes the whole verification fail."""
        return self.outcome == "refused" or (self.outcome == "wrong" and self.strict)


@dataclass(frozen=True)
class Sound:
    """A model whose reference gives the golden outputs: what remains is the device's answer."""

    base: Verified
    item: Item
    prepared: Prepared
    samples: tuple[tuple[list[Array], list[Array]], ...]


def on_host(
    items: Sequence[Item], objects: Path | None = None, sim: str = ""
) -> Iterator[tuple[Verified, Sound | None]]:
    """Imports every model, proves its passes, and compares the reference; each result with what a device needs.

    Args:
        sim: how spiking networks are simulated of which the manifest does not say it.
    """
    for item in items:
        base = Verified(item.name, item.format, HOST, "ok", strict=item.strict)
        try:
            sound = _sound(base, item, objects, sim)
        except UnsupportedModel as error:
            yield replace(base, outcome="unsupported", detail=str(error), missing=error.operations), None
        except WrongOutput as error:
            yield replace(base, outcome="wrong", detail=str(error)), None
        except (ModelError, UsageError) as error:
            yield replace(base, outcome="refused", detail=str(error)), None
        except Exception as error:  # a defect of ours in one model: it fails, and the others are verified
            yield replace(base, outcome="refused", detail=unexpected(error).what), None
        else:
            result = _judge(sound, HOST, partial(_reference, sound.prepared))
            yield result, sound if result.outcome == "ok" else None


def on_device(sound: Sequence[Sound], bench: Bench) -> Iterator[Verified]:
    """Compares a device's outputs.

    Raises:
        DeviceError: the device itself failed; a model that it cannot run is a result.
    """
    for each in sound:
        yield _judge(each, bench.link.device.name, partial(once.run, bench, each.prepared))


def _sound(base: Verified, item: Item, objects: Path | None, sim: str) -> Sound:
    prepared = pipeline.prepare(item.path, objects, item.sim or (sim if item.format == "nir" else ""))
    samples = tuple((sample.inputs(prepared.graph.arguments), sample.outputs()) for sample in item.samples)
    first = samples[0][0]
    prepared.prove(once.fit(prepared.graph, first if prepared.graph.spiking else [x[:1] for x in first])[0])
    totals = prepared.totals
    base = replace(base, binary_layers=totals["binary_layers"], layers=totals["layers"])
    return Sound(base, item, prepared, samples)


def _judge(sound: Sound, device: str, outputs: Callable[[list[Array]], list[Array]]) -> Verified:
    item, base = sound.item, replace(sound.base, device=device)
    try:
        found = [compare(outputs(inputs), wanted, item.atol, item.rtol) for inputs, wanted in sound.samples]
    except JobFailed as error:
        return replace(base, outcome="refused", detail=str(error))
    worst = max(agreement.max_abs for agreement in found)
    right = sum(agreement.ok for agreement in found)
    if right >= item.required:
        return replace(base, worst=worst)
    bad = next(agreement for agreement in found if not agreement.ok)
    detail = (
        f"{right} of {len(found)} samples right, {item.required} needed; {bad.wrong} of {bad.elements} values differ, "
        f"most at {bad.at}: {bad.got:.6g} instead of {bad.expected:.6g}"
    )
    return replace(base, outcome="wrong", detail=detail, worst=worst)


def _reference(prepared: Prepared, inputs: Sequence[Array]) -> list[Array]:
    """The float graph's outputs, sample by sample as on a device; the runs of a spiking model are its time steps."""
    fitted, runs = once.fit(prepared.graph, inputs)
    if prepared.graph.spiking:
        return prepared.golden(fitted)
    pieces = [prepared.golden([np.split(x, runs)[index] for x in fitted]) for index in range(runs)]
    return [np.concatenate(parts) if runs > 1 else parts[0] for parts in zip(*pieces, strict=True)]
