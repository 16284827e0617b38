# SPDX-License-Identifier: Apache-2.0
"""Every example is short, and does what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.cross import cache
from harness.cross.build import build
from harness.model import pipeline

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MODEL = ROOT / "models" / "seed_dorefa.h5"


def call(*command: str | Path) -> str:
    zig = str(cache.folder("zig"))  # where the builds have put zig's C library
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": zig, "ZIG_LOCAL_CACHE_DIR": zig}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.*")), ids=lambda path: path.name)
def test_an_example_is_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) < 40


def test_explain() -> None:
    told = call(sys.executable, "-m", "examples.explain", MODEL)
    assert "quant_conv2d: binary01, 36,864 to 1,412 bytes" in told
    assert "it reads the model's input" in told


def test_convert(tmp_path: Path) -> None:
    told = call(sys.executable, "-m", "examples.convert", MODEL, tmp_path / "net.bnn")
    assert "166,248 bytes became" in told
    assert pipeline.prepare(tmp_path / "net.bnn").totals["binary_layers"] == 2


def test_spikes() -> None:
    net = ROOT / "tests" / "data" / "nir" / "snntorch_conv_layer_sub" / "model.nir"
    told = call(sys.executable, "-m", "examples.spikes", net)
    assert "--sim snntorch is assumed" in told
    assert "of its inputs are spikes" in told


def test_embed(tmp_path: Path) -> None:
    made = build("host")
    library = made.binary.parent / "libbnn_core.a"
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", f"{made.target}-linux-musl", "-O3", "-static"]
    program, net = tmp_path / "embed", tmp_path / "net.bnn"
    call(*zig, "-I", "kernels/include", EXAMPLES / "embed.c", library, "-o", program)
    model = pipeline.prepare(MODEL)
    net.write_bytes(model.bnn)
    answer = [float(line) for line in call(program, net).splitlines()]
    golden = model.golden([np.zeros((1, 32, 32, 3), np.float32)])[0].ravel()
    np.testing.assert_allclose(answer, golden, atol=1e-5)
