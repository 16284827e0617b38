# SPDX-License-Identifier: Apache-2.0
"""What trials of the verdicts themselves found, in lines for a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from harness.bench.aa import Planted
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
