# SPDX-License-Identifier: Apache-2.0
"""Files that must be refused: is each, as a user would meet it, with one clear sentence, soon and in little memory?

A corpus keeps them in its folder `bad`, whose manifest says of each what is expected: refuse, accept (a control, the
sound file that the others were made from), or either where a lenient reader is right too ("refuse_or_sniff").
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.errors import ModelError, UsageError, WrongOutput

FOLDER = "bad"
SECONDS = 2.0
"""Of processor time: what a file may cost, whatever else the machine does meanwhile."""
MEGABYTES = 500.0
PATIENCE = 60.0
"""Seconds on the clock after which a process hangs."""
REFUSED = frozenset({ModelError.exit_code, WrongOutput.exit_code})
Expected = Literal["refuse", "accept", "either"]


@dataclass(frozen=True)
class Refusal:
    """What became of one file.

    Attributes:
        seconds, megabytes: processor time and largest resident memory of the process that read it.
        said: what it wrote about the file; lines that it took.
    """

    name: str
    expected: Expected
    exit_code: int
    seconds: float
    megabytes: float
    said: str

    @property
    def fault(self) -> str:
        """What is wrong with this; "" where nothing is."""
        refused = self.exit_code in REFUSED
        if self.exit_code and not refused:
            return f"ended with {self.exit_code}"
        if self.expected != "either" and refused != (self.expected == "refuse"):
            return "refused" if refused else "accepted"
        if refused and len(self.said.splitlines()) != 1:
            return f"said {len(self.said.splitlines())} lines"
        if self.seconds > SECONDS:
            return f"took {self.seconds:.1f} s of processor time"
        return f"took {self.megabytes:.0f} MB" if self.megabytes > MEGABYTES else ""


def read(corpus: Path) -> dict[Path, Expected]:
    """The files of a corpus that are to be refused or, as controls, accepted.

    Raises:
        UsageError: no such folder, or a manifest that cannot be read.
    """
    folder = corpus / FOLDER
    manifest = folder / "manifest.json"
    try:
        lists = [part for part in json.loads(manifest.read_text("utf-8")).values() if isinstance(part, list)]
        entries = [entry for part in lists for entry in part]
        found = {folder / name: _expected(entry) for entry in entries for name in _files(entry)}
    except FileNotFoundError:
        raise UsageError(f"There is no {manifest}.", "A corpus keeps what must be refused in a folder `bad`.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{manifest} cannot be read: {type(error).__name__}: {error}.") from None
    return dict(sorted(found.items()))


def _files(entry: dict[str, Any]) -> list[str]:
    return list(entry["files"].values()) if "files" in entry else [entry["file"]]


def _expected(entry: dict[str, Any]) -> Expected:
    words = str(entry.get("expect", entry.get("expected", "refuse")))
    return "accept" if words == "accept" else "refuse" if words == "refuse" else "either"


def check(files: dict[Path, Expected], explain: Sequence[str]) -> Iterator[Refusal]:
    """Explains every file in a process of its own.

    Args:
        explain: the words of the command that explains a model, before its path.
    """
    for path, expected in files.items():
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen([*explain, str(path.resolve())], stdout=output, stderr=subprocess.STDOUT)
            timer = threading.Timer(PATIENCE, process.kill)
            timer.start()
            try:
                _, status, used = os.wait4(process.pid, 0)
            finally:
                timer.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)  # it was waited for here, for what it used
            output.seek(0)
            said = output.read().decode("utf-8", "replace").strip()
        yield Refusal(
            path.name, expected, process.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said
        )


def explain_here(root: Path) -> list[str]:
    """`./inv explain --model`, by the Python that runs this."""
    return [sys.executable, "-m", "invoke", "--search-root", str(root), "explain", "--model"]
