"""A door with the real service behind it and the hum as its voice, and a client in front."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from edge_tts.config import AudioConfig, CacheConfig, Config, MemoryConfig, StateConfig, VoicesConfig
from edge_tts.door_config import HttpConfig, MqttConfig
from edge_tts.doors.http import HttpDoor, open_door
from edge_tts.service import Service
from tests.test_service import serving

ROOMY = MemoryConfig(limit_mb=16_000)
"""The process of the tests, which build voices and train them, is larger than a daemon may be."""


def hum_config(folder: Path) -> Config:
    """The hum on the null sink, any free port for HTTP; nothing outside *folder* is written."""
    return Config(
        http=HttpConfig(port=0),
        mqtt=MqttConfig(device="kitchen"),
        audio=AudioConfig(sink="null", buffer_ms=40),
        voices=VoicesConfig(default="hum"),
        cache=CacheConfig(dir=folder / "cache"),
        state=StateConfig(dir=folder / "state"),
        memory=ROOMY,
    )


class House:
    """A service, its HTTP door and a client at the door."""

    def __init__(self, service: Service, door: HttpDoor, client: ClientSession) -> None:
        self.service = service
        self.port = door.port
        self.client = client

    async def json(self, method: str, path: str, **request: Any) -> tuple[int, Any]:
        async with self.client.request(method, path, **request) as answer:
            return answer.status, await answer.json()

    async def code(self, method: str, path: str, **request: Any) -> tuple[int, str]:
        """Status and error code."""
        status, body = await self.json(method, path, **request)
        assert set(body["error"]) == {"code", "message", "detail"}
        assert body["error"]["message"]
        return status, body["error"]["code"]

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def opened(config: Config, **settings: Any) -> AsyncIterator[House]:
    async with serving(config) as service, open_door(service, config, **settings) as door:
        assert door is not None
        async with ClientSession(f"http://127.0.0.1:{door.port}") as client:
            yield House(service, door, client)


async def until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


def n_descriptors() -> int:
    """Open files and sockets of this process."""
    return len(os.listdir("/proc/self/fd"))


def outer_address() -> str:
    """Of this machine in its network, as all of 127/8 is at home; skips the test if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: it only asks the routes.
            probe.connect(("203.0.113.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        pytest.skip("this machine has no network")
    return address
