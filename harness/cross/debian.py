# SPDX-License-Identifier: Apache-2.0
"""Debian packages without root: fetched by apt, verified by apt, unpacked into the cache.

apt runs on a state of its own, so it needs neither root nor fresh lists, and what it resolves is exactly what this
machine lacks. The packages' own scripts do not run: no service starts, no user is added.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from harness.cross import cache
from harness.cross.progress import Progress, silent
from harness.errors import UsageError

LIST = Path(__file__).with_name("packages.yaml")


@functools.cache
def packages() -> dict[str, dict[str, Any]]:
    """The rows of packages.yaml by package name: `for` (who needs it) and `tools` (absolute paths)."""
    rows: dict[str, dict[str, Any]] = yaml.safe_load(LIST.read_text("utf-8"))
    return rows


def package_of(name: str) -> str:
    """The package that brings the program `name`.

    Raises:
        KeyError: packages.yaml knows no such program.
    """
    for package, row in packages().items():
        if any(Path(tool).name == name for tool in row["tools"]):
            return package
    raise KeyError(name)


def find(name: str) -> Path | None:
    """The program `name` of packages.yaml where it is installed or in the cache already, else None."""
    package = package_of(name)
    path = Path(next(tool for tool in packages()[package]["tools"] if Path(tool).name == name))
    # An ordinary user's PATH often leaves /usr/sbin out, so the package's own path counts as well.
    installed = shutil.which(name) or shutil.which(path)
    if installed:
        return Path(installed)
    cached = _prefix({package}) / path.relative_to("/")
    return cached if cached.exists() else None


def tool(name: str, progress: Progress = silent) -> Path:
    """The program `name` of packages.yaml, fetched first if need be. Run it with `environment(path)`.

    Raises:
        KeyError: packages.yaml knows no such program.
        UsageError: the package cannot be fetched here.
    """
    path = find(name)
    if path is None:
        root({package_of(name)}, progress)
        path = find(name)
    if path is None:
        raise UsageError(
            f"{name} is not in the Debian package {package_of(name)}.",
            f"This release of Debian keeps it elsewhere than {LIST.name} says.",
            f"Install {name} by hand, so that it is in PATH.",
        )
    return path


def root(names: Collection[str], progress: Progress = silent) -> Path:
    """A folder that holds these packages, unpacked, and every package they need that this machine lacks.

    The folder is the packages' `/`: `root({"openssh-server"}) / "usr/sbin/sshd"`.

    Raises:
        UsageError: not a Debian machine, no network, or no such package.
    """
    prefix = _prefix(names)
    with cache.locked(prefix.with_name(prefix.name + ".lock")):
        if not prefix.exists():
            _unpack(sorted(names), prefix, progress)
    return prefix


def archives(names: Collection[str], architecture: str, progress: Progress = silent) -> list[Path]:
    """The `.deb` files of packages for any architecture and of all they depend on; nothing is unpacked.

    Raises:
        UsageError: as `root`.
    """
    folder = _prefix(names).parent / "archives" / architecture / "+".join(sorted(names))
    with cache.locked(folder.with_name(folder.name + ".lock")):
        if not folder.exists():
            progress(f"Fetching {', '.join(sorted(names))} for {architecture} into the cache")
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as scratch:
                _download(sorted(names), architecture, Path(scratch))
                Path(scratch, "archives").rename(folder)
    return sorted(folder.glob("*.deb"))


def environment(path: Path) -> dict[str, str]:
    """What to add to the environment of a program below `root(...)`; nothing for one that is installed.

    Programs find their shared libraries and fonts by it. The packages' own libraries come first, then what
    `LD_LIBRARY_PATH` says already.
    """
    home = cache.folder("debian")
    if home not in path.parents:
        return {}
    prefix = home.joinpath(*path.relative_to(home).parts[:2])
    own = [below for lib in ("usr/lib", "lib") for below in [*prefix.glob(f"{lib}/*-linux-gnu*"), prefix / lib]]
    # Some lie one folder deeper, where an installed program finds them by an absolute path of its own.
    deeper = {library.parent for folder in own for library in folder.glob("*/lib*.so*")} - set(own)
    present = [str(folder) for folder in [*own, *sorted(deeper)] if folder.is_dir()]
    inherited = [value for value in [os.environ.get("LD_LIBRARY_PATH", "")] if value]
    found = {"LD_LIBRARY_PATH": ":".join(present + inherited)}
    if (prefix / "etc/fonts/fonts.conf").exists():  # it names /usr/share/fonts, and $XDG_DATA_HOME/fonts as well
        found |= {"FONTCONFIG_FILE": str(prefix / "etc/fonts/fonts.conf"), "XDG_DATA_HOME": str(prefix / "usr/share")}
    return found


def _prefix(names: Collection[str]) -> Path:
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    # What a machine lacks depends on its release: after an upgrade the cache starts afresh.
    release = f"{system.get('VERSION_CODENAME', 'unknown')}-{platform.machine()}"
    return cache.folder("debian", release) / "+".join(sorted(names))


def _unpack(names: list[str], prefix: Path, progress: Progress) -> None:
    listed = ", ".join(names)
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise UsageError(
            f"{listed} cannot be fetched: this machine has no apt-get.",
            "bitrig fetches such tools from Debian's and Ubuntu's archives only.",
            f"Install by hand what Debian calls {listed}.",
        )
    progress(f"Fetching {listed} and unpacking into the cache (no root needed, the system stays as it is)")
    with tempfile.TemporaryDirectory(dir=prefix.parent, prefix="fetch-") as scratch:
        archives = Path(scratch, "archives")
        (archives / "partial").mkdir(parents=True)
        tree = Path(scratch, "tree")
        tree.mkdir()
        # The lists are as young as this call: an older list names versions that the archive no longer has.
        _apt(scratch, listed, "update")
        _apt(scratch, listed, "install", "--yes", "--download-only", "--reinstall", "--no-install-recommends", *names)
        for archive in sorted(archives.glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", archive, tree], check=True, capture_output=True)
        tree.rename(prefix)


def _download(names: list[str], architecture: str, scratch: Path) -> None:
    listed = ", ".join(names)
    folder = scratch / "archives"
    (folder / "partial").mkdir(parents=True)
    status = scratch / "status"  # of a system on which nothing is installed
    status.touch()
    options = {"APT::Architecture": architecture, "APT::Architectures": architecture, "Dir::State::Status": f"{status}"}
    words = [f"--option={key}={value}" for key, value in options.items()]
    with suppress(UsageError):  # of several lists one may be out of step at the mirror; the others often do
        _apt(f"{scratch}", listed, "update", *words)
    _apt(f"{scratch}", listed, "install", "--yes", "--download-only", "--no-install-recommends", *words, *names)
    for left in ("lock", "partial"):
        shutil.rmtree(folder / left, ignore_errors=True)


def _apt(scratch: str, listed: str, *arguments: str) -> None:
    lists = Path(scratch, "lists", "partial")
    lists.mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State::Lists": lists.parent,
        "Dir::Cache": scratch,
        "Dir::Cache::Archives": Path(scratch, "archives"),
        "Debug::NoLocking": "true",  # of the system's own state, which is only read
        "APT::Sandbox::User": "",  # root's downloads would go to a user who may not write here
        "APT::Install-Suggests": "false",
        "Acquire::Retries": "3",
    }
    command = ["apt-get", "--quiet=2", *(f"--option={key}={value}" for key, value in options.items()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if done.returncode != 0:
        complaints = [line for line in (done.stderr + done.stdout).splitlines() if line.startswith("E: ")]
        raise UsageError(
            f"apt-get could not fetch {listed}.",
            " ".join(complaint.removeprefix("E: ") for complaint in complaints[:3]),
            f"Check the network, or have it installed: sudo apt install {listed.replace(',', '')}",
        )
