# SPDX-License-Identifier: Apache-2.0
"""Where the memory of a session goes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness import abi
from harness.cross import cache, toolchain
from harness.cross.build import build
from harness.model import bits, container
from harness.model.graph import Builder, Graph
from harness.model.passes.order import PASSES
from tests.kernels.runtime import Runtime
from tests.kernels.test_loader import MODEL
from tests.unit.nets import quick

WRAPPED = ("malloc", "calloc", "realloc", "aligned_alloc")


def test_a_run_allocates_nothing_and_threads_sleep_between_runs(tmp_path: Path) -> None:
    made = build("host")
    zig, counter, model = (
        toolchain.compiler("zig", toolchain.target("host")).program,
        tmp_path / "count",
        tmp_path / "m.bnn",
    )
    model.write_bytes(MODEL)
    caches = {name: str(cache.folder("zig")) for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}
    subprocess.run(
        [
            *(zig, "cc", "-target", f"{made.target}-linux-musl", "-O3", "-static"),
            *("-I", toolchain.ROOT / "kernels" / "include", Path(__file__).with_name("allocations.c")),
            *(made.binary.with_name("libbnn_core.a"), "-Wl," + ",".join(f"--wrap={name}" for name in WRAPPED)),
            *("-o", counter),
        ],
        check=True,
        env={**os.environ, **caches},
    )
    for threads in ("1", "3"):
        opened, planned, ran, idle = map(int, subprocess.check_output([counter, model, threads]).split())
        assert opened > 0
        assert planned > 0
        assert ran == 0
        assert idle < 30_000  # microseconds; one thread that spun would take 300,000


@pytest.mark.parametrize("length", [2, 50])
def test_values_that_never_live_together_share_memory(runtime: Runtime, length: int) -> None:
    """A chain needs two buffers however long it is; element by element, it needs one."""
    b = Builder("chain")
    x = b.input("x", (1, 32, 32, 16))
    for _ in range(length):
        x = b.node("transpose", "turn", (x,), permutation=(0, 2, 1, 3))
        x = b.node("unary", "negate", (x,), kind=abi.constant("BNN_NEG"))
    b.output(x)
    model = runtime.info(container.encode(b.graph())).line("model")
    assert model["arena_bytes"] == model["live_bytes"] == 2 * 32 * 32 * 16 * np.dtype(np.float32).itemsize


def test_the_arena_of_branches_is_as_small_as_can_be(runtime: Runtime) -> None:
    """Residual blocks of shrinking images: what lives at once decides, not what there is."""
    b = Builder("residual")
    x = b.input("x", (1, 64, 64, 8))
    pool = {"kernel_h": 2, "kernel_w": 2, "stride_h": 2, "stride_w": 2, "dilation_h": 1, "dilation_w": 1}
    for _ in range(4):
        branch = b.node("transpose", "turn", (x,), permutation=(0, 2, 1, 3))
        branch = b.node("transpose", "back", (branch,), permutation=(0, 2, 1, 3))
        x = b.node("arith", "add", (x, branch), kind=abi.constant("BNN_ADD"), lo=-np.inf, hi=np.inf)
        x = b.node("max_pool2d", "pool", (x,), window=pool)
    b.output(x)
    model = runtime.info(container.encode(b.graph())).line("model")
    assert model["arena_bytes"] == model["live_bytes"]


def largest_live_set(graph: Graph) -> int:
    """Bytes of the values that some node cannot do without: what it reads and writes, and what is read later."""
    size = {
        name: (
            bits.words(tensor.shape[-1]) * tensor.elements // tensor.shape[-1]
            if tensor.dtype == "bits"
            else tensor.elements
        )
        * 4
        for name, tensor in graph.tensors.items()
        if tensor.data is None and name not in graph.inputs
    }
    last = {name: at for at, node in enumerate(graph.nodes) for name in node.inputs if name in size}
    made = {node.output: at for at, node in enumerate(graph.nodes)}
    return max(
        sum(size[name] for name in size if made[name] <= at <= max(last.get(name, at), made[name]))
        for at in range(len(graph.nodes))
    )


@pytest.mark.parametrize("blocks", [((64, 4), (128, 4), (256, 4)), ((32, 3), (64, 3))])
def test_a_net_needs_its_weights_and_hardly_more_than_its_largest_live_set(
    runtime: Runtime, blocks: tuple[tuple[int, int], ...]
) -> None:
    graph = quick(blocks)
    for _, rewrite in PASSES:
        graph = rewrite(graph)
    assert sum(node.op == "bconv2d" for node in graph.nodes) == sum(layers for _, layers in blocks)
    model = runtime.info(container.encode(graph)).line("model")
    weights = container.weight_bytes(graph)
    assert model["packed_bytes"] + model["arena_bytes"] <= weights + 1.2 * largest_live_set(graph)
