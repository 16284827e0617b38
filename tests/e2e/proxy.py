# SPDX-License-Identifier: Apache-2.0
"""A proxy on loopback that behaves as badly as networks do: it cuts, freezes and delays."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards its `port` to another port of loopback.

    Attributes:
        delay: seconds by which everything is late, in each direction.
        quotas: every connection is cut when so many bytes have gone towards the server, then after so many more.
        sent: bytes that went towards the server.
        frozen: nothing passes, and nobody is told.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.delay = 0.0
        self.quotas: Iterator[int] = iter(())
        self.sent = 0
        self.frozen = False
        self._target = target
        self._quota: int | None = None
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def cut(self) -> None:
        """Break all connections at once, as a router that restarts does."""
        self._loop.call_soon_threadsafe(self._abort)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._abort()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, there[1]}
        await asyncio.gather(self._pass(reader, there[1], upward=True), self._pass(there[0], writer, upward=False))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upward: bool) -> None:
        try:
            while data := await reader.read(1 << 14):
                if upward and self._used_up(len(data)):
                    self._abort()
                    return
                while self.frozen:
                    await asyncio.sleep(0.05)
                if self.delay:
                    self._loop.call_later(self.delay, writer.write, data)
                else:
                    writer.write(data)
            writer.close()
        except OSError:
            writer.close()

    def _used_up(self, sent: int) -> bool:
        self.sent += sent
        if self._quota is None:
            self._quota = next(self.quotas, None)
        if self._quota is None:
            return False
        self._quota -= sent
        if self._quota >= 0:
            return False
        self._quota = None
        return True

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
