"""Outcomes on their way to the broker: kept until it has them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

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
        acknowledgement = self._publish(outcome)
        if acknowledgement is None:
            self._keep(outcome)
            return
        # A cable that is cut is noticed late: until then all seems to be sent.
        acknowledgement.add_done_callback(lambda done: self._keep(outcome) if done.cancelled() else None)

    def tell_kept(self) -> None:
        """The broker is back."""
        kept = list(self._untold)
        self._untold.clear()
        for outcome in kept:
            self.tell(outcome)

    def _keep(self, outcome: JobEvent) -> None:
        if len(self._untold) == MAX_UNTOLD:
            self._metrics.warnings.labels("mqtt_unsent").inc()
        self._untold.append(outcome)
