# SPDX-License-Identifier: Apache-2.0
"""The wrapper, with Pythons that only pretend to install: what it looks for, does and says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cross.toolchain import ROOT

# Answers the wrapper's questions as Python $VERSION would, and makes a .venv whose pip and invoke write into $LOG.
PYTHON = """#!/bin/sh
case "$*" in
"-c import sys; print"*) echo $VERSION ;;
"-c import sys; sys.exit"*) exec $REAL -c "import sys; sys.exit((3, ${VERSION#3.}) < (3, 11))" ;;
"-c import ensurepip"*) [ -z "${BARE-}" ] ;;
"-c import fcntl"*) exec $REAL "$@" ;;
"-c import pip") [ -e "${0%/bin/python}/pip" ] ;;
"-m venv --clear"*)
    rm -rf "$4" && mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && touch "$4/pip" ;;
*" install "*)
    echo "pip ${PWD##*/}" >>"$LOG"
    [ ! -e "$LOG.slow" ] || sleep 1
    [ ! -e "$LOG.fail" ] || { echo "no network" >&2; exit 1; } ;;
"-m harness.commands --search-root"*)
    printf '%s\\n' "invoke $4 in $PWD:" >>"$LOG"
    shift 4
    for word in "$@"; do printf '<%s>' "$word" >>"$LOG"; done
    echo >>"$LOG" ;;
*) echo "unexpected: $*" >&2; exit 99 ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "a project"
    root.mkdir()
    for name in ("inv", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "cat", "cmp", "cp", "dirname", "mkdir", "mv", "readlink", "rm", "sleep", "touch"):
        (programs / name).symlink_to(shutil.which(name) or name)
    python(programs / "python3.11", "3.11")
    return root


def python(path: Path, version: str, bare: bool = False) -> None:
    settings = f"VERSION={version}\nREAL={sys.executable}\n" + ("BARE=yes\n" if bare else "")
    path.write_text(PYTHON.replace("\n", "\n" + settings, 1))
    path.chmod(0o755)


def start(command: Path, *words: str, cwd: Path) -> subprocess.Popen[str]:
    root = next(folder for folder in command.parents if (folder / "bin").exists())
    environment = {"PATH": str(root / "bin"), "LOG": str(root / "log")}
    return subprocess.Popen([command, *words], cwd=cwd, env=environment, text=True, stderr=subprocess.PIPE)


def call(command: Path, *words: str, cwd: Path) -> tuple[int, str]:
    process = start(command, *words, cwd=cwd)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def log(project: Path) -> list[str]:
    return (project.parent / "log").read_text().splitlines()


def test_the_first_call_installs_and_the_next_does_not(project: Path) -> None:
    assert call(project / "inv", "bench", "--model", "a b.h5", cwd=project) == (
        0,
        "Setting up .venv (once, about a minute)\n",
    )
    assert log(project) == ["pip a project", f"invoke {project} in {project}:", "<bench><--model><a b.h5>"]
    assert call(project / "inv", "--list", cwd=project) == (0, "")
    assert len(log(project)) == 5


def test_it_works_from_any_folder_and_through_links(project: Path) -> None:
    below = project / "models"
    below.mkdir()
    (below / "link").symlink_to("../inv")
    (project.parent / "other").symlink_to(below / "link")
    for command, cwd in [(project / "inv", below), (below / "link", below), (project.parent / "other", project.parent)]:
        assert call(command, "explain", cwd=cwd)[0] == 0
        assert log(project)[-2:] == [f"invoke {project} in {cwd}:", "<explain>"]
    assert log(project).count("pip models") == 1


def test_a_changed_pyproject_is_installed_again(project: Path) -> None:
    call(project / "inv", cwd=project)
    with (project / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    assert call(project / "inv", cwd=project) == (0, "Bringing .venv up to date\n")
    assert call(project / "inv", cwd=project) == (0, "")
    assert log(project).count("pip a project") == 2


def test_a_moved_project_is_installed_again(project: Path) -> None:
    call(project / "inv", cwd=project)
    moved = project.rename(project.parent / "moved")
    assert call(moved / "inv", cwd=moved) == (0, "Bringing .venv up to date\n")
    assert log(project)[-2] == f"invoke {moved} in {moved}:"


def test_a_failed_installation_is_said_and_done_again(project: Path) -> None:
    fail = project.parent / "log.fail"
    fail.touch()
    code, said = call(project / "inv", cwd=project)
    assert code == 2
    assert said.splitlines()[1:] == [
        "no network",
        "inv: pip could not install the packages of pyproject.toml. Is the network there? Call again to retry.",
    ]
    fail.unlink()
    assert call(project / "inv", cwd=project)[0] == 0
    assert log(project)[-2].startswith("invoke")


def test_an_interrupted_installation_is_done_again(project: Path) -> None:
    slow = project.parent / "log.slow"
    slow.touch()
    first = start(project / "inv", cwd=project)
    while not (project.parent / "log").exists():
        time.sleep(0.01)
    first.kill()
    first.communicate()
    slow.unlink()
    assert call(project / "inv", cwd=project)[0] == 0
    assert log(project).count("pip a project") == 2


def test_a_half_made_environment_is_made_anew(project: Path) -> None:
    call(project / "inv", cwd=project)
    (project / ".venv/installed").unlink()
    (project / ".venv/pip").unlink()
    (project / ".venv/stale").touch()
    assert call(project / "inv", cwd=project)[0] == 0
    assert not (project / ".venv/stale").exists()


def test_calls_at_once_install_once(project: Path) -> None:
    (project.parent / "log.slow").touch()
    calls = [start(project / "inv", str(number), cwd=project) for number in range(3)]
    assert [process.wait(60) for process in calls] == [0, 0, 0]
    for process in calls:
        process.communicate()
    assert log(project).count("pip a project") == 1
    assert len([line for line in log(project) if line.startswith("invoke")]) == 3


def test_an_old_python_is_passed_over(project: Path) -> None:
    programs = project.parent / "bin"
    (programs / "python3.11").unlink()
    python(programs / "python3", "3.9")
    (programs / "python3.12").write_text("#!/bin/sh\necho 'python3.12: command not found' >&2\nexit 127\n")
    (programs / "python3.12").chmod(0o755)
    python(programs / "python", "3.14")
    assert call(project / "inv", cwd=project)[0] == 0


@pytest.mark.parametrize(("version", "found"), [("3.9", "python3 is 3.9"), (None, "no Python found")])
def test_without_a_new_python_one_line_says_so(project: Path, version: str | None, found: str) -> None:
    (project.parent / "bin/python3.11").unlink()
    if version:
        python(project.parent / "bin/python3", version)
    code, said = call(project / "inv", cwd=project)
    assert code == 2
    assert said == (
        f"inv: bitrig needs Python 3.11 or newer ({found}). "
        "On Debian 12 or newer: sudo apt install python3 python3-venv\n"
    )
    assert not (project / ".venv").exists()


def test_a_python_without_venv_is_named_with_its_package(project: Path) -> None:
    python(project.parent / "bin/python3.11", "3.11", bare=True)
    code, said = call(project / "inv", cwd=project)
    assert code == 2
    assert said == "inv: Python 3.11 is here without its venv module. On Debian: sudo apt install python3.11-venv\n"


def test_a_python_with_venv_is_preferred(project: Path) -> None:
    python(project.parent / "bin/python3.11", "3.11", bare=True)
    python(project.parent / "bin/python3.13", "3.13")
    assert call(project / "inv", cwd=project)[0] == 0


def test_the_wrapper_is_executable_in_git() -> None:
    assert os.access(ROOT / "inv", os.X_OK)
    assert os.access(ROOT / ".ci/run", os.X_OK)
