"""Other players while we speak: one file per way of quieting them, one line in WAYS."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from edge_tts.config import AudioConfig, Config
from edge_tts.errors import OthersError
from edge_tts.others.base import LIMIT_S, Others, Way
from edge_tts.others.ducking import Ducking
from edge_tts.others.pausing import Pausing
from edge_tts.others.switching import Switching

log = logging.getLogger(__name__)

WAYS: Mapping[str, Callable[[AudioConfig], Way]] = {
    "duck": Ducking,
    "pause": Pausing,
    "switch": Switching,
}
"""By the names used in `audio.others`."""

__all__ = ["LIMIT_S", "WAYS", "Others", "open_others"]


@asynccontextmanager
async def open_others(config: Config) -> AsyncIterator[Others]:
    """The others, with what an earlier run did to them and could not undo; leaving gives back what they had."""
    others = Others()
    if config.audio.others != "none":
        path = config.state.folder / f"others-{config.audio.others}.json"
        try:
            others = Others(WAYS[config.audio.others](config.audio), path)
        except OthersError as error:
            log.warning("other players: %s", error)
            others.problem = str(error)
    try:
        yield others
    finally:
        await others.close()
