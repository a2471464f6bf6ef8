"""The state of the box as it changes, and what is wrong with it. Each change of the state is published."""

from __future__ import annotations

import logging
from collections.abc import Container
from dataclasses import replace
from typing import Any

from edge_tts.config import Config
from edge_tts.state import KeptState
from edge_tts.updates import Updates

log = logging.getLogger(__name__)


class Status:
    def __init__(self, config: Config, installed: Container[str], updates: Updates) -> None:
        self.problems: dict[str, str] = {}
        """Messages by their codes."""

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

    def report_problem(self, code: str, message: str | None) -> None:
        """Set or (None) clear a problem."""
        if message is None:
            self.problems.pop(code, None)
        else:
            self.problems[code] = message
        self.update(has_audio_problem="device_unavailable" in self.problems)
