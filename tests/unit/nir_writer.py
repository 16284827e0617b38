# SPDX-License-Identifier: Apache-2.0
"""Writes small NIR files as exporters do, and wrong ones as they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Fields = Mapping[str, Any]


def write(path: Path, nodes: Mapping[str, Fields], edges: Sequence[tuple[str, str]]) -> Path:
    """A file with these nodes, each with a `type` among its fields, and edges."""
    with h5py.File(path, "w") as file:
        _graph(file.create_group("node"), nodes, edges)
    return path


def _graph(root: Any, nodes: Mapping[str, Fields], edges: Sequence[tuple[str, str]]) -> None:
    """Fills a group with a graph; a node that has `nodes` and `edges` of its own is one, too."""
    root.create_dataset("type", data="NIRGraph")
    root.create_dataset("edges", data=np.array(edges, dtype=h5py.string_dtype()).reshape(-1, 2))
    for name, fields in nodes.items():
        group = root.create_group(f"nodes/{name}")
        if "nodes" in fields:
            _graph(group, fields["nodes"], fields["edges"])
            continue
        for field, value in fields.items():
            group.create_dataset(field, data=value)


def chain(path: Path, shape: Sequence[int], *layers: Fields) -> Path:
    """A file whose layers, named 0, 1, ..., stand in a row between input and output."""
    nodes: dict[str, Fields] = {"input": {"type": "Input", "shape": list(shape)}}
    nodes |= {str(at): fields for at, fields in enumerate(layers)}
    nodes["output"] = {"type": "Output", "shape": [1]}
    names = list(nodes)
    return write(path, nodes, list(pairwise(names)))


def conv(weight: np.ndarray, stride: int = 1, padding: Any = 0, groups: int = 1, **more: Any) -> Fields:
    """A Conv2d; weight is [O, I, H, W]."""
    return {
        "type": "Conv2d",
        "weight": weight.astype(np.float32),
        "stride": [stride, stride],
        "padding": padding,
        "dilation": [1, 1],
        "groups": groups,
        **more,
    }


def lif(tau: Any = 1e-3, r: Any = 10.0, threshold: Any = 1.0, **more: Any) -> Fields:
    return {"type": "LIF", "tau": tau, "r": r, "v_leak": 0.0, "v_threshold": threshold, "v_reset": 0.0, **more}


def spiking(r: Any = 1.0, threshold: Any = 1.0, **more: Any) -> Fields:
    """An IF."""
    return {"type": "IF", "r": r, "v_threshold": threshold, "v_reset": 0.0, **more}


def signs(*shape: int, seed: int = 0) -> np.ndarray:
    """Random weights ±0.3."""
    return np.where(np.random.default_rng(seed).random(shape) < 0.5, -0.3, 0.3).astype(np.float32)
