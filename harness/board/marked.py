# SPDX-License-Identifier: Apache-2.0
"""YAML that remembers the line of every field, so that a mistake can be pointed at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from harness.errors import ConfigError


class Marks(dict[tuple[Any, ...], str]):
    """Where each field is written, as "devices.yaml:12", by its path from the top."""

    def at(self, *path: Any) -> str:
        """The place of a field, or of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self:
                return self[path[:length]]
        return "devices.yaml"


def read(file: Path) -> tuple[Any, Marks]:
    """The content of a YAML file and where each field is.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or gives a key twice (YAML would drop the first silently).
    """
    try:
        loader = yaml.SafeLoader(file.read_text("utf-8"))
        node = loader.get_single_node()
        marks = Marks(_walk(node, (), file.name)) if node else Marks()
        content = loader.construct_document(node) if node else None
    except OSError as error:
        raise ConfigError(f"{file.name} cannot be read: {error.strerror}.", "", f"It belongs at {file}.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file.name} is not UTF-8 text: {error.reason} at byte {error.start}.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file.name}:{mark.line + 1}" if mark else file.name
        raise ConfigError(f"{where}: this is not YAML: {error.problem}.", "Indentation or a quote, usually.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file.name} is not YAML: {error}.") from None
    if content is not None and not isinstance(content, dict):
        raise ConfigError(f"{file.name}:1: expected fields such as `devices:`, got {type(content).__name__}.")
    return content, marks


def merge(base: Any, over: Any) -> Any:
    """`over` laid over `base`: mappings are merged field by field, anything else is replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: merge(base[key], value) if key in base else value for key, value in over.items()}
    return base if over is None else over


def _walk(node: yaml.Node, path: tuple[Any, ...], file: str) -> Iterator[tuple[tuple[Any, ...], str]]:
    # A field's own mark is that of its key, which its parent yields; the top has none but its first line.
    if not path:
        yield path, f"{file}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), f"{file}:{item.start_mark.line + 1}"
            yield from _walk(item, (*path, index), file)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                field = ".".join(map(str, (*path, key.value)))
                raise ConfigError(f"{file}:{line}: {field} is given twice.", f"It is on line {seen[key.value]} too.")
            seen[key.value] = line
            yield (*path, key.value), f"{file}:{line}"
            yield from _walk(value, (*path, key.value), file)
