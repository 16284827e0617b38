# SPDX-License-Identifier: Apache-2.0
"""The passes that turn a float graph into one of bits, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable

from harness.model.graph import Graph
from harness.model.passes import binarise, count, fuse, integers, pool, rewrite, steps, straight, threshold

Pass = tuple[str, Callable[[Graph], Graph]]

TIDY: tuple[Pass, ...] = (
    ("fold constants", rewrite.fold_constants),
    ("straighten", straight.straighten),
    ("recognise steps", steps.recognise),
)
"""(name, pass) pairs that come before the verdicts. Each takes a graph and returns one that computes the same."""

LOWER: tuple[Pass, ...] = (
    ("binarise", binarise.binarise),
    ("hoist thresholds", threshold.hoist),
    ("pool bits", pool.pool_bits),
    ("pack outputs", threshold.pack_outputs),
    ("fuse", fuse.fuse),
    ("keep codes", integers.keep_codes),
    ("count", count.count),
)
"""Those that carry the verdicts out."""

PASSES = (*TIDY, *LOWER)
