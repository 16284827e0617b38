# SPDX-License-Identifier: Apache-2.0
"""What code is compiled for (a target: a file of toolchains/) and what compiles it (a toolchain: zig or gcc)."""

from __future__ import annotations

import difflib
import importlib.metadata
import importlib.util
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.cross import debian
from harness.cross.executable import Executable
from harness.errors import BuildError, ConfigError

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "toolchains"
TOOLCHAINS = ("zig", "gcc")

# `host` is the target that this machine would be if it were a board.
HOSTS = {
    ("Linux", "x86_64"): "x86_64",
    ("Linux", "aarch64"): "aarch64",
    ("Linux", "armv7l"): "armv7",
    ("Linux", "armv6l"): "armv6",
    ("Darwin", "arm64"): "aarch64-macos",
}


@dataclass(frozen=True)
class Target:
    """What code is compiled for.

    Attributes:
        name: the stem of `file`.
        file: its CMake toolchain file.
        system: `Linux` or `Darwin`, as CMake names systems.
        processor: `aarch64`, `armv7`...
        gcc: the command of Debian's gcc for it; empty where Debian has none.
    """

    name: str
    file: Path
    system: str
    processor: str
    gcc: str

    def executable(self, *, static: bool = True) -> Executable:
        """What the header of a program for it must say."""
        if self.system == "Darwin":
            return Executable("Mach-O", "aarch64", 64)
        if self.processor.startswith("arm"):  # every 32-bit ARM target here has hard floats
            return Executable("ELF", "arm", 32, "hard", static)
        return Executable("ELF", self.processor, 64, "", static)


@dataclass(frozen=True)
class Compiler:
    """A compiler that is installed.

    Attributes:
        toolchain: `zig` or `gcc`.
        program: what runs.
        version: of the toolchain, which for zig is not that of the clang within.
    """

    toolchain: str
    program: Path
    version: str


def targets() -> dict[str, Target]:
    """Every target by its name."""
    return {file.stem: _read(file) for file in sorted(FILES.glob("*.cmake"))}


def target(name: str) -> Target:
    """The target of this name; `host` is this machine.

    Raises:
        ConfigError: there is none.
    """
    known = targets()
    if name == "host":
        system, machine = platform.system(), platform.machine()
        if (system, machine) not in HOSTS:
            raise ConfigError(
                f"This machine ({system} on {machine}) is none of bitrig's targets.",
                f"Targets are {', '.join(known)}.",
                "Name one of them, and a device that runs it.",
            )
        name = HOSTS[system, machine]
    if name not in known:
        close = difflib.get_close_matches(name, [*known, "host"], 1)
        raise ConfigError(
            f"There is no target {name!r}.",
            f"A target is a file of toolchains/: {', '.join([*known, 'host'])}.",
            f"Did you mean {close[0]!r}?" if close else "Name one of those.",
        )
    return known[name]


def compiler(toolchain: str, target: Target) -> Compiler:
    """The compiler of a toolchain for a target.

    Raises:
        ConfigError: there is no such toolchain.
        BuildError: it is not installed, or cannot compile for that target; the remedy says what to install.
    """
    if toolchain == "zig":
        return _zig()
    if toolchain == "gcc":
        return _gcc(target)
    raise ConfigError(f"There is no toolchain {toolchain!r}.", "", f"Use one of {', '.join(TOOLCHAINS)}.")


def _read(file: Path) -> Target:
    settings = dict(re.findall(r"^set\((\w+) \"?([^\")]*)\"?\)$", file.read_text("utf-8"), re.MULTILINE))
    return Target(
        name=file.stem,
        file=file,
        system=settings["CMAKE_SYSTEM_NAME"],
        processor=settings["CMAKE_SYSTEM_PROCESSOR"],
        gcc=settings.get("BNN_GCC", ""),
    )


def _zig() -> Compiler:
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise BuildError(
            "The zig compiler is missing.",
            "It is the package ziglang of PyPI, which this Python environment was made without.",
            "Start bitrig by ./inv, which installs it, or type: pip install ziglang",
        )
    return Compiler("zig", Path(spec.origin).with_name("zig"), importlib.metadata.version("ziglang"))


def _gcc(target: Target) -> Compiler:
    if not target.gcc:
        raise BuildError(
            f"There is no gcc for {target.name}.",
            f"{target.file.name} names none: Debian has no gcc for it.",
            "Leave --toolchain out: zig compiles for it.",
        )
    native = HOSTS.get((platform.system(), platform.machine())) == target.name
    # Only Debian and its kin have the native gcc under its long name as well.
    names = [target.gcc, "gcc"] if native else [target.gcc]
    program = next((found for found in map(shutil.which, names) if found), None)
    if program is None:
        package = debian.package_of(names[-1])
        raise BuildError(
            f"{names[-1]} is not installed.",
            f"It is Debian's package {package}, and compiles for {target.name}.",
            f"Type: sudo apt install {package}. Or leave --toolchain out: zig needs no installing.",
        )
    asked = subprocess.run([program, "-dumpfullversion"], capture_output=True, text=True, check=True)
    return Compiler("gcc", Path(program), asked.stdout.strip())
