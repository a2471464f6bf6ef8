"""The loudspeaker's turn: a job is planned if need be, spoken piece by piece, and gets its outcome."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from edge_tts import chimes
from edge_tts.audio import volume_gain
from edge_tts.config import Config
from edge_tts.dispatcher import Dispatcher
from edge_tts.errors import SpeechError, UnknownChimeError
from edge_tts.given_sound import GivenSound
from edge_tts.jobs import Job
from edge_tts.journal import Journal
from edge_tts.metrics import Metrics
from edge_tts.player import Playback, Player
from edge_tts.receipts import REPEAT
from edge_tts.renderer import Renderer
from edge_tts.schedule import start_s
from edge_tts.speech import Audio, EventType, Piece, Priority, SpeakRequest
from edge_tts.status import Status
from edge_tts.synthesizer import Plan
from edge_tts.updates import Updates

log = logging.getLogger(__name__)

MAX_REPEATED = 10
"""Announcements that can be heard again."""


class Announcer:
    """Speaks one job at a time."""

    def __init__(
        self,
        config: Config,
        renderer: Renderer,
        player: Player,
        metrics: Metrics,
        journal: Journal,
        status: Status,
        updates: Updates,
        dispatcher: Dispatcher,
    ) -> None:
        self.spoken: deque[tuple[SpeakRequest, GivenSound | None]] = deque(maxlen=MAX_REPEATED)
        """The last ones, as they would be said again; of sounds, which are large, only the very last."""

        self.renderer = renderer
        self.player = player
        self.metrics = metrics
        self.journal = journal
        self.updates = updates
        self.dispatcher = dispatcher
        self._config = config
        self._status = status

    async def run(self) -> None:
        """Speak what waits until cancelled."""
        while True:
            job = await self.dispatcher.next()
            await self._speak(job)
            self.dispatcher.done()

    async def _speak(self, job: Job) -> None:
        end = self.dispatcher.end
        try:
            await _Turn(self, job).run()
        except SpeechError as error:
            log.warning("failed job=%s code=%s: %s", job.name, error.code, error)
            end(job, EventType.FAILED, code=error.code, message=str(error))
        except asyncio.CancelledError:
            end(job, EventType.INTERRUPTED, code="cancelled")
            raise
        except Exception as error:
            task = asyncio.current_task()
            if task and task.cancelling():
                # Closing a generator that still waits for the synth thread hides the cancellation.
                end(job, EventType.INTERRUPTED, code="cancelled")
                raise asyncio.CancelledError from error
            # Whatever a voice or a device throws: this job ends with an outcome, the next one speaks.
            log.exception("failed job=%s", job.name)
            end(job, EventType.FAILED, code=SpeechError.code, message="an unexpected error; see the log")

    async def plan(self, request: SpeakRequest, call: Callable[..., Awaitable[Plan]]) -> Plan:
        """In the voice and at the speed that are set; *call* takes it to the synth thread."""
        state = self._status.state
        spoken = replace(request, speed=request.speed * state.speed)
        return await call(self.renderer.synthesizer.plan, spoken, state.voice)

    @property
    def is_crowded(self) -> bool:
        return len(self.dispatcher) > self._config.pressure.queue_longer_than

    def note_spoken(self, request: SpeakRequest, sound: GivenSound | None) -> None:
        again = replace(request, id=None, replace=None, at=None, repeat=1, source=REPEAT)
        kept = [
            (other, None)
            for other, given in self.spoken
            if given is None and other != replace(again, priority=other.priority)
        ]
        self.spoken.clear()
        self.spoken.extend([*kept, (again, sound)])

    def gain_of(self, request: SpeakRequest) -> float:
        """Asked block by block: a volume set meanwhile is heard at once, one of the message's own stays."""
        return volume_gain(self._status.volume_of(request))

    def chime_of(self, request: SpeakRequest) -> Audio | None:
        """On the synth thread; None without one. Raises UnknownChimeError."""
        audio = self._config.audio
        name = audio.chime if request.chime is None else request.chime
        return chimes.read(name, audio.sounds_dir, audio.chime) if name else None


class _Turn:
    """One job on the loudspeaker, with its timings."""

    def __init__(self, announcer: Announcer, job: Job) -> None:
        self._announcer = announcer
        self._job = job
        self._started_s = time.monotonic()
        self._audio_s = 0.0
        self._synthesis_s = 0.0
        self._heard = 0
        """Index of the sentence being heard."""

    async def run(self) -> None:
        announcer, job = self._announcer, self._job
        queued_s = self._started_s - job.accepted_s
        announcer.metrics.queue_time.observe(queued_s)
        self._update(queued_ms=round(queued_s * 1000))
        given_sound = job.sound  # the job forgets it when it ends
        said = await self._pieces(given_sound)
        chime = await self._chime()
        if job.interruption:
            # Stopped while it was being prepared; from here to the player there is no gap.
            self._stopped_unheard(*job.interruption)
            return
        async with aclosing(said) as pieces:
            playback = await announcer.player.play(
                pieces,
                name=job.name,
                gain=lambda: announcer.gain_of(job.request),
                chime=chime,
                start_s=start_s(job.request),
                on_sound=job.cancel_expiry,
                on_first_block=self._on_first_block,
                on_piece=self._on_piece,
            )
            # A stream that was stopped has no end that could be heard again.
            if playback.spoken_s and (given_sound is None or given_sound.is_whole):
                announcer.note_spoken(job.request, given_sound)
            # Told before the voice, which may be in the middle of a long piece, is closed.
            self._end(playback)

    def _end(self, playback: Playback) -> None:
        end, job = self._announcer.dispatcher.end, self._job
        figures: dict[str, float] = {
            "spoken_ms": round(playback.spoken_s * 1000),
            "audio_ms": round(self._audio_s * 1000),
        }
        if self._audio_s and job.sound is None:
            figures["rtf"] = round(self._synthesis_s / self._audio_s, 4)
        if playback.is_complete:
            end(job, EventType.FINISHED, **figures)
        else:
            event_type, code = job.interruption or (EventType.INTERRUPTED, "cancelled")
            if playback.spoken_s:
                end(job, event_type, code=code, **figures)
            else:
                self._stopped_unheard(event_type, code, **figures)

    def _stopped_unheard(self, event_type: EventType, code: str, **figures: float) -> None:
        dispatcher, job = self._announcer.dispatcher, self._job
        if not (job.request.at and code == "priority" and job.priority is Priority.MESSAGE):
            dispatcher.end(job, event_type, code=code, **figures)
            return
        # It had its turn before its time, and gave way to what is important: it waits again.
        if job.sound is None:
            self._announcer.journal.gave_way(job.name)
        dispatcher.take_back(job)

    async def _pieces(self, given_sound: GivenSound | None) -> AsyncGenerator[Piece, None]:
        """Of the sound, or of the text, which is in the journal."""
        announcer, job = self._announcer, self._job
        if given_sound is not None:
            return given_sound.pieces(job.request.repeat)
        announcer.journal.begin(job.name)
        if job.plan is None:
            # It may be what ended the daemon: counted too late, it would do so for ever.
            await announcer.journal.caught_up()
        return announcer.renderer.stream(await self._plan())

    async def _plan(self) -> Plan:
        """What is to be said of it."""
        announcer, job = self._announcer, self._job
        if job.plan is None:
            job.plan = await announcer.plan(job.request, announcer.renderer.call)
            job.first_sentence = min(job.first_sentence, len(job.plan.sentences) - 1)
            job.warn(*job.plan.warnings)
            self._update(voice=job.plan.voice, n_sentences=len(job.plan.sentences))
        sentences = job.plan.sentences[job.first_sentence :]
        return replace(job.plan, sentences=sentences, is_crowded=announcer.is_crowded, is_announcement=True)

    async def _chime(self) -> Audio | None:
        try:
            return await self._announcer.renderer.call(self._announcer.chime_of, self._job.request)
        except UnknownChimeError as error:
            log.warning("chime: %s", error)
            self._job.warn(f"unknown_chime:{self._job.request.chime or 'the configured one'}")
            return None

    def _on_piece(self, piece: Piece) -> None:
        self._audio_s += piece.audio.duration_s
        self._synthesis_s += piece.synthesis_s
        self._job.warn(*piece.warnings)
        sentence = self._job.first_sentence + piece.sentence
        is_heard = len(piece.audio.samples) > 0
        if is_heard and sentence > max(self._job.first_sentence, self._heard):
            self._heard = sentence
            self._announcer.journal.progress(self._job.name, sentence)
        self._update(sentence=sentence + 1)
        if piece.tokens_per_s is not None:
            self._update(tokens_per_s=round(piece.tokens_per_s, 1))

    def _on_first_block(self) -> None:
        job, now_s = self._job, time.monotonic()
        first_audio_s = now_s - job.accepted_s
        if job.sound is None:
            self._announcer.metrics.first_audio.labels(job.latest.voice).observe(now_s - self._started_s)
        self._update(event_type=EventType.STARTED, first_audio_ms=round(first_audio_s * 1000))
        self._announcer.updates.publish(job.latest)

    def _update(self, **changes: Any) -> None:
        self._job.latest = replace(self._job.latest, **changes)
