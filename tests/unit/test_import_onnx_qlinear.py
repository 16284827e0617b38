# SPDX-License-Identifier: Apache-2.0
"""Operators on codes: those of ONNX against its reference, those of onnxruntime against the numbers they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from harness.errors import UnsupportedModel
from tests.unit.onnx_writer import floats, network, op, run_ours, run_theirs

MICROSOFT = "com.microsoft"
DRAW = np.random.default_rng(9)
SCALES: dict[str, Any] = {
    **{f"s{at}": np.float32(scale) for at, scale in enumerate((0.05, 0.02, 0.3))},
    "z": np.uint8(120),
    "z8": np.int8(0),
    "w": DRAW.integers(-128, 128, (4, 6, 3, 3), np.int8),
    "ws": np.array([0.01, 0.02, 0.005, 0.03], np.float32),
    "wz": np.zeros(4, np.int8),
    "bias": DRAW.integers(-900, 900, 4, np.int32),
    "m": DRAW.integers(-128, 128, (6, 4), np.int8),
}
IMAGE = (1, 6, 5, 7)
CONV = ["q", "s0", "z", "w", "ws", "wz", "s2", "z"]
ONE = ["q", "s0", "z", "s2", "z"]


def coded(node: onnx.NodeProto, shape: tuple[int, ...], *more: onnx.NodeProto, domain: str = "") -> onnx.ModelProto:
    """x in codes `q` of (s0, z), a node on codes that gives `c`, and the numbers that those stand for."""
    nodes = [op("QuantizeLinear", "x", "s0", "z", to="q"), *more, node, op("DequantizeLinear", "c", "s2", "z")]
    return network(nodes, shape, 19, (domain,) if domain else (), **SCALES)


def rounded(numbers: Any, scale: float) -> Any:
    return (np.clip(np.rint(numbers / np.float32(scale)) + 120, 0, 255) - 120).astype(np.float32) * np.float32(scale)


@pytest.mark.parametrize(
    ("node", "shape"),
    [
        (op("QLinearConv", *CONV, "bias", to="c", pads=[1, 1, 1, 1], strides=[2, 1]), IMAGE),
        (op("QLinearConv", *CONV, to="c"), IMAGE),
        (op("QLinearMatMul", *["q", "s0", "z", "m", "s1", "z8", "s2", "z"], to="c"), (3, 6)),
    ],
)
def test_of_onnx(node: onnx.NodeProto, shape: tuple[int, ...], tmp_path: Path) -> None:
    model = coded(node, shape)
    x = floats(*shape)
    np.testing.assert_allclose(run_ours(model, tmp_path, x), run_theirs(model, x), atol=1e-6)


SECOND = op("QuantizeLinear", "x", "s1", "z", to="p")
TWO = ["q", "s0", "z", "p", "s1", "z", "s2", "z"]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (op("QLinearAdd", *TWO, to="c", domain=MICROSOFT), lambda a, b: a + b),
        (op("QLinearMul", *TWO, to="c", domain=MICROSOFT), lambda a, b: a * b),
        (
            op("QLinearConcat", *["s2", "z", "q", "s0", "z", "p", "s1", "z"], to="c", domain=MICROSOFT, axis=1),
            lambda a, b: np.concatenate([a, b], axis=1),
        ),
        (
            op("QLinearSigmoid", *ONE, to="c", domain=MICROSOFT),
            lambda a, b: 1 / (1 + np.exp(-a)),
        ),
        (
            op("QLinearGlobalAveragePool", *ONE, to="c", domain=MICROSOFT),
            lambda a, b: a.mean(axis=(2, 3), keepdims=True),
        ),
    ],
)
def test_of_onnxruntime(node: onnx.NodeProto, expected: Any, tmp_path: Path) -> None:
    x = floats(*IMAGE)
    ours = run_ours(coded(node, IMAGE, SECOND, domain=MICROSOFT), tmp_path, x)
    np.testing.assert_allclose(ours, rounded(expected(rounded(x, 0.05), rounded(x, 0.02)), 0.3), atol=1e-6)


def test_gemm_scales_its_bias(tmp_path: Path) -> None:
    node = op("QGemm", *["q", "s0", "z", "m", "s1", "z8", "bias", "s2", "z"], to="c", domain=MICROSOFT, alpha=0.5)
    model = coded(node, (3, 6), domain=MICROSOFT)
    x = floats(3, 6)
    numbers = 0.5 * (rounded(x, 0.05) @ (SCALES["m"] * np.float32(0.02)) + SCALES["bias"] * np.float32(0.05 * 0.02))
    np.testing.assert_allclose(run_ours(model, tmp_path, x), rounded(numbers, 0.3), atol=1e-6)


@pytest.mark.parametrize(
    "node",
    [
        op("QLinearAveragePool", *ONE, to="c", domain=MICROSOFT, channels_last=1),
        op("QLinearConv", *CONV, "short", to="c"),
    ],
)
def test_what_is_not_written_out_is_named(node: onnx.NodeProto, tmp_path: Path) -> None:
    model = coded(node, IMAGE, domain=MICROSOFT)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(3, np.int32), "short"))
    with pytest.raises(UnsupportedModel, match=node.op_type):
        run_ours(model, tmp_path, floats(*IMAGE))
