# SPDX-License-Identifier: Apache-2.0
"""What trials of the verdicts themselves found, in lines for a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.bench.aa import Noise, Planted
from harness.bench.simulation import Outcome
from harness.errors import RegressionProven
from harness.report import words


def planted(found: Sequence[Planted]) -> str:
    """What comparisons said of a planted slowdown, in a line."""
    said = Counter(words.CHANGES[each.verdict] for each in found)
    ratios = sorted(each.ratio.estimate for each in found) or [math.nan]
    regressions = sum(each.exit_code == RegressionProven.exit_code for each in found)
    counts = ", ".join(f"{count} {name}" for name, count in said.most_common())
    ended = f"{regressions} ended with exit code {RegressionProven.exit_code}"
    return f"{len(found)} comparisons: {counts}; {ended}; ratios {ratios[0]:.3f} to {ratios[-1]:.3f}"


def noise(found: Sequence[Noise]) -> RenderableType:
    """What A against A found, a line a device."""
    lines = []
    for each in found:
        alarms = f"{each.false_alarms} of {each.blocks} intervals leave out 1 (5 % were promised)"
        beyond = f"{each.verdicts} would have been called a difference"
        lines.append(Text(f"{each.device}: {alarms}, {beyond}; noise floor {each.floor:.1%}"))
        others = ", ".join(f"{tool}: {count}" for tool, count in each.others.items())
        lines.append(Text(f"  of the same processes, one side after the other, others' rules call different: {others}"))
    return Group(*lines)


def simulated(found: Sequence[Outcome]) -> RenderableType:
    """How often the procedure was right about boards whose truth was known."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("true ratio", "runs", "interval holds it", "interval leaves out 1", "called a difference", "pairs"):
        table.add_column(heading, justify="right")
    for each in found:
        shares = (f"{share:.1%}" for share in (each.covered, each.alarms, each.called))
        table.add_row(f"{each.truth:.3f}", str(each.runs), *shares, f"{each.pairs:.1f}")
    return table
