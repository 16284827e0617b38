# SPDX-License-Identifier: Apache-2.0
"""Packages from a stand-in for apt: what is asked of it, what is made of its answers. tests/e2e asks the real apt."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.cross import debian
from harness.errors import UsageError

APT = """#!/bin/sh
echo "$*" >>"$LOG"
for word in "$@"; do
    case $word in
    --option=Dir::Cache::Archives=*) archives=${word#*Archives=} ;;
    install) installing=yes ;;
    no-such-package) echo "E: Unable to locate package $word" >&2; exit 100 ;;
    esac
done
if [ -n "${installing-}" ]; then echo deb >"$archives/${word}_1_all.deb"; fi
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/sbin" "$3/usr/lib/x86_64-linux-gnu/deep" "$3/lib"
echo >"$3/usr/lib/x86_64-linux-gnu/deep/libthing.so.1"
echo >"$3/usr/sbin/thing"
chmod +x "$3/usr/sbin/thing"
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian machine with nothing installed; the calls of apt-get are kept in the file."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in {"apt-get": APT, "dpkg-deb": DPKG}.items():
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    for name in ("sh", "mkdir", "chmod"):
        (programs / name).symlink_to(Path("/bin", name))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    rows = {"things": {"for": "this test", "tools": ["/usr/sbin/thing", "/usr/bin/other"]}}
    monkeypatch.setattr(debian, "packages", lambda: rows)
    return tmp_path / "log"


def test_each_row_says_what_it_is_for() -> None:
    for row in debian.packages().values():
        assert set(row) == {"for", "tools"}
        assert row["for"]
        assert all(Path(tool).is_absolute() for tool in row["tools"])


def test_packages_are_unpacked_once(log: Path) -> None:
    said: list[str] = []
    first = debian.root({"things", "more"}, said.append)
    again = debian.root({"more", "things"}, said.append)
    assert first == again
    assert (first / "usr/sbin/thing").exists()
    assert len(said) == 1
    assert "more, things" in said[0]
    update, install = log.read_text().splitlines()
    assert update.endswith(" update")
    assert install.endswith(" more things")
    assert "--download-only" in install
    assert not [path for path in first.parent.iterdir() if path.name.startswith("fetch-")]


def test_a_tool_is_fetched_with_its_package_and_then_found(log: Path) -> None:
    assert debian.find("thing") is None
    path = debian.tool("thing")
    assert path.parts[-4:] == ("things", "usr", "sbin", "thing")
    assert path == debian.find("thing") == debian.tool("thing")
    assert len(log.read_text().splitlines()) == 2


def test_an_installed_tool_is_used_as_it_is(log: Path) -> None:
    thing = Path(os.environ["PATH"], "thing")
    thing.write_text("#!/bin/sh\n")
    thing.chmod(0o755)
    assert debian.tool("thing") == thing
    assert debian.environment(thing) == {}
    assert not log.exists()


def test_a_tool_that_its_package_lacks_is_said(log: Path) -> None:
    with pytest.raises(UsageError, match="other is not in the Debian package things"):
        debian.tool("other")


def test_programs_of_the_cache_find_their_libraries(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = debian.root({"things"})
    folders = [
        prefix / below for below in ("usr/lib/x86_64-linux-gnu", "usr/lib", "lib", "usr/lib/x86_64-linux-gnu/deep")
    ]
    assert debian.environment(prefix / "usr/sbin/thing") == {"LD_LIBRARY_PATH": ":".join(map(str, folders))}
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    assert debian.environment(prefix / "usr/sbin/thing")["LD_LIBRARY_PATH"].endswith("/deep:/opt/lib")


def test_programs_of_the_cache_find_their_fonts(log: Path) -> None:
    prefix = debian.root({"things"})
    (prefix / "etc/fonts").mkdir(parents=True)
    (prefix / "etc/fonts/fonts.conf").touch()
    found = debian.environment(prefix / "usr/sbin/thing")
    assert found["FONTCONFIG_FILE"] == str(prefix / "etc/fonts/fonts.conf")
    assert found["XDG_DATA_HOME"] == str(prefix / "usr/share")


def test_a_package_that_is_not_there_leaves_nothing_behind(log: Path) -> None:
    with pytest.raises(UsageError, match=r"could not fetch no-such-package\. Unable to locate package") as caught:
        debian.root({"no-such-package"})
    assert caught.value.remedy.endswith("sudo apt install no-such-package")
    assert [path.suffix for path in (log.parent / "cache/bitrig/debian").rglob("*") if path.is_file()] == [".lock"]


def test_a_machine_without_apt_is_told_what_to_install(log: Path) -> None:
    Path(os.environ["PATH"], "apt-get").unlink()
    with pytest.raises(UsageError, match="this machine has no apt-get.*Install by hand what Debian calls things"):
        debian.root({"things"})
