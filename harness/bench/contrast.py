# SPDX-License-Identifier: Apache-2.0
"""How other tools would have judged the same processes, of A against A: how often they would have seen a difference.

Both measure one side after the other. A and B being the same program, processes can be dealt to the sides by the time
at which they ran, as those tools would have had them; each rule then takes what the tool takes for a measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from harness.bench.record import Process

ALPHA = 0.05


def hyperfine(processes: Sequence[Process]) -> bool:
    """A run is a process; Welch's t-test of the runs of each side (scripts/welch_ttest.py of hyperfine)."""
    from scipy.stats import ttest_ind

    means = [float(np.mean(process.samples)) for process in processes]
    half = len(means) // 2
    return bool(ttest_ind(means[:half], means[half:], equal_var=False).pvalue < ALPHA)


def google_benchmark(processes: Sequence[Process]) -> bool:
    """Repetitions are samples within a process, of which there is one a side; Mann and Whitney's test of these
    (tools/gbench/report.py of google/benchmark)."""
    from scipy.stats import mannwhitneyu

    first, second = processes[0], processes[len(processes) // 2]
    return bool(mannwhitneyu(first.samples, second.samples, alternative="two-sided").pvalue < ALPHA)


RULES: Mapping[str, Callable[[Sequence[Process]], bool]] = {
    "hyperfine": hyperfine,
    "google/benchmark": google_benchmark,
}


def alarms(blocks: Sequence[Sequence[Process]]) -> dict[str, int]:
    """In how many blocks each rule sees a difference; a block holds the processes of both sides."""
    ordered = [sorted(block, key=lambda process: process.seconds) for block in blocks]
    return {tool: sum(map(rule, ordered)) for tool, rule in RULES.items()}
