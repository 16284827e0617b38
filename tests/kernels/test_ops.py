# SPDX-License-Identifier: Apache-2.0
"""Every operation of the runtime against the reference in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from harness import abi
from harness.model.graph import Builder
from tests.kernels.cases import CASES, agree, build_case
from tests.kernels.runtime import Runtime


@pytest.mark.parametrize("name", CASES)
def test_against_the_reference(runtime: Runtime, name: str) -> None:
    graph, inputs = build_case(name)
    alone = agree(runtime, graph, inputs)
    for threads in ("2", "3", "4"):
        for array, shared in zip(alone, runtime.run(graph, inputs, "--threads", threads), strict=True):
            np.testing.assert_array_equal(array, shared, err_msg=f"{threads} threads changed the result")


@pytest.mark.parametrize("name", ["SQRT", "RSQRT", "LOG"])
def test_functions_of_positive_numbers(runtime: Runtime, name: str) -> None:
    builder = Builder(name)
    builder.output(builder.node("unary", "unary", (builder.input("x", (64,)),), kind=abi.constant(f"BNN_{name}")))
    agree(runtime, builder.graph(), [np.geomspace(1e-6, 1e6, 64, dtype=np.float32)])


def test_the_exponential_is_right_to_the_last_place_and_at_its_ends(runtime: Runtime) -> None:
    x = np.concatenate([np.linspace(-87.3, 88.7, 4091), [-np.inf, -1000, -88, 89, np.inf]]).astype(np.float32)
    builder = Builder("exp")
    builder.output(builder.node("unary", "unary", (builder.input("x", x.shape),), kind=abi.constant("BNN_EXP")))
    with np.errstate(over="ignore"):
        expected = np.exp(x.astype(np.float64)).astype(np.float32)
    expected[x < -87.34] = 0  # denormal
    (got,) = runtime.run(builder.graph(), [x])
    np.testing.assert_array_max_ulp(got, expected, maxulp=1)


def test_denormal_numbers_are_zero(runtime: Runtime) -> None:
    """To a comparison with zero, and to arithmetic."""
    b = Builder("denormals")
    x = b.input("x", (4, 8))
    zero = b.constant("zero", np.zeros(1, np.float32))
    b.output(b.node("quantize", "quantize", (x, zero), dtype="bits", code=0))
    b.output(b.node("step", "step", (x,), threshold=0.0, low=-1.0, high=1.0))
    b.output(b.node("unary", "sign", (x,), kind=abi.constant("BNN_SIGN")))
    values = np.array([1e-40, -1e-40, -0.0, 0.0, -1.2e-38, 1.2e-38, -1.0, 1e-45], np.float32)
    agree(runtime, b.graph(), [np.tile(values, (4, 1))])
