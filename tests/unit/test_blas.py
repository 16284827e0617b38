# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest

from harness.bench import blas
from harness.bench.kernels import Timing, beside_blas


@pytest.mark.parametrize(
    ("shape", "product"),
    [
        ("56x56x64->64 3x3", (3136, 64, 576)),
        ("28x28x128->128 3x3 bits", (784, 128, 1152)),
        ("224x224x3->16 3x3/2", (12544, 16, 27)),
        ("7x7x8->4 1x1/2", (16, 4, 8)),
        ("56x56x64", None),
    ],
)
def test_a_convolution_is_a_matrix_product(shape: str, product: tuple[int, int, int] | None) -> None:
    assert blas.product_of(shape) == product


def test_only_products_stand_beside_blas() -> None:
    shape = "4x4x8->8 1x1"
    made = Timing("sgemm", "sgemm_4x2_scalar", shape, 1024, 200.0, 100.0, 20.48)
    product, depthwise = beside_blas([made, replace(made, family="depthwise")])
    assert product.sgemm_ns
    assert product.over_sgemm == product.sgemm_ns / 100.0
    assert product.share == pytest.approx(0.5)
    assert depthwise.sgemm_ns is None
    assert depthwise.over_sgemm is None
