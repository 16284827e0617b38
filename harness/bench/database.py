# SPDX-License-Identifier: Apache-2.0
"""Runs in a database, by SQLAlchemy: the records of a whole fleet in one place, and the answers that a history needs
without reading every record again.

`runs` holds the records as they are, which are never changed once they are finished. `results` is what follows from
them, a row a model and device; it is made anew when what follows is something else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, NoSuchModuleError

from harness.bench import history, store
from harness.bench.history import Line
from harness.bench.record import Run
from harness.errors import UsageError

RESULTS = 1
"""Rises when the rows of `results` would be others."""

_TYPES: dict[str, Any] = {
    "str": sql.Text,
    "bool": sql.Boolean,
    "float | None": sql.Double,
    "int | None": sql.BigInteger,
}
_tables = sql.MetaData()
_versions = sql.Table("bitrig", _tables, sql.Column("results", sql.Integer, primary_key=True))
_runs = sql.Table(
    "runs",
    _tables,
    sql.Column("id", sql.String(64), primary_key=True),
    sql.Column("finished", sql.Boolean, nullable=False),
    sql.Column("stamp", sql.Text, nullable=False),  # of the file that it was read from
    sql.Column("record", sql.Text),  # JSON; NULL where that file is at hand
)
_results = sql.Table(
    "results",
    _tables,
    sql.Column("run", sql.ForeignKey("runs.id"), primary_key=True),
    sql.Column("place", sql.Integer, primary_key=True),
    *(sql.Column(field.name, _TYPES[str(field.type)]) for field in fields(Line) if field.name != "run"),
)


class Database:
    """The runs of a database. Its tables are made where they are not there yet.

    Args:
        url: as SQLAlchemy takes it: sqlite:///runs.sqlite, postgresql://user@host/name.

    Raises:
        UsageError: no such database, or no permission.
    """

    def __init__(self, url: str) -> None:
        self.url = _url(url)
        self.name = self.url.render_as_string(hide_password=True)
        with self._told():
            self._engine = sql.create_engine(self.url)
            _tables.create_all(self._engine)
            self._refresh()

    def put(self, run: Run, stamp: str = "", whole: bool = True) -> None:
        """Takes a run in, or takes it again with what was added since.

        Args:
            stamp: of the file that holds its record; whole: whether the record itself is kept, too.

        Raises:
            UsageError: a finished run of this id is there already and is another.
        """
        text = run.model_dump_json(by_alias=True) if whole else None
        with self._told(), self._engine.begin() as link:
            known = link.execute(sql.select(_runs).where(_runs.c.id == run.id)).one_or_none()
            if known and known.finished and whole:
                if json.loads(known.record) != json.loads(text or ""):
                    raise UsageError(
                        f"{self.name} has another run {run.id} already.", "Finished runs are never changed."
                    )
                return
            link.execute(sql.delete(_results).where(_results.c.run == run.id))
            link.execute(sql.delete(_runs).where(_runs.c.id == run.id))
            row = {"id": run.id, "finished": run.finished is not None, "stamp": stamp, "record": text}
            link.execute(sql.insert(_runs).values(row))
            _insert(link, run)

    def load(self, name: str) -> Run:
        """The run of an id, of the beginning of one, or the last one.

        Raises:
            UsageError: none or several go by this name, or a newer bitrig wrote it.
        """
        run = store.one_of(self.ids(), name)
        with self._told(), self._engine.connect() as link:
            record = link.execute(sql.select(_runs.c.record).where(_runs.c.id == run)).scalar_one()
        return store.parse(record or "", f"{run} of {self.name}")

    def has(self, name: str) -> bool:
        """Whether a run goes by this name."""
        return name == "last" or any(known.startswith(name) for known in self.ids())

    def ids(self) -> list[str]:
        """The ids of all runs, the newest first."""
        return sorted(self.stamps(), reverse=True)

    def stamps(self) -> dict[str, str]:
        """The stamp of every run, by id."""
        with self._told(), self._engine.connect() as link:
            return {row.id: row.stamp for row in link.execute(sql.select(_runs.c.id, _runs.c.stamp))}

    def forget(self, ids: Sequence[str]) -> None:
        """Takes runs out, of which there is no record any more."""
        with self._told(), self._engine.begin() as link:
            for column in (_results.c.run, _runs.c.id):
                link.execute(sql.delete(column.table).where(column.in_(ids)))

    def lines(self, devices: Sequence[str] = (), models: Sequence[str] = ()) -> list[Line]:
        """Every result whose device and model match one of the names or globs, the oldest first."""
        wanted = sql.select(_results)
        with self._told(), self._engine.connect() as link:
            for column, patterns in ((_results.c.device, devices), (_results.c.model, models)):
                if patterns:  # databases differ in globs, and in what they sort: names are matched here
                    names = link.execute(sql.select(column).distinct()).scalars()
                    wanted = wanted.where(column.in_([name for name in names if history.matches(name, patterns)]))
            rows = sorted(link.execute(wanted), key=lambda row: (row.run, row.place))
        return [Line(**{field.name: getattr(row, field.name) for field in fields(Line)}) for row in rows]

    def _refresh(self) -> None:
        """Makes `results` anew from the records where an older bitrig filled it."""
        with self._engine.begin() as link:
            if link.execute(sql.select(_versions.c.results)).scalars().all() == [RESULTS]:
                return
            _results.drop(link)
            _results.create(link)
            for row in link.execute(sql.select(_runs)).all():
                if row.record is None:
                    link.execute(sql.delete(_runs).where(_runs.c.id == row.id))
                else:
                    _insert(link, store.parse(row.record, f"{row.id} of {self.name}"))
            link.execute(sql.delete(_versions))
            link.execute(sql.insert(_versions).values(results=RESULTS))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (DatabaseError, InterfaceError) as error:
            raise UsageError(
                f"The database {self.name} refused: {str(error.orig).splitlines()[0]}.",
                "It is not there, or does not let this user in.",
                "Check the address, and the password in ~/.pgpass.",
            ) from None


def local(runs: Path) -> Database:
    """What is asked of the runs of a folder: an index beside them, brought up to date.

    It can always be made anew, so where it is damaged or nothing may be written it is made in memory.
    """
    try:
        found = Database(f"sqlite:///{runs / 'index.sqlite'}" if runs.is_dir() else "sqlite://")
    except UsageError:
        found = Database("sqlite://")
    known, files = found.stamps(), {run: runs / run / store.RECORD for run in store.ids(runs)}
    present = {run: f"{stat.st_mtime_ns}/{stat.st_size}" for run, path in files.items() if (stat := _stat(path))}
    found.forget([run for run in known if run not in present])
    for run, stamp in present.items():
        if known.get(run) != stamp and (read := store.readable(files[run])):
            found.put(read, stamp, whole=False)
    return found


def _stat(path: Path) -> Any:
    return path.stat() if path.exists() else None


def _insert(link: sql.Connection, run: Run) -> None:
    rows = [asdict(line) | {"place": place} for place, line in enumerate(history.lines([run]))]
    if rows:
        link.execute(sql.insert(_results), rows)


def _url(text: str) -> URL:
    try:
        url = make_url(text)
        url = url.set(drivername="postgresql+psycopg") if url.drivername in ("postgres", "postgresql") else url
        url.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError):
        shown = text.partition(":")[0]
        raise UsageError(
            f"--store does not know what {shown!r} is.", "", "For example: postgresql://me@host/bitrig, sqlite:///FILE"
        ) from None
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--store needs the package {error.name}.", "", "Install it: .venv/bin/pip install --editable '.[fleet]'"
        ) from None
    return url
