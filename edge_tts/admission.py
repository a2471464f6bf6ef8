"""From a request to a job that waits: planned, in the journal, in the queue. On the event loop."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace

from edge_tts import chimes
from edge_tts.announcer import Announcer
from edge_tts.audio import to_pcm16
from edge_tts.config import Config
from edge_tts.dispatcher import Dispatcher
from edge_tts.errors import ShuttingDownError, TextTooLongError
from edge_tts.given_sound import GivenSound, check_room
from edge_tts.jobs import new_job
from edge_tts.journal import Journal
from edge_tts.moments import name_of_run
from edge_tts.renderer import Renderer
from edge_tts.schedule import delay_of
from edge_tts.speech import Priority, SpeakRequest
from edge_tts.synthesizer import Plan


class Admission:
    def __init__(
        self,
        config: Config,
        renderer: Renderer,
        journal: Journal,
        announcer: Announcer,
        dispatcher: Dispatcher,
    ) -> None:
        self._config = config
        self._renderer = renderer
        self._journal = journal
        self._announcer = announcer
        self._dispatcher = dispatcher
        self._planning = asyncio.Semaphore(1)
        self._numbers = itertools.count(1)
        # Names of jobs stay unique across restarts: they are file names of the wav sink and ids in logs.
        self._run = name_of_run({entry.name.partition("-")[0] for entry in journal.entries})

    def check(self, request: SpeakRequest) -> None:
        """Raises TextTooLongError."""
        limit = self._config.queue.max_text_characters
        if len(request.text) > limit:
            raise TextTooLongError(len(request.text), limit)

    async def accept(self, request: SpeakRequest, mark: str | None, sound: GivenSound | None) -> str:
        """The name of its job; raises RequestError or VoiceError."""
        accepted_s, delay_s = time.monotonic(), delay_of(request)
        name = f"{self._run}-{next(self._numbers)}"
        plan = await self._plan_in_turn(request, sound)
        ttl_s = self._config.queue.ttl_s if request.ttl_s is None else request.ttl_s
        try:
            if not self._dispatcher.is_stopping and sound is None:
                await self._journal.accept(name, request, ttl_s, mark)
            if self._dispatcher.is_stopping:
                raise ShuttingDownError
            job = new_job(name, request, plan, accepted_s, ttl_s, delay_s, sound)
            # The synth thread may have let it wait for seconds.
            self._dispatcher.enter(job, accepted_s + delay_s - time.monotonic())
        except BaseException:
            self._journal.withdraw(name)
            raise
        return name

    async def _plan_in_turn(self, request: SpeakRequest, sound: GivenSound | None) -> Plan | None:
        """One at a time: what is important must not wait for the plans of a crowd. Raises QueueFullError."""
        self._dispatcher.check_room(request)
        if sound is not None:
            check_room(job.sound for job in self._dispatcher.jobs())
            return None
        # What replaces something keeps its place behind it.
        if request.priority is Priority.IMPORTANT and request.replace is None:
            return await self._announcer.plan(request, self._renderer.call)
        async with self._planning:
            self._dispatcher.check_room(request)
            return await self._announcer.plan(request, self._renderer.call)

    async def chime(self, request: SpeakRequest) -> tuple[SpeakRequest, GivenSound]:
        """What plays the chime that the text of *request* names; raises UnknownChimeError."""
        audio = self._config.audio
        chime = await self._renderer.call(chimes.read, request.text, audio.sounds_dir, audio.chime)
        sound = GivenSound(chime.sample_rate)
        sound.add(to_pcm16(chime.samples))
        sound.finish()
        return replace(request, chime=""), sound
