# SPDX-License-Identifier: Apache-2.0
"""The float matrix product of this machine's BLAS on one thread: what a binary convolution is measured against."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

SAMPLES, SAMPLE_SECONDS = 15, 0.01


def name() -> str:
    """Of the library behind NumPy: "OpenBLAS 0.3.30"."""
    for library in threadpool_info():
        if library["user_api"] == "blas":
            return f"{library['internal_api'].replace('openblas', 'OpenBLAS')} {library['version']}"
    return "NumPy"


def product_of(shape: str) -> tuple[int, int, int] | None:
    """Rows, columns and inner length of the matrix product that a convolution "28x28x128->256 3x3/2" amounts to.

    None where the shape is not that of a convolution.
    """
    found = re.fullmatch(r"(\d+)x(\d+)x(\d+)->(\d+) (\d+)x(\d+)(?:/(\d+))?(?: bits)?", shape)
    if not found:
        return None
    height, width, channels, filters, kernel_h, kernel_w, stride = (int(part or 1) for part in found.groups())
    return -(-height // stride) * -(-width // stride), filters, kernel_h * kernel_w * channels


def sgemm(rows: int, columns: int, inner: int, clock: Callable[[], int] = time.perf_counter_ns) -> float:
    """The least time of a float32 product in nanoseconds, on one thread, its operands in the cache if they fit."""
    draw = np.random.default_rng(0)
    a = draw.standard_normal((rows, inner), np.float32)
    b = draw.standard_normal((inner, columns), np.float32)
    out = np.empty((rows, columns), np.float32)

    def batch(count: int) -> float:
        start = clock()
        for _ in range(count):
            np.matmul(a, b, out=out)
        return (clock() - start) / count

    with threadpool_limits(1, "blas"):
        batch(1)
        count = int(SAMPLE_SECONDS * 1e9 / max(batch(1), 1.0)) + 1
        return min(batch(count) for _ in range(SAMPLES))
