"""Where Wyoming is spoken: two ports, who may come to them, and how the house hears of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from edge_tts.config import Config
from edge_tts.door_config import is_loopback
from edge_tts.doors.neighbours import is_let_in
from edge_tts.doors.wyoming_connection import SOURCE, Connection, Limits
from edge_tts.doors.wyoming_info import Voices, satellite_info
from edge_tts.doors.wyoming_satellite import Listener
from edge_tts.doors.wyoming_speech import Caller
from edge_tts.errors import ConfigError, SpeechError
from edge_tts.service import Service

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 16
"""Of one port; who waits for nothing makes room for who comes."""

STARTING_S = 10.0
"""For the first list of voices."""


@dataclass(frozen=True, slots=True)
class WyomingDoor:
    """Where it listens; another than configured where that was 0."""

    port: int
    satellite_port: int | None


class Port:
    """The connections of one port."""

    def __init__(
        self,
        service: Service,
        networks: tuple[str, ...],
        limits: Limits,
        serve: Callable[[Connection], Awaitable[None]],
    ) -> None:
        self._service = service
        self._networks = networks
        self.limits = limits
        self._serve = serve
        self._open: dict[Connection, asyncio.Task[None]] = {}

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What asyncio calls for each new connection."""
        connection = Connection(reader, writer, self.limits)
        address = connection.address
        if not is_let_in(address, self._networks):
            log.warning("wyoming: %s is not let in; see wyoming.allowed_networks", address)
            connection.abort()
            return
        if len(self._open) >= MAX_CONNECTIONS:
            idle = min(
                (each for each in self._open if not each.is_busy), key=lambda each: each.heard_s, default=None
            )
            (idle or connection).abort()
            if idle is None:
                log.warning("wyoming: %d connections are busy; %s is turned away", MAX_CONNECTIONS, address)
                return
            self._open.pop(idle).cancel()
        task = asyncio.create_task(self._attend(connection))
        self._open[connection] = task
        task.add_done_callback(lambda task: self._open.pop(connection, None))

    async def _attend(self, connection: Connection) -> None:
        try:
            await self._serve(connection)
        except SpeechError as error:
            self._service.metrics.rejected.labels(SOURCE, error.code).inc()
            await connection.part(error)
        except OSError as error:
            log.debug("wyoming: %s: %s", connection.address, error)
        finally:
            connection.close()

    async def close(self) -> None:
        tasks = list(self._open.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def opened(
    service: Service, config: Config, limits: Limits | None = None
) -> AsyncIterator[WyomingDoor]:
    """Both ports, listening inside the block. Raises ConfigError."""
    settings = config.wyoming
    # A character may take twelve bytes of JSON: "\ud83d\ude00".
    limits = limits or Limits(json_bytes=(1 << 16) + 12 * config.queue.max_text_characters)
    networks = settings.allowed_networks
    async with AsyncExitStack() as house:
        voices = await house.enter_async_context(_known_voices(service))
        speech = Port(service, networks, limits, lambda caller: Caller(service, voices, caller).attend())
        port = await house.enter_async_context(_listening(speech, settings.host, settings.port, "port"))
        ports = {"speech": port}
        if settings.satellite_port is not None:
            info = satellite_info(config)
            satellite = Port(
                service, networks, limits, lambda caller: Listener(service, info, caller).attend()
            )
            ports["satellite"] = await house.enter_async_context(
                _listening(satellite, settings.host, settings.satellite_port, "satellite_port")
            )
        log.info("wyoming listens on %s: %s", settings.host, ports)
        if settings.zeroconf and not is_loopback(settings.host):
            from edge_tts.doors.wyoming_discovery import (
                announced,
            )  # only here: its library is of no use otherwise

            await house.enter_async_context(announced(settings.host, ports))
        yield WyomingDoor(port, ports.get("satellite"))


@asynccontextmanager
async def _known_voices(service: Service) -> AsyncIterator[Voices]:
    voices = Voices(service)
    await voices.refresh(patience_s=STARTING_S)
    try:
        yield voices
    finally:
        await voices.close()


@asynccontextmanager
async def _listening(port: Port, host: str, number: int, key: str) -> AsyncIterator[int]:
    """Inside the block *port* is open; its number, if *number* is 0."""
    try:
        server = await asyncio.start_server(port.accept, host, number, limit=port.limits.json_bytes)
    except OSError as error:
        raise ConfigError(
            f"wyoming: cannot listen on {host} port {number}: {error.strerror}; choose another wyoming.{key}"
        ) from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await port.close()
