# SPDX-License-Identifier: Apache-2.0
"""What the workers of the Dask test do on a board; they import it."""

from __future__ import annotations

from pathlib import Path

from harness.board import deploy, job, lock
from harness.board.inventory import Device
from harness.board.transport import connect
from harness.errors import DeviceUnfit


def count(name: str, argument: dict[str, str]) -> list[int]:
    """Run a script on the board that counts to three; `argument` has the device and the script's path."""
    if "refuse" in argument:
        raise DeviceUnfit(f"{name} refuses.")
    lock.LEASE = 3
    device = Device.model_validate_json(argument["device"])
    with connect(device) as transport, lock.hold(transport, f"count {argument['number']}"):
        path = deploy.push(transport, {"script": Path(argument["script"])}).paths["script"]
        transport.run(["chmod", "755", path])
        events, _ = job.collect(transport, path, [])
    return [event["n"] for event in events]
