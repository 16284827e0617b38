# SPDX-License-Identifier: Apache-2.0
"""What imports what: down the floors of the design only, and nothing that pyproject.toml does not promise."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

from harness.cross.toolchain import ROOT

# Each room, and the rooms it may know beside the ground floor.
ROOMS: dict[str, set[str]] = {
    "model": set(),
    "cross": set(),
    "board": {"cross"},  # stand-in boards are put together from fetched packages
    "bench": {"model", "cross", "board"},
    "report": {"model", "bench"},
    "commands": {"model", "cross", "board", "bench", "report"},
}
GROUND = {"errors", "abi", "options"}


def imports(file: Path) -> Iterator[str]:
    """The full names that a file imports."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_an_import_points_down(room: str) -> None:
    allowed = GROUND | ROOMS[room] | {room}
    for file in (ROOT / "harness" / room).rglob("*.py"):
        for name in imports(file):
            if name.startswith("harness."):
                assert name.split(".")[1] in allowed, f"{file.relative_to(ROOT)} imports {name}"


@cache
def promised(*extras: str) -> frozenset[str]:
    """The packages of pyproject.toml with those of these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    listed = [*project["dependencies"], *(need for extra in extras for need in project["optional-dependencies"][extra])]
    return frozenset(normal(re.split(r"[<>=!~\[ ;]", need)[0]) for need in listed)


def normal(package: str) -> str:
    return package.lower().replace("_", "-")


PARTS = [
    ("benchmarks", ("peers",)),
    ("harness", ("counts", "lab")),
    ("tasks.py", ()),
    ("tests", ("dev", "fuzz")),
]
OWN = {"benchmarks", "harness", "tests"}


@pytest.mark.parametrize(("part", "extras"), PARTS)
def test_every_package_that_is_imported_is_promised(part: str, extras: tuple[str, ...]) -> None:
    distributions = metadata.packages_distributions()
    files = [ROOT / part] if part.endswith(".py") else list((ROOT / part).rglob("*.py"))
    assert files
    unknown = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files
        for name in {name.split(".")[0] for name in imports(file)} - sys.stdlib_module_names - OWN
        if not promised(*extras) & {normal(package) for package in distributions.get(name, [name])}
    }
    assert not unknown


def test_a_report_is_made_without_the_means_to_reach_a_board() -> None:
    names = (
        "import sys, harness.report.page; print([m for m in sys.modules if m.startswith(('harness.board', 'fabric'))])"
    )
    assert subprocess.run([sys.executable, "-c", names], capture_output=True, text=True).stdout == "[]\n"
