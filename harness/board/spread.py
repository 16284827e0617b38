# SPDX-License-Identifier: Apache-2.0
"""Work on many boards of many lab hosts, by Dask: each host runs a worker that offers its boards as resources.

Dask gives every board one job at a time and runs again what a lost host had begun. Whether a job may run is still
decided by the lock on the board: a job that is run again waits until the lease of the lost one is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, TypeVar

from harness.errors import DeviceError, DeviceUnfit, Unreachable, UsageError

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def spread(
    scheduler: str, work: Callable[[str, Argument], Result], jobs: Sequence[tuple[str, Argument]]
) -> Iterator[tuple[str, Argument, Result | DeviceError]]:
    """Run `work(device, argument)` for every job on a host that has the device; yields each as it ends.

    Args:
        scheduler: address of Dask's scheduler, such as tcp://lab:8786.
        work: is imported by the workers, so it belongs to a module that they have, too.
        jobs: name of a device, and what to do there.

    Yields:
        The job, and what `work` returned, or the DeviceError that it raised: a board that fails is a result.

    Raises:
        UsageError: Dask is not installed.
        Unreachable: the scheduler does not answer.
        DeviceUnfit: no worker offers one of the devices.
    """
    try:
        dask: Any = import_module("distributed")
    except ImportError:
        raise UsageError(
            "Dask is not installed.",
            "It is an extra, for labs of several hosts.",
            "Install it: .venv/bin/pip install 'bitrig[lab]'",
        ) from None
    try:
        client = dask.Client(scheduler, timeout=10)
    except OSError as error:
        raise Unreachable(
            f"Dask's scheduler at {scheduler} does not answer ({error}).", "", "Start it: dask scheduler"
        ) from None
    with client:
        _check_offers(client, {device for device, _ in jobs})
        futures = {
            # Impure: the same work on the same board is another measurement.
            client.submit(work, device, argument, resources={device: 1}, pure=False): (device, argument)
            for device, argument in jobs
        }
        for future in dask.as_completed(futures):
            trouble = future.exception()
            yield (*futures[future], trouble if isinstance(trouble, DeviceError) else future.result())


def _check_offers(client: Any, devices: set[str]) -> None:
    """A job whose board nobody offers would wait for ever."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    offered = {name for worker in workers for name in worker["resources"]}
    missing = sorted(devices - offered)
    if missing:
        raise DeviceUnfit(
            f"No lab host offers {', '.join(missing)}.",
            f"Workers offer {', '.join(sorted(offered)) or 'no boards'}.",
            f"Start one on the host that has it: dask worker SCHEDULER --resources '{missing[0]}=1'",
        )
