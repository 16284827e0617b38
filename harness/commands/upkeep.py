# SPDX-License-Identifier: Apache-2.0
"""Commands for those who work on bitrig: docs, fuzz."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from harness.commands.console import command, out, relative
from harness.cross.toolchain import ROOT
from harness.errors import UnsupportedModel, UsageError
from harness.model import format_page, importers, pipeline, reasons
from harness.options import many, number

FUZZ = ROOT / "build" / "fuzz"
LOADER = "loader"
LARGEST_SEED = 1 << 17
"""Bytes; a fuzzer makes nothing of a file of a megabyte."""


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
    failed = [name for name in chosen if _campaign(name, seconds)]
    if failed:
        raise Exit(f"{', '.join(failed)}: see {relative(FUZZ)}", code=1)


def _importers() -> list[str]:
    return [suffix.removeprefix(".") for suffix in importers.suffixes()]


def _campaign(name: str, seconds: int) -> int:
    corpus = FUZZ / name
    corpus.mkdir(parents=True, exist_ok=True)
    _seed(name, corpus)
    program = _loader() if name == LOADER else [sys.executable, "-m", "tests.fuzz.importer", name]
    limits = [
        f"-max_total_time={seconds}",
        "-timeout=30",
        "-rss_limit_mb=3000",
        f"-max_len={LARGEST_SEED}",
        "-print_final_stats=1",
    ]
    out.print(f"Fuzzing {name} for {seconds} s; what breaks it goes to {relative(FUZZ)}")
    return subprocess.run([*program, *limits, f"-artifact_prefix={FUZZ}/{name}.", corpus], cwd=ROOT).returncode


def _seed(name: str, corpus: Path) -> None:
    """Sound files to begin with: those of the tests, and the nets of models/; for the loader, what is made of them."""
    compiled = name in (LOADER, "bnn")
    suffixes = [suffix for suffix in importers.suffixes() if suffix != ".bnn"] if compiled else [f".{name}"]
    for path in sorted(path for folder in ("models", "tests/data") for path in (ROOT / folder).rglob("*")):
        if path.suffix not in suffixes or path.parent.name == "bad":
            continue
        with suppress(UnsupportedModel):  # of one that is compiled: it needs an --objects file
            content = pipeline.prepare(path).bnn if compiled else path.read_bytes()
            if len(content) <= LARGEST_SEED:
                (corpus / "-".join(path.relative_to(ROOT).parts)).write_bytes(content)


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
    tools = Path(sys.executable).parent
    options = ["-DBNN_FUZZ=ON", "-DBNN_SANITIZE=address,undefined", "-DBNN_STATIC=OFF", f"-DCMAKE_C_COMPILER={clang}"]
    configure: list[str | Path] = [tools / "cmake", "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}", *options]
    subprocess.run([*configure, "-S", ROOT / "kernels", "-B", into], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([tools / "ninja", "-C", into, "bnn_fuzz_load"], check=True, stdout=subprocess.DEVNULL)
    return [into / "bnn_fuzz_load"]
