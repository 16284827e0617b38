# SPDX-License-Identifier: Apache-2.0
"""A real SSH server for every test of this folder: the loopback stand-in board, in a state folder of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.board import adb, inventory, lab
from harness.board.inventory import Device, Inventory, Timeouts
from harness.cross import debian
from tests.e2e.adbd import Adbd

ROOT = Path(__file__).resolve().parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=2, help="how often to kill a bench at a random moment")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kill" in metafunc.fixturenames:
        metafunc.parametrize("kill", range(metafunc.config.getoption("kills", default=2)))


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home of this test run's own: this machine is a board, too, and who else uses it is not waited for.

    What was fetched and compiled already is used, and git's settings are those of the user.
    """
    user = Path.home()
    changed = {
        "HOME": str(tmp_path_factory.mktemp("home")),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(user / ".cache")),
        "GIT_CONFIG_GLOBAL": os.environ.get("GIT_CONFIG_GLOBAL", str(user / ".gitconfig")),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changed.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Lab state and trusted keys of this test run alone; the user's own are neither read nor written."""
    folder = tmp_path_factory.mktemp("state")
    before = {name: os.environ.get(name) for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    os.environ |= {name: str(folder / name.lower()) for name in before}
    yield folder
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def boards(state: Path) -> Iterator[Inventory]:
    """The project's inventory, with the loopback stand-in up."""
    list(lab.up(["loopback"]))
    yield inventory.load(ROOT)
    list(lab.down(["loopback"]))


@pytest.fixture
def board(boards: Inventory, state: Path) -> Device:
    """The stand-in as a plain board: no runner, for tests that run shell scripts."""
    return boards.devices["qemu-aarch64"].model_copy(update={"runner": ()})


@pytest.fixture(scope="session")
def guest(boards: Inventory) -> Iterator[Device]:
    """A whole emulated board with its own kernel, busybox and another SSH server."""
    list(lab.up(["virt-pi4"]))
    yield boards.devices["virt-pi4"].model_copy(update={"timeouts": Timeouts(connect=60)})  # for a busy machine
    list(lab.down(["virt-pi4"]))


@pytest.fixture(scope="session")
def android() -> Iterator[Device]:
    """A device behind the real `adb`, with an adb server of this test run's own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        os.environ["ANDROID_ADB_SERVER_PORT"] = str(probe.getsockname()[1])
    with Adbd() as daemon:
        yield Device(name="phone", target="host", transport="adb", host=f"127.0.0.1:{daemon.port}")
    tool = debian.tool("adb")
    subprocess.run([tool, "kill-server"], env={**os.environ, **adb.libraries(tool)}, check=True)
    del os.environ["ANDROID_ADB_SERVER_PORT"]


@pytest.fixture
def running() -> Callable[[str], bool]:
    """Whether a process with this text in its command line is alive; waits up to 20 s for one to go away."""

    def alive(text: str) -> bool:
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                command = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if text in command and int(proc.name) != os.getpid():
                return True
        return False

    def check(text: str) -> bool:
        limit = time.monotonic() + 20
        while alive(text):
            if time.monotonic() > limit:
                return True
            time.sleep(0.05)
        return False

    return check
