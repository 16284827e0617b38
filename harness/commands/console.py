# SPDX-License-Identifier: Apache-2.0
"""What every command shares: how it is declared, where it prints, and how a mistake ends it.

This is the one room of the harness that prints. Standard output holds the result, standard error the news.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.tasks import task
from rich.console import Console
from rich.text import Text

from harness.bench.execute import unexpected
from harness.board import inventory
from harness.cross.toolchain import ROOT
from harness.errors import BitrigError

RUNS = Path(os.environ.get("BITRIG_RUNS", ROOT / "runs"))

HELP = {
    "device": "name, tag or glob of devices.yaml (repeat or separate by commas)",
    "model": "a model file (repeat or separate by commas); the first is the baseline",
    "input": "an .npy or .npz file (repeat for a model of several inputs)",
    "output": "where to write an output, .npy (repeat likewise)",
    "golden": "the expected output, .npy or .npz (repeat likewise)",
    "atol": "largest absolute difference that is right",
    "rtol": "largest relative difference that is right, added to atol",
    "target": "a file of toolchains/, or host (repeat or separate by commas)",
    "toolchain": "zig or gcc; what devices.yaml says for the target where absent",
    "threads": "threads of the runtime; several (1,2,4) are compared; what devices.yaml says where absent",
    "isa-mask": "instruction sets that the runtime may use, such as neon,scalar",
    "kernel": "force a kernel: family=name (repeat)",
    "objects": "mapping of custom Keras classes to known quantisers (YAML)",
    "sim": "how spikes are simulated: snntorch, spikingjelly or sinabs, dt=, reset=, reset_delay=, spike_when=, ...",
    "encode": "a static input as spikes: rate,steps=16,seed=0; or as a current: constant,steps=16",
    "readout": "one answer from all time steps: count, mean or last",
    "json": "one JSON document on standard output and nothing else",
    "run": "id of a run, the beginning of one, or last",
    "corpus": "a folder with a manifest.json",
    "bad": "check instead that every file of its folder bad/ is refused: one line, 2 s, 500 MB",
    "format": "model formats to take, such as h5 (repeat or separate by commas)",
    "minutes": "how long each campaign lasts; 10 where absent",
    "prove": "also run the model before and after every pass, and count the signs that hang on rounding",
    "dry-run": "only say what would be done: commands, bytes, rounds, time",
    "twin": "time each model against the float version of the same net",
    "strict": "also fail on what is only missing or undecided",
    "rounds": "least and most rounds: 7-30",
    "budget": "seconds that a device may measure",
    "precision": "half-width of an interval that is enough, as a fraction",
    "seed": "of the order of processes; random where absent, and recorded",
    "resume": "a run to go on with: nothing is measured twice",
    "baseline": "a git revision, a stored run, or KEY=VALUE of rev, threads, isa-mask, kernel, model, device (repeat)",
    "cold": "empty the caches before each sample, which is then of one inference",
    "candidate": "likewise; the working tree where absent",
    "store": "a database that keeps runs of many machines: postgresql://me@host/name, sqlite:///FILE; BITRIG_STORE",
    "delta": "a ratio nearer to 1 than this is no difference",
    "repetitions": "how many runs' worth of rounds",
    "family": "a kernel family (repeat or separate by commas)",
    "name": "a stand-in board (repeat or separate by commas)",
}

_PASSWORD = re.compile(r"(://[^:/@]*:)[^@]*(@)")
"""Of an address of a database."""


class _Pipe(Console):
    """Whoever read the output may have read enough: the command goes on to its end and its exit code, unheard."""

    def on_broken_pipe(self) -> None:
        unheard()


def unheard() -> None:
    """From here on, standard output goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


out = _Pipe(highlight=False, width=None if sys.stdout.isatty() else 120)
news = Console(stderr=True, highlight=False, soft_wrap=True)


def command(*lists: str, **own: str) -> Callable[[Callable[..., None]], Any]:
    """An Invoke task with long options only, whose expected errors become a message and an exit code.

    Args:
        lists: options that repeat.
        own: help for options that mean something of their own here.
    """

    def made(function: Callable[..., None]) -> Any:
        names = function.__code__.co_varnames[: function.__code__.co_argcount]

        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except Exception as error:
                if isinstance(error, Exit) or os.environ.get("BITRIG_DEBUG"):
                    raise
                raise Exit(code=complain(error)) from None

        known = HELP | own
        options = {name: known[name] for name in (name.replace("_", "-") for name in names) if name in known}
        return task(guarded, auto_shortflags=False, positional=(), iterable=list(lists), help=options)

    return made


def complain(error: Exception) -> int:
    """Tells what happened, why, and what to do; returns the exit code."""
    if not isinstance(error, BitrigError):
        problem = unexpected(error)
        error = BitrigError(problem.what, problem.why, problem.remedy)
    if not news.is_terminal:  # whoever reads a log wants one line for one error
        news.print(Text(f"✕ {error}"))
        return error.exit_code
    news.print(Text(f"✕ {error.what}", "bold red"))
    for part in filter(None, (error.why, error.remedy)):
        news.print(Text(part))
    return error.exit_code


@contextmanager
def telling() -> Iterator[Callable[..., None]]:
    """A listener for news: on a terminal, passing lines take turns in one line, which is gone at the end."""
    if not news.is_terminal:
        yield lambda line, passing=True: news.print(Text(line))
        return
    with news.status("") as status:

        def tell(line: str, passing: bool = True) -> None:
            if passing:
                status.update(Text(line))
            else:
                news.print(Text(line, "dim"))

        yield tell


def toolchain_of(known: inventory.Inventory, target: str, asked: str | None) -> str:
    """The one that was asked for, else what devices.yaml says for the target."""
    return asked or (known.targets[target].toolchain if target in known.targets else "zig")


def relative(path: Path) -> str:
    """A path as a person in this folder would type it."""
    return os.path.relpath(path)


def say(text: str) -> None:
    """Text for another program: as it is, whatever the terminal can do."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        unheard()


def say_json(document: Any) -> None:
    """One JSON document on standard output; a text is taken for one that is ready."""
    say(document if isinstance(document, str) else dumps(document, indent=1, ensure_ascii=False, default=str))


def typed() -> tuple[str, ...]:
    """The command as a person typed it, without passwords: the wrapper puts `--search-root DIR` before it."""
    words = sys.argv[1:]
    own = words[2:] if words[:1] == ["--search-root"] else words
    return ("./inv", *(_PASSWORD.sub(r"\1***\2", word) for word in own))


def group(**tasks: Any) -> Collection:
    found = Collection()
    for name, each in tasks.items():
        found.add_task(each, name=name)
    return found
