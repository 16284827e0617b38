# SPDX-License-Identifier: Apache-2.0
"""Where a layer's variables lie in the file.

`.h5` keeps them under the name of the outermost layer with names of their own; `.keras` under the snake-cased class of
each layer, numbered in the order of the architecture, by position alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.errors import ModelError
from harness.model.importers.keras.hdf5 import Store
from harness.model.importers.keras.topology import Layer, Model

Shape = tuple[int, ...]


class Weights(Protocol):
    def bind(self, model: Model) -> None:
        """Learns the places of the layers of `model`; to be called once, with the outermost model."""

    def read(self, layer: Layer, wanted: Mapping[str, Shape]) -> dict[str, NDArray[np.float32]]:
        """The variables of a layer, by name.

        Args:
            wanted: the shape of every variable that the layer has, in Keras' order.

        Raises:
            ModelError: one is missing, or is not of its shape, or is not finite.
        """


class ByName:
    """The weights of an `.h5` file."""

    ROOT = "model_weights"

    def __init__(self, store: Store) -> None:
        self._store = store
        names = store.texts(self.ROOT, "layer_names")
        if names is None:
            raise ModelError(
                "The file holds an architecture, but no list of weights.",
                "It was cut or edited.",
                "Save the whole model again with model.save(...).",
            )
        self._owners = frozenset(names)

    def bind(self, model: Model) -> None:
        pass

    def read(self, layer: Layer, wanted: Mapping[str, Shape]) -> dict[str, NDArray[np.float32]]:
        owner = layer.path[0]
        place = f"{self.ROOT}/{owner}"
        listed = self._store.texts(place, "weight_names") if owner in self._owners else None
        if listed is None:
            raise ModelError(
                f"{layer.where} has no weights in the file.",
                "The architecture and the weights do not belong together, or the file was edited.",
                "Save the whole model again with model.save(...).",
            )
        if len(layer.path) == 1:
            places = self._own(layer, tuple(wanted), listed)
        else:
            places = {variable: self._nested(layer, variable, listed) for variable in wanted}
        return {variable: self._store.array(f"{place}/{places[variable]}", shape) for variable, shape in wanted.items()}

    @staticmethod
    def _own(layer: Layer, wanted: tuple[str, ...], listed: tuple[str, ...]) -> dict[str, str]:
        """A layer that owns its group: by the last part of the name, or else by position, as Keras itself does."""
        by_last = {_bare(name).rsplit("/", 1)[-1]: name for name in listed}
        if set(wanted) <= set(by_last):
            return {variable: by_last[variable] for variable in wanted}
        if len(listed) != len(wanted):
            raise ModelError(
                f"{layer.where} has {len(listed)} variables in the file; it needs {', '.join(wanted)}.",
                "The architecture and the weights do not belong together.",
                "Save the whole model again with model.save(...).",
            )
        return dict(zip(wanted, listed, strict=True))

    @staticmethod
    def _nested(layer: Layer, variable: str, listed: tuple[str, ...]) -> str:
        """A layer inside a model: all its weights are flattened under the outermost name, trainable ones first."""
        for depth in range(len(layer.path)):
            suffix = "/".join((*layer.path[depth:], variable))
            found = [name for name in listed if _bare(name) == suffix or _bare(name).endswith("/" + suffix)]
            if len(found) == 1:
                return found[0]
            if found:
                raise ModelError(f"{layer.where}: its {variable} could be any of {len(found)} variables of the file.")
        raise ModelError(
            f"{layer.where} has no {variable} in the file.",
            "The architecture and the weights do not belong together, or the file was edited.",
            "Save the whole model again with model.save(...).",
        )


class ByPosition:
    """The weights of a `.keras` file."""

    ROOT = "layers"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._places: dict[tuple[str, ...], str] = {}

    def bind(self, model: Model) -> None:
        self._bind(model, self.ROOT)

    def _bind(self, model: Model, place: str) -> None:
        counts: dict[str, int] = {}
        for layer in model.layers:
            stem = snake(layer.kind.key.rsplit(">", 1)[-1].rsplit(".", 1)[-1])
            count = counts.get(stem, 0)
            counts[stem] = count + 1
            here = f"{place}/{stem}_{count}" if count else f"{place}/{stem}"
            self._places[layer.path] = here
            if layer.model is not None:
                self._bind(layer.model, f"{here}/{self.ROOT}")

    def read(self, layer: Layer, wanted: Mapping[str, Shape]) -> dict[str, NDArray[np.float32]]:
        place = f"{self._places[layer.path]}/vars"
        return {
            variable: self._store.array(f"{place}/{index}", shape)
            for index, (variable, shape) in enumerate(wanted.items())
        }


def snake(name: str) -> str:
    """A class name as Keras spells it in a `.keras` file: PReLU is p_re_lu, Conv2D is conv2d."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _bare(name: str) -> str:
    return name.removesuffix(":0")
