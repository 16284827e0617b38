# SPDX-License-Identifier: Apache-2.0
"""The benchmark beside other engines: their ONNX files compute what our graphs do, and a race is fair and strict."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx.reference
import pytest

from benchmarks import layers, onnx_file, page, twins
from benchmarks.race import Entrant, race
from harness import abi
from harness.cross.toolchain import ROOT
from harness.errors import JobFailed, UsageError, WrongOutput
from harness.model import pipeline, reference
from harness.model.graph import Array, Builder, Graph
from harness.report import verdicts

IMAGE = (1, 9, 7, 4)


def window(kernel: int, stride: int = 1, pad: int = 0, dilation: int = 1) -> dict[str, int]:
    sides = dict.fromkeys(("pad_top", "pad_left"), pad) | dict.fromkeys(("pad_bottom", "pad_right"), pad)
    each = {"kernel": kernel, "stride": stride, "dilation": dilation}
    return sides | {f"{name}_{axis}": value for name, value in each.items() for axis in "hw"}


def draw(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


CLAMP: dict[str, Any] = {"lo": -0.5, "hi": np.inf}
OPEN: dict[str, Any] = {"lo": -np.inf, "hi": np.inf}

CASES: dict[str, Callable[[Builder, str], str]] = {
    "conv2d": lambda b, x: b.node(
        "conv2d",
        "n",
        (x, b.constant("w", draw(6, 3, 3, 2)), b.constant("bias", draw(6))),
        window=window(3, 2, 1, 2),
        groups=2,
        pad_value=0.0,
        **CLAMP,
    ),
    "dense": lambda b, x: b.node(
        "dense",
        "n",
        (b.node("reshape", "flat", (x,), shape=(1, 252)), b.constant("w", draw(5, 252)), b.constant("b", draw(5))),
        lo=0.0,
        hi=np.inf,
    ),
    "affine": lambda b, x: b.node("affine", "n", (x, b.constant("s", draw(4)), b.constant("o", draw(4))), **CLAMP),
    "affine without offset": lambda b, x: b.node("affine", "n", (x, b.constant("s", draw(4))), **OPEN),
    "arith": lambda b, x: b.node(
        "arith", "n", (x, b.constant("c", draw(7, 4))), kind=abi.constant("BNN_SUB"), lo=-1.0, hi=1.0
    ),
    "unary": lambda b, x: b.node("unary", "n", (x,), kind=abi.constant("BNN_TANH")),
    "clamp": lambda b, x: b.node("clamp", "n", (x,), lo=-0.25, hi=0.5),
    "max_pool2d": lambda b, x: b.node("max_pool2d", "n", (x,), window=window(3, 2, 1)),
    "avg_pool2d": lambda b, x: b.node("avg_pool2d", "n", (x,), window=window(3, 2, 1), count_pads=0),
    "avg_pool2d with pads": lambda b, x: b.node("avg_pool2d", "n", (x,), window=window(3, 2, 1), count_pads=1),
    "mean": lambda b, x: b.node("mean", "n", (x,), axes=0b110, shape=(1, 4)),
    "mean, kept": lambda b, x: b.node("mean", "n", (x,), axes=0b0110, shape=(1, 1, 1, 4)),
    "softmax": lambda b, x: b.node("softmax", "n", (b.node("reshape", "r", (x,), shape=(63, 4)),), beta=1.0),
    "concat": lambda b, x: b.node("concat", "n", (x, b.node("clamp", "c", (x,), lo=0.0, hi=np.inf)), axis=3),
    "slice": lambda b, x: b.node(
        "slice", "n", (x,), shape=(1, 3, 7, 2), begin=(0, 1, 0, 2, 0, 0), step=(1, 3, 1, 1, 1, 1)
    ),
    "pad": lambda b, x: b.node(
        "pad", "n", (x,), before=(0, 1, 0, 2, 0, 0), after=(0, 0, 3, 0, 0, 0), value=0.5, shape=(1, 10, 10, 6)
    ),
    "prelu": lambda b, x: b.node("prelu", "n", (x, b.constant("a", draw(4)))),
}


def graph_of(case: Callable[[Builder, str], str]) -> Graph:
    builder = Builder("case")
    builder.output(case(builder, builder.input("x", IMAGE)))
    return builder.graph()


@pytest.mark.parametrize("name", CASES)
def test_an_onnx_file_computes_what_the_graph_does(name: str) -> None:
    graph, x = graph_of(CASES[name]), draw(*IMAGE)
    (expected,) = reference.run(graph, [x])
    model = onnx.load_from_string(onnx_file.encode(graph))
    (found,) = onnx.reference.ReferenceEvaluator(model).run(None, {"x": onnx_file.image(x)})
    np.testing.assert_allclose(np.asarray(found), onnx_file.image(expected), rtol=1e-5, atol=1e-5)


def test_every_operation_that_is_written_has_a_case() -> None:
    used = {node.op for case in CASES.values() for node in graph_of(case).nodes}
    assert used == set(onnx_file.OPS)


def test_what_onnx_cannot_say_is_refused() -> None:
    ones = graph_of(
        lambda b, x: b.node(
            "conv2d", "n", (x, b.constant("w", draw(4, 1, 1, 4))), window=window(1), groups=1, pad_value=1.0, **OPEN
        )
    )
    with pytest.raises(UsageError, match="pads with 1"):
        onnx_file.encode(ones)
    bits = graph_of(lambda b, x: b.node("step", "n", (x,), threshold=0.0, low=-1.0, high=1.0))
    with pytest.raises(UsageError, match="is a step"):
        onnx_file.encode(bits)


def test_a_float_twin_has_the_layers_and_no_quantiser() -> None:
    prepared = pipeline.prepare(Path(__file__).parents[2] / "models" / "seed_ste_sign.h5")
    twin = twins.float_twin(prepared.graph)
    assert not {"step", "quantize", "bconv2d"} & {node.op for node in twin.nodes}
    convolutions = [node.op for node in twin.nodes].count("conv2d")
    assert convolutions == sum(layer.op == "conv2d" for layer in prepared.layers)
    assert np.isfinite(reference.run(twin, prepared.random_inputs())[0]).all()


def test_equal_float_layers_are_one() -> None:
    builder = Builder("net")
    x = builder.input("x", IMAGE)
    for index in range(3):
        kernel = builder.constant(f"w{index}", draw(4, 3, 3, 4))
        x = builder.node("conv2d", f"c{index}", (x, kernel), window=window(3, 1, 1), groups=1, pad_value=0.0, **OPEN)
    builder.output(builder.node("clamp", "end", (x,), **CLAMP))
    (layer,) = layers.of("net", builder.graph())
    assert (layer.what, layer.count) == ("conv2d 9x7x4->4 3x3", 3)
    assert layer.macs == 9 * 7 * 4 * 9 * 4
    assert reference.run(layer.graph, [draw(*IMAGE)])[0].shape == IMAGE


def says(*lines: dict[str, object], code: int = 0) -> tuple[str, ...]:
    text = "\n".join(json.dumps(line) for line in lines)
    return (sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})")


def entrant(name: str, ns: int, error: float = 0.0, atol: float | None = 1e-3) -> Entrant:
    return Entrant(name, says({"type": "golden", "max_abs": error}, {"type": "samples", "ns": [ns, ns, 9 * ns]}), atol)


def test_a_race_compares_medians_round_by_round() -> None:
    told: list[str] = []
    found = race([entrant("a", 100), entrant("b", 300, error=5.0, atol=None)], 7, 1, told.append)
    assert found["a"].by_round == dict.fromkeys(range(7), 100.0)
    ratio = found["b"].over(found["a"])
    assert ratio.low == pytest.approx(3.0)
    assert ratio.high == pytest.approx(3.0)
    firsts = {line.split(": ")[1] for line in told[::2]}
    assert firsts == {"a", "b"}  # neither always comes first


def test_a_wrong_answer_has_no_time() -> None:
    with pytest.raises(WrongOutput, match="off by 0.5"):
        race([entrant("a", 100, error=0.5)], 1, 1)
    with pytest.raises(WrongOutput):
        race([entrant("a", 100, error=float("nan"))], 1, 1)
    with pytest.raises(JobFailed, match="ended with 3"):
        race([Entrant("a", says(code=3), None)], 1, 1)


def test_the_report_that_is_timed_is_of_three_boards_and_thirty_pairs() -> None:
    run = page.record(ROOT / "models" / "seed_dorefa.h5")
    assert [len(case.processes) for device in run.devices for case in device.cases] == [30] * 6
    assert [str(said).partition(":")[0] for said in verdicts.sentences(run)] == [
        "seed_dorefa on pi4",
        "seed_dorefa on pi5",
        "seed_dorefa on this machine",
    ]
