"""Which requests were accepted already: the same id is spoken once inside the dedup window."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from edge_tts.jobs import Job
from edge_tts.journal_file import Entry
from edge_tts.moments import elapsed_s, moment_now
from edge_tts.speech import EventType, Priority

REMEMBERED_IDS = 1024
REMEMBERED_TEXTS = 200

REPEAT = "repeat"
"""Where requests come from that the user wants to hear again."""


@dataclass(frozen=True, slots=True)
class Receipt:
    job: str
    is_duplicate: bool
    """The id was seen inside the dedup window: nothing new will be spoken; `job` is the first one's."""


class Receipts:
    def __init__(self, window_s: float, entries: Iterable[Entry]) -> None:
        """*entries* are what earlier runs accepted."""
        self._window_s = window_s
        self._ids: OrderedDict[str, tuple[float, asyncio.Future[str]]] = OrderedDict()
        now, now_s = moment_now(), time.monotonic()
        # The oldest first, as they are forgotten; those begun count from when they were last heard.
        for entry in sorted(entries, key=lambda entry: -elapsed_s(entry.moment, now)):
            if entry.id is not None:
                job: asyncio.Future[str] = asyncio.get_running_loop().create_future()
                job.set_result(entry.name)
                self._ids.pop(entry.id, None)
                self._ids[entry.id] = (now_s - elapsed_s(entry.moment, now), job)

    def __len__(self) -> int:
        return len(self._ids)

    async def once(self, request_id: str, accept: Callable[[], Awaitable[str]]) -> Receipt:
        """The job that has this id, or a new one by *accept*; raises what that raises."""
        while (first := self._first_of(request_id)) is not None:
            try:
                return Receipt(await asyncio.shield(first), is_duplicate=True)
            except asyncio.CancelledError:
                if not first.cancelled():
                    raise
                # Its caller hung up before it was accepted: now it is our turn.
        # Remembered before the first await: two of the same id may arrive in the same moment.
        job: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._ids[request_id] = (time.monotonic(), job)
        try:
            job.set_result(await accept())
        except BaseException as error:
            # Refused: the same id may try again. Whoever waits for it gets the same answer.
            self._ids.pop(request_id, None)
            if isinstance(error, Exception):
                job.set_exception(error)
                job.exception()
            else:
                job.cancel()
            raise
        return Receipt(job.result(), is_duplicate=False)

    def _first_of(self, request_id: str) -> asyncio.Future[str] | None:
        """The job that has this id already, if it came inside the window."""
        oldest_s = time.monotonic() - self._window_s
        while self._ids and (
            next(iter(self._ids.values()))[0] < oldest_s or len(self._ids) >= REMEMBERED_IDS
        ):
            self._ids.popitem(last=False)
        return self._ids[request_id][1] if request_id in self._ids else None


class SameTexts:
    """Texts without an id: the same one through the same door is said once inside the window."""

    def __init__(self, window_s: float) -> None:
        """0: every one is said."""
        self._window_s = window_s
        self._last: OrderedDict[tuple[str, str], tuple[float, Job]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._last)

    def is_repeated(self, job: Job) -> bool:
        arrived_s, first = self._last.get(_door_and_text(job), (0.0, job))
        is_recent = first is not job and time.monotonic() - arrived_s < self._window_s
        return is_recent and self._counts(job) and (not first.outcome.done() or _was_heard(first))

    def remember(self, job: Job) -> None:
        if self._window_s and self._counts(job):
            self._last[_door_and_text(job)] = (time.monotonic(), job)
            self._last.move_to_end(_door_and_text(job))
            while len(self._last) > REMEMBERED_TEXTS:
                self._last.popitem(last=False)

    def _counts(self, job: Job) -> bool:
        is_urgent = job.request.priority is Priority.IMPORTANT
        return job.request.id is None and job.sound is None and job.request.source != REPEAT and not is_urgent


def _door_and_text(job: Job) -> tuple[str, str]:
    return job.request.source, job.request.text.strip()


def _was_heard(job: Job) -> bool:
    return job.latest.event_type is EventType.FINISHED
