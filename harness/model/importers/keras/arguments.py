# SPDX-License-Identifier: Apache-2.0
"""What an operator was called with: tensors of the graph and constants of the file, read one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.errors import ModelError
from harness.model.importers.keras.config import MAX_FLOAT, Fields, show
from harness.model.importers.keras.site import Site


class Tensor(str):
    """The name of a tensor, told apart from a string of the config."""


class Arguments:
    """The arguments of one call, by name. Each getter returns a checked value or raises a ModelError."""

    def __init__(self, site: Site, values: Mapping[str, Any]) -> None:
        self._site = site
        self._values = values

    def raw(self, key: str, default: Any = None) -> Any:
        return self._values.get(key, default)

    def fail(self, key: str, wanted: str) -> ModelError:
        return ModelError(f"{self._site.fields.where}: its {key} is {show(self._values.get(key))}, not {wanted}.")

    def number(self, key: str, default: float | None = None) -> float:
        return Fields(self._site.fields.where, self._values).number(key, default)

    def only(self, key: str = "x") -> Site:
        """The site with the tensor in `key` as its only input."""
        value = self._values.get(key)
        if not isinstance(value, Tensor):
            raise self.fail(key, "a tensor of the model")
        return self._site.feed(str(value))

    def tensors(self, key: str = "x") -> tuple[str, ...]:
        """One tensor or several."""
        value = self._values.get(key)
        items = value if isinstance(value, list | tuple) else [value]
        if not items or len(items) > 64 or not all(isinstance(item, Tensor) for item in items):
            raise self.fail(key, "1 to 64 tensors of the model")
        return tuple(str(item) for item in items)

    def operand(self, key: str) -> str:
        """A tensor, or a constant (a number or nested lists of numbers) made into one."""
        value = self._values.get(key)
        if isinstance(value, Tensor):
            return str(value)
        try:
            data = np.asarray(value if isinstance(value, list | int | float) else None, np.float64)
        except (TypeError, ValueError):
            data = np.array(np.nan)
        if isinstance(value, bool) or not data.size or not (np.abs(data) <= MAX_FLOAT).all():
            raise self.fail(key, "a tensor or finite numbers")
        return self._site.constant(key, data.reshape(data.shape or (1,)))

    def axes(self, key: str, rank: int, default: Any = None) -> list[int]:
        """Axes of a tensor of `rank`, counted from the front and in order; all of them where none is given."""
        value = self._values.get(key, default)
        items = list(range(rank)) if value is None else value if isinstance(value, list | tuple) else [value]
        if not items or not all(isinstance(axis, int) and -rank <= axis < rank for axis in items):
            raise self.fail(key, f"axes of a tensor of {rank}")
        return sorted({axis % rank for axis in items})

    def axis(self, key: str, rank: int, default: int | None = None) -> int:
        axes = self.axes(key, rank, default)
        if len(axes) != 1:
            raise self.fail(key, f"one axis of a tensor of {rank}")
        return axes[0]

    def order(self, key: str, default: list[int]) -> tuple[int, ...]:
        value = self._values.get(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(axis, int) for axis in value):
            raise self.fail(key, "an order of axes")
        return tuple(value)

    def sizes(self, key: str) -> list[Any]:
        value = self._values.get(key)
        if not isinstance(value, list | tuple):
            raise self.fail(key, "a fixed shape")
        return list(value)

    def fields(self, **values: Any) -> Fields:
        """These values as the config of a layer, for the functions that write layers."""
        return Fields(self._site.fields.where, values)
