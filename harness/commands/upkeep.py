# SPDX-License-Identifier: Apache-2.0
"""Commands for those who work on bitrig: docs, fuzz."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from harness.commands.console import command, out, relative
from harness.cross.toolchain import ROOT
from harness.errors import UsageError
from harness.model import format_page, importers, pipeline
from harness.options import many, number

FUZZ = ROOT / "build" / "fuzz"
LOADER = "loader"


@command()
def docs(c: Context) -> None:
    """Write the page about the .bnn file anew, from the headers."""
    page = ROOT / "docs" / "model-format.md"
    page.write_text(format_page.render(), "utf-8")
    out.print(f"Wrote {relative(page)}")


@command("format")
def fuzz(c: Context, format: list[str], minutes: str | None = None) -> None:
    """Fuzz the loader of the runtime (clang) and the importers (atheris), one after the other."""
    seconds = 60 * (number(minutes, "--minutes") or 10)
    known = [LOADER, *(suffix.removeprefix(".") for suffix in importers.suffixes())]
    chosen = many(format) or known
    for name in chosen:
        if name not in known:
            raise UsageError(f"There is nothing to fuzz called {name!r}.", "", f"There are {', '.join(known)}.")
    failed = [name for name in chosen if _campaign(name, seconds)]
    if failed:
        raise Exit(f"{', '.join(failed)}: see {relative(FUZZ)}", code=1)


def _campaign(name: str, seconds: int) -> int:
    corpus = FUZZ / name
    corpus.mkdir(parents=True, exist_ok=True)
    _seed(name, corpus)
    program = _loader() if name == LOADER else [sys.executable, "-m", "tests.fuzz.importer", name]
    limits = [
        f"-max_total_time={seconds}",
        "-timeout=30",
        "-rss_limit_mb=3000",
        "-max_len=70000",
        "-print_final_stats=1",
    ]
    out.print(f"Fuzzing {name} for {seconds} s; what breaks it goes to {relative(FUZZ)}")
    return subprocess.run([*program, *limits, f"-artifact_prefix={FUZZ}/{name}.", corpus], cwd=ROOT).returncode


def _seed(name: str, corpus: Path) -> None:
    """Sound files to begin with: those of the tests, and the three nets."""
    if name in (LOADER, "bnn"):
        for path in sorted((ROOT / "models").glob("*.h5")):
            (corpus / path.stem).write_bytes(pipeline.prepare(path).bnn)
        return
    for path in sorted((ROOT / "tests" / "data").glob(f"**/*.{name}")):
        if path.stat().st_size < 1 << 16:
            shutil.copy(path, corpus / path.name)


def _loader() -> Sequence[str | Path]:
    """The loader with libFuzzer and sanitizers, compiled by clang."""
    clang = next((found for name in ("clang", "clang-19", "clang-14") if (found := shutil.which(name))), None)
    if clang is None:
        raise UsageError(
            "The loader's fuzzer needs clang with libFuzzer.",
            "It is the one thing here that neither zig nor gcc can build.",
            "apt install clang libclang-rt-14-dev, or fuzz the importers alone: --format tflite,onnx,h5,keras,bnn",
        )
    into = FUZZ / "build"
    tools = Path(sys.executable).parent
    options = ["-DBNN_FUZZ=ON", "-DBNN_SANITIZE=address,undefined", "-DBNN_STATIC=OFF", f"-DCMAKE_C_COMPILER={clang}"]
    configure: list[str | Path] = [tools / "cmake", "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}", *options]
    subprocess.run([*configure, "-S", ROOT / "kernels", "-B", into], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([tools / "ninja", "-C", into, "bnn_fuzz_load"], check=True, stdout=subprocess.DEVNULL)
    return [into / "bnn_fuzz_load"]
