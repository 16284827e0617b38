# SPDX-License-Identifier: Apache-2.0
"""A model run once on a device with a user's own arrays, compared with golden outputs where there are any."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.bench import execute
from harness.board import deploy, lock, transport
from harness.board.inventory import Device
from harness.board.transport import Transport
from harness.cross import build
from harness.cross.progress import Progress, silent
from harness.errors import UsageError
from harness.model.graph import Array, Graph
from harness.model.pipeline import Prepared


@dataclass(frozen=True)
class Bench:
    """A device that is connected, locked, and holds the program at `binary`."""

    link: Transport
    binary: str


@contextmanager
def opened(device: Device, toolchain: str, progress: Progress = silent) -> Iterator[Bench]:
    """Builds for a device, connects to it and brings the program there.

    Raises:
        BuildError, DeviceError.
    """
    made = build.build(device.target, toolchain=toolchain, progress=progress)
    with transport.connect(device, progress) as link, lock.hold(link, "run", progress):
        yield Bench(link, deploy.push(link, {"bnn": made.binary}).paths["bnn"])


def run(bench: Bench, prepared: Prepared, inputs: Sequence[Array], options: Sequence[str] = ()) -> list[Array]:
    """The outputs of a model, sample by sample where an input has a larger leading dimension than the model.

    Raises:
        UsageError: the inputs do not fit the model.
        JobFailed, DeviceError.
    """
    fitted, runs = fit(prepared.graph, inputs)
    with tempfile.NamedTemporaryFile(suffix=".bnn") as file:
        file.write(prepared.bnn)
        file.flush()
        model = deploy.push(bench.link, {"model": Path(file.name)}).paths["model"]
    found = execute.outputs(bench.link, bench.binary, model, fitted, options)
    return [y.reshape(y.shape[0] * y.shape[1], *y.shape[2:]) if y.ndim > 1 and runs > 1 else y[0] for y in found]


def fit(graph: Graph, inputs: Sequence[Array]) -> tuple[list[Array], int]:
    """Inputs in the model's dtypes and shapes, with all runs along the leading axis; and how many runs that is.

    Raises:
        UsageError: another number of inputs, another shape, or values that the model's dtype cannot hold.
    """
    if len(inputs) != len(graph.arguments):
        raise UsageError(
            f"The model {graph.name} takes {len(graph.arguments)} inputs, {len(inputs)} were given.",
            f"They are, in order: {', '.join(graph.arguments)}.",
            "Give --input once for each.",
        )
    fitted, runs = [], set()
    for name, array in zip(graph.arguments, inputs, strict=True):
        tensor = graph.tensors[name]
        shape = tensor.shape
        if array.shape == shape[1:]:
            array = array[np.newaxis]
        if array.ndim != len(shape) or array.shape[1:] != shape[1:] or not shape or array.shape[0] % shape[0]:
            raise UsageError(
                f"The input {name!r} has the shape {shape}, the array {array.shape}.",
                "Only the leading dimension may be larger: then the model runs sample by sample, or, where it spikes, "
                "step by step.",
            )
        dtype = np.dtype(execute.DTYPES[tensor.dtype])
        if not (array.dtype == dtype or np.can_cast(array.dtype, dtype, "same_kind")):
            raise UsageError(f"The input {name!r} is {dtype.name}, the array {array.dtype.name}.")
        levels = graph.levels.get(name)
        if levels and not np.isin(array, levels).all():
            raise UsageError(
                f"The input {name!r} takes spikes, {' and '.join(f'{level:g}' for level in levels)}; "
                f"the array holds other numbers, from {array.min():.6g} to {array.max():.6g}.",
                "A network that reads spikes can read them as bits.",
                "Encode the input as spikes, or say --sim input=real.",
            )
        fitted.append(np.ascontiguousarray(array, dtype=dtype))
        runs.add(array.shape[0] // shape[0])
    if len(runs) > 1:
        raise UsageError(f"The inputs hold different numbers of samples: {', '.join(map(str, sorted(runs)))}.")
    return fitted, runs.pop()
