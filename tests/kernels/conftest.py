# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from harness.cross.build import build
from tests.kernels.runtime import Runtime


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--bnn", help="the program to test instead of this machine's: a sanitized one, or an emulator and its"
    )


@pytest.fixture(scope="session")
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What starts the runtime."""
    given = request.config.getoption("--bnn", default=None)
    return tuple(str(given).split()) if given else (str(build("host").binary),)


@pytest.fixture
def runtime(command: tuple[str, ...], tmp_path: Path) -> Runtime:
    return Runtime(command, tmp_path)
