"""The Wyoming door with the real service behind it, and Wyoming's own client in front."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from wyoming.client import AsyncTcpClient
from wyoming.event import Event

from edge_tts.config import Config
from edge_tts.door_config import WyomingConfig
from edge_tts.doors import wyoming_server
from edge_tts.doors.wyoming_connection import Limits
from edge_tts.service import Service
from tests.test_service import serving

FREE_PORTS = WyomingConfig(enabled=True, port=0, satellite_port=0)


@dataclass(frozen=True)
class House:
    service: Service
    port: int
    satellite_port: int

    def speech(self) -> AsyncTcpClient:
        return AsyncTcpClient("127.0.0.1", self.port)

    def satellite(self) -> AsyncTcpClient:
        return AsyncTcpClient("127.0.0.1", self.satellite_port)


@asynccontextmanager
async def opened(config: Config, limits: Limits | None = None) -> AsyncIterator[House]:
    config = replace(config, wyoming=FREE_PORTS)
    async with serving(config) as service, wyoming_server.opened(service, config, limits) as door:
        assert door.satellite_port is not None
        yield House(service, door.port, door.satellite_port)


async def received(client: AsyncTcpClient, *last: str) -> list[Event]:
    """Events up to the first whose type is in *last*, or to the end of the connection."""
    events: list[Event] = []
    async with asyncio.timeout(20):
        while (event := await client.read_event()) is not None:
            events.append(event)
            if event.type in last:
                break
    return events


def pcm(events: list[Event]) -> bytes:
    return b"".join(event.payload or b"" for event in events if event.type == "audio-chunk")


def types(events: list[Event]) -> list[str]:
    """Without repetitions: any number of chunks is one."""
    found = [event.type for event in events]
    return [each for index, each in enumerate(found) if index == 0 or found[index - 1] != each]


async def answer(client: AsyncTcpClient, kind: str, data: dict[str, Any], last: str) -> list[Event]:
    await client.write_event(Event(kind, data))
    return await received(client, last, "error")
