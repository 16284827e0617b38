# SPDX-License-Identifier: Apache-2.0
"""Runtimes of other revisions: a git commit's sources, taken out of the history and compiled like the tree's own."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

from harness.cross import build as cross
from harness.cross.build import Build
from harness.cross.toolchain import ROOT
from harness.errors import UsageError


def build(target: str, toolchain: str, revision: str) -> Build:
    """The runtime of a git revision ("" for the working tree) for a target.

    Only the C sources are the revision's; toolchain files and compilers are today's, so that a difference between two
    revisions is one of the code.

    Raises:
        UsageError: no such revision.
        BuildError: it does not compile.
    """
    if not revision:
        return cross.build(target, toolchain=toolchain)
    commit = resolve(revision)
    folder = ROOT / "build" / "revisions" / commit[:12]
    if not (folder / "kernels").is_dir():
        _take_out(commit, folder)
    made = cross.build(target, toolchain=toolchain, source=folder / "kernels", into=folder)
    return replace(made, revision=commit, dirty=False)


def resolve(revision: str) -> str:
    """The full name of a commit.

    Raises:
        UsageError: git knows no such commit, or this is no clone.
    """
    done = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if done.returncode:
        raise UsageError(
            f"There is no git revision {revision!r} here.",
            done.stderr.decode("utf-8", "replace").strip(),
            "Give a commit, a tag or a branch of this clone.",
        )
    return done.stdout.decode().strip()


def _take_out(commit: str, folder: Path) -> None:
    archive = _git("archive", "--format=tar", commit, "kernels")
    if archive.returncode:
        raise UsageError(f"The commit {commit[:12]} has no kernels to build.", "It is older than the runtime.")
    draft = folder.with_name(f"{folder.name}.part")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(draft, filter="data")
    draft.rename(folder)


def _git(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True)
