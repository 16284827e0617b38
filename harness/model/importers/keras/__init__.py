# SPDX-License-Identifier: Apache-2.0
"""Keras and Larq models, `.h5` and `.keras`, read with h5py, zipfile and json alone.

The file is data that nobody vouches for: nothing in it is imported, unpickled or executed, no other file is opened, and
what is read is bounded by the size of the file. The way through:

    container   what kind of file; the architecture (JSON) and the weights in it, unpacked by a process of its own
    topology    which layer feeds which, in any dialect, as one kind of value
    network     layer by layer into the graph, through the tables in layers, activations, quantizers and operators
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import ModelError
from harness.model.graph import Builder, Graph
from harness.model.importers.keras import container, layers, network, objects, quantizers, topology
from harness.model.importers.keras.site import Import


def load(path: Path, mapping: Path | None = None) -> Graph:
    """Reads a Keras or Larq model.

    Args:
        mapping: the user's objects file; see `objects`.

    Raises:
        ModelError: the file is damaged, contradicts itself, or asks for what no real model needs.
        UnsupportedModel: it has layers, quantisers or functions that bitrig does not know; all of them are named.
        ConfigError: the objects file is wrong.
    """
    known = objects.load(mapping, tuple(quantizers.KNOWN), layers.WEIGHTLESS)
    try:
        file = container.read(path)
        model = topology.model(file.architecture, file.keras3)
        network.check(model, known)
        file.weights.bind(model)
        build = Builder(model.name)
        network.write(model, Import(build, file.weights, known, file.keras3))
        return build.graph(path.stat().st_size, file.format)
    except RecursionError:
        raise ModelError(f"{path.name!r} nests its settings too deeply.", "The file is damaged or hostile.") from None
