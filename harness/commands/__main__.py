# SPDX-License-Identifier: Apache-2.0
"""What `./inv` runs: Invoke, whose complaints about a command line end with the exit code of a mistake in its use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from harness.commands.console import unheard
from harness.errors import UsageError


class Commands(Program):
    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        try:
            super().run(argv, exit)
            sys.stdout.flush()
        except BrokenPipeError:  # of --list and --help
            unheard()

    def parse_core(self, argv: list[str] | None) -> None:
        with _usage():
            super().parse_core(argv)

    def parse_tasks(self) -> None:
        with _usage():
            self._refuse_empty_lists()
            super().parse_tasks()

    def _refuse_empty_lists(self) -> None:
        """Invoke takes an option that repeats without any value for one that was not given, and would run on all."""
        flags = [flag for context in self.collection.to_contexts() for flag in context.flags.items()]
        lists = {name for name, argument in flags if argument.kind is list}
        words = self.core.unparsed
        for word, value in zip(words, [*words, ""][1:], strict=True):
            if (word in lists and (not value or value.startswith("--"))) or word.removesuffix("=") in lists - {word}:
                raise ParseError(f"{word.removesuffix('=')} needs a value.")


@contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        raise Exit(f"{error}\nSee ./inv --list, or ./inv --help COMMAND.", code=UsageError.exit_code) from None


if __name__ == "__main__":
    Commands(name="bitrig", binary="inv", binary_names=["inv"]).run()
