# SPDX-License-Identifier: Apache-2.0
"""The user's mapping file: what a class or function of their own computes, in terms of what bitrig knows.

    objects:
      corpus>HalfSign01: {values: [0, 1], threshold: 0}
      my_weights:        {values: [-1, 1], scale: tensor}
      MyDoReFa:          {quantizer: DoReFa, parameters: {k_bit: 2}}
      my_clip:           {layer: ReLU, parameters: {max_value: 1}}

A key is the class as the file names it: registered name, class name or function name; for a layer such as a Lambda also
the layer's own name. `values` and `threshold` say "the second value where x >= threshold, else the first", times the
mean magnitude of the whole tensor of weights where there is a `scale`. `layer` is a layer of Keras without weights.
`parameters` override what the file's config says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import ConfigError
from harness.model.importers.keras.config import Fields, Named

MAX_BYTES = 1 << 20

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Entry(BaseModel):
    """One mapping: a known quantiser, a known layer, or two values and the threshold between them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantizer: str | None = None
    layer: str | None = None
    parameters: dict[str, bool | int | float | str] = {}
    values: tuple[Finite, Finite] | None = None
    threshold: Finite = 0.0
    scale: Literal["tensor"] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Entry:
        if [self.quantizer, self.layer, self.values].count(None) != 2:
            raise ValueError("give either quantizer or layer (with parameters), or values (with threshold)")
        if self.values is not None and self.parameters:
            raise ValueError("parameters belong to a quantizer or layer, not to values")
        if self.values is None and self.scale:
            raise ValueError("a scale belongs to values")
        return self


class Objects(BaseModel):
    """The mapping file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    objects: dict[str, Entry] = {}

    def find(self, named: Named) -> Entry | None:
        """The entry for a class, by any of its names."""
        for key in (named.key, *named.aliases):
            if key in self.objects:
                return self.objects[key]
        return None

    def layer(self, named: Named) -> Named | None:
        """The layer of Keras that a class, function or single layer stands for, by any of its names."""
        entry = self.find(named)
        if entry is None or entry.layer is None:
            return None
        return Named(entry.layer, (), Fields(named.fields.where, {**named.fields.values, **entry.parameters}))


def load(path: Path | None, quantizers: tuple[str, ...], layers: tuple[str, ...]) -> Objects:
    """Reads a mapping file; None gives an empty mapping.

    Args:
        quantizers, layers: the names that `quantizer` and `layer` may take.

    Raises:
        ConfigError: the file is missing, is not YAML, or a field of it is wrong; names the file and the field.
    """
    if path is None:
        return Objects()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} has more than {MAX_BYTES:,} bytes; a mapping file has a few lines.")
        content: Any = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The objects file {str(path)!r} cannot be read: {error}.") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"The objects file {str(path)!r} is not YAML: {str(error)[:200]}") from None
    try:
        objects = Objects.model_validate(content if content is not None else {})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path}, {field or 'top level'}: {first['msg'].removeprefix('Value error, ')}.",
            "",
            "An entry is {quantizer or layer: NAME, parameters: {...}} or {values: [LOW, HIGH], threshold: T}.",
        ) from None
    for name, entry in objects.objects.items():
        for kind, given, known in (("quantizer", entry.quantizer, quantizers), ("layer", entry.layer, layers)):
            if given is not None and given not in known:
                raise ConfigError(
                    f"{path}, objects.{name}.{kind}: there is no {kind} {given!r}.", "", f"Known: {', '.join(known)}."
                )
    return objects
