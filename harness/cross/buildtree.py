# SPDX-License-Identifier: Apache-2.0
"""The folder in which CMake and Ninja build for one target: configured, compiled, and asked how."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cmake
import ninja

from harness.cross import cache
from harness.cross.progress import Progress, silent
from harness.cross.toolchain import ROOT, Compiler, Target
from harness.errors import BuildError

CMAKE = Path(cmake.CMAKE_BIN_DIR, "cmake")
NINJA = Path(ninja.BIN_DIR, "ninja")


def configure(
    folder: Path, source: Path, target: Target, compiler: Compiler, sanitize: Sequence[str], progress: Progress
) -> None:
    """Runs CMake where it has not run, or ran with other arguments. Changes of CMakeLists.txt are Ninja's to notice.

    Raises:
        BuildError: CMake refuses the project.
    """
    arguments = [
        *(str(CMAKE), "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={NINJA}"),
        *("-S", str(source), "-B", str(folder), "--fresh"),
        f"-DCMAKE_TOOLCHAIN_FILE={target.file}",
        f"-DBNN_TOOLCHAIN={compiler.toolchain}",
        f"-DBNN_COMPILER={compiler.program}",
        f"-DBNN_SANITIZE={','.join(sanitize)}",
        f"-DCMAKE_RUNTIME_OUTPUT_DIRECTORY={folder}",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
    ]
    # CMake reads what a toolchain file says about flags only when it begins afresh.
    files = [target.file, target.file.parent / "compilers" / f"{compiler.toolchain}.cmake"]
    stamp = json.dumps([arguments, compiler.version, *(file.read_text("utf-8") for file in files)])
    configured = folder / "configured.json"
    if configured.exists() and configured.read_text("utf-8") == stamp:
        return
    progress(f"Configuring the runtime for {target.name} with {compiler.toolchain} {compiler.version}")
    query = folder / ".cmake/api/v1/query/toolchains-v1"  # what `identity` reads is CMake's answer to this file
    query.parent.mkdir(parents=True, exist_ok=True)
    query.touch()
    _run(arguments, folder, target, compiler)
    write(configured, stamp)


def compile(folder: Path, program: str, target: Target, compiler: Compiler, progress: Progress) -> bool:
    """Brings `program` up to date; false where it was so already.

    Raises:
        BuildError: the code does not compile.
    """
    # zig's cache does not know its own libraries again when zig is installed elsewhere.
    place = hashlib.sha256(f"{compiler.program} {compiler.version}".encode()).hexdigest()[:16]
    linked = cache.folder("zig") / f"linked-{place}-{target.name}"
    compiled = False

    def listen(line: str) -> None:
        nonlocal compiled
        # Ninja speaks when a step is over, and also of steps that only look for changes.
        if compiled or not re.match(r"\[\d+/\d+\] (Building|Linking) ", line):
            return
        compiled = True
        progress(f"Compiling the runtime for {target.name} with {compiler.toolchain} {compiler.version}")
        if compiler.toolchain == "zig" and target.system == "Linux" and not linked.exists():
            progress(f"The first build for {target.name} takes about 45 s more: zig compiles its C library, once")

    command = [str(NINJA), "-C", str(folder), "-j", str(os.cpu_count() or 1), program]
    _run(command, folder, target, compiler, listen)
    if compiled and compiler.toolchain == "zig":
        linked.touch()
    return compiled


def identity(folder: Path) -> tuple[str, str]:
    """The C compiler as CMake identified it: its id (`Clang`, `GNU`) and its version."""
    replies = folder / ".cmake/api/v1/reply"
    newest = max(replies.glob("toolchains-v1-*.json"), key=lambda file: file.stat().st_mtime_ns)
    chains: list[dict[str, Any]] = json.loads(newest.read_text("utf-8"))["toolchains"]
    compiler = next(chain["compiler"] for chain in chains if chain["language"] == "C")
    return compiler["id"], compiler["version"]


def flags(folder: Path, source: Path) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """What the files of `source` are compiled with: the flags of most, and of each file whose flags are others."""
    entries: list[dict[str, str]] = json.loads((folder / "compile_commands.json").read_text("utf-8"))
    by_file: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        words = shlex.split(entry["command"])
        begin = 2 if words[1] == "cc" else 1  # zig's compiler is called `zig cc`
        end = words.index("-o")  # what follows names the files: -o OBJECT -c SOURCE
        by_file[os.path.relpath(entry["file"], source)] = tuple(w.replace(f"{ROOT}/", "") for w in words[begin:end])
    # CMake orders what it inherits differently for each program, which is no difference.
    [(usual, _)] = Counter(map(frozenset, by_file.values())).most_common(1)
    common = next(words for words in by_file.values() if frozenset(words) == usual)
    return common, {file: words for file, words in sorted(by_file.items()) if frozenset(words) != usual}


def write(path: Path, text: str) -> None:
    """Writes a file that is there whole, or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, "utf-8")
    draft.replace(path)


def _run(
    command: list[str], folder: Path, target: Target, compiler: Compiler, listen: Callable[[str], None] = silent
) -> None:
    zig = str(cache.folder("zig"))
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": zig, "ZIG_LOCAL_CACHE_DIR": zig}
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.strip())
            listen(lines[-1])
    if process.returncode == 0:
        return
    log = folder / "failed.log"
    log.write_text("\n".join(lines) + "\n", "utf-8")
    # CMake says what is wrong below the line that says error; compilers say both in one.
    errors = [
        " ".join(part for part in lines[at : at + 3] if part) if line.startswith("CMake Error") else line
        for at, line in enumerate(lines)
        if re.search(r"\berror\b|undefined reference|cannot find", line, re.IGNORECASE)
    ]
    said = list(dict.fromkeys(line for line in errors or lines[-5:] if line))  # each but once
    raise BuildError(
        f"The runtime cannot be compiled for {target.name} with {compiler.toolchain} {compiler.version}.",
        "\n".join(line.replace(f"{ROOT}/", "") for line in said[:5]),
        f"All that was said is in {os.path.relpath(log)}.",
    )
