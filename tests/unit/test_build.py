# SPDX-License-Identifier: Apache-2.0
"""Real builds of a small program for this machine, with the compiler that everybody gets."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.cross import build as builds
from harness.cross import toolchain
from harness.cross.build import Build, build
from harness.errors import BuildError, ConfigError

PROJECT = """
cmake_minimum_required(VERSION 3.20)
project(bnn LANGUAGES C)
file(GLOB sources CONFIGURE_DEPENDS *.c)
add_library(bnn_core STATIC ${sources})
list(FILTER sources INCLUDE REGEX "bnn.c")
set_source_files_properties(answer.c PROPERTIES COMPILE_OPTIONS -fno-math-errno)
add_executable(bnn ${sources})
target_link_libraries(bnn PRIVATE bnn_core)
"""
MORE = "int more(void);\nint more(void) { return 3; }\n"
MAIN = '#include <stdio.h>\nint answer(void);\nint main(void) { printf("%d\\n", answer()); return 0; }\n'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(PROJECT)
    (folder / "bnn.c").write_text(MAIN)
    (folder / "other.c").write_text(MORE.replace("more", "other"))
    (folder / "answer.c").write_text("int answer(void);\nint answer(void) { return 42; }\n")
    return folder


def host(source: Path, said: list[str] | None = None) -> Build:
    heard = [] if said is None else said
    return build("host", source=source, into=source.parent / "build", progress=heard.append)


def output(made: Build) -> str:
    return subprocess.run([made.binary], capture_output=True, text=True, check=True).stdout.strip()


def test_a_program_comes_with_its_record(source: Path) -> None:
    said: list[str] = []
    made = host(source, said)
    assert output(made) == "42"
    assert made.binary == source.parent / "build" / f"zig-{made.target}" / "bnn"
    assert not made.up_to_date
    assert (made.toolchain, made.compiler) == ("zig", "Clang")
    assert made.sha256 == hashlib.sha256(made.binary.read_bytes()).hexdigest()
    assert made.bytes == made.binary.stat().st_size < 100_000
    assert "-O3" in made.flags
    assert made.file_flags == {"answer.c": (*made.flags, "-fno-math-errno")}
    assert made.executable == toolchain.target("host").executable()
    assert [sentence.split()[0] for sentence in said[:2]] == ["Configuring", "Compiling"]
    record = json.loads((made.binary.parent / "build.json").read_text())
    assert record["sha256"] == made.sha256
    assert record["executable"]["machine"] == made.executable.machine


def test_nothing_is_done_when_nothing_changed(source: Path) -> None:
    first = host(source)
    said: list[str] = []
    start = time.monotonic()
    again = host(source, said)
    assert time.monotonic() - start < 1
    assert again.up_to_date
    assert again.sha256 == first.sha256
    assert said == []


def test_a_changed_and_a_new_file_are_noticed(source: Path) -> None:
    host(source)
    (source / "answer.c").write_text("int more(void);\nint answer(void);\nint answer(void) { return 40 + more(); }\n")
    (source / "more.c").write_text(MORE)
    made = host(source)
    assert not made.up_to_date
    assert output(made) == "43"


def test_an_error_of_the_compiler_is_shown_and_mended(source: Path) -> None:
    good = (source / "answer.c").read_text()
    (source / "answer.c").write_text(good.replace("42", "fortytwo"))
    with pytest.raises(BuildError, match=r"cannot be compiled for \w+ with zig") as caught:
        host(source)
    assert "answer.c:2:" in caught.value.why
    assert "fortytwo" in caught.value.why
    assert "failed.log" in caught.value.remedy
    (source / "answer.c").write_text(good)
    assert output(host(source)) == "42"


def test_an_error_of_the_linker_is_shown(source: Path) -> None:
    (source / "answer.c").unlink()
    (source / "CMakeLists.txt").write_text(PROJECT.replace("set_source", "# set_source"))
    with pytest.raises(BuildError, match="undefined symbol: answer"):
        host(source)


def test_an_error_of_cmake_is_shown_in_full(source: Path) -> None:
    (source / "CMakeLists.txt").write_text(PROJECT + 'message(FATAL_ERROR "the moon is wrong")\n')
    with pytest.raises(BuildError, match="the moon is wrong"):
        host(source)


def test_a_changed_toolchain_file_begins_afresh(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = toolchain.target("host").name
    files = tmp_path / "toolchains"
    (files / "compilers").mkdir(parents=True)
    for file in (*toolchain.FILES.glob("*.cmake"), *toolchain.FILES.glob("compilers/*.cmake")):
        (files / file.relative_to(toolchain.FILES)).write_text(file.read_text())
    monkeypatch.setattr(toolchain, "FILES", files)
    assert "-fwrapv" not in host(source).flags
    target = files / f"{name}.cmake"
    target.write_text(target.read_text().replace("include(", "set(BNN_ZIG_FLAGS -fwrapv)\ninclude("))
    made = host(source)
    assert "-fwrapv" in made.flags
    assert not made.up_to_date


def test_a_program_for_another_machine_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = "armv7" if toolchain.target("host").name != "armv7" else "aarch64"
    wanted = toolchain.target(other).executable()
    monkeypatch.setattr(toolchain.Target, "executable", lambda self, static: wanted)
    with pytest.raises(BuildError, match=f"a wrong program for .*, not {wanted}"):
        host(source)
    assert not list(source.parent.glob("build/*/build.json"))


def test_what_is_no_program_is_refused() -> None:
    with pytest.raises(BuildError, match="no program for aarch64: not an executable file"):
        builds._checked(b"", toolchain.target("aarch64"), static=True)


def test_two_builds_at_once_make_one(source: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(host, [source, source]))
    assert sorted(one.up_to_date for one in made) == [False, True]
    assert len({one.sha256 for one in made}) == 1


def test_sanitizers_are_not_asked_of_zig(source: Path) -> None:
    with pytest.raises(ConfigError, match="zig has no sanitizers.*--toolchain gcc"):
        build("host", sanitize=["address"], source=source, into=source.parent / "build")


def gcc(target: str) -> None:
    """Skips a test, loudly, where Debian's gcc for a target is not installed: unlike zig, it cannot be fetched."""
    try:
        toolchain.compiler("gcc", toolchain.target(target))
    except BuildError as error:
        pytest.skip(f"the gcc toolchain stays untested for {target}: {error}")


@pytest.mark.parametrize("target", ["host", "aarch64", "armv7"])
def test_gcc_compiles_where_it_is_installed(source: Path, target: str) -> None:
    gcc(target)
    made = build(target, toolchain="gcc", source=source, into=source.parent / "build")
    assert (made.compiler, made.compiler_version) == ("GNU", made.toolchain_version)
    assert made.executable == toolchain.target(target).executable()


def test_a_sanitized_program_is_dynamic_and_lies_apart(source: Path) -> None:
    gcc("host")
    made = build("host", toolchain="gcc", sanitize=["undefined"], source=source, into=source.parent / "build")
    assert made.binary.parent.name == f"gcc-{made.target}-undefined"
    assert not made.executable.static
    assert output(made) == "42"


def test_git_tells_which_sources_were_compiled(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = source.parent
    monkeypatch.setattr(builds, "ROOT", root)
    assert builds._revision(source) == ("", False)
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "kernels"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    (root / "notes.txt").write_text("not a source")
    revision, dirty = builds._revision(source)
    assert len(revision) == 40
    assert not dirty
    (source / "answer.c").write_text("")
    assert builds._revision(source) == (revision, True)


def test_without_git_there_is_no_revision(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent / "no-such-folder"))
    assert builds._revision(source) == ("", False)
