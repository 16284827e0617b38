# SPDX-License-Identifier: Apache-2.0
"""How a Keras file refers to tensors: [layer, call, output] in Keras 2, an object with a history in Keras 3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from harness.errors import ModelError
from harness.model.importers.keras.config import show


@dataclass(frozen=True, order=True)
class Ref:
    """Output `tensor` of the `node`-th call of a layer."""

    layer: str
    node: int
    tensor: int


def refs(value: Any) -> Iterator[Ref]:
    """The tensors in an argument, in order."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from refs(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from refs(item)


def ends(value: Any, where: str) -> tuple[Ref, ...]:
    """The inputs or outputs of a model: a list of triples, or one triple, or a dict of triples, which Keras sorts."""
    if _is_triple(value):
        return (Ref(*value),)
    parts: Any = [value[key] for key in sorted(value)] if isinstance(value, dict) else value
    if not isinstance(parts, list) or not 0 < len(parts) <= 64 or not all(_is_triple(part) for part in parts):
        raise ModelError(f"{where} has {show(value)} for its inputs or outputs.")
    return tuple(Ref(part[0], part[1], part[2]) for part in parts)


def _is_triple(value: Any) -> TypeGuard[list[Any]]:
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and isinstance(value[0], str)
        and all(isinstance(index, int) and not isinstance(index, bool) and index >= 0 for index in value[1:])
    )


def arguments(node: Any, where: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """(args, kwargs) of one call, from an element of a layer's inbound_nodes.

    Keras 3 writes {"args": [...], "kwargs": {...}}. Keras 2 writes a list (or dict) of [layer, node, tensor, kwargs],
    one for each tensor of the first argument, without the list where an operator takes a single one; a first argument
    that is no tensor is ["_CONSTANT_VALUE", -1, value, kwargs].
    """
    if isinstance(node, dict) and "args" not in node:
        node = [node[key] for key in sorted(node)]
    if isinstance(node, dict):
        args, kwargs = node.get("args", []), node.get("kwargs", {})
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise ModelError(f"{where} is connected to {show(node)}.")
        return tuple(_keras3(arg) for arg in args), {key: _keras3(arg) for key, arg in kwargs.items()}
    entries = [node] if isinstance(node, list) and node and isinstance(node[0], str) else node
    if not isinstance(entries, list) or not entries:
        raise ModelError(f"{where} is connected to {show(node)}.")
    first: list[Any] = []
    more: dict[str, Any] = {}
    for entry in entries:
        constant = isinstance(entry, list) and len(entry) >= 3 and entry[:2] == ["_CONSTANT_VALUE", -1]
        if not constant and not (isinstance(entry, list) and len(entry) in (3, 4) and _is_triple(entry[:3])):
            raise ModelError(f"{where} is connected to {show(entry)}.")
        first.append(_keras2(entry[2]) if constant else Ref(*entry[:3]))
        if len(entry) == 4 and isinstance(entry[3], dict):
            more |= {key: _keras2(item) for key, item in entry[3].items()}
    return (first[0] if len(first) == 1 else first,), more


def _keras2(value: Any) -> Any:
    if _is_triple(value):
        return Ref(*value)
    return [_keras2(item) for item in value] if isinstance(value, list) else value


def _keras3(value: Any) -> Any:
    if isinstance(value, dict):
        config = value.get("config")
        if value.get("class_name") == "__keras_tensor__" and isinstance(config, dict):
            history = config.get("keras_history")
            if _is_triple(history):
                return Ref(*history)
        if value.get("class_name") in ("__tensor__", "__numpy__") and isinstance(config, dict):
            return config.get("value")
        return {key: _keras3(item) for key, item in value.items()}
    return [_keras3(item) for item in value] if isinstance(value, list) else value
