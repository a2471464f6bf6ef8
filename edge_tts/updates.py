"""What happens, told to whoever reads it, each at their own pace."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from edge_tts.metrics import Metrics
from edge_tts.speech import JobEvent
from edge_tts.state import DeviceState

MAX_UPDATES_BEHIND = 1000

Update = JobEvent | DeviceState


class Updates:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._readers: list[_Reader] = []

    @contextmanager
    def read(self) -> Iterator[AsyncIterator[Update]]:
        """All updates from now on. A reader more than MAX_UPDATES_BEHIND loses the oldest, counted in metrics."""
        reader = _Reader()
        self._readers.append(reader)
        try:
            yield reader.updates()
        finally:
            self._readers.remove(reader)

    def publish(self, update: Update) -> None:
        for reader in self._readers:
            if not reader.put(update):
                self._metrics.warnings.labels("updates_lost").inc()
        if isinstance(update, JobEvent):
            self._metrics.events.labels(str(update.event_type), update.source).inc()
        else:
            self._metrics.queue_length.set(update.queue_length)


class _Reader:
    def __init__(self) -> None:
        self._pending: deque[Update] = deque(maxlen=MAX_UPDATES_BEHIND)
        self._wake = asyncio.Event()

    def put(self, update: Update) -> bool:
        """False if the oldest unread one is lost for it."""
        has_room = len(self._pending) < MAX_UPDATES_BEHIND
        self._pending.append(update)
        self._wake.set()
        return has_room

    async def updates(self) -> AsyncIterator[Update]:
        while True:
            while self._pending:
                yield self._pending.popleft()
            self._wake.clear()
            await self._wake.wait()
