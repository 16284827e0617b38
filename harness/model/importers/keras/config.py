# SPDX-License-Identifier: Apache-2.0
"""The architecture that a Keras file holds as JSON: read within bounds, its fields checked one by one.

The same thing is written in four dialects (tf.keras until 2.12, tf_keras, Keras 3 in `.h5` and in `.keras`); what this
module returns is the same for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import ModelError

MAX_CONFIG_BYTES = 16 << 20
MAX_NAME = 256
MAX_FLOAT = 3.4e38

_OURS = ("keras", "tf_keras", "larq", "tensorflow", "builtins")
"""Packages whose names mean what we think. A class of another package may bear the same name and do other things."""


def parse(text: str | bytes, where: str) -> dict[str, Any]:
    """The JSON object in `text`.

    Raises:
        ModelError: it is too long, too deep, not JSON, or not an object.
    """
    if len(text) > MAX_CONFIG_BYTES:
        raise ModelError(f"{where} has {len(text):,} bytes of JSON; at most {MAX_CONFIG_BYTES:,} are accepted.")
    try:
        found = json.loads(text)
    except RecursionError:
        raise ModelError(f"{where} is nested too deeply.", "No model is; the file is damaged or hostile.") from None
    except ValueError as error:
        raise ModelError(
            f"{where} is not JSON: {str(error)[:120]}.",
            "The file was cut or damaged.",
            "Save the model again.",
        ) from None
    if not isinstance(found, dict):
        raise ModelError(f"{where} does not describe a model.", "", "Save the whole model with model.save(...).")
    return found


def show(value: Any) -> str:
    """A value of the file for an error message, short whatever it is."""
    try:
        text = repr(value)
    except RecursionError:
        text = f"a deeply nested {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."


def name(value: Any, where: str) -> str:
    """A layer's or model's name, fit for a message, a report and a file."""
    if not isinstance(value, str) or not value or len(value) > MAX_NAME or not value.isprintable():
        raise ModelError(f"{where} has the name {show(value)}; a name is 1 to {MAX_NAME} printable characters.")
    return value


class Fields:
    """The fields of one layer's (or quantiser's) config.

    Each getter returns a checked value or raises a ModelError that names the layer and the field.
    """

    def __init__(self, where: str, values: Mapping[str, Any]) -> None:
        self.where = where
        self.values = values

    def fail(self, key: str, wanted: str) -> ModelError:
        return ModelError(f"{self.where}: its {key} is {show(self.values.get(key))}, not {wanted}.")

    def raw(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def number(self, key: str, default: float | None = None) -> float:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_FLOAT:
            raise self.fail(key, "a finite number")
        return float(value)

    def integer(self, key: str, default: int | None = None, low: int = 1, high: int = (1 << 31) - 1) -> int:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.fail(key, f"a whole number from {low} to {high}")
        return value

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or value not in choices:
            raise self.fail(key, "one of " + ", ".join(choices))
        return value

    def sizes(self, key: str, count: int, default: Any = None, low: int = 1) -> tuple[int, ...]:
        """`count` whole numbers; one number stands for all of them."""
        value = self.values.get(key, default)
        if isinstance(value, int):
            value = [value] * count
        if (
            not isinstance(value, list | tuple)
            or len(value) != count
            or any(isinstance(size, bool) or not isinstance(size, int) or not low <= size < 1 << 31 for size in value)
        ):
            raise self.fail(key, f"{count} whole numbers of at least {low}")
        return tuple(value)

    def pairs(self, key: str, count: int, default: Any = 0) -> tuple[tuple[int, int], ...]:
        """`count` times (before, after): each may be one number, and so may the whole."""
        value = self.values.get(key, default)
        parts = [value] * count if isinstance(value, int) else value
        if isinstance(parts, list | tuple) and len(parts) == count:
            inner = [[part, part] if isinstance(part, int) else part for part in parts]
            if all(
                isinstance(part, list | tuple)
                and len(part) == 2
                and all(isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 16 for size in part)
                for part in inner
            ):
                return tuple((part[0], part[1]) for part in inner)
        raise self.fail(key, f"{count} pairs of whole numbers")

    def shape(self, key: str) -> tuple[int, ...]:
        """A tensor shape with the batch first; a batch that was left open is 1.

        Raises:
            ModelError: another size was left open.
        """
        value = self.values.get(key)
        if not isinstance(value, list | tuple) or len(value) < 2:
            raise self.fail(key, "a shape")
        sizes = [1 if value[0] is None else value[0], *value[1:]]
        if any(size is None for size in sizes):
            raise ModelError(
                f"{self.where}: its input size {show(value)} is not fixed.",
                "A size of None means that the model takes images of any size; memory on a board is planned for one.",
                "Give the input layer a fixed shape, for example Input(shape=(224, 224, 3)), and save the model again.",
            )
        if any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes):
            raise self.fail(key, "a shape of positive whole numbers")
        return tuple(sizes)


@dataclass(frozen=True)
class Named:
    """A class or function that the file names: a layer, a quantiser or an activation.

    Attributes:
        key: what the tables are looked up with; holds the package where it is not one of Keras' or Larq's own.
        aliases: the other names that a user may know it by, for the objects file.
        fields: its config.
    """

    key: str
    aliases: tuple[str, ...]
    fields: Fields


def named(value: Any, where: str) -> Named | None:
    """What a field like `activation` or `kernel_quantizer` refers to, in any dialect; None where it is absent.

    Early files give a name, later ones an object of class_name and config, tf_keras an object for a function too.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return Named(value, (), Fields(f"{where}, {value[:MAX_NAME]!r}", {}))
    if not isinstance(value, dict):
        raise ModelError(f"{where}: {show(value)} names neither a class nor a function.")
    class_name, config = value.get("class_name"), value.get("config")
    module, registered = value.get("module"), value.get("registered_name")
    if class_name == "function" and isinstance(config, str):
        class_name, config, registered = config, {}, None
    if not isinstance(class_name, str) or not isinstance(config, dict | None):
        raise ModelError(f"{where}: {show(value)} names neither a class nor a function.")
    key = class_name
    if isinstance(registered, str) and ">" in registered:
        key = registered
    elif isinstance(module, str) and module.split(".")[0] not in _OURS:
        key = f"{module}.{class_name}"
    elif module is not None and not isinstance(module, str):
        raise ModelError(f"{where}: {show(value)} names neither a class nor a function.")
    names = (registered, class_name, class_name.rsplit(">", 1)[-1])
    aliases = tuple(alias for alias in names if isinstance(alias, str) and alias != key)
    return Named(key, aliases, Fields(f"{where}, {key[:MAX_NAME]!r}", config or {}))
