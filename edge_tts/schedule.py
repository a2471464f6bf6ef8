"""What is for later: it comes a little before its time, so that it can be made and the device woken until then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge_tts.errors import ClockNotSetError
from edge_tts.jobs import Job
from edge_tts.quiet_hours import is_clock_set
from edge_tts.speech import SpeakRequest

PREPARE_S = 3.0
"""Before its time an announcement has its turn: the first piece of any voice quick enough is made until then, and the
slowest device awake."""

LOOK_EVERY_S = 60.0
"""The clock may be set at any time, and nothing tells."""


def delay_of(request: SpeakRequest) -> float:
    """Seconds until its time, negative if that is over; 0 without one. Raises ClockNotSetError."""
    if request.at is None:
        return 0.0
    if not is_clock_set(time.time()):
        raise ClockNotSetError
    return request.at - time.time()


def start_s(request: SpeakRequest) -> float | None:
    """Monotonic seconds at which *request*, whose turn it is, shall be heard; None: at once."""
    early_s = 0.0 if request.at is None else request.at - time.time()
    return time.monotonic() + early_s if 0.0 < early_s <= PREPARE_S + 1.0 else None


@dataclass(frozen=True, slots=True)
class _Scheduled:
    job: Job
    due_s: float
    """Monotonic: when it is to come, if the clock cannot say."""

    ttl_s: float
    """From its time on."""

    timer: asyncio.TimerHandle

    def left_s(self, wall_s: float) -> float:
        at = self.job.request.at
        if at is None or not is_clock_set(wall_s):
            return self.due_s - time.monotonic()
        return at - PREPARE_S - wall_s


class Schedule:
    """On the event loop."""

    def __init__(
        self,
        arrive: Callable[[Job], None],
        wall_clock: Callable[[], float] = time.time,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._arrive = arrive
        self._wall_clock = wall_clock
        self._look_every_s = look_every_s
        self._scheduled: dict[str, _Scheduled] = {}

    def __len__(self) -> int:
        return len(self._scheduled)

    @property
    def jobs(self) -> list[Job]:
        return [scheduled.job for scheduled in self._scheduled.values()]

    def add(self, job: Job, delay_s: float) -> None:
        """*job* arrives PREPARE_S before it is to be heard, in *delay_s*."""
        due_s = time.monotonic() + delay_s - PREPARE_S
        self._wait(job, due_s, job.deadline_s - due_s - PREPARE_S, delay_s - PREPARE_S)

    def _wait(self, job: Job, due_s: float, ttl_s: float, left_s: float) -> None:
        timer = asyncio.get_running_loop().call_later(min(left_s, self._look_every_s), self._look, job.name)
        self._scheduled[job.name] = _Scheduled(job, due_s, ttl_s, timer)

    def _look(self, name: str) -> None:
        scheduled = self._scheduled.pop(name)
        job, left_s = scheduled.job, scheduled.left_s(self._wall_clock())
        if left_s > 0:
            self._wait(job, scheduled.due_s, scheduled.ttl_s, left_s)
            return
        # The clock may have been set back meanwhile: its time to live counts from when it is its time.
        job.deadline_s = time.monotonic() + PREPARE_S + scheduled.ttl_s
        self._arrive(job)

    def remove(self, job: Job) -> bool:
        """False if it is not for later."""
        scheduled = self._scheduled.pop(job.name, None)
        if scheduled is not None:
            scheduled.timer.cancel()
        return scheduled is not None
