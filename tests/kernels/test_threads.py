# SPDX-License-Identifier: Apache-2.0
"""Several threads: the same bits, on the CPUs that were asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.model import container, reference
from harness.model.graph import Array, Graph
from harness.model.passes.order import PASSES
from tests.kernels.runtime import Runtime
from tests.unit.nets import quick


@pytest.fixture(scope="module")
def net() -> tuple[Graph, Array]:
    """A net whose layers are large enough to be shared among threads, in bits, and its input."""
    graph = quick(((64, 2), (128, 2), (256, 2)))
    for _, rewrite in PASSES:
        graph = rewrite(graph)
    shape = graph.tensors[graph.inputs[0]].shape
    return graph, np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def test_the_number_of_threads_changes_no_bit(runtime: Runtime, net: tuple[Graph, Array]) -> None:
    graph, x = net
    (alone,) = runtime.run(graph, [x])
    np.testing.assert_allclose(alone, reference.run(graph, [x])[0], rtol=1e-4, atol=1e-4)
    for threads in ("2", "4"):
        for _ in range(3):  # who takes which rows differs from run to run
            np.testing.assert_array_equal(runtime.run(graph, [x], "--threads", threads)[0], alone)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU leaves nothing to choose")
def test_threads_are_pinned_where_asked(command: tuple[str, ...], net: tuple[Graph, Array], tmp_path: Path) -> None:
    if len(command) > 1:
        pytest.skip("an emulator has threads of its own")
    graph, x = net
    first, second = sorted(os.sched_getaffinity(0))[:2]
    files = {"model": container.encode(graph), "input": x.tobytes(), "golden": reference.run(graph, [x])[0].tobytes()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    options = [f"--{name}={tmp_path / name}" for name in files] + ["--rtol=1e-4", "--threads=2", "--min-time=5"]
    pins = f"--cpus={first},{second}"
    with subprocess.Popen([*command, "bench", *options, pins], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = [running.stdout.readline() for _ in range(3)]  # host, model, golden: by now it runs
        assert '"golden"' in said[2]
        allowed = sorted(
            line.split()[1]
            for task in Path(f"/proc/{running.pid}/task").iterdir()
            for line in (task / "status").read_text().splitlines()
            if line.startswith("Cpus_allowed_list:")
        )
        running.kill()
    assert allowed == sorted([str(first), str(second)])
