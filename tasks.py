# SPDX-License-Identifier: Apache-2.0
"""The commands: `./inv --list`. Each is thin: it parses, calls the harness, prints what comes back.

Exit codes: 0 ok, 1 internal, 2 usage or configuration, 3 regression proven, 4 wrong output, 5 inconclusive under
--strict, 6 device unreachable or unfit.
"""

from __future__ import annotations

import subprocess
import sys

from invoke.context import Context
from invoke.exceptions import Exit

from benchmarks import commands as benchmarks
from harness.commands import boards, kernels, models, runs, upkeep
from harness.commands.console import command, group
from harness.commands.trials import bench_aa, bench_planted, bench_simulate
from harness.cross.toolchain import ROOT


@command()
def test(c: Context) -> None:
    """Ruff, mypy and all tests; pytest's closing line comes last."""
    python = [sys.executable, "-m"]
    side_by_side = ["-n", "4", "--dist", "loadfile"]  # most of the time is spent waiting for boards
    for tool in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["pytest", *side_by_side]):
        done = subprocess.run([*python, *tool], cwd=ROOT)
        if done.returncode:
            raise Exit(f"{' '.join(tool[:2])} failed", code=1)


ns = group(
    build=models.build,
    explain=models.explain,
    convert=models.convert,
    run=models.run,
    verify=models.verify,
    kernels=kernels.kernels,
    compare=runs.compare,
    history=runs.history,
    test=test,
    docs=upkeep.docs,
    fuzz=upkeep.fuzz,
)
ns.add_collection(group(aa=bench_aa, planted=bench_planted, simulate=bench_simulate), name="bench")
ns.collections["bench"].add_task(runs.bench, name="run", default=True)
ns.add_collection(group(serve=runs.report_serve), name="report")
ns.collections["report"].add_task(runs.report, name="write", default=True)
ns.add_collection(group(matrix=kernels.matrix), name="check")
ns.collections["check"].add_task(kernels.check, name="run", default=True)
ns.add_collection(
    group(
        list=boards.device_list,
        discover=boards.device_discover,
        trust=boards.device_trust,
        doctor=boards.device_doctor,
        lock=boards.device_lock,
        unlock=boards.device_unlock,
        clean=boards.device_clean,
    ),
    name="device",
)
ns.add_collection(
    group(
        nets=benchmarks.nets,
        layers=benchmarks.layers,
        spikes=benchmarks.spikes,
        page=benchmarks.page,
        boards=benchmarks.boards,
        lab=benchmarks.lab,
    ),
    name="benchmarks",
)
ns.add_collection(group(up=boards.lab_up, down=boards.lab_down, status=boards.lab_status), name="lab")
