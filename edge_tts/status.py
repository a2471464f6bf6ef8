"""The state of the box as it changes, and what is wrong with it. Each change of the state is published."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Container
from dataclasses import replace
from typing import Any

from edge_tts.config import Config
from edge_tts.quiet_hours import QuietHours, is_clock_set
from edge_tts.speech import Priority, SpeakRequest
from edge_tts.state import KeptState
from edge_tts.updates import Updates

log = logging.getLogger(__name__)


class Status:
    def __init__(self, config: Config, installed: Container[str], updates: Updates) -> None:
        self.problems: dict[str, str] = {}
        """Messages by their codes."""

        self.quiet_hours = QuietHours(config.quiet_hours)
        self._updates = updates
        self._kept = KeptState(config, self.report_problem)
        self.state = self._kept.load()
        if self.state.voice not in installed:
            log.warning("voice %s is no longer installed; using %s", self.state.voice, config.voices.default)
            self.state = replace(self.state, voice=config.voices.default)

    def set(self, **changes: Any) -> None:
        """What the user wants; survives a restart."""
        after = replace(self.state, **changes)
        if after != self.state:
            self._kept.save(after)
            self.update(**changes)

    def update(self, **changes: Any) -> None:
        """What the box is doing."""
        after = replace(self.state, **changes)
        if after != self.state:
            self.state = after
            self._updates.publish(after)

    def look_at_clock(self, wall_s: float) -> None:
        """Quiet hours may have begun or ended, or cannot be known."""
        is_unknown = self.quiet_hours.are_set and not is_clock_set(wall_s)
        if is_unknown and "clock_not_set" not in self.problems:
            log.warning("the clock of this box is not set: quiet hours are not kept")
        problem = "the clock of this box is not set, so quiet hours are not kept: is it told the time? (timedatectl)"
        self.report_problem("clock_not_set", problem if is_unknown else None)
        self.update(is_quiet=self.quiet_hours.are_on(wall_s))

    async def watch_clock(self) -> None:
        """Tell when quiet hours begin and end; for ever, or not at all where there are none."""
        while self.quiet_hours.are_set:
            wall_s = time.time()
            self.look_at_clock(wall_s)
            # A timer that is early by a hair would see them as they were.
            await asyncio.sleep(self.quiet_hours.change_in_s(wall_s) + 0.01)

    def is_silenced(self, priority: Priority, at: float | None) -> bool:
        """Whether quiet hours keep an announcement for now, or for *at* in Unix seconds, from being spoken."""
        now_s = time.time()
        self.look_at_clock(now_s)
        return self.quiet_hours.silence(priority) and self.quiet_hours.are_on(max(now_s, at or 0.0))

    def volume_of(self, request: SpeakRequest) -> float:
        """0 to 100, as it is to be heard now."""
        volume = self.state.volume if request.volume is None else request.volume
        return min(volume, self.quiet_hours.most_volume(request.priority)) if self.state.is_quiet else volume

    def report_problem(self, code: str, message: str | None) -> None:
        """Set or (None) clear a problem."""
        if message is None:
            self.problems.pop(code, None)
        else:
            self.problems[code] = message
        self.update(has_audio_problem="device_unavailable" in self.problems)
