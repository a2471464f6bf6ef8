"""Tokens that are chosen one by one, which may take minutes: now and then others get their turn."""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterator

import numpy as np

from edge_tts.models.base import ModelTools
from edge_tts.speech import Audio

AT_ONCE = 25
"""Tokens: a second of sound, and ten seconds of work on a slow box."""


def listen(
    tools: ModelTools, tokens: Iterator[int], said: list[int], n_wanted: int | None, sample_rate: int
) -> Generator[Audio, None, bool]:
    """Add *tokens* to *said* until it has *n_wanted* (None: all there are); returns whether there may be more. Tells
    their pace, with pieces that have no samples."""
    while n_wanted is None or len(said) < n_wanted:
        n_more = AT_ONCE if n_wanted is None else min(AT_ONCE, n_wanted - len(said))
        started_s = time.perf_counter()
        with tools.timer.stage("tokens"):
            found = list(itertools.islice(tokens, n_more))
        said += found
        if found:
            tools.pace(len(found) / (time.perf_counter() - started_s))
            yield Audio(np.zeros(0, np.float32), sample_rate)
        if len(found) < n_more:
            return False
    return True
