# SPDX-License-Identifier: Apache-2.0
"""Real packages into an empty cache."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.cross import debian


@pytest.mark.parametrize(
    ("package", "program", "option"),
    [("qemu-user-static", "usr/bin/qemu-aarch64-static", "--version"), ("openssh-server", "usr/sbin/sshd", "-V")],
)
def test_a_fetched_program_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, program: str, option: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = debian.root({package}) / program
    assert tmp_path in path.parents
    done = subprocess.run(
        [path, option], capture_output=True, text=True, env=os.environ | debian.environment(path), check=True
    )
    assert "qemu-aarch64" in done.stdout or "OpenSSH" in done.stderr
