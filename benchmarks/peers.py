# SPDX-License-Identifier: Apache-2.0
"""The engines that ours is compared with: the extra `peers` of pyproject.toml, in an environment of their own."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tomllib
import venv
from pathlib import Path

from harness.cross import cache
from harness.cross.toolchain import ROOT
from harness.errors import UsageError

SCRIPT = Path(__file__).with_name("peer.py")

EXTRA = ("numpy<2",)
"""The Larq Compute Engine was built against the first NumPy, and bitrig needs the second: hence two environments."""


def python(folder: Path = ROOT / "build" / "peers") -> Path:
    """The interpreter of the peers' environment, which is made where it is missing or holds other versions.

    Raises:
        UsageError: the packages cannot be installed.
    """
    wanted = sorted((*_listed(), *EXTRA))
    stamp, interpreter = folder / hashlib.sha256(repr(wanted).encode()).hexdigest()[:16], folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with cache.locked(folder.with_suffix(".lock")):
        if not stamp.exists():
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            done = subprocess.run(
                [interpreter, "-m", "pip", "install", "--quiet", *wanted], capture_output=True, text=True
            )
            if done.returncode:
                raise UsageError(
                    f"The peers cannot be installed: {done.stderr.strip().splitlines()[-1]}",
                    f"Wheels of {', '.join(wanted)} are needed; the Larq Compute Engine has them for x86-64 alone.",
                    "Run the benchmark on such a machine, with the Python that bitrig needs.",
                )
            stamp.touch()
    return interpreter


def _listed() -> list[str]:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return [str(line) for line in described["project"]["optional-dependencies"]["peers"]]
