# SPDX-License-Identifier: Apache-2.0
"""What every value of a record is: frozen, tolerant of what it does not know, and safe to show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

# Control characters move a terminal's cursor, lone surrogates cannot be written, bidirectional overrides show one name
# as another; and none of these has a place in XML.
_UNSHOWABLE = re.compile(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")


def shown(value: Any) -> Any:
    """A value whose texts can be shown anywhere: names of layers, models and boards come from strangers."""
    if isinstance(value, str):
        return _UNSHOWABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {shown(key): shown(part) for key, part in value.items()}
    if isinstance(value, list | tuple) and value and not isinstance(value[0], int | float):
        return tuple(shown(part) for part in value)
    return value


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True, ser_json_inf_nan="strings")

    @field_validator("*", mode="before")
    @classmethod
    def _shown(cls, value: Any) -> Any:
        return shown(value)
