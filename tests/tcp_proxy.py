"""The wire between the daemon and its broker, to be cut in ways that no broker offers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.house import free_port


class Proxy:
    """Hands on to *real_port* until it is told otherwise. Made by `proxied`."""

    def __init__(self, real_port: int) -> None:
        self.port = free_port()
        self._real_port = real_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = asyncio.Event()
        self._is_open.set()
        self.n_connections = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", self.port)

    async def refuse(self) -> None:
        """As a computer without a broker: new connections are refused, old ones are closed."""
        assert self._server is not None
        self._server.close()
        await self._hang_up()

    def swallow(self) -> None:
        """As a cable that is cut: bytes vanish in both directions, nobody is told."""
        self._is_open.clear()

    def let_through(self) -> None:
        """New connections work again; what was swallowed stays lost, and its connections with it."""
        self._is_open.set()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.n_connections += 1
        try:
            with suppress(ConnectionError, asyncio.CancelledError):
                if not self._is_open.is_set():
                    await self._never()
                from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._real_port)
                try:
                    await asyncio.wait(
                        [
                            asyncio.create_task(self._pump(reader, to_broker)),
                            asyncio.create_task(self._pump(from_broker, writer)),
                        ],
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    to_broker.close()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while content := await reader.read(4096):
                if not self._is_open.is_set():
                    await self._never()
                writer.write(content)
                await writer.drain()

    async def _never(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def _hang_up(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        if self._server:
            self._server.close()
        await self._hang_up()


@asynccontextmanager
async def proxied(real_port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(real_port)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
