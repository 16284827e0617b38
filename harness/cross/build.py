# SPDX-License-Identifier: Apache-2.0
"""Compiles the runtime for a target, and says of the program what it is and what it came from."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.cross import buildtree, cache
from harness.cross import toolchain as toolchains
from harness.cross.executable import Executable, parse
from harness.cross.progress import Progress, silent
from harness.cross.toolchain import ROOT, Target
from harness.errors import BuildError, ConfigError

PROGRAM = "bnn"


@dataclass(frozen=True)
class Build:
    """A compiled runtime.

    Attributes:
        target: name of the target; what `host` stands for is resolved.
        toolchain, toolchain_version: `zig` and its version, for example.
        compiler, compiler_version: what it is underneath, as CMake identifies it: `Clang`, `22.1.8`.
        flags: what most files were compiled with.
        file_flags: what every other file was compiled with instead, by its path in `kernels/`.
        revision: the git commit of the project; empty outside of git.
        dirty: the C sources or toolchain files differ from that commit.
        binary: the program, stripped.
        sha256, bytes: of the program.
        executable: what its header says; already checked against the target.
        seconds: what this call took.
        up_to_date: nothing had changed since the build before, so nothing was compiled.
    """

    target: str
    toolchain: str
    toolchain_version: str
    compiler: str
    compiler_version: str
    flags: tuple[str, ...]
    file_flags: dict[str, tuple[str, ...]]
    revision: str
    dirty: bool
    binary: Path
    sha256: str
    bytes: int
    executable: Executable
    seconds: float
    up_to_date: bool


def build(
    target: str,
    *,
    toolchain: str = "zig",
    sanitize: Sequence[str] = (),
    progress: Progress = silent,
    source: Path = ROOT / "kernels",
    into: Path = ROOT / "build",
) -> Build:
    """Compiles the runtime, or finds that nothing has changed.

    `build.json` beside the program keeps the record. Two calls for one target wait for each other.

    Args:
        target: a file of toolchains/ without its suffix, or `host`.
        toolchain: `zig` or `gcc`.
        sanitize: gcc's names of sanitizers: `address`, `undefined`, `thread`. Such a program is dynamic and keeps its
            symbols; zig has no run-time library for them.
        progress: hears what takes long.
        source: the folder of a CMakeLists.txt that makes the program `bnn`.
        into: where the folders of builds are.

    Raises:
        ConfigError: no such target or toolchain, or sanitizers asked of zig.
        BuildError: no compiler, the code does not compile, or the program is not for the target.
    """
    start = time.monotonic()
    if sanitize and toolchain != "gcc":
        raise ConfigError(f"{toolchain} has no sanitizers.", "", "Use --toolchain gcc.")
    aim = toolchains.target(target)
    compiler = toolchains.compiler(toolchain, aim)
    folder = into / "-".join([toolchain, aim.name, *sanitize])
    with cache.locked(into / f"{folder.name}.lock"):
        buildtree.configure(folder, source, aim, compiler, sanitize, progress)
        compiled = buildtree.compile(folder, PROGRAM, aim, compiler, progress)
        binary = folder / PROGRAM
        content = binary.read_bytes()
        identity, version = buildtree.identity(folder)
        flags, file_flags = buildtree.flags(folder, source)
        revision, dirty = _revision(source, aim.file.parent)
        made = Build(
            target=aim.name,
            toolchain=toolchain,
            toolchain_version=compiler.version,
            compiler=identity,
            compiler_version=version,
            flags=flags,
            file_flags=file_flags,
            revision=revision,
            dirty=dirty,
            binary=binary,
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            executable=_checked(content, aim, static=not sanitize),
            seconds=round(time.monotonic() - start, 3),
            up_to_date=not compiled,
        )
        buildtree.write(folder / "build.json", json.dumps(asdict(made), indent=2, default=str) + "\n")
    return made


def _checked(content: bytes, target: Target, *, static: bool) -> Executable:
    try:
        found = parse(content)
    except ValueError as error:
        raise BuildError(f"The compiler made no program for {target.name}: {error}.") from None
    wanted = target.executable(static=static)
    if found != wanted:
        raise BuildError(
            f"The compiler made a wrong program for {target.name}: {found}, not {wanted}.",
            f"The compiler or its flags do not fit {target.file.name}.",
            f"Correct {target.file.name}, or use the other toolchain.",
        )
    return found


def _revision(*sources: Path) -> tuple[str, bool]:
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        changes = subprocess.run(
            [*git, "status", "--porcelain", "--", *map(str, sources)], capture_output=True, text=True
        )
    except FileNotFoundError:  # no git on this machine
        return "", False
    return (head.stdout.strip(), bool(changes.stdout)) if head.returncode == 0 else ("", False)
