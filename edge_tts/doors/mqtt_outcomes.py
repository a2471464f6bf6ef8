"""Outcomes on their way to the broker: kept until it has them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from edge_tts.metrics import Metrics
from edge_tts.speech import JobEvent

MAX_UNTOLD = 500
"""Kept while the broker is away; of more the oldest are lost, and counted."""


class Outcomes:
    def __init__(self, publish: Callable[[JobEvent], asyncio.Future[None] | None], metrics: Metrics) -> None:
        """*publish* returns what is done when the broker has it, and cancelled if the connection ended before; None
        if it cannot be told now."""
        self._publish = publish
        self._metrics = metrics
        self._untold: deque[JobEvent] = deque(maxlen=MAX_UNTOLD)

    def tell(self, outcome: JobEvent) -> None:
        self._keep(outcome)
        self.tell_kept()

    def tell_kept(self) -> None:
        """In their order, as far as they can be told now: a late one would be taken for the last."""
        while self._untold and (acknowledgement := self._publish(self._untold[0])) is not None:
            acknowledgement.add_done_callback(partial(self._was_told, self._untold.popleft()))

    def _was_told(self, outcome: JobEvent, acknowledgement: asyncio.Future[None]) -> None:
        # A cable that is cut is noticed late: until then all seems to be sent.
        if acknowledgement.cancelled():
            self._keep(outcome)
        else:
            self.tell_kept()

    def _keep(self, outcome: JobEvent) -> None:
        if len(self._untold) == MAX_UNTOLD:
            self._metrics.warnings.labels("mqtt_unsent").inc()
        self._untold.append(outcome)
