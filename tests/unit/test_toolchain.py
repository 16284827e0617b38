# SPDX-License-Identifier: Apache-2.0
"""Targets, what compiles for them, and what is said when nothing does."""

from __future__ import annotations

import importlib.util
import platform
import shutil

import pytest

from harness.cross import debian, toolchain
from harness.errors import BuildError, ConfigError


def test_every_file_of_toolchains_is_a_target() -> None:
    known = toolchain.targets()
    assert {"aarch64", "armv7", "armv6", "x86_64", "aarch64-macos"} <= set(known)
    assert str(known["aarch64"].executable()) == "ELF 64-bit aarch64 static"
    assert str(known["armv6"].executable()) == "ELF 32-bit arm hard-float static"
    assert str(known["aarch64-macos"].executable()) == "Mach-O 64-bit aarch64 dynamic"


def test_what_the_gcc_toolchain_calls_has_a_package() -> None:
    for target in toolchain.targets().values():
        if target.gcc and target.name != "x86_64":  # there it is the machine's own, found as `gcc`
            assert debian.package_of(target.gcc)


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [("Linux", "x86_64", "x86_64"), ("Linux", "armv6l", "armv6"), ("Darwin", "arm64", "aarch64-macos")],
)
def test_host_is_this_machine(monkeypatch: pytest.MonkeyPatch, system: str, machine: str, name: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert toolchain.target("host").name == name


def test_a_host_that_is_no_target_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "s390x")
    with pytest.raises(ConfigError, match="s390x"):
        toolchain.target("host")


def test_a_wrong_target_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="There is no target 'arch64'") as caught:
        toolchain.target("arch64")
    assert caught.value.remedy == "Did you mean 'aarch64'?"
    assert "armv7" in caught.value.why


def test_a_wrong_toolchain_is_refused() -> None:
    with pytest.raises(ConfigError, match="no toolchain 'msvc'.*zig, gcc"):
        toolchain.compiler("msvc", toolchain.target("aarch64"))


def test_zig_comes_from_the_python_environment() -> None:
    found = toolchain.compiler("zig", toolchain.target("armv6"))
    assert found.program.is_file()
    assert found.version[0].isdigit()


def test_a_missing_zig_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BuildError, match=r"zig compiler is missing.*\./inv"):
        toolchain.compiler("zig", toolchain.target("aarch64"))


def test_a_missing_gcc_says_which_package_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BuildError, match="sudo apt install gcc-arm-linux-gnueabihf"):
        toolchain.compiler("gcc", toolchain.target("armv7"))


def test_where_debian_has_no_gcc_zig_is_advised() -> None:
    with pytest.raises(BuildError, match="no gcc for armv6.*zig compiles for it"):
        toolchain.compiler("gcc", toolchain.target("armv6"))
