# SPDX-License-Identifier: Apache-2.0
"""Neurons that remember from step to step."""

from __future__ import annotations

import numpy as np

from harness.model.graph import Array, Tensor
from harness.model.reference.common import Memory, Params, kind, take


def lif(operands: list[Array | None], params: Params, output: Tensor, memory: Memory | None = None) -> Array:
    """One time step: what each neuron emits, [N, ..., C] as x; constants broadcast to it.

    `memory` keeps the membranes from step to step, by the node's output; without it each step is the first one.
    """
    x, threshold, decay, gain, offset, reset, initial = take(operands, 7)
    v = None if memory is None else memory.get(output.name)
    if v is None:
        v = np.broadcast_to(np.float32(0) if initial is None else initial, x.shape)
    h = v if decay is None else decay * v
    h = h + (x if gain is None else gain * x)
    h = h if offset is None else h + offset
    if threshold is not None and params["reset"] == kind("RESET_SUBTRACT_LATER"):
        h = h - _spikes(v, threshold, params) * threshold
    y = np.zeros_like(h) if threshold is None else _spikes(h, threshold, params)
    if memory is not None:
        kept = h
        if threshold is not None and params["reset"] == kind("RESET_VALUE"):
            kept = np.where(y > 0, np.float32(0) if reset is None else reset, h)
        elif threshold is not None and params["reset"] == kind("RESET_SUBTRACT"):
            kept = h - y * threshold
        memory[output.name] = np.asarray(kept, np.float32)
    if params["emit"] == kind("EMIT_MEMBRANE"):
        return np.asarray(h)
    return (y == params.get("spike", 0))[np.newaxis] if output.dtype == "bits" else y


def _spikes(h: Array, threshold: Array, params: Params) -> Array:
    """How many spikes each membrane gives."""
    if params["emit"] == kind("EMIT_COUNT"):
        return np.where(h > 0, np.floor(h / threshold), np.float32(0))
    reached = h > threshold if params.get("strict") else h >= threshold
    return reached.astype(np.float32)
