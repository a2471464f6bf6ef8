"""A Wyoming satellite that only speaks: what it is sent is played in its turn, as a message among the others.

`assist_satellite.announce` of Home Assistant streams the sound and waits for `played`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.info import Describe, Info
from wyoming.ping import Ping
from wyoming.snd import Played

from edge_tts.doors.wyoming_connection import SOURCE, Connection
from edge_tts.errors import BadSoundError, InvalidFieldError, SoundBrokenOffError, SpeechError
from edge_tts.given_sound import GivenSound, mono16
from edge_tts.service import Service
from edge_tts.speech import EventType, Priority, SpeakRequest


class Listener:
    """A connection of the satellite's port."""

    def __init__(self, service: Service, info: Info, connection: Connection) -> None:
        self._service = service
        self._info = info
        self._connection = connection
        self._sound: GivenSound | None = None
        """What is being sent."""

        self._format: tuple[int, int, int] | None = None
        """Hertz, bytes and channels of it."""

        self._left = b""
        """Of a frame that a chunk ended amid."""

        self._is_refused = False
        """The rest of what is being sent is thrown away."""

        self._waiting: set[asyncio.Task[None]] = set()

    async def attend(self) -> None:
        """Until the caller hangs up. What came whole is played all the same. Raises SpeechError or OSError."""
        try:
            while (event := await self._connection.read()) is not None:
                if Describe.is_type(event.type):
                    await self._connection.write(self._info)
                elif Ping.is_type(event.type):
                    await self._connection.pong(event)
                else:
                    await self._take(event)
        finally:
            self._break_off(SoundBrokenOffError("the caller hung up"))
            for task in self._waiting:
                task.cancel()
            await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _take(self, event: Event) -> None:
        """What is unknown, or of use with a microphone only, is passed over."""
        if AudioStart.is_type(event.type):
            self._break_off(SoundBrokenOffError("another one began"))
            self._is_refused = False
        elif AudioChunk.is_type(event.type) and not self._is_refused:
            try:
                await self._add(event)
            except SpeechError as error:
                self._is_refused = True
                if self._sound is None:
                    await self._refuse(error)
                self._break_off(error)
        elif AudioStop.is_type(event.type):
            if self._sound is not None:
                self._sound.finish()
            elif not self._is_refused:
                # Who sent nothing waits for an answer, too.
                await self._refuse(BadSoundError("not a sample"))
            self._sound, self._is_refused = None, False

    async def _refuse(self, error: SpeechError) -> None:
        self._service.metrics.rejected.labels(SOURCE, error.code).inc()
        await self._connection.tell(error)

    def _break_off(self, error: SpeechError) -> None:
        if self._sound is not None:
            self._sound.fail(error)
            self._sound = None

    async def _add(self, event: Event) -> None:
        """The first sound of it goes into the queue: it may be heard before the rest is here. Raises RequestError."""
        rate, width, channels = (_number(event, name) for name in ("rate", "width", "channels"))
        if self._sound is None:
            self._format, self._left = (rate, width, channels), b""
        elif self._format != (rate, width, channels):
            raise BadSoundError("its sample rate, width or channels change on the way")
        content = self._left + (event.payload or b"")
        n_whole = len(content) // max(1, width * channels) * width * channels
        pcm, self._left = mono16(content[:n_whole], width, channels), content[n_whole:]
        if self._sound is not None:
            self._sound.add(pcm)
            return
        sound = GivenSound(rate)
        sound.add(pcm)
        request = SpeakRequest("", priority=Priority.MESSAGE, source=SOURCE)
        job = (await self._service.submit(request, sound=sound)).job
        self._sound = sound
        self._await_outcome(job, sound)

    def _await_outcome(self, job: str, sound: GivenSound) -> None:
        task = asyncio.create_task(self._tell_outcome(job, sound))
        self._waiting.add(task)
        self._connection.is_busy = True
        task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._waiting.discard(task)
        self._connection.is_busy = bool(self._waiting)

    async def _tell_outcome(self, job: str, sound: GivenSound) -> None:
        event = await self._service.outcome(job)
        if self._sound is sound:
            # The rest, which nobody will hear, would count for nobody's memory.
            self._break_off(SoundBrokenOffError("its turn was over before all of it was here"))
            self._is_refused = True
        answer: Eventable = Played()
        if event.event_type is not EventType.FINISHED:
            answer = Error(event.message or f"{event.event_type}: {event.code}", event.code)
        # One who has gone needs no answer.
        with suppress(OSError):
            await self._connection.write(answer)


def _number(event: Event, name: str) -> int:
    value = event.data.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidFieldError(name, value, "a whole number")
    return value
