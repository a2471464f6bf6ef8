"""One Wyoming connection: events in, none larger or slower than is bearable, and events out.

An event is a line of JSON, then `data_length` bytes of JSON and `payload_length` bytes. The library writes it; it would
read anything of any size.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wyoming.error import Error
from wyoming.event import Event, Eventable, async_write_event
from wyoming.ping import Pong

from edge_tts.doors.base import json_object
from edge_tts.doors.fields import MAX_NAME_CHARACTERS, string
from edge_tts.errors import BodyTooLargeError, InvalidFieldError, SpeechError

SOURCE = "wyoming"
LINGER_S = 1.0
GRACE_S = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller may ask of us."""

    json_bytes: int
    """Of the line, and of the data after it."""

    payload_bytes: int = 1 << 20
    event_s: float = 10.0
    """From the first byte of an event to its last."""

    idle_s: float = 60.0
    """Between events, while nothing is being done for the caller."""

    write_s: float = 10.0
    """To read what is sent: an answer that nobody reads would stay in memory."""


class Connection:
    """Reading raises RequestError for what is no event: nothing after it can be understood."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits) -> None:
        self.is_busy = False
        """Something is being done for the caller, who may be silent as long as it takes."""

        self.heard_s = time.monotonic()
        """When the last event came."""

        self._reader = reader
        self._writer = writer
        self._limits = limits

    @property
    def address(self) -> str:
        """Empty if the caller has gone already."""
        peer = self._writer.get_extra_info("peername")
        return str(peer[0]) if peer else ""

    async def read(self) -> Event | None:
        """The next event; None when the caller has gone, is silent for too long, or stops amid an event."""
        try:
            if not (first := await self._first_byte()):
                return None
            async with asyncio.timeout(self._limits.event_s):
                event = await read_event(self._reader, self._limits, first)
        except (OSError, EOFError, TimeoutError):
            return None
        self.heard_s = time.monotonic()
        return event

    async def _first_byte(self) -> bytes:
        limit_s = self._limits.idle_s
        while True:
            try:
                async with asyncio.timeout(limit_s):
                    return await self._reader.read(1)
            except TimeoutError:
                if limit_s == GRACE_S and not self.is_busy:
                    return b""
                # What came while the box stood still is read.
                limit_s = self._limits.idle_s if self.is_busy else GRACE_S

    async def write(self, event: Eventable) -> None:
        """Raises OSError when the caller has gone or does not read."""
        try:
            async with asyncio.timeout(self._limits.write_s):
                await async_write_event(event.event(), self._writer)
        except TimeoutError as error:
            self.abort()
            raise ConnectionError("what is sent is not read") from error

    async def pong(self, ping: Event) -> None:
        """Answer it with its text; raises InvalidFieldError too."""
        text = ping.data.get("text")
        await self.write(Pong(text if text is None else string("text", text)))

    async def tell(self, error: SpeechError) -> None:
        await self.write(Error(text=str(error), code=error.code))

    async def part(self, error: SpeechError) -> None:
        """Tell *error* as the last word."""
        with suppress(OSError, RuntimeError, TimeoutError):
            await self.tell(error)
            self._writer.write_eof()
            # Not closed at once: what nobody reads turns into a reset, which would overtake the answer.
            async with asyncio.timeout(LINGER_S):
                while await self._reader.read(1 << 16):
                    pass

    def close(self) -> None:
        """What was sent last may still be read, for as long as anything may."""
        self._writer.close()
        if self._writer.transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(self._limits.write_s, self.abort)

    def abort(self) -> None:
        self._writer.transport.abort()


async def read_event(reader: asyncio.StreamReader, limits: Limits, first: bytes) -> Event:
    """The event that begins with the byte *first*. Raises RequestError, or EOFError when it ends early."""
    try:
        line = first if first == b"\n" else first + await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise BodyTooLargeError(None, limits.json_bytes, "line") from error
    header = json_object(line)
    kind = header.get("type")
    if not isinstance(kind, str) or len(kind) > MAX_NAME_CHARACTERS:
        raise InvalidFieldError("type", kind, "the name of an event")
    data = header.get("data") or {}
    if not isinstance(data, dict):
        raise InvalidFieldError("data", data, "a JSON object")
    more = await _read(reader, header, "data_length", limits.json_bytes)
    if more:
        data = {**data, **json_object(more)}
    return Event(kind, data, await _read(reader, header, "payload_length", limits.payload_bytes))


async def _read(reader: asyncio.StreamReader, header: dict[str, Any], field: str, limit_bytes: int) -> bytes:
    length = header.get(field) or 0
    if not isinstance(length, int) or length < 0:
        raise InvalidFieldError(field, length, "a number of bytes")
    if length > limit_bytes:
        raise BodyTooLargeError(length, limit_bytes, field)
    return await reader.readexactly(length)
