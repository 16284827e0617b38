# SPDX-License-Identifier: Apache-2.0
"""Boards of a shared lab: reserved and acquired through its labgrid coordinator, given back when the work is over.

labgrid says who has which board; the lock on the board itself stays the authority on whether a job may run, because a
client of labgrid that is killed keeps its place for ever.
"""

from __future__ import annotations

import getpass
import queue
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from harness.board.inventory import Device, Labgrid
from harness.errors import DeviceUnfit, Unreachable, UsageError

POLL = 1.0  # seconds; the coordinator forgets a reservation that nobody asks about for a minute
WAITING, ALLOCATED = 0, 1  # states of a reservation (labgrid.remote.common.ReservationState)


@contextmanager
def placed(device: Device, waiting: Callable[[str], None] | None = None) -> Iterator[Device]:
    """The device with the address of a place that is ours meanwhile; a device without `labgrid` as it is.

    Args:
        waiting: is told who holds the places that would do.

    Raises:
        UsageError: labgrid is not installed.
        Unreachable: the coordinator does not answer.
        DeviceUnfit: no place has the tags, none became free within `timeouts.queue`, or it has no SSH address.
    """
    if device.labgrid is None:
        yield device
        return
    with _session(device) as session:
        token, place = session.reserve(device, waiting or (lambda sentence: None))
        try:
            session.call("AcquirePlace", placename=place)
            try:
                service = session.network_service(device, place)
                yield device.model_copy(update={"labgrid": None, **service})
            finally:
                session.call("ReleasePlace", placename=place, fromuser=session.owner)
        finally:
            with suppress(Unreachable, DeviceUnfit):  # the coordinator drops it by itself, a little later
                session.call("CancelReservation", token=token)


@contextmanager
def _session(device: Device) -> Iterator[_Session]:
    try:
        import grpc
        from labgrid.remote.generated import labgrid_coordinator_pb2 as messages
        from labgrid.remote.generated import labgrid_coordinator_pb2_grpc as services
        from labgrid.util import labgrid_version
    except ImportError:
        raise UsageError(
            f"{device.name} is borrowed by labgrid, which is not installed.",
            "It is an extra, for labs that several people share.",
            "Install it: .venv/bin/pip install 'bitrig[lab]'",
        ) from None
    assert device.labgrid is not None
    with grpc.insecure_channel(device.labgrid.coordinator) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=device.timeouts.connect)
        except grpc.FutureTimeoutError:
            raise Unreachable(
                f"{device.name}: the labgrid coordinator at {device.labgrid.coordinator} does not answer.",
                "It is down, or on another network.",
                f"Try `labgrid-client -x {device.labgrid.coordinator} places`.",
            ) from None
        session = _Session(device.labgrid, messages, services.CoordinatorStub(channel), grpc.RpcError)
        session.open(labgrid_version())
        try:
            yield session
        finally:
            session.close()


class _Session:
    """A client of the coordinator. It knows a client by a stream that stays open, and calls by whose stream it is."""

    def __init__(self, lab: Labgrid, messages: Any, stub: Any, trouble: type[Exception]) -> None:
        self.owner = f"{socket.gethostname()}/{getpass.getuser()}"
        self._lab = lab
        self._messages = messages
        self._stub = stub
        self._trouble = trouble
        self._outgoing: queue.Queue[Any] = queue.Queue()
        self._stream: Any = None

    def open(self, version: str) -> None:
        message = self._messages.ClientInMessage
        startup = self._messages.StartupDone(version=version, name=self.owner)
        self._outgoing.put(message(startup=startup))
        self._stream = self._stub.ClientStream(iter(self._outgoing.get, None))
        self._synchronise()

    def close(self) -> None:
        self._outgoing.put(None)
        self._stream.cancel()

    def call(self, name: str, **fields: Any) -> Any:
        """One request. Raises DeviceUnfit with what the coordinator answers, Unreachable when it does not."""
        request = getattr(self._messages, f"{name}Request")(**fields)
        try:
            return getattr(self._stub, name)(request, timeout=30)
        except self._trouble as error:
            detail = error.details() if hasattr(error, "details") else str(error)
            raise DeviceUnfit(f"labgrid at {self._lab.coordinator} refuses: {detail}.") from None

    def reserve(self, device: Device, tell: Callable[[str], None]) -> tuple[str, str]:
        """A reservation that got a place: its token and the place."""
        wanted = ", ".join(f"{key}={value}" for key, value in self._lab.tags.items())
        candidates = self._candidates()
        if not candidates:
            raise DeviceUnfit(
                f"{device.name}: no place of labgrid at {self._lab.coordinator} has the tags {wanted}.",
                "",
                f"See `labgrid-client -x {self._lab.coordinator} -v places`, or correct `tags`.",
            )
        filters = {"main": self._messages.Reservation.Filter(filter=self._lab.tags)}
        reservation = self.call("CreateReservation", filters=filters).reservation
        limit = time.monotonic() + device.timeouts.queue
        told = ""
        while reservation.state == WAITING and time.monotonic() < limit:
            held = "; ".join(f"{name} is held by {by}" for name, by in self._candidates().items() if by)
            if held and held != told:  # one that nobody holds is given out at the coordinator's next turn
                tell(f"{device.name}: waiting for a board with {wanted}: {held}")
                told = held
            time.sleep(POLL)
            reservation = self.call("PollReservation", token=reservation.token).reservation
        if reservation.state == ALLOCATED:
            return reservation.token, reservation.allocations["main"]
        with suppress(DeviceUnfit):
            self.call("CancelReservation", token=reservation.token)
        raise DeviceUnfit(
            f"{device.name}: no board with {wanted} became free within {device.timeouts.queue:g} s: {told}.",
            "labgrid keeps a place until it is released, also for a client that was killed.",
            "Ask its holder, or: labgrid-client -p PLACE release --kick",
        )

    def network_service(self, device: Device, place: str) -> dict[str, Any]:
        """host, port and user of a place that is ours."""
        resources = self._synchronise()
        mine = [resource for resource in resources if resource.cls == "NetworkService" and resource.acquired == place]
        if not mine:
            raise DeviceUnfit(
                f"{device.name}: the place {place} has no NetworkService.",
                "bitrig reaches boards by SSH, and that is where labgrid keeps the address.",
                "Add one in the exporter's configuration, and a match for it to the place.",
            )
        params = {key: getattr(value, value.WhichOneof("kind")) for key, value in mine[0].params.items()}
        return {"host": params["address"], "port": int(params.get("port", 22)), "user": params.get("username")}

    def _candidates(self) -> dict[str, str]:
        """The places that have the tags, and who holds each."""
        places = self.call("GetPlaces").places
        wanted = self._lab.tags.items()
        return {place.name: place.acquired for place in places if wanted <= {**place.tags, "name": place.name}.items()}

    def _synchronise(self) -> list[Any]:
        """All resources as they are now."""
        message = self._messages.ClientInMessage
        self._outgoing.put(message(subscribe=self._messages.Subscribe(all_resources=True)))
        self._outgoing.put(message(sync=self._messages.Sync(id=1)))
        newest: dict[str, Any] = {}
        for answer in self._stream:
            found = [update.resource for update in answer.updates if update.HasField("resource")]
            newest |= {str(resource.path): resource for resource in found}
            if answer.HasField("sync"):
                break
        return list(newest.values())
