# SPDX-License-Identifier: Apache-2.0
"""Bench models on boards of several lab hosts: python -m examples.spread tcp://lab:8786 pi4,pi5 MODEL...

Each host runs a Dask worker in a checkout of its own (docs/lab.md), and keeps the report; the record comes back.
"""

import json
import subprocess
import sys
from typing import Any

from harness.board.spread import spread


def bench(device: str, models: list[str]) -> dict[str, Any]:
    """The record of a bench on a board of the host that runs this, in the checkout where its worker was started."""
    words = ["./inv", "bench", "--json", "--device", device, *(f"--model={model}" for model in models)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    record: dict[str, Any] = json.loads(done.stdout)
    return record


if __name__ == "__main__":
    scheduler, devices, *models = sys.argv[1:]
    jobs = [(device, models) for device in devices.split(",")]
    for device, _, result in spread(scheduler, bench, jobs):
        print(device, result if isinstance(result, Exception) else result["id"])
