"""What has no business in the queue: muted, quiet hours, too late, said already. On the event loop."""

from __future__ import annotations

import time

from edge_tts.jobs import Job
from edge_tts.player import Player
from edge_tts.receipts import SameTexts
from edge_tts.speech import EventType, Priority
from edge_tts.status import Status


class Refusals:
    def __init__(self, same_text_window_s: float, player: Player, status: Status) -> None:
        self._texts = SameTexts(same_text_window_s)
        self._player = player
        self._status = status

    def of(self, job: Job) -> tuple[EventType, str] | None:
        """The outcome and its code, if *job* has no business in the queue."""
        if code := self.silence(job):
            return EventType.MUTED, code
        if self._player.is_paused and job.priority in (Priority.NOTIFICATION, Priority.PROGRESS):
            return EventType.SUPERSEDED, "paused"
        if job.deadline_s <= time.monotonic():
            return EventType.EXPIRED, "expired"
        return (EventType.SUPERSEDED, "duplicate_text") if self._texts.is_repeated(job) else None

    def silence(self, job: Job) -> str | None:
        """Why *job* may not be heard now, as a code; also asked when its turn has come."""
        if self._status.state.is_muted and job.priority is not Priority.IMPORTANT:
            return "muted"
        return "quiet_hours" if self._status.is_silenced(job.priority, job.request.at) else None

    def note_arrival(self, job: Job) -> None:
        """*job* is in the queue."""
        self._texts.remember(job)
