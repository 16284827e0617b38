# SPDX-License-Identifier: Apache-2.0
"""The command line of the `bnn` program."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.model import container, reference
from harness.model.graph import Array
from tests.kernels.cases import build_case
from tests.kernels.runtime import Answer, Runtime

QUICK = ("--min-time=0.01", "--max-time=0.5", "--samples=5")


@pytest.fixture
def net(tmp_path: Path) -> tuple[Path, Path, Array]:
    """A model with one convolution on bits, its input and its golden output."""
    graph, inputs = build_case("bconv2d stride 2, dilated")
    model, given = tmp_path / "net.bnn", tmp_path / "x.bin"
    model.write_bytes(container.encode(graph))
    given.write_bytes(inputs[0].tobytes())
    return model, given, reference.run(graph, inputs)[0]


def bench(runtime: Runtime, net: tuple[Path, Path, Array], golden: Array, *options: str) -> Answer:
    model, given, _ = net
    path = runtime.folder / "golden.bin"
    path.write_bytes(golden.tobytes())
    return runtime.call("bench", "--model", model, "--input", given, "--golden", path, "--atol=1e-5", *QUICK, *options)


def test_bench_proves_then_times(runtime: Runtime, net: tuple[Path, Path, Array]) -> None:
    answer = bench(runtime, net, net[2], "--profile")
    assert answer.code == 0
    kinds = [line["type"] for line in answer.lines]
    assert kinds == ["host", "model", "golden", "first", "warmup", "samples", "rusage", "canary", "profile", "end"]
    assert answer.line("golden")["ok"]
    samples = answer.line("samples")
    assert len(samples["ns"]) >= 5
    assert all(ns > 0 for ns in samples["ns"])
    assert samples["batch"] * float(np.median(samples["ns"])) >= 0.5e6  # a sample is to last a millisecond
    layers = answer.line("profile")["layers"]
    assert [layer["op"] for layer in layers] == ["quantize", "bconv2d"]
    assert answer.line("rusage")["max_rss_bytes"] > 100_000


@pytest.mark.parametrize("spoil", [lambda y: y + 1e-3, lambda y: y * np.nan, lambda y: y + np.inf])
def test_a_wrong_output_has_no_time(runtime: Runtime, net: tuple[Path, Path, Array], spoil: Any) -> None:
    golden = net[2].copy()
    golden.flat[7] = spoil(golden.flat[7])
    answer = bench(runtime, net, golden)
    assert answer.code == 11
    assert "samples" not in [line["type"] for line in answer.lines]
    line = answer.line("golden")
    assert not line["ok"]
    assert line["at"] == 7
    assert answer.line("error")["status"] == "MISMATCH"


def test_no_golden_output_no_time(runtime: Runtime, net: tuple[Path, Path, Array]) -> None:
    answer = runtime.call("bench", "--model", net[0], "--input", net[1])
    assert answer.line("error")["status"] == "ARGUMENT"


def test_several_samples_run_one_after_the_other(runtime: Runtime, net: tuple[Path, Path, Array]) -> None:
    graph, _ = build_case("bconv2d stride 2, dilated")
    rng = np.random.default_rng(3)
    samples = [rng.standard_normal(graph.tensors["x"].shape).astype(np.float32) for _ in range(3)]
    together = runtime.run(graph, [np.concatenate(samples)])[0]
    np.testing.assert_array_equal(together, np.concatenate([runtime.run(graph, [x])[0] for x in samples]))


@pytest.mark.parametrize(
    "arguments",
    [(), ("fly",), ("info", "--speed"), ("bench", "--samples", "many"), ("run", "--model"), ("info", "--profile=1")],
)
def test_usage_errors(command: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert done.stdout == ""
    assert done.stderr.startswith("bnn")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--isa-mask", "mmx"), "mmx"),
        (("--kernel", "bconv2d=bconv2d_9x9_abacus"), "abacus"),
        (("--threads", "100000"), "threads"),
        (("--cpus", "0-"), "cpus"),
    ],
)
def test_impossible_options(
    runtime: Runtime, net: tuple[Path, Path, Array], options: tuple[str, str], said: str
) -> None:
    answer = runtime.call("run", "--model", net[0], "--input", net[1], "--output", runtime.folder / "y", *options)
    assert answer.line("error")["status"] == "ARGUMENT"
    assert said in answer.line("error")["message"]


def test_wrong_files(runtime: Runtime, net: tuple[Path, Path, Array]) -> None:
    short = runtime.folder / "short.bin"
    short.write_bytes(net[1].read_bytes()[:-4])
    output = runtime.folder / "y.bin"
    answer = runtime.call("run", "--model", net[0], "--input", short, "--output", output)
    assert answer.line("error")["status"] == "ARGUMENT"
    answer = runtime.call("run", "--model", net[0], "--input", runtime.folder / "absent", "--output", output)
    assert answer.line("error")["status"] == "IO"
    assert not output.exists()


def test_scalar_kernels_alone(runtime: Runtime, net: tuple[Path, Path, Array]) -> None:
    answer = runtime.call("info", "--model", net[0], "--isa-mask", "scalar")
    assert all("scalar" in layer["kernel"] for layer in answer.line("model")["layers"])


SCALAR = "bconv2d=bconv2d_8x1_scalar"
CANARY_STEPS = 2_000_000  # kernels/tools/canary.h


def kernels_of(answer: Answer) -> dict[str, str]:
    return {layer["op"]: layer["kernel"] for layer in answer.line("model")["layers"]}


def test_kernels_are_forced_and_masked_by_option_and_by_environment(
    runtime: Runtime, net: tuple[Path, Path, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    best = kernels_of(runtime.call("info", "--model", net[0]))
    forced = best | {"bconv2d": "bconv2d_8x1_scalar"}
    scalar = kernels_of(runtime.call("info", "--model", net[0], "--isa-mask", "scalar"))
    assert best != forced != scalar
    assert kernels_of(runtime.call("info", "--model", net[0], "--kernel", SCALAR)) == forced
    monkeypatch.setenv("BNN_KERNEL", SCALAR)
    assert kernels_of(runtime.call("info", "--model", net[0])) == forced
    monkeypatch.setenv("BNN_ISA_MASK", "scalar")
    assert kernels_of(runtime.call("info", "--model", net[0])) == scalar
    monkeypatch.setenv("BNN_KERNEL", "bconv2d=bconv2d_9x9_abacus")
    assert "abacus" in runtime.call("info", "--model", net[0]).line("error")["message"]
    assert kernels_of(runtime.call("info", "--model", net[0], "--kernel", SCALAR)) == scalar


def test_each_kernel_gives_the_same_bits(runtime: Runtime, net: tuple[Path, Path, Array]) -> None:
    graph, inputs = build_case("bconv2d stride 2, dilated")
    best, forced = (runtime.run(graph, inputs, *options)[0] for options in ((), ("--kernel", SCALAR)))
    np.testing.assert_array_equal(best, forced)


def test_an_inference_of_neurons_is_all_its_steps(runtime: Runtime) -> None:
    """Each timed inference begins anew: the last one still gives what the first one gave."""
    graph, inputs = build_case("lif, subtract later")
    model, given = runtime.folder / "net.bnn", runtime.folder / "x.bin"
    model.write_bytes(container.encode(graph))
    given.write_bytes(inputs[0].tobytes())
    golden = reference.run(graph, inputs)[0]
    answer = bench(runtime, (model, given, golden), golden, "--profile")
    assert answer.code == 0
    assert answer.line("golden")["ok"]
    assert answer.line("model")["memory_bytes"] == 4 * graph.tensors[graph.inputs[0]].elements
    assert bench(runtime, (model, given, golden), golden[:1]).line("error")["status"] == "ARGUMENT"


def test_a_planted_slowdown_is_work_that_every_sample_holds(runtime: Runtime, net: tuple[Path, Path, Array]) -> None:
    """The bound leaves room for a busy machine: the canary's own time is a measured one."""
    assert "handicap_steps" not in bench(runtime, net, net[2], "--samples=5").line("samples")
    slowed = bench(runtime, net, net[2], "--samples=50", "--handicap=300")
    samples, canary = slowed.line("samples"), slowed.line("canary")
    work_ns = samples["handicap_steps"] * min(canary["before_ns"], canary["after_ns"]) / CANARY_STEPS
    assert min(samples["ns"]) > work_ns / 2


def test_cold_samples_are_of_one_inference(runtime: Runtime, net: tuple[Path, Path, Array]) -> None:
    samples = bench(runtime, net, net[2], "--cold").line("samples")
    assert samples["batch"] == 1
    assert samples["cold_bytes"] >= 16 << 20


def test_instructions_repeat_or_are_said_to_be_missing(runtime: Runtime, net: tuple[Path, Path, Array]) -> None:
    first, second = (bench(runtime, net, net[2], "--count") for _ in range(2))
    assert [line["type"] for line in first.lines] == ["host", "model", "golden", "first", "instructions", "end"]
    found = first.line("instructions")
    if "missing" in found:
        assert found["missing"]
        assert "layers" not in found
    else:
        assert [layer["op"] for layer in found["layers"]] == ["quantize", "bconv2d"]
        again = second.line("instructions")
        assert all(
            a["count"] == pytest.approx(b["count"], rel=0.001, abs=200)
            for a, b in zip(found["layers"], again["layers"], strict=True)
        )
