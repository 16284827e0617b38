# SPDX-License-Identifier: Apache-2.0
"""The report: one HTML file that needs nothing else, neither network nor script.

Names of layers, models and boards come from strangers. Jinja escapes every value, and a Content-Security-Policy
forbids everything but the page's own style and, by its hash, its own script. The same run gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.bench import store
from harness.bench.record import Run
from harness.report import words
from harness.report.sections import shown

TEMPLATES = Path(__file__).parent / "templates"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=words.duration,
        size=words.size,
        count=words.count,
        shape=words.shape,
        digits=words.digits,
        place=words.place,
        short=words.short,
        unbroken=lambda text: text.replace("–", "\u2060–\u2060"),
    )
    environment.globals.update(words=words)
    return environment


@cache
def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8").strip()


@cache
def policy(forms: str = "'none'") -> str:
    """The Content-Security-Policy of a page; `forms` is where its forms may go."""
    digest = base64.b64encode(hashlib.sha256(_asset("page.js").encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'; "
        f"base-uri 'none'; form-action {forms}"
    )


def document(template: str, title: str, home: str = "", **values: Any) -> str:
    """A page from its template.

    Args:
        home: where all runs are listed; "" for a page that stands alone.
    """
    return (
        _environment()
        .get_template(template)
        .render(
            title=title,
            home=home,
            policy=policy("'self'") if home else policy(),
            style=Markup(_asset("page.css")),
            script=Markup(_asset("page.js")),
            **values,
        )
    )


def render(run: Run, past: Sequence[Run] = (), home: str = "") -> str:
    """The HTML of a run's report; `past` are the runs before it, oldest first."""
    record = base64.b64encode(run.model_dump_json(by_alias=True).encode()).decode()
    return document("report.html.j2", words.title(run), home, run=run, sections=list(shown(run, past)), record=record)


def write(runs: Path, run: Run, path: Path | None = None) -> Path:
    """Writes the report of a run to a file, `runs/<id>/report.html` where none is given, and returns it."""
    path = path or runs / run.id / store.REPORT
    store.write(path, render(run, store.before(runs, run.id)))
    return path
