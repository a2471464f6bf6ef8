"""Which job is heard when, from its arrival to its outcome: carries out what `jobs` decides. On the event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from typing import Any

from edge_tts.config import QueueConfig
from edge_tts.errors import KeptForRestartError, PoisonError, QueueFullError, RequestError, UnknownJobError
from edge_tts.jobs import Ending, Job, JobQueue, known_of, new_job, replaces
from edge_tts.journal import Journal
from edge_tts.journal_file import Entry
from edge_tts.moments import Moment, elapsed_s, moment_now
from edge_tts.player import Player
from edge_tts.refusals import Refusals
from edge_tts.schedule import PREPARE_S, Schedule
from edge_tts.speech import EventType, Priority, SpeakRequest
from edge_tts.status import Status
from edge_tts.updates import Updates

log = logging.getLogger(__name__)

WIND_DOWN_S = 2.0

MAX_ATTEMPTS = 2
"""A text that the daemon did not survive so often is not tried again."""


class Dispatcher:
    def __init__(
        self, limits: QueueConfig, player: Player, journal: Journal, status: Status, updates: Updates
    ) -> None:
        self.is_stopping = False
        self._limits = limits
        self._player = player
        self._journal = journal
        self._status = status
        self._updates = updates
        self._queue = JobQueue(limits.max_jobs)
        self._wake = asyncio.Event()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._scheduled = Schedule(self._arrive_scheduled)
        self._refusals = Refusals(limits.same_text_window_s, player, status)
        self._left_over = [entry for entry in journal.entries if entry.request is not None]

    def __len__(self) -> int:
        """How many wait."""
        return len(self._queue)

    # Arrival

    def check_room(self, request: SpeakRequest) -> None:
        """Raises QueueFullError."""
        self._queue.check_room(request)
        is_full = request.at and len(self._scheduled) >= self._limits.max_jobs
        if is_full and not any(replaces(request, other) for other in self._scheduled.jobs):
            raise QueueFullError(self._limits.max_jobs)

    def enter(self, job: Job, delay_s: float) -> None:
        """*job*, which is to be heard in *delay_s*, waits for its turn; raises QueueFullError."""
        replaced = [other for other in self._scheduled.jobs if replaces(job.request, other)]
        if delay_s > PREPARE_S:
            self._remember(job)
            self._scheduled.add(job, delay_s)
        else:
            self._arrive(job)
        for other in replaced:
            self._scheduled.remove(other)
            self.end(other, EventType.SUPERSEDED, code="replaced")

    def _arrive_scheduled(self, job: Job) -> None:
        try:
            self._arrive(job)
        except RequestError as error:
            self.end(job, EventType.FAILED, code=error.code, message=str(error))

    def _arrive(self, job: Job) -> None:
        """Put *job* in the queue and carry out what the priorities decide; raises QueueFullError."""
        if refusal := self._refusals.of(job):
            self._remember(job)
            self.end(job, refusal[0], code=refusal[1])
            return
        endings = self._queue.arrive(job)
        self._refusals.note_arrival(job)
        self._remember(job)
        for ending in endings:
            self._carry_out(ending)
        if job.priority is Priority.IMPORTANT and self._player.is_paused:
            self.resume()
        self._await_turn(job)

    def _await_turn(self, job: Job) -> None:
        """*job* is in the queue: it may speak until its deadline."""
        if not job.outcome.done():
            left_s = job.deadline_s - time.monotonic()
            job.expiry = asyncio.get_running_loop().call_later(left_s, self._expire, job)
        self._wake.set()
        self._changed()

    def _expire(self, job: Job) -> None:
        """The job's time is up: nothing, if it speaks or has spoken."""
        if self._queue.remove(job):
            self.end(job, EventType.EXPIRED, code="expired")
        elif job is self._queue.speaking and job.request.at is not None:
            # It had its turn before its time, and could not be heard then: a pause, a device that is away.
            self._interrupt(EventType.EXPIRED, "expired")

    def _remember(self, job: Job) -> None:
        if job.name in self._jobs:
            return
        self._jobs[job.name] = job
        self._updates.publish(job.latest)
        ended = [name for name, other in self._jobs.items() if other.outcome.done()]
        for name in ended[: max(0, len(ended) - self._limits.history)]:
            del self._jobs[name]

    def _carry_out(self, ending: Ending) -> None:
        if ending.job is self._queue.speaking:
            self._interrupt(ending.event_type, ending.code)
        else:
            self.end(ending.job, ending.event_type, code=ending.code)

    # What an earlier run left

    def take_up(self) -> None:
        """Go on with what waited when the daemon ended."""
        for entry in self._left_over:
            if entry.request is not None:
                self._take_up(entry, entry.request, moment_now())
        self._left_over = []

    def _take_up(self, entry: Entry, request: SpeakRequest, now: Moment) -> None:
        passed_s = elapsed_s(entry.moment, now)
        delay_s = request.at - entry.moment.wall_s if request.at else 0.0
        job = new_job(entry.name, request, None, time.monotonic() - passed_s, entry.ttl_s, delay_s)
        job.first_sentence = entry.sentence
        job.warn("resumed")
        self._jobs[job.name] = job
        if entry.attempts >= MAX_ATTEMPTS:
            self.end(job, EventType.FAILED, code=PoisonError.code, message=str(PoisonError()))
        elif code := self._refusals.silence(job):
            self.end(job, EventType.MUTED, code=code)
        elif job.deadline_s <= time.monotonic():
            self.end(job, EventType.EXPIRED, code="expired")
        elif delay_s - passed_s > PREPARE_S:
            self._scheduled.add(job, delay_s - passed_s)
        else:
            self.take_back(job)

    # The turn, and the end

    async def next(self) -> Job:
        """Wait for the job whose turn it is; it is the speaking one until `done`."""
        while True:
            is_held = self._player.is_paused or self.is_stopping
            job = None if is_held else self._queue.next()
            if job is None:
                self._wake.clear()
                await self._wake.wait()
            elif code := self._refusals.silence(job):
                # Quiet hours have begun while it waited.
                self._queue.done()
                self.end(job, EventType.MUTED, code=code)
            else:
                self._changed()
                return job

    def done(self) -> None:
        self._queue.done()
        self._changed()

    def take_back(self, job: Job) -> None:
        """*job*, which has spoken or waited, waits again in its place."""
        job.cancel_expiry()
        job.interruption = None
        self._queue.take_back(job)
        self._await_turn(job)

    def end(self, job: Job, event_type: EventType, **details: Any) -> None:
        """The one outcome of *job*."""
        if job.outcome.done():
            return
        event = job.end(event_type, **details)
        log.info("%s %s", event_type, known_of(event))
        self._updates.publish(event)
        # After it was told: a crash in between tells it once more, with the same job, rather than never.
        self._journal.end(job.name)
        self._changed()

    def _changed(self) -> None:
        self._status.update(
            is_paused=self._player.is_paused,
            is_speaking=self._queue.speaking is not None,
            queue_length=len(self._queue),
        )

    # Questions

    def find(self, name: str) -> Job:
        """By the job's name, else by the request's id (the newest). Raises UnknownJobError."""
        if name in self._jobs:
            return self._jobs[name]
        for job in reversed(self._jobs.values()):
            if job.request.id == name:
                return job
        raise UnknownJobError(name)

    def remembers(self, name: str) -> bool:
        return name in self._jobs

    def jobs(self) -> list[Job]:
        """The speaking, the waiting and the remembered ones, oldest first."""
        return list(self._jobs.values())

    # Commands

    def stop(self, which: str | None = None) -> int:
        """End the speaking job and every waiting one, or just *which*; returns how many ended."""
        if which is None:
            self.resume()
            return self.clear() + self.skip()
        job = self.find(which)
        if job.outcome.done():
            return 0
        if job is self._queue.speaking:
            return self.skip()
        self._queue.remove(job)
        self._scheduled.remove(job)
        self.end(job, EventType.INTERRUPTED, code="cancelled")
        return 1

    def skip(self) -> int:
        speaking = self._queue.speaking
        if not speaking or speaking.outcome.done():
            return 0
        self._interrupt(EventType.INTERRUPTED, "cancelled")
        return 1

    def _interrupt(self, event_type: EventType, code: str) -> None:
        job = self._queue.speaking
        # Who gives way may be said after; not so who is also cancelled before it has.
        if job and (code == "cancelled" or not job.interruption):
            job.interruption = (event_type, code)
            self._player.interrupt()

    def clear(self) -> int:
        jobs = self._queue.clear() + self._scheduled.jobs
        for job in jobs:
            self._scheduled.remove(job)
            self.end(job, EventType.INTERRUPTED, code="cancelled")
        return len(jobs)

    def mute(self) -> None:
        """End what is being said and what waits, unless it is important."""
        for job in self._queue.all_waiting():
            if job.priority is not Priority.IMPORTANT:
                self._queue.remove(job)
                self.end(job, EventType.MUTED, code="muted")
        speaking = self._queue.speaking
        if speaking and speaking.priority is not Priority.IMPORTANT:
            self._interrupt(EventType.INTERRUPTED, "muted")

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
        self.is_stopping = True
        if self._journal.keeps:
            self._keep_for_restart()
        self.stop()
        if self._queue.speaking:
            await asyncio.wait({self._queue.speaking.outcome}, timeout=WIND_DOWN_S)

    def _keep_for_restart(self) -> None:
        """Whoever waits for an outcome is told that it comes later. A sound is not kept."""
        jobs, speaking = [*self._queue.all_waiting(), *self._scheduled.jobs], self._queue.speaking
        if speaking and speaking.is_unheard and not speaking.interruption:
            # It is being made, or waits for its time: nothing of it was heard.
            self.skip()
            self._journal.gave_way(speaking.name)
            jobs.append(speaking)
        for job in jobs:
            if job.sound is None:
                self._queue.remove(job)
                self._scheduled.remove(job)
                job.cancel_expiry()
                job.outcome.set_exception(KeptForRestartError(job.name))
                job.outcome.exception()  # nobody may be waiting
