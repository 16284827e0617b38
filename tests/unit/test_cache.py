# SPDX-License-Identifier: Apache-2.0
"""The cache folder and its locks."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cross import cache

HOLDER = """
import sys, time
from pathlib import Path
from harness.cross import cache
with cache.locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_cache_is_where_xdg_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache.folder("a", "b") == tmp_path / "cache/bitrig/a/b"
    assert (tmp_path / "cache/bitrig/a/b").is_dir()


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_without_an_absolute_path_it_is_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder() == tmp_path / ".cache/bitrig"


def test_a_lock_lasts_as_long_as_its_holder(tmp_path: Path) -> None:
    lock = tmp_path / "sub" / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, lock], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waiter = subprocess.Popen([sys.executable, "-c", HOLDER, lock], stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        assert waiter.poll() is None
        start = time.monotonic()
        holder.kill()
        assert waiter.stdout is not None
        assert waiter.stdout.readline() == "held\n"
        assert time.monotonic() - start < 5
        waiter.kill()
        waiter.communicate()
