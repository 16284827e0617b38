# SPDX-License-Identifier: Apache-2.0
"""Unpacks HDF5 files for a fuzzer: a process that has loaded h5py once and forks for every file.

As isolated as what `hdf5` starts, and some twenty times as fast.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from harness.model.importers.keras import hdf5, unpack


class Unpacker:
    """The one that asks; `run` takes the place of `hdf5._run`."""

    def __init__(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self._input, self._output = folder / "input", folder / "output"
        self._server = subprocess.Popen(
            [sys.executable, "-m", __name__, self._input, self._output],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **hdf5.ENVIRONMENT},
        )

    def run(self, arguments: Sequence[str], content: bytes) -> subprocess.CompletedProcess[bytes]:
        """What `unpack` gave for these arguments.

        Raises:
            AssertionError: an exception left it, which no file may bring about; it is on standard error.
        """
        assert self._server.stdin
        assert self._server.stdout
        self._input.write_bytes(content)
        self._server.stdin.write(f"{json.dumps(arguments)}\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        assert code <= 0, "an exception left the process that unpacks"
        return subprocess.CompletedProcess(list(arguments), code, self._output.read_bytes(), b"")


def serve(given: str, out: str) -> None:
    """Answers every line of arguments with the exit code of a process of its own."""
    for line in sys.stdin:
        source, root, budget = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with open(given) as sys.stdin, open(out, "w") as sys.stdout:
                    unpack.main(source, root, int(budget))
                code = 0
            except BaseException:
                traceback.print_exc()
            os._exit(code)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(*sys.argv[1:])
