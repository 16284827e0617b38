# SPDX-License-Identifier: Apache-2.0
"""Counted kernels beside what other engines need for the same layers: the rows of a table, and what to know of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.bench import instructions
from harness.bench.instructions import Anchor, Counted


@dataclass(frozen=True)
class Row:
    """An engine on a layer; `ours`: whether it was counted just now, and not long ago by others."""

    target: str
    engine: str
    shape: str
    per_kmac: float
    rate: Mapping[str, float]
    ours: bool


def rows(found: Sequence[Counted]) -> Iterator[Row]:
    """Layer by layer: our kernels, then the other engines."""
    for target, shape in dict.fromkeys((each.target, each.shape) for each in found):
        for each in found:
            if (each.target, each.shape) == (target, shape):
                yield Row(target, each.kernel, shape, each.per_kmac, each.rate, True)
        for anchor in instructions.anchors():
            if anchor.target == target and shape in anchor.per_kmac:
                rate = {core: rates[shape] for core, rates in anchor.rate.items()}
                yield Row(target, anchor.name, shape, anchor.per_kmac[shape], rate, False)


def cores(found: Sequence[Counted]) -> list[str]:
    """The cores that were modelled just now."""
    return list(dict.fromkeys(core for each in found for core in each.rate))


def over(found: Sequence[Counted], anchor: Anchor) -> dict[str, float]:
    """How many times as many MACs a modelled cycle our best kernel does, by core: the geometric mean of the layers."""
    best = {each.shape: each for each in reversed(found) if each.target == anchor.target}
    logs = {
        core: [math.log(each.rate[core] / rates[shape]) for shape, each in best.items() if core in each.rate]
        for core, rates in anchor.rate.items()
    }
    return {core: math.exp(sum(values) / len(values)) for core, values in logs.items() if values}


def notes(found: Sequence[Counted]) -> list[str]:
    """Where the figures come from, and what is missing."""
    targets = dict.fromkeys(each.target for each in found)
    others = [anchor for anchor in instructions.anchors() if anchor.target in targets]
    told = ["Floats out, one thread. Instructions are counted in an emulator: exact, and the same on every machine."]
    told += [f"{anchor.name} on {anchor.target}: {anchor.what}." for anchor in others]
    for anchor in others:
        ratios = ", ".join(f"{core} {ratio:.2f}×" for core, ratio in over(found, anchor).items())
        told += [f"Our rate over that of {anchor.name}, the geometric mean of the layers: {ratios}."] if ratios else []
    if any(each.rate for each in found):
        told.append("Cores: MACs in a cycle modelled by llvm-mca. No caches; of in-order cores, take only the order.")
    elif any(target in instructions.CORES for target in targets):
        told.append(
            f"NOT MODELLED: cycles need {instructions.MCA} and {instructions.OBJDUMP}, which are not installed. "
            "Type: sudo apt install llvm-19"
        )
    return told
