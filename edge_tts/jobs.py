"""Jobs and their queue: speech-dispatcher's five priorities, without threads, clocks or sound.

The rules are those of doc/ssip.texi (speech-dispatcher); `JobQueue.arrive` says what they decide, the service
carries it out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edge_tts.errors import QueueFullError
from edge_tts.given_sound import GivenSound
from edge_tts.speech import EventType, JobEvent, Priority, SpeakRequest
from edge_tts.synthesizer import Plan

ORDER = tuple(Priority)
"""Most urgent first."""

IMPORTANT, MESSAGE, TEXT, NOTIFICATION, PROGRESS = ORDER

# What a new job ends, by its priority: while it waits, and while it speaks.
ENDS_WAITING = {
    IMPORTANT: {NOTIFICATION, PROGRESS},
    MESSAGE: {TEXT, NOTIFICATION, PROGRESS},
    TEXT: {TEXT, NOTIFICATION, PROGRESS},
    NOTIFICATION: {NOTIFICATION},
    PROGRESS: set[Priority](),
}
ENDS_SPEAKING = ENDS_WAITING | {IMPORTANT: {MESSAGE, TEXT, NOTIFICATION, PROGRESS}}

# A new job is dropped while one of these waits or speaks.
YIELDS_TO = {
    IMPORTANT: set[Priority](),
    MESSAGE: set[Priority](),
    TEXT: set[Priority](),
    NOTIFICATION: {IMPORTANT, MESSAGE, TEXT, PROGRESS},
    PROGRESS: set(ORDER),
}


MAX_WARNINGS = 30
"""Of one job; a text can deserve a thousand."""


@dataclass(eq=False)
class Job:
    """A request on its way to the loudspeaker. Changed by the event loop only."""

    name: str
    request: SpeakRequest
    plan: Plan | None
    """None: made when its turn comes, as after a restart."""

    accepted_s: float
    """Monotonic seconds."""

    deadline_s: float
    """Monotonic seconds; not started by then, it expires."""

    priority: Priority
    """The request's, until a last progress message is promoted."""

    latest: JobEvent
    sound: GivenSound | None = None
    """Played in place of the text; not in the journal."""

    first_sentence: int = 0
    """Index; what is before it was heard before a restart."""

    warnings: list[str] = field(default_factory=list)
    outcome: asyncio.Future[JobEvent] = field(default_factory=asyncio.Future)
    expiry: asyncio.TimerHandle | None = None
    """Ends the job at its deadline if it still waits."""

    interruption: tuple[EventType, str] | None = None
    """Why the speaking job is being ended: the outcome and its code."""

    @property
    def is_unheard(self) -> bool:
        """It waits; or has its turn, and is being made or waits for its time."""
        return self.latest.event_type is EventType.QUEUED

    def warn(self, *warnings: str) -> None:
        """Each is told once; of too many, that there are more."""
        self.warnings[:] = first_warnings((*self.warnings, *warnings))

    def end(self, event_type: EventType, **details: Any) -> JobEvent:
        """Set the outcome; returns it."""
        self.cancel_expiry()
        self.latest = replace(self.latest, event_type=event_type, warnings=tuple(self.warnings), **details)
        self.plan = self.sound = None  # ten times the text, which stays for `queue.history`
        self.outcome.set_result(self.latest)
        return self.latest

    def cancel_expiry(self) -> None:
        if self.expiry:
            # A timer keeps what it is called with, however long the ttl.
            self.expiry.cancel()
            self.expiry = None


def new_job(
    name: str,
    request: SpeakRequest,
    plan: Plan | None,
    accepted_s: float,
    ttl_s: float,
    delay_s: float,
    sound: GivenSound | None = None,
) -> Job:
    """A job that waits; *accepted_s* is monotonic."""
    queued = JobEvent(
        EventType.QUEUED, name, request.id, request.text, request.source, priority=request.priority
    )
    queued = replace(queued, context=request.context)
    if plan:
        queued = replace(queued, voice=plan.voice, n_sentences=len(plan.sentences))
        queued = replace(queued, warnings=first_warnings(plan.warnings))
    job = Job(name, request, plan, accepted_s, accepted_s + delay_s + ttl_s, request.priority, queued, sound)
    job.warn(*queued.warnings)
    return job


def known_of(event: JobEvent) -> str:
    """For the log: what is known of *event*, without what was said."""
    names = ("job", "source", "voice", "priority", "code", "queued_ms", "first_audio_ms", "audio_ms", "rtf")
    return " ".join(f"{name}={value}" for name in names if (value := getattr(event, name)) is not None)


def first_warnings(warnings: Sequence[str]) -> tuple[str, ...]:
    each = tuple(dict.fromkeys(warnings))
    return each if len(each) <= MAX_WARNINGS else (*each[:MAX_WARNINGS], "more_warnings")


@dataclass(frozen=True, slots=True)
class Ending:
    """A job that ends without being heard to its end."""

    job: Job
    event_type: EventType
    code: str


class JobQueue:
    """Who speaks, who waits, who has to give way."""

    def __init__(self, max_jobs: int) -> None:
        self._max_jobs = max_jobs
        self.waiting: list[Job] = []
        """In the order they will speak."""

        self.speaking: Job | None = None
        self.held_progress: Job | None = None
        """The last progress message that was dropped; said once all is quiet, so that "100 %" is heard."""

    def __len__(self) -> int:
        return len(self.waiting) + (self.held_progress is not None)

    def check_room(self, request: SpeakRequest) -> None:
        """Raises QueueFullError, unless *request* takes another's place. Important jobs have as many places of their
        own, and each door may add a quarter to a queue that others have filled: no flood keeps them out."""
        if self._replaced(request) or self._ended(request.priority):
            return
        is_important = request.priority is IMPORTANT
        rivals = [job for job in self.waiting if (job.priority is IMPORTANT) == is_important]
        n_own = sum(job.request.source == request.source for job in rivals)
        if len(rivals) >= self._max_jobs and n_own >= self._max_jobs // 4:
            raise QueueFullError(self._max_jobs)

    def _replaced(self, request: SpeakRequest) -> list[Job]:
        return [other for other in self.all_waiting() if replaces(request, other)]

    def _ended(self, priority: Priority) -> list[Job]:
        return [other for other in self.waiting if other.priority in ENDS_WAITING[priority]]

    def arrive(self, job: Job) -> list[Ending]:
        """Put *job* in its place; returns the jobs that end by it, perhaps the speaking one or *job* itself.

        Raises QueueFullError, and then nothing has changed.
        """
        # Its voice may be busy for a while when all is heard.
        speaking = self.speaking if self.speaking and not self.speaking.outcome.done() else None
        present = {other.priority for other in self.waiting}
        if speaking:
            present.add(speaking.priority)
        if present & YIELDS_TO[job.priority]:
            return self._give_way(job)
        self.check_room(job.request)
        replaced, ended = self._replaced(job.request), self._ended(job.priority)
        endings = [Ending(other, EventType.SUPERSEDED, "replaced") for other in replaced]
        endings += [
            Ending(other, EventType.SUPERSEDED, "priority") for other in ended if other not in replaced
        ]
        for ending in endings:
            self.remove(ending.job)
        if speaking and speaking.is_unheard and replaces(job.request, speaking):
            endings.append(Ending(speaking, EventType.SUPERSEDED, "replaced"))
        elif speaking and speaking.priority in ENDS_SPEAKING[job.priority]:
            endings.append(Ending(speaking, EventType.INTERRUPTED, "priority"))
        self._insert(job)
        return endings

    def take_back(self, job: Job) -> None:
        """Put *job*, which waited or spoke before a restart, in its place: the rules have been applied to it."""
        self._insert(job)

    def _give_way(self, job: Job) -> list[Ending]:
        if job.priority is not PROGRESS:
            return [Ending(job, EventType.SUPERSEDED, "priority")]
        endings = [Ending(self.held_progress, EventType.SUPERSEDED, "priority")] if self.held_progress else []
        self.held_progress = job
        return endings

    def next(self) -> Job | None:
        """Take the job to speak now; it is `speaking` until `done`. None: nothing to say, or one is speaking."""
        if self.speaking:
            return None
        if not self.waiting and self.held_progress:
            self.held_progress.priority = MESSAGE
            self.waiting.append(self.held_progress)
            self.held_progress = None
        if self.waiting:
            self.speaking = self.waiting.pop(0)
        return self.speaking

    def done(self) -> None:
        self.speaking = None

    def remove(self, job: Job) -> bool:
        """Take a waiting job out; False if it does not wait."""
        if job is self.held_progress:
            self.held_progress = None
            return True
        if job in self.waiting:
            self.waiting.remove(job)
            return True
        return False

    def clear(self) -> list[Job]:
        """Take every waiting job out."""
        jobs = self.all_waiting()
        self.waiting, self.held_progress = [], None
        return jobs

    def all_waiting(self) -> list[Job]:
        """Also the progress message held back."""
        return self.waiting + ([self.held_progress] if self.held_progress else [])

    def _insert(self, job: Job) -> None:
        urgency = ORDER.index(job.priority)
        position = sum(ORDER.index(other.priority) <= urgency for other in self.waiting)
        self.waiting.insert(position, job)


def replaces(request: SpeakRequest, other: Job) -> bool:
    """Whether *request* takes the place of the unsaid *other*."""
    return request.replace is not None and request.replace == other.request.replace
