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
