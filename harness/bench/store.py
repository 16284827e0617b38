# SPDX-License-Identifier: Apache-2.0
"""Runs on disk: `runs/<id>/record.json` and what belongs beside it.

A record is replaced in one step, never edited, so whoever reads sees a whole one, also after a crash.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from harness.bench.aa import Noise
from harness.bench.record import SCHEMA, Peak, Run
from harness.errors import UsageError

RECORD = "record.json"
REPORT = "report.html"
ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


def new_id(now: datetime | None = None) -> str:
    """An id that sorts by time: 20261123-041500-abcd (UTC)."""
    return f"{now or datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def write(path: Path, text: str) -> None:
    """Replaces a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(0o644)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def save(runs: Path, run: Run) -> Path:
    """Writes the record of a run into its folder and returns the file."""
    path = runs / run.id / RECORD
    write(path, run.model_dump_json(by_alias=True, indent=1) + "\n")
    return path


def load(path: Path) -> Run:
    """Reads a record.

    Raises:
        UsageError: there is none, it is damaged, or a newer bitrig wrote it.
    """
    try:
        return parse(path.read_text("utf-8"), str(path))
    except FileNotFoundError:
        raise UsageError(f"There is no record {path}.", "", "List the runs with: ls runs") from None
    except (ValueError, OSError) as error:
        raise _damaged(str(path), error) from None


def parse(text: str, place: str) -> Run:
    """The run of a record's JSON, which was found at `place`.

    Raises:
        UsageError: it is damaged, or a newer bitrig wrote it.
    """
    try:
        data = json.loads(text)
        if data["schema"] > SCHEMA:
            raise UsageError(
                f"The record {place} has schema {data['schema']}; this bitrig reads up to {SCHEMA}.",
                "A newer bitrig wrote it.",
                "Update the project (git pull) and try again.",
            )
        return Run.model_validate(data)
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise _damaged(place, error) from None


def readable(path: Path) -> Run | None:
    """The run of a record; None where it cannot be read: one damaged record does not hide the others."""
    try:
        return load(path)
    except UsageError:
        return None


def _damaged(place: str, error: Exception) -> UsageError:
    detail = str(error).splitlines()[0]
    return UsageError(f"The record {place} cannot be read: {detail}.", "The file was edited or damaged.")


def keep_noise(runs: Path, noise: Noise, run: Run) -> None:
    """Keeps what A against A found with the board, for the runs that follow."""
    write(_board(runs, noise.device), json.dumps(asdict(noise) | {"run": run.id}, indent=1) + "\n")


def noise_floor(runs: Path, device: str) -> float | None:
    """By how much A differs from A on a device, as a fraction; None where nobody looked."""
    path = _board(runs, device)
    return float(json.loads(path.read_text("utf-8"))["floor"]) if path.exists() else None


def peaks(runs: Path, device: str) -> tuple[Peak, ...]:
    """What a board can do at most, as the newest run that measured it has it; nothing where none did."""
    for name in ids(runs):
        run = readable(runs / name / RECORD)
        for board in run.devices if run else ():
            if board.name == device and board.peaks:
                return board.peaks
    return ()


def _board(runs: Path, device: str) -> Path:
    return runs / "boards" / f"{device}.json"


def ids(runs: Path) -> Iterator[str]:
    """The ids of all runs, the newest first."""
    if runs.is_dir():
        yield from sorted((entry.name for entry in runs.iterdir() if ID.fullmatch(entry.name)), reverse=True)


def before(runs: Path, run: str, most: int = 40) -> list[Run]:
    """The newest runs before one, the oldest of them first."""
    return _readable(runs, [each for each in ids(runs) if each < run][:most])


def everything(runs: Path) -> list[Run]:
    """All runs, the oldest first."""
    return _readable(runs, list(ids(runs)))


def _readable(runs: Path, newest_first: list[str]) -> list[Run]:
    found = (readable(runs / name / RECORD) for name in reversed(newest_first))
    return [run for run in found if run]


def is_run(runs: Path, name: str) -> bool:
    """Whether a word means a stored run; a git revision may look like the beginning of an id."""
    try:
        find(runs, name)
    except UsageError:
        return False
    return True


def find(runs: Path, name: str) -> Path:
    """The record that a user means: an id, the beginning of one, "last", a folder or a file.

    Raises:
        UsageError: no run, or several, go by this name.
    """
    given = Path(name)
    if given.is_file():
        return given
    if (given / RECORD).is_file():
        return given / RECORD
    return runs / one_of(list(ids(runs)), name) / RECORD


def one_of(known: list[str], name: str) -> str:
    """The id among these, the newest first, that is called so, begins so, or is the last.

    Raises:
        UsageError: none, or several.
    """
    matches = known[:1] if name == "last" else [known_id for known_id in known if known_id.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(
            f"{len(matches)} runs begin with {name!r}.", "", f"Give more of the id: {', '.join(matches[:5])}"
        )
    hint = f"The newest is {known[0]}." if known else "There is no run yet; make one with: ./inv bench"
    raise UsageError(f"There is no run {name!r}.", hint, "Give an id, or: --run last")
