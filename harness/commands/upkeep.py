# SPDX-License-Identifier: Apache-2.0
"""Commands for those who work on bitrig: docs, fuzz."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from harness.commands.console import command, out, relative
from harness.cross.buildtree import CMAKE, NINJA
from harness.cross.toolchain import ROOT
from harness.errors import UsageError
from harness.model import format_page, importers, reasons
from harness.options import many, number

FUZZ = ROOT / "build" / "fuzz"
LOADER = "loader"
LARGEST = 1 << 17
"""Bytes of a file; a fuzzer makes nothing of a megabyte."""
GRACE = 300
"""Seconds that a fuzzer may take to begin and to end; under it, `-timeout` ends a single input that takes 30."""


@command()
def docs(c: Context) -> None:
    """Write the pages about the .bnn file and the reasons anew, from the headers and the table."""
    for name, text in (("model-format.md", format_page.render()), ("reasons.md", reasons.page())):
        (ROOT / "docs" / name).write_text(text, "utf-8")
        out.print(f"Wrote {relative(ROOT / 'docs' / name)}")


@command("format")
def fuzz(c: Context, format: list[str], minutes: str | None = None) -> None:
    """Fuzz the loader of the runtime (clang) and the importers (atheris), one after the other."""
    seconds = 60 * (number(minutes, "--minutes") or 10)
    known = [LOADER, *_importers()]
    chosen = many(format) or known
    for name in chosen:
        if name not in known:
            raise UsageError(f"There is nothing to fuzz called {name!r}.", "", f"There are {', '.join(known)}.")
    failed = [name for name in chosen if not _campaign(name, seconds)]
    if failed:
        raise Exit(f"{', '.join(failed)}: see {relative(FUZZ)}", code=1)


def _importers() -> list[str]:
    return [suffix.removeprefix(".") for suffix in importers.suffixes() if suffix != ".hdf5"]  # which is .h5


def _campaign(name: str, seconds: int) -> bool:
    """Whether nothing was found."""
    corpus = FUZZ / name
    corpus.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "tests.fuzz.seeds", name, corpus, str(LARGEST)], cwd=ROOT, check=True)
    program = _loader() if name == LOADER else [sys.executable, "-m", "tests.fuzz.importer", name]
    limits = [
        f"-max_total_time={seconds}",
        "-timeout=30",
        "-rss_limit_mb=3000",
        f"-max_len={LARGEST}",
        "-print_final_stats=1",
    ]
    log = FUZZ / f"{name}.log"
    out.print(f"Fuzzing {name} for {seconds} s; what breaks it goes to {relative(FUZZ)}, what is said to {log.name}")
    with log.open("w", encoding="utf-8") as said:
        command = [*program, *limits, f"-artifact_prefix={FUZZ}/{name}.", corpus]
        try:
            code = subprocess.run(command, cwd=ROOT, stdout=said, stderr=said, timeout=seconds + GRACE).returncode
        except subprocess.TimeoutExpired:
            code = 124
    out.print(f"{name}: {summary(log.read_text('utf-8', 'replace'), code)}")
    return code == 0


def summary(said: str, code: int) -> str:
    """What a campaign came to, of what libFuzzer said and its exit code."""
    figures = {name: int(value) for name, value in re.findall(r"^stat::(\w+): +(\d+)$", said, re.MULTILINE)}
    found = re.findall(r"Test unit written to (\S+)", said)
    files = f"FOUND {', '.join(relative(Path(file)) for file in found)}" if found else f"ended with {code}"
    counts = (
        f"{figures['number_of_executed_units']:,} runs, {figures['average_exec_per_sec']:,} a second, "
        f"{figures['new_units_added']:,} new files; slowest {figures['slowest_unit_time_sec']} s, "
        f"at most {figures['peak_rss_mb']:,} MB"
        if figures
        else "it did not count its runs"
    )
    return f"{'nothing found' if code == 0 else files}. {counts[0].upper()}{counts[1:]}."


def _loader() -> Sequence[str | Path]:
    """The loader with libFuzzer and sanitizers, compiled by clang."""
    clang = next((found for name in ("clang", "clang-19", "clang-14") if (found := shutil.which(name))), None)
    if clang is None:
        raise UsageError(
            "The loader's fuzzer needs clang with libFuzzer.",
            "It is the one thing here that neither zig nor gcc can build.",
            f"apt install clang libclang-rt-14-dev, or fuzz the importers alone: --format {','.join(_importers())}",
        )
    into = FUZZ / "build"
    options = ["-DBNN_FUZZ=ON", "-DBNN_SANITIZE=address,undefined", "-DBNN_STATIC=OFF", f"-DCMAKE_C_COMPILER={clang}"]
    configure: list[str | Path] = [CMAKE, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={NINJA}", *options]
    subprocess.run([*configure, "-S", ROOT / "kernels", "-B", into], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([NINJA, "-C", into, "bnn_fuzz_load"], check=True, stdout=subprocess.DEVNULL)
    return [into / "bnn_fuzz_load"]
