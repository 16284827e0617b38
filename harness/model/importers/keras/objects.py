# SPDX-License-Identifier: Apache-2.0
"""The user's mapping file: what a class or function of their own computes, in terms of quantisers that bitrig knows.

    objects:
      corpus>HalfSign01: {values: [0, 1], threshold: 0}
      MyDoReFa:          {quantizer: DoReFa, parameters: {k_bit: 2}}

A key is the class as the file names it: registered name, class name or function name. `values` and `threshold` say
"the second value where x >= threshold, else the first". `parameters` override what the file's config says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import ConfigError
from harness.model.importers.keras.config import Named

MAX_BYTES = 1 << 20

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Entry(BaseModel):
    """One mapping: either a known quantiser, or two values and the threshold between them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantizer: str | None = None
    parameters: dict[str, bool | int | float | str] = {}
    values: tuple[Finite, Finite] | None = None
    threshold: Finite = 0.0

    @model_validator(mode="after")
    def _one_form(self) -> Entry:
        if (self.quantizer is None) == (self.values is None):
            raise ValueError("give either quantizer (with parameters) or values (with threshold)")
        if self.values is not None and self.parameters:
            raise ValueError("parameters belong to a quantizer, not to values")
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


def load(path: Path | None, quantizers: tuple[str, ...]) -> Objects:
    """Reads a mapping file; None gives an empty mapping.

    Args:
        quantizers: the names that `quantizer` may take.

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
            "An entry is {quantizer: NAME, parameters: {...}} or {values: [LOW, HIGH], threshold: T}.",
        ) from None
    for name, entry in objects.objects.items():
        if entry.quantizer is not None and entry.quantizer not in quantizers:
            raise ConfigError(
                f"{path}, objects.{name}.quantizer: there is no quantizer {entry.quantizer!r}.",
                "",
                f"Known: {', '.join(quantizers)}.",
            )
    return objects
