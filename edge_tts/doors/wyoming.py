"""The Wyoming door, for Home Assistant's Assist: a text-to-speech server and a satellite that only speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from edge_tts.config import Config
from edge_tts.service import Service

if TYPE_CHECKING:
    from edge_tts.doors.wyoming_server import WyomingDoor


@asynccontextmanager
async def open_door(service: Service, config: Config) -> AsyncIterator[WyomingDoor | None]:
    """Listening inside the block; None if it is switched off. Raises ConfigError if it cannot listen."""
    if not config.wyoming.enabled:
        yield None
        return
    from edge_tts.doors import wyoming_server  # only here: most boxes never need its libraries

    async with wyoming_server.opened(service, config) as door:
        yield door
