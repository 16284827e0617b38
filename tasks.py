# SPDX-License-Identifier: Apache-2.0
"""The commands: `./inv --list`. Each parses, calls the harness, prints what comes back, and maps errors to exit codes.

Exit codes: 0 ok, 1 internal, 2 usage or configuration, 3 regression proven, 4 wrong output, 5 inconclusive under
--strict, 6 device unreachable or unfit.
"""

from __future__ import annotations

import functools
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np
from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.bench import execute, fleet, once, store, subject, verification
from harness.bench.corpus import arrays
from harness.bench.corpus import read as read_corpus
from harness.bench.events import Finished
from harness.bench.golden import compare
from harness.bench.record import Run, Settings, Variant
from harness.board import inventory, lab, trust
from harness.cross import build as cross
from harness.errors import BitrigError, UsageError, WrongOutput
from harness.model import pipeline
from harness.report import live, terminal, verdicts, words

ROOT = Path(__file__).resolve().parent
RUNS = Path(os.environ.get("BITRIG_RUNS", ROOT / "runs"))
SEEDS = ("seed_float", "seed_ste_sign", "seed_dorefa")

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
    "threads": "threads of the runtime; what devices.yaml says where absent",
    "isa-mask": "instruction sets that the runtime may use, such as neon,scalar",
    "kernel": "force a kernel: family=name (repeat)",
    "objects": "mapping of custom Keras classes to known quantisers (YAML)",
    "json": "one JSON document on standard output and nothing else",
    "run": "id of a run, the beginning of one, or last",
    "corpus": "a folder with a manifest.json",
    "format": "model formats to take, such as h5 (repeat or separate by commas)",
    "strict": "also fail on what is only missing or undecided",
    "rounds": "least and most rounds: 7-30",
    "budget": "seconds that a device may measure",
    "precision": "half-width of an interval that is enough, as a fraction",
    "seed": "of the order of processes; random where absent, and recorded",
    "debug": "show where an error came from",
}

out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
news = Console(stderr=True, highlight=False, soft_wrap=True)


def command(*lists: str) -> Callable[[Callable[..., None]], Any]:
    """An Invoke task with long options only, whose expected errors become a message and an exit code.

    Args:
        lists: options that repeat.
    """

    def made(function: Callable[..., None]) -> Any:
        names = function.__code__.co_varnames[: function.__code__.co_argcount]

        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except (BitrigError, BrokenPipeError, Exception) as error:
                if isinstance(error, Exit) or os.environ.get("BITRIG_DEBUG"):
                    raise
                raise Exit(code=complain(error)) from None

        options = {name: HELP[name] for name in (name.replace("_", "-") for name in names) if name in HELP}
        return task(guarded, auto_shortflags=False, positional=(), iterable=list(lists), help=options)

    return made


def complain(error: Exception) -> int:
    """Tells what happened, why, and what to do; returns the exit code."""
    if not isinstance(error, BitrigError):
        problem = execute.unexpected(error)
        error = BitrigError(problem.what, problem.why, problem.remedy)
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


def many(values: Iterable[str]) -> list[str]:
    """The values of an option that repeats; commas separate several, unless a file is called so."""
    return [part for value in values for part in ([value] if Path(value).exists() else value.split(",")) if part]


def number(text: str | None, option: str, kind: Callable[[str], Any]) -> Any:
    try:
        return None if text is None else kind(text)
    except ValueError:
        raise UsageError(f"{option} takes a number, not {text!r}.") from None


def one(values: Iterable[str], option: str) -> str:
    given = many(values)
    if len(given) != 1:
        raise UsageError(f"{option} is needed once; it was given {len(given)} times.", "", "See: ./inv --help TASK")
    return given[0]


def optional_path(text: str | None) -> Path | None:
    return Path(text) if text else None


def span(text: str | None) -> tuple[int, int] | None:
    """Least and most of "7-30"; a single number is both."""
    if text is None:
        return None
    least, _, most = text.partition("-")
    low, high = number(least, "--rounds", int), number(most or least, "--rounds", int)
    if not 1 <= low <= high:
        raise UsageError(f"--rounds takes a range such as 7-30, not {text!r}.")
    return low, high


def default_devices(known: inventory.Inventory) -> list[str]:
    """This machine, and every stand-in board that is up."""
    up = {standing.name for standing in lab.status() if standing.up}
    return ["local", *(device.name for device in known.devices.values() if device.emulated and device.lab in up)]


def toolchain_of(known: inventory.Inventory, target: str, asked: str | None) -> str:
    return asked or (known.targets[target].toolchain if target in known.targets else "zig")


def relative(path: Path) -> str:
    """A path as a person in this folder would type it."""
    return os.path.relpath(path)


def say_json(document: Any) -> None:
    print(dumps(document, indent=1, ensure_ascii=False, default=str))


def model_files(given: Iterable[str]) -> list[Path]:
    """The model files asked for; the three nets of the tree where none is."""
    return [Path(name) for name in many(given)] or [Path(relative(ROOT / "models" / f"{s}.h5")) for s in SEEDS]


def write_report(run: Run) -> Path:
    from harness.report import page  # its charts take a while to load

    return page.write(RUNS, run)


def describe(made: cross.Build, target: str) -> str:
    state = "up to date" if made.up_to_date else f"built in {made.seconds:.1f} s"
    compiler = f"{made.compiler} {made.compiler_version}"
    return f"{target}: {words.size(made.bytes)} by {compiler}, {state}: {relative(made.binary)}"


@command("target")
def build(c: Context, target: list[str], toolchain: str | None = None, json: bool = False) -> None:
    """Compile the runtime for targets."""
    known, made = inventory.load(ROOT), []
    with telling() as tell:
        for name in many(target) or ["host"]:
            made.append(cross.build(name, toolchain=toolchain_of(known, name, toolchain), progress=tell))
            if not json:
                out.print(describe(made[-1], name))
    if json:
        say_json([asdict(each) for each in made])


@command("model")
def explain(c: Context, model: list[str], objects: str | None = None, json: bool = False) -> None:
    """Say of every layer whether it is binary, why not, and what to change."""
    paths = [Path(name) for name in many(model)]
    if not paths:
        raise UsageError("explain needs a model.", "", "For example: ./inv explain --model models/seed_dorefa.h5")
    prepared = [pipeline.prepare(path, optional_path(objects)) for path in paths]
    if json:
        documents = [each.explain() for each in prepared]
        say_json(documents[0] if len(documents) == 1 else documents)
    else:
        for each, name in zip(prepared, subject.names(paths), strict=True):
            out.print(terminal.explanation(subject.model(each, name)))


@command("device", "model", "kernel")
def bench(
    c: Context,
    device: list[str],
    model: list[str],
    kernel: list[str],
    rounds: str | None = None,
    budget: str | None = None,
    precision: str | None = None,
    threads: str | None = None,
    isa_mask: str | None = None,
    toolchain: str | None = None,
    objects: str | None = None,
    seed: str | None = None,
    json: bool = False,
) -> None:
    """Prove models right on devices, time them, write the report. Without options: the three seed nets, here."""
    known = inventory.load(ROOT)
    chosen = known.select(many(device) or default_devices(known))
    standard = Settings()
    settings = Settings(
        rounds=span(rounds) or standard.rounds,
        budget=number(budget, "--budget", float) or standard.budget,
        precision=number(precision, "--precision", float) or standard.precision,
    )
    variant = Variant(threads=number(threads, "--threads", int), isa_mask=isa_mask, kernels=tuple(kernel))
    plan = fleet.Plan(
        entrants=subject.entrants(model_files(model), variant),
        devices=chosen,
        toolchains={d.target: toolchain_of(known, d.target, toolchain) for d in chosen},
        settings=settings,
        seed=number(seed, "--seed", int) or secrets.randbelow(2**31),
        command=("./inv", *sys.argv[sys.argv.index("bench") :]),
        objects=optional_path(objects),
    )
    with telling() as tell:
        for event in fleet.bench(plan, RUNS):
            if isinstance(event, Finished):
                done = event.run
            elif line := live.line(event):
                tell(line, isinstance(event, live.PASSING))
        written = write_report(done)
    if json:
        print(done.model_dump_json(by_alias=True, indent=1))
    else:
        out.print(terminal.summary(done), f"\nReport: {relative(written)}", sep="\n")
    raise Exit(code=verdicts.exit_code(done))


@command("model", "device", "input", "output", "golden", "kernel")
def run(
    c: Context,
    model: list[str],
    device: list[str],
    input: list[str],
    output: list[str],
    golden: list[str],
    kernel: list[str],
    atol: str = "1e-5",
    rtol: str = "0",
    threads: str | None = None,
    isa_mask: str | None = None,
    toolchain: str | None = None,
    objects: str | None = None,
    json: bool = False,
) -> None:
    """Run a model once on a device with your own arrays, and compare with golden outputs."""
    known = inventory.load(ROOT)
    (where,) = known.select([one(device or ["local"], "--device")])
    prepared = pipeline.prepare(Path(one(model, "--model")), optional_path(objects))
    given = [array for name in many(input) for array in arrays(Path(name), prepared.graph.inputs)]
    wanted = [array for name in many(golden) for array in arrays(Path(name))]
    options = ["--threads", str(number(threads, "--threads", int) or where.threads)]
    options += ["--isa-mask", isa_mask] if isa_mask else []
    options += [part for name in kernel for part in ("--kernel", name)]
    with telling() as tell, once.opened(where, toolchain_of(known, where.target, toolchain), tell) as board:
        found = once.run(board, prepared, given, options)
    for name, array in zip(many(output), found, strict=False):
        np.save(name, array)
    agreement = None
    if wanted:
        agreement = compare(found, wanted, number(atol, "--atol", float), number(rtol, "--rtol", float))
    if json:
        shapes = [{"shape": list(array.shape), "dtype": array.dtype.name} for array in found]
        say_json(
            {
                "model": prepared.name,
                "device": where.name,
                "outputs": shapes,
                "golden": agreement and agreement.model_dump(),
            }
        )
    else:
        out.print(terminal.ran(prepared.name, where.name, found, agreement))
    if agreement and not agreement.ok:
        raise Exit(code=WrongOutput.exit_code)


@command("device", "format")
def verify(
    c: Context,
    device: list[str],
    format: list[str],
    corpus: str | None = None,
    toolchain: str | None = None,
    objects: str | None = None,
    strict: bool = False,
    json: bool = False,
) -> None:
    """Check every model of a corpus against its golden output, by the reference and on devices."""
    if corpus is None:
        raise UsageError("verify needs a corpus.", "", "For example: ./inv verify --corpus DIR --device local")
    known, found, sound = inventory.load(ROOT), [], []
    with telling() as tell:
        for result, subject in verification.on_host(
            read_corpus(Path(corpus), tuple(many(format))), optional_path(objects)
        ):
            found.append(result)
            tell(terminal.verified(result), result.outcome == "ok")
            if subject:
                sound.append(subject)
        for where in known.select(many(device) or ["local"]):
            with once.opened(where, toolchain_of(known, where.target, toolchain), tell) as board:
                for result in verification.on_device(sound, board):
                    found.append(result)
                    tell(terminal.verified(result), result.outcome == "ok")
    if json:
        say_json({"corpus": corpus, "results": [asdict(result) | {"fails": result.fails} for result in found]})
    else:
        out.print(terminal.verification(found))
    if any(result.fails or (strict and result.outcome != "ok") for result in found):
        raise Exit(code=WrongOutput.exit_code)


@command()
def report(c: Context, run: str = "last") -> None:
    """Write the report of a stored run anew, and show its summary."""
    done = store.load(store.find(RUNS, run))
    written = write_report(done)
    out.print(terminal.summary(done), f"\nReport: {relative(written)}", sep="\n")


@command("device", "family")
def check(
    c: Context,
    device: list[str],
    family: list[str],
    seed: str | None = None,
    toolchain: str | None = None,
    json: bool = False,
) -> None:
    """Check every kernel that a device can run against the scalar one, on the device."""
    known = inventory.load(ROOT)
    options = ["--seed", str(number(seed, "--seed", int))] if seed else []
    wanted = many(family)
    found: dict[str, list[dict[str, Any]]] = {}
    with telling() as tell:
        for where in known.select(many(device) or ["local"]):
            with once.opened(where, toolchain_of(known, where.target, toolchain), tell) as board:
                events = found.setdefault(where.name, [])
                for arguments in [["--family", name] for name in wanted] or [[]]:
                    for event in execute.check(board.link, board.binary, [*arguments, *options]):
                        events.append(event)
                        tell(terminal.checked(where.name, event), event["type"] != "failure")
    if json:
        say_json(found)
    else:
        out.print(terminal.checks(found))
    if any(event["type"] == "failure" for events in found.values() for event in events):
        raise Exit(code=WrongOutput.exit_code)


@command()
def test(c: Context) -> None:
    """Ruff, mypy and all tests; pytest's closing line comes last."""
    python = [sys.executable, "-m"]
    for tool in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["pytest"]):
        done = subprocess.run([*python, *tool], cwd=ROOT)
        if done.returncode:
            raise Exit(f"{' '.join(tool[:2])} failed", code=1)


@command()
def device_list(c: Context, json: bool = False) -> None:
    """The devices of devices.yaml."""
    known = inventory.load(ROOT)
    if json:
        say_json([device.model_dump() for device in known.devices.values()])
    else:
        table = Table("device", "target", "address", "tags", box=None, pad_edge=False, header_style="dim")
        for device in known.devices.values():
            address = "" if device.transport == "local" else f"stand-in {device.lab}" if device.lab else device.address
            table.add_row(device.name, device.target, address, ", ".join(device.tags))
        out.print(table)


@command("device")
def device_trust(c: Context, device: list[str], yes: bool = False) -> None:
    """Show the host key of a device and, when you say so, trust it from now on."""
    (where,) = inventory.load(ROOT).select([one(device, "--device")])
    key = trust.fetch(where)
    out.print(f"{where.name} ({key.name}) shows the {key.kind} key {key.fingerprint}")
    if key.known:
        out.print("It is trusted already.")
        return
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            "Nothing was trusted: nobody is here to say yes.", "", "Compare the fingerprint, then add --yes."
        )
    if (
        yes
        or input("Compare it with what the board says (ssh-keygen -lf on it). Trust it? [y/N] ").strip().lower() == "y"
    ):
        trust.accept(key)
        out.print("Trusted.")
    else:
        raise UsageError("Nothing was trusted.")


@command()
def lab_up(c: Context) -> None:
    """Start the stand-in boards: SSH servers on this machine whose jobs run under an emulator."""
    for line in lab.up():
        out.print(line, markup=False)


@command()
def lab_down(c: Context) -> None:
    """Stop the stand-in boards."""
    for line in lab.down():
        out.print(line, markup=False)


@command()
def lab_status(c: Context, json: bool = False) -> None:
    """Which stand-in boards are up."""
    found = lab.status()
    if json:
        say_json([asdict(standing) for standing in found])
    for standing in () if json else found:
        out.print(f"{standing.name}: {'up, ' + standing.address if standing.up else 'down'}")


def group(**tasks: Any) -> Collection:
    found = Collection()
    for name, each in tasks.items():
        found.add_task(each, name=name)
    return found


ns = group(build=build, explain=explain, bench=bench, run=run, verify=verify, report=report, check=check, test=test)
ns.add_collection(group(list=device_list, trust=device_trust), name="device")
ns.add_collection(group(up=lab_up, down=lab_down, status=lab_status), name="lab")
