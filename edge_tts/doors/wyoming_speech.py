"""Text to speech over Wyoming: the caller gets the sound, nothing plays here.

A request is `synthesize`, or `synthesize-start`, `synthesize-chunk`… and `synthesize-stop`, which is spoken while it is
still being written. An error ends the connection: Home Assistant reads no errors, but sees that.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.info import Describe
from wyoming.ping import Ping
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped

from edge_tts.audio import Resampler, to_pcm16
from edge_tts.doors.fields import FIELDS, spoken_text, string
from edge_tts.doors.wyoming_connection import SOURCE, Connection
from edge_tts.doors.wyoming_info import Voices
from edge_tts.errors import InvalidFieldError, NothingToSayError, RequestError
from edge_tts.growing_text import GrowingText
from edge_tts.service import Service
from edge_tts.speech import Audio, Piece, SpeakRequest, silence

MAX_WAITING = 8
"""Requests of one connection."""

BLOCK_BYTES = 1 << 14
"""Of sound in one event: the caller has a deadline to take each."""

_BLANK_LINE = re.compile(r"\n\s*\n\s*$")


@dataclass(frozen=True, slots=True)
class _Order:
    request: SpeakRequest
    text: GrowingText
    is_streamed: bool
    """It comes in parts, and its end is to be told."""


class Caller:
    """A connection of the text-to-speech port."""

    def __init__(self, service: Service, voices: Voices, connection: Connection) -> None:
        self._service = service
        self._voices = voices
        self._connection = connection
        self._orders: asyncio.Queue[_Order] = asyncio.Queue(MAX_WAITING)
        self._open: GrowingText | None = None
        """The text that is still being written."""

    async def attend(self) -> None:
        """Until the caller hangs up, which ends what is being said. Raises SpeechError or OSError."""
        tasks = {asyncio.create_task(self._listen()), asyncio.create_task(self._speak())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # What comes

    async def _listen(self) -> None:
        while (event := await self._connection.read()) is not None:
            if Describe.is_type(event.type):
                await self._voices.refresh()
                await self._connection.write(self._voices.info())
            elif Ping.is_type(event.type):
                await self._connection.pong(event)
            else:
                self._take(event)

    def _take(self, event: Event) -> None:
        """Raises RequestError. What is unknown is passed over, as the protocol has it."""
        if Synthesize.is_type(event.type):
            # Home Assistant sends the whole text once more, for servers that know no streaming.
            if self._open is None:
                self._order(event.data, is_streamed=False)
        elif SynthesizeStart.is_type(event.type):
            if self._open is not None:
                raise RequestError("synthesize-start before the synthesize-stop of the one before")
            self._open = self._order(event.data, is_streamed=True)
        elif SynthesizeChunk.is_type(event.type):
            self._written().add(string("text", event.data.get("text")))
        elif SynthesizeStop.is_type(event.type):
            self._written().finish()
            self._open = None

    def _written(self) -> GrowingText:
        if self._open is None:
            raise RequestError("synthesize-chunk or synthesize-stop without a synthesize-start before it")
        return self._open

    def _order(self, data: dict[str, Any], *, is_streamed: bool) -> GrowingText:
        wanted = data.get("voice") or {}
        if not isinstance(wanted, dict):
            raise InvalidFieldError("voice", wanted, "an object with name, language or speaker")
        fields = {"format": data.get("text_format"), **self._voices.fields(wanted)}
        checked = {name: FIELDS[name](name, value) for name, value in fields.items() if value is not None}
        request = SpeakRequest("", source=SOURCE, **checked)
        text = GrowingText(
            self._service.config.queue.max_text_characters,
            language=request.language or "en",
            is_whole=request.format == "ssml",
        )
        if not is_streamed:
            text.add(spoken_text("text", data.get("text")))
            text.finish()
        try:
            self._orders.put_nowait(_Order(request, text, is_streamed))
        except asyncio.QueueFull as error:
            raise RequestError(f"{MAX_WAITING} requests of this connection wait already") from error
        return text

    # What goes

    async def _speak(self) -> None:
        while True:
            order = await self._orders.get()
            sound = _Sound(self._connection)
            async with aclosing(self._pieces(order)) as pieces:
                async for piece in pieces:
                    await sound.write(piece.audio)
            await sound.finish()
            if order.is_streamed:
                await self._connection.write(SynthesizeStopped())

    async def _pieces(self, order: _Order) -> AsyncGenerator[Piece, None]:
        """Of all parts of the text, with pauses between them. Raises RequestError or VoiceError."""
        last: Piece | None = None
        pause_s = 0.0
        async with aclosing(order.text.parts()) as parts:
            async for part in parts:
                self._connection.is_busy = True
                try:
                    async with aclosing(self._service.stream(replace(order.request, text=part))) as pieces:
                        async for piece in pieces:
                            if pause_s and last is not None:
                                yield replace(last, audio=silence(pause_s, last.audio.sample_rate))
                            yield piece
                            last, pause_s = piece, 0.0
                except NothingToSayError:
                    # An emoji by itself: only the whole may not be silent.
                    continue
                finally:
                    self._connection.is_busy = False
                pause_s = self._pause_s(part)
        if last is None:
            raise NothingToSayError

    def _pause_s(self, part: str) -> float:
        text = self._service.config.text
        return (text.paragraph_pause_ms if _BLANK_LINE.search(part) else text.sentence_pause_ms) / 1000


class _Sound:
    """The sound of one request, at the sample rate it begins with."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._resampler: Resampler | None = None

    async def write(self, audio: Audio) -> None:
        if self._resampler is None:
            self._resampler = Resampler(audio.sample_rate)
            await self._connection.write(AudioStart(rate=audio.sample_rate, width=2, channels=1))
        await self._send(self._resampler.resample(audio))

    async def finish(self) -> None:
        if self._resampler is not None:
            await self._send(self._resampler.flush())
        await self._connection.write(AudioStop())

    async def _send(self, audio: Audio) -> None:
        pcm = to_pcm16(audio.samples)
        for start in range(0, len(pcm), BLOCK_BYTES):
            block = pcm[start : start + BLOCK_BYTES]
            await self._connection.write(AudioChunk(rate=audio.sample_rate, width=2, channels=1, audio=block))
