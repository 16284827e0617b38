# SPDX-License-Identifier: Apache-2.0
"""The passes that turn a float graph into one of bits, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable

from harness.model.graph import Graph
from harness.model.passes import binarise, fuse, pool, rewrite, threshold

PASSES: tuple[tuple[str, Callable[[Graph], Graph]], ...] = (
    ("fold constants", rewrite.fold_constants),
    ("binarise", binarise.binarise),
    ("hoist thresholds", threshold.hoist),
    ("pool bits", pool.pool_bits),
    ("pack outputs", threshold.pack_outputs),
    ("fuse", fuse.fuse),
)
"""(name, pass) pairs. Each takes a graph and returns one that computes the same."""
