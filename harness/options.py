# SPDX-License-Identifier: Apache-2.0
"""What the words of a command line mean, and what is said where they mean nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from harness.errors import UsageError


def many(values: Iterable[str]) -> list[str]:
    """The values of an option that repeats; commas separate several, unless a file is called so."""
    return [part for value in values for part in ([value] if Path(value).exists() else value.split(",")) if part]


def one(values: Iterable[str], option: str) -> str:
    given = many(values)
    if len(given) != 1:
        raise UsageError(f"{option} is needed once; it was given {len(given)} times.", "", "See: ./inv --help TASK")
    return given[0]


def path(text: str | None) -> Path | None:
    return Path(text) if text else None


def number(text: str | None, option: str, kind: Callable[[str], Any] = int) -> Any:
    """The number, or None where the option was not given."""
    try:
        return None if text is None else kind(text)
    except ValueError:
        raise UsageError(f"{option} takes a number, not {text!r}.") from None


def span(text: str | None, option: str) -> tuple[int, int] | None:
    """Least and most of "7-30"; a single number is both."""
    if text is None:
        return None
    least, _, most = text.partition("-")
    low, high = number(least, option), number(most or least, option)
    if not 1 <= low <= high:
        raise UsageError(f"{option} takes a range such as 7-30, not {text!r}.")
    return low, high
