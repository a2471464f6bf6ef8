"""What the doors call: requests in, events and sound out.

Runs on the event loop. Everything that thinks runs on the synth thread, everything that sounds in the player.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Container, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from edge_tts.audio import read_sound, volume_gain
from edge_tts.config import Config
from edge_tts.errors import (
    KeptForRestartError,
    PoisonError,
    QueueFullError,
    RequestError,
    ShuttingDownError,
    SpeechError,
    TextTooLongError,
    UnknownJobError,
    UnknownVoiceError,
)
from edge_tts.jobs import Ending, Job, JobQueue, first_warnings, replaces
from edge_tts.journal import Journal, open_journal
from edge_tts.journal_file import Entry
from edge_tts.metrics import Metrics
from edge_tts.moments import Moment, elapsed_s, moment_now
from edge_tts.player import Player
from edge_tts.renderer import Renderer
from edge_tts.speech import Audio, EventType, JobEvent, Piece, Priority, Reference, SpeakRequest
from edge_tts.state import DeviceState, KeptState
from edge_tts.synthesizer import Plan

log = logging.getLogger(__name__)

MAX_UPDATES_BEHIND = 1000
REMEMBERED_IDS = 1024
WIND_DOWN_S = 2.0

MAX_ATTEMPTS = 2
"""A text that the daemon did not survive so often is not tried again."""

Update = JobEvent | DeviceState


@dataclass(frozen=True, slots=True)
class Receipt:
    job: str
    is_duplicate: bool
    """The id was seen inside the dedup window: nothing new will be spoken; `job` is the first one's."""


class Service:
    """Made by `open_service`."""

    def __init__(
        self, config: Config, renderer: Renderer, player: Player, metrics: Metrics, journal: Journal
    ) -> None:
        self.config = config
        self.metrics = metrics
        self._renderer = renderer
        self._player = player
        self._journal = journal
        self._left_over = [entry for entry in journal.entries if entry.request is not None]
        self._queue = JobQueue(config.queue.max_jobs)
        self._wake = asyncio.Event()
        self._planning = asyncio.Semaphore(1)
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._scheduled: dict[str, asyncio.TimerHandle] = {}
        self._ids: OrderedDict[str, tuple[float, asyncio.Future[str]]] = OrderedDict()
        self._readers: list[_Reader] = []
        self._is_stopping = False
        self._problems: dict[str, str] = {}
        self.checks: list[Callable[[], str | None]] = []
        """What doors add to `stuck`: each returns what hangs, or None."""

        self._last: SpeakRequest | None = None
        self._numbers = itertools.count(1)
        # Names of jobs stay unique across restarts: they are file names of the wav sink and ids in logs.
        self._run = _name_of_run({entry.name.partition("-")[0] for entry in journal.entries})
        self._kept = KeptState(config, self.report_problem)
        self._state = self._kept.load()
        installed = renderer.synthesizer.voices.installed.voices
        if self._state.voice not in installed:
            log.warning("voice %s is no longer installed; using %s", self._state.voice, config.voices.default)
            self._state = replace(self._state, voice=config.voices.default)
        player.on_problem = lambda message: self.report_problem("device_unavailable", message)
        journal.on_problem = self.report_problem
        for code, message in journal.problems.items():
            self.report_problem(code, message)
        self._remember_ids()

    # Requests

    async def submit(self, request: SpeakRequest, mark: str | None = None) -> Receipt:
        """Accept *request* for the loudspeaker; it is in the journal then. Raises RequestError or VoiceError;
        nothing is queued then. By *mark* the door can ask `was_accepted`."""
        self._check(request)
        if request.id is None:
            return Receipt(await self._accept(request, mark), is_duplicate=False)
        while (first := self._first_of(request.id)) is not None:
            try:
                return Receipt(await asyncio.shield(first), is_duplicate=True)
            except asyncio.CancelledError:
                if not first.cancelled():
                    raise
                # Its caller hung up before it was accepted: now it is our turn.
        # Remembered before the first await: two of the same id may arrive in the same moment.
        job: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._ids[request.id] = (time.monotonic(), job)
        try:
            job.set_result(await self._accept(request, mark))
        except BaseException as error:
            # Refused: the same id may try again. Whoever waits for it gets the same answer.
            self._ids.pop(request.id, None)
            if isinstance(error, Exception):
                job.set_exception(error)
                job.exception()
            else:
                job.cancel()
            raise
        return Receipt(job.result(), is_duplicate=False)

    def was_accepted(self, mark: str) -> bool:
        """Whether something of that mark was accepted inside the dedup window, by an earlier run perhaps."""
        return self._journal.knows(mark, self.config.queue.dedup_window_s)

    def _remember_ids(self) -> None:
        """Of what earlier runs accepted."""
        now, now_s = moment_now(), time.monotonic()
        for entry in self._journal.entries:
            if entry.id is not None:
                job: asyncio.Future[str] = asyncio.get_running_loop().create_future()
                job.set_result(entry.name)
                self._ids[entry.id] = (now_s - elapsed_s(entry.moment, now), job)

    def _check(self, request: SpeakRequest) -> None:
        limit = self.config.queue.max_text_characters
        if len(request.text) > limit:
            raise TextTooLongError(len(request.text), limit)

    def _first_of(self, request_id: str) -> asyncio.Future[str] | None:
        """The job that has this id already, if it came inside the window."""
        oldest_s = time.monotonic() - self.config.queue.dedup_window_s
        while self._ids and (
            next(iter(self._ids.values()))[0] < oldest_s or len(self._ids) >= REMEMBERED_IDS
        ):
            self._ids.popitem(last=False)
        return self._ids[request_id][1] if request_id in self._ids else None

    async def _accept(self, request: SpeakRequest, mark: str | None) -> str:
        accepted_s = time.monotonic()
        name = f"{self._run}-{next(self._numbers)}"
        plan = await self._plan_in_turn(request)
        ttl_s = self.config.queue.ttl_s if request.ttl_s is None else request.ttl_s
        try:
            if not self._is_stopping:
                await self._journal.accept(name, request, ttl_s, mark)
            if self._is_stopping:
                raise ShuttingDownError
            delay_s = max(0.0, request.at - time.time()) if request.at else 0.0
            self._enter(_job(name, request, plan, accepted_s, ttl_s, delay_s), delay_s)
        except BaseException:
            self._journal.end(name)
            raise
        return name

    def _enter(self, job: Job, delay_s: float) -> None:
        for other in [self._jobs[scheduled] for scheduled in self._scheduled]:
            if replaces(job, other):
                self._unschedule(other)
                self._end(other, EventType.SUPERSEDED, code="replaced")
        if delay_s:
            self._remember(job)
            self._schedule(job, delay_s)
        else:
            self._arrive(job)

    def _schedule(self, job: Job, delay_s: float) -> None:
        timer = asyncio.get_running_loop().call_later(delay_s, self._arrive_scheduled, job)
        self._scheduled[job.name] = timer

    def _check_room(self, request: SpeakRequest) -> None:
        self._queue.check_room(request.priority, request.source)
        if request.at and len(self._scheduled) >= self.config.queue.max_jobs:
            raise QueueFullError(self.config.queue.max_jobs)

    async def _plan_in_turn(self, request: SpeakRequest) -> Plan:
        """One at a time: what is important must not wait for the plans of a crowd. Raises QueueFullError."""
        self._check_room(request)
        # What replaces something keeps its place behind it.
        if request.priority is Priority.IMPORTANT and request.replace is None:
            return await self._plan(request, self._renderer.call)
        async with self._planning:
            self._check_room(request)
            return await self._plan(request, self._renderer.call)

    async def _plan(self, request: SpeakRequest, call: Callable[..., Awaitable[Plan]]) -> Plan:
        spoken = replace(request, speed=request.speed * self._state.speed)
        return await call(self._renderer.synthesizer.plan, spoken, self._state.voice)

    def _arrive_scheduled(self, job: Job) -> None:
        del self._scheduled[job.name]
        try:
            self._arrive(job)
        except RequestError as error:
            self._end(job, EventType.FAILED, code=error.code, message=str(error))

    def _arrive(self, job: Job) -> None:
        """Put *job* in the queue and carry out what the priorities decide; raises QueueFullError."""
        is_important = job.priority is Priority.IMPORTANT
        if self._is_muted_for(job):
            self._remember(job)
            self._end(job, EventType.MUTED, code="muted")
            return
        if self._player.is_paused and job.priority in (Priority.NOTIFICATION, Priority.PROGRESS):
            self._remember(job)
            self._end(job, EventType.SUPERSEDED, code="paused")
            return
        if job.deadline_s <= time.monotonic():
            self._remember(job)
            self._end(job, EventType.EXPIRED, code="expired")
            return
        endings = self._queue.arrive(job)
        self._remember(job)
        for ending in endings:
            self._carry_out(ending)
        if is_important and self._player.is_paused:
            self.resume()
        self._await_turn(job)

    def _is_muted_for(self, job: Job) -> bool:
        return self._state.is_muted and job.priority is not Priority.IMPORTANT

    def _await_turn(self, job: Job) -> None:
        """*job* is in the queue: it may speak until its deadline."""
        if not job.outcome.done():
            left_s = job.deadline_s - time.monotonic()
            job.expiry = asyncio.get_running_loop().call_later(left_s, self._expire, job)
        self._wake.set()
        self._changed()

    # What an earlier run left

    def take_up(self) -> None:
        """Go on with what waited when the daemon ended. To be called when the doors can tell the outcomes."""
        now = moment_now()
        for entry in self._left_over:
            if entry.request is not None:
                self._take_up(entry, entry.request, now)
        self._left_over = []

    def _take_up(self, entry: Entry, request: SpeakRequest, now: Moment) -> None:
        passed_s = elapsed_s(entry.moment, now)
        delay_s = max(0.0, request.at - entry.moment.wall_s) if request.at else 0.0
        job = _job(entry.name, request, None, time.monotonic() - passed_s, entry.ttl_s, delay_s)
        job.first_sentence = entry.sentence
        job.warn("resumed")
        self._jobs[job.name] = job
        if entry.attempts >= MAX_ATTEMPTS:
            self._end(job, EventType.FAILED, code=PoisonError.code, message=str(PoisonError()))
        elif self._is_muted_for(job):
            self._end(job, EventType.MUTED, code="muted")
        elif job.deadline_s <= time.monotonic():
            self._end(job, EventType.EXPIRED, code="expired")
        elif delay_s > passed_s:
            self._schedule(job, delay_s - passed_s)
        else:
            self._queue.take_back(job)
            self._await_turn(job)

    def _remember(self, job: Job) -> None:
        if job.name in self._jobs:
            return
        self._jobs[job.name] = job
        self._publish(job.latest)
        ended = [name for name, other in self._jobs.items() if other.outcome.done()]
        for name in ended[: max(0, len(ended) - self.config.queue.history)]:
            del self._jobs[name]

    def _carry_out(self, ending: Ending) -> None:
        if ending.job is self._queue.speaking:
            self._interrupt(ending.event_type, ending.code)
        else:
            self._end(ending.job, ending.event_type, code=ending.code)

    def _interrupt(self, event_type: EventType, code: str) -> None:
        job = self._queue.speaking
        if job and not job.interruption:
            job.interruption = (event_type, code)
            self._player.interrupt()

    # Jobs

    async def outcome(self, job: str) -> JobEvent:
        """Wait for the job's outcome; raises UnknownJobError."""
        return await asyncio.shield(self._find(job).outcome)

    def remembers(self, job: str) -> bool:
        """Whether the job can still be asked for: `queue.history` bounds how many ended ones."""
        return job in self._jobs

    def job(self, job: str) -> JobEvent:
        """The job's latest event; raises UnknownJobError."""
        return self._find(job).latest

    def jobs(self) -> list[JobEvent]:
        """Latest event of each speaking, waiting and remembered job, oldest first."""
        return [job.latest for job in self._jobs.values()]

    def _find(self, name: str) -> Job:
        """By the job's name, else by the request's id (the newest)."""
        if name in self._jobs:
            return self._jobs[name]
        for job in reversed(self._jobs.values()):
            if job.request.id == name:
                return job
        raise UnknownJobError(name)

    # Commands

    def stop(self, which: str | None = None) -> int:
        """End the speaking job and every waiting one, or just *which* (a job or request id). Returns how many
        ended; raises UnknownJobError if *which* names none."""
        if which is None:
            self.resume()
            return self.clear() + self.skip()
        job = self._find(which)
        if job.outcome.done():
            return 0
        if job is self._queue.speaking:
            return self.skip()
        self._queue.remove(job)
        self._unschedule(job)
        self._end(job, EventType.INTERRUPTED, code="cancelled")
        return 1

    def skip(self) -> int:
        """End the speaking job; the next one begins. Returns 0 or 1."""
        if not self._queue.speaking:
            return 0
        self._interrupt(EventType.INTERRUPTED, "cancelled")
        return 1

    def clear(self) -> int:
        """Drop every waiting job; the speaking one goes on. Returns how many."""
        jobs = self._queue.clear() + [self._jobs[name] for name in self._scheduled]
        for job in jobs:
            self._unschedule(job)
            self._end(job, EventType.INTERRUPTED, code="cancelled")
        return len(jobs)

    def _unschedule(self, job: Job) -> None:
        if job.name in self._scheduled:
            self._scheduled.pop(job.name).cancel()

    def pause(self) -> None:
        self._player.pause()
        self._changed()

    def resume(self) -> None:
        self._player.resume()
        self._wake.set()
        self._changed()

    async def wind_down(self) -> None:
        """Take nothing more, end what is being said and wait a moment for its outcome. What waits stays in the
        journal; without one it ends too."""
        self._is_stopping = True
        if self._journal.keeps:
            self._keep_for_restart()
        self.stop()
        if self._queue.speaking:
            await asyncio.wait({self._queue.speaking.outcome}, timeout=WIND_DOWN_S)

    def _keep_for_restart(self) -> None:
        """Whoever waits for an outcome is told that it comes later."""
        for job in self._queue.clear() + [self._jobs[name] for name in self._scheduled]:
            self._unschedule(job)
            _cancel_expiry(job)
            job.outcome.set_exception(KeptForRestartError(job.name))
            job.outcome.exception()  # nobody may be waiting

    async def repeat(self) -> Receipt:
        """Say the last spoken announcement again; raises UnknownJobError if there was none."""
        if self._last is None:
            raise UnknownJobError("repeat")
        return await self.submit(replace(self._last, id=None, at=None, repeat=1))

    # The loudspeaker

    async def run(self) -> None:
        """Speak what waits, one job at a time, until cancelled."""
        while True:
            is_held = self._player.is_paused or self._is_stopping
            job = None if is_held else self._queue.next()
            if job is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            self._changed()
            await self._speak(job)
            self._queue.done()
            self._changed()

    def _expire(self, job: Job) -> None:
        """The job's time is up: nothing, if it speaks or has spoken."""
        if self._queue.remove(job):
            self._end(job, EventType.EXPIRED, code="expired")

    async def _speak(self, job: Job) -> None:
        try:
            speaking = _Speaking(self, job)
            await speaking.run()
        except SpeechError as error:
            log.warning("failed job=%s code=%s: %s", job.name, error.code, error)
            self._end(job, EventType.FAILED, code=error.code, message=str(error))
        except asyncio.CancelledError:
            self._end(job, EventType.INTERRUPTED, code="cancelled")
            raise
        except Exception as error:
            task = asyncio.current_task()
            if task and task.cancelling():
                # Closing a generator that still waits for the synth thread hides the cancellation.
                self._end(job, EventType.INTERRUPTED, code="cancelled")
                raise asyncio.CancelledError from error
            # Whatever a voice or a device throws: this job ends with an outcome, the next one speaks.
            log.exception("failed job=%s", job.name)
            self._end(
                job, EventType.FAILED, code=SpeechError.code, message="an unexpected error; see the log"
            )

    def _gain_of(self, job: Job) -> float:
        """Asked block by block: a volume set meanwhile is heard at once, one of the message's own stays."""
        return volume_gain(self._state.volume if job.request.volume is None else job.request.volume)

    def _chime_of(self, request: SpeakRequest) -> Audio | None:
        """On the synth thread; None without one. Raises OSError or ValueError."""
        name = self.config.audio.chime if request.chime is None else request.chime
        if not name:
            return None
        path = self.config.audio.sounds_dir / f"{name}.wav"
        if path.parent != self.config.audio.sounds_dir:
            raise ValueError("a chime is a name without folders")
        return read_sound(path)

    @property
    def _is_crowded(self) -> bool:
        return len(self._queue) > self.config.pressure.queue_longer_than

    # Sound for callers

    async def stream(self, request: SpeakRequest) -> AsyncGenerator[Piece, None]:
        """Synthesize for a caller who wants the sound itself; use `async with aclosing(service.stream(r))`.
        Raises RequestError or VoiceError at the first piece."""
        self._check(request)
        plan = await self._plan(request, self._renderer.call_in_turn)
        plan = replace(plan, is_crowded=self._is_crowded)
        async with aclosing(self._renderer.stream(plan, is_for_caller=True)) as pieces:
            async for piece in pieces:
                yield piece

    async def explain(self, request: SpeakRequest) -> dict[str, Any]:
        """JSON: voice, sentences (text, language, phonemes, duration_s), normalized, duration_s, warnings."""
        self._check(request)
        return await self._renderer.call(self._renderer.synthesizer.explain, request, self._state.voice)

    async def voices(self) -> list[dict[str, Any]]:
        """JSON per installed voice: name, family, languages, speakers, emotions, sample_rate, is_loaded, licence,
        source, and error for those that cannot be loaded."""
        return await self._renderer.call(self._renderer.synthesizer.voices.describe)

    async def references(self) -> list[Reference]:
        """Who is enrolled, by name and emotion."""
        return await self._renderer.call(self._renderer.synthesizer.references.all)

    async def enrol(
        self, name: str, clip: bytes, text: str, language: str | None, emotion: str | None
    ) -> Reference:
        """Keep *clip*, a sound file; raises BadClipError or InvalidFieldError."""
        references = self._renderer.synthesizer.references
        return await self._renderer.call(references.add_bytes, name, clip, text, language, emotion)

    async def forget(self, name: str) -> int:
        """Remove all clips of *name*; returns how many. Raises UnknownReferenceError."""
        return await self._renderer.call(self._renderer.synthesizer.references.remove, name)

    # State and health

    @property
    def state(self) -> DeviceState:
        return self._state

    def set_volume(self, volume: int) -> None:
        """0 to 100; raises RequestError."""
        if not 0 <= volume <= 100:
            raise RequestError(f"volume must be 0 to 100, not {volume}")
        self._set(volume=volume)

    def set_muted(self, is_muted: bool) -> None:
        """Muting ends what is being said and what waits, unless it is important."""
        self._set(is_muted=is_muted)
        if not is_muted:
            return
        for job in self._queue.all_waiting():
            if job.priority is not Priority.IMPORTANT:
                self._queue.remove(job)
                self._end(job, EventType.MUTED, code="muted")
        speaking = self._queue.speaking
        if speaking and speaking.priority is not Priority.IMPORTANT:
            self._interrupt(EventType.INTERRUPTED, "muted")

    def set_speed(self, speed: float) -> None:
        """0.25 to 4; multiplies every request's own. Raises RequestError."""
        if not 0.25 <= speed <= 4.0:
            raise RequestError(f"speed must be 0.25 to 4.0, not {speed}")
        self._set(speed=speed)

    def set_voice(self, voice: str) -> None:
        """Raises UnknownVoiceError."""
        installed = self._renderer.synthesizer.voices.installed.voices
        if voice not in installed:
            raise UnknownVoiceError(voice, installed)
        self._set(voice=voice)

    def _set(self, **changes: Any) -> None:
        before = self._state
        self._state = replace(before, **changes)
        if self._state != before:
            self._kept.save(self._state)
            self._publish(self._state)

    def _changed(self) -> None:
        """Publish what the box is doing, if it is something else than before."""
        after = replace(
            self._state,
            is_paused=self._player.is_paused,
            is_speaking=self._queue.speaking is not None,
            queue_length=len(self._queue),
            has_audio_problem="device_unavailable" in self._problems,
        )
        self.metrics.queue_length.set(len(self._queue))
        if after != self._state:
            self._state = after
            self._publish(after)

    @contextmanager
    def updates(self) -> Iterator[AsyncIterator[Update]]:
        """Every JobEvent and every change of DeviceState from now on: `with service.updates() as updates:
        async for update in updates`. A reader more than 1000 behind loses the oldest, counted in metrics."""
        reader = _Reader()
        self._readers.append(reader)
        try:
            yield reader.updates()
        finally:
            self._readers.remove(reader)

    def _publish(self, update: Update) -> None:
        for reader in self._readers:
            if not reader.put(update):
                self.metrics.warnings.labels("updates_lost").inc()
        if isinstance(update, JobEvent):
            self.metrics.events.labels(str(update.event_type), update.source).inc()

    def _end(self, job: Job, event_type: EventType, **details: Any) -> None:
        """The one outcome of *job*."""
        if job.outcome.done():
            return
        _cancel_expiry(job)
        event = replace(job.latest, event_type=event_type, warnings=tuple(job.warnings), **details)
        job.latest = event
        job.plan = None  # ten times the text, which stays for `queue.history`
        job.outcome.set_result(event)
        log.info("%s %s", event_type, _fields(event))
        self._publish(event)
        # After it was told: a crash in between tells it once more, with the same job, rather than never.
        self._journal.end(job.name)
        self._changed()

    def health(self) -> dict[str, Any]:
        """JSON: is_live, is_ready and problems; doors add theirs by `report_problem`."""
        stuck = self.stuck()
        problems = [{"code": code, "message": message} for code, message in sorted(self._problems.items())]
        return {"is_live": stuck is None, "is_ready": stuck is None, "problems": problems}

    def stuck(self) -> str | None:
        """What hangs beyond its deadline, or None; decides whether the watchdog is fed."""
        if self._player.stuck_s > 0:
            return "playback"
        if self._renderer.stuck_s > 0:
            return "synth"
        return next((stuck for check in self.checks if (stuck := check()) is not None), None)

    def report_problem(self, code: str, message: str | None) -> None:
        """Set or (None) clear a problem shown by `health`, "mqtt_disconnected" for example."""
        if message is None:
            self._problems.pop(code, None)
        else:
            self._problems[code] = message
        self._changed()


class _Speaking:
    """One job on the loudspeaker, with its timings."""

    def __init__(self, service: Service, job: Job) -> None:
        self._service = service
        self._job = job
        self._started_s = time.monotonic()
        self._audio_s = 0.0
        self._synthesis_s = 0.0

    async def run(self) -> None:
        service, job = self._service, self._job
        queued_s = self._started_s - job.accepted_s
        service.metrics.queue_time.observe(queued_s)
        self._update(queued_ms=round(queued_s * 1000))
        service._journal.begin(job.name)
        plan = await self._plan()
        chime = await self._chime()
        if job.interruption:
            # Stopped while it was being prepared; from here to the player there is no gap.
            event_type, code = job.interruption
            service._end(job, event_type, code=code)
            return
        async with aclosing(service._renderer.stream(plan)) as pieces:
            playback = await service._player.play(
                pieces,
                name=job.name,
                gain=lambda: service._gain_of(job),
                chime=chime,
                on_first_block=self._on_first_block,
                on_piece=self._on_piece,
            )
        service._last = job.request
        figures = {"spoken_ms": round(playback.spoken_s * 1000), "audio_ms": round(self._audio_s * 1000)}
        if self._audio_s:
            figures["rtf"] = round(self._synthesis_s / self._audio_s, 4)  # type: ignore[assignment]
        if playback.is_complete:
            service._end(job, EventType.FINISHED, **figures)
        else:
            event_type, code = job.interruption or (EventType.INTERRUPTED, "cancelled")
            service._end(job, event_type, code=code, **figures)

    async def _plan(self) -> Plan:
        """What is to be said of it."""
        job = self._job
        if job.plan is None:
            job.plan = await self._service._plan(job.request, self._service._renderer.call)
            job.first_sentence = min(job.first_sentence, len(job.plan.sentences) - 1)
            job.warn(*job.plan.warnings)
            self._update(voice=job.plan.voice, n_sentences=len(job.plan.sentences))
        sentences = job.plan.sentences[job.first_sentence :]
        return replace(job.plan, sentences=sentences, is_crowded=self._service._is_crowded)

    async def _chime(self) -> Audio | None:
        try:
            return await self._service._renderer.call(self._service._chime_of, self._job.request)
        except (OSError, ValueError) as error:
            log.warning("chime: %s", error)
            self._job.warn(f"unknown_chime:{self._job.request.chime or 'the configured one'}")
            return None

    def _on_piece(self, piece: Piece) -> None:
        self._audio_s += piece.audio.duration_s
        self._synthesis_s += piece.synthesis_s
        self._job.warn(*piece.warnings)
        sentence = self._job.first_sentence + piece.sentence
        if sentence > max(self._job.first_sentence, self._job.latest.sentence - 1):
            self._service._journal.progress(self._job.name, sentence)
        self._update(sentence=sentence + 1)

    def _on_first_block(self) -> None:
        job, now_s = self._job, time.monotonic()
        first_audio_s = now_s - job.accepted_s
        self._service.metrics.first_audio.labels(job.latest.voice).observe(now_s - self._started_s)
        self._update(event_type=EventType.STARTED, first_audio_ms=round(first_audio_s * 1000))
        self._service._publish(job.latest)

    def _update(self, **changes: Any) -> None:
        self._job.latest = replace(self._job.latest, **changes)


def _job(
    name: str, request: SpeakRequest, plan: Plan | None, accepted_s: float, ttl_s: float, delay_s: float
) -> Job:
    """A job that waits; *accepted_s* is monotonic."""
    queued = JobEvent(
        EventType.QUEUED, name, request.id, request.text, request.source, priority=request.priority
    )
    if plan:
        queued = replace(queued, voice=plan.voice, n_sentences=len(plan.sentences))
        queued = replace(queued, warnings=first_warnings(plan.warnings))
    job = Job(name, request, plan, accepted_s, accepted_s + delay_s + ttl_s, request.priority, queued)
    job.warn(*queued.warnings)
    return job


def _name_of_run(others: Container[str]) -> str:
    """The start of our jobs' names. A box without a battery may start twice at the same time."""
    return next(name for number in itertools.count(int(time.time())) if (name := f"{number:x}") not in others)


def _cancel_expiry(job: Job) -> None:
    if job.expiry:
        # A timer keeps what it is called with, however long the ttl.
        job.expiry.cancel()
        job.expiry = None


def _fields(event: JobEvent) -> str:
    """For the log: what is known of *event*, without what was said."""
    names = ("job", "source", "voice", "priority", "code", "queued_ms", "first_audio_ms", "audio_ms", "rtf")
    return " ".join(f"{name}={value}" for name in names if (value := getattr(event, name)) is not None)


class _Reader:
    """Somebody who reads updates at their own pace."""

    def __init__(self) -> None:
        self._pending: deque[Update] = deque(maxlen=MAX_UPDATES_BEHIND)
        self._wake = asyncio.Event()

    def put(self, update: Update) -> bool:
        """False if the oldest unread one is lost for it."""
        has_room = len(self._pending) < MAX_UPDATES_BEHIND
        self._pending.append(update)
        self._wake.set()
        return has_room

    async def updates(self) -> AsyncIterator[Update]:
        while True:
            while self._pending:
                yield self._pending.popleft()
            self._wake.clear()
            await self._wake.wait()


@asynccontextmanager
async def open_service(
    config: Config, renderer: Renderer, player: Player, metrics: Metrics
) -> AsyncIterator[Service]:
    """The service, speaking what arrives; leaving ends what is being said with the outcome interrupted."""
    async with open_journal(config) as journal:
        service = Service(config, renderer, player, metrics, journal)
        runner = asyncio.create_task(service.run())
        service.checks.append(lambda: "the queue" if runner.done() else None)
        try:
            yield service
        finally:
            await service.wind_down()
            runner.cancel()
            await asyncio.wait({runner})
