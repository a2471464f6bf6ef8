"""A sink that is brought back when it fails, and says again what it held unheard."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from edge_tts.blocks import BLOCK_S
from edge_tts.config import AudioConfig
from edge_tts.errors import DeviceError
from edge_tts.metrics import Metrics
from edge_tts.sinks import AudioSink
from edge_tts.speech import Audio
from edge_tts.threads import OneThread

log = logging.getLogger(__name__)

OPEN_DEADLINE_S = 12.0
"""Looking for devices and opening one; on a small board with many of them it takes seconds."""

CLOSE_DEADLINE_S = 1.5
"""Closing is where a sound server that stopped answering hangs (measured with PulseAudio)."""

RETRY_S = (0.2, 0.5, 1.0, 2.0)
"""Pauses between attempts to reopen a device; the last one repeats."""


async def unless(event: asyncio.Event, awaitable: Any) -> Any:
    """The result, or None as soon as *event* is set."""
    wanted = asyncio.ensure_future(awaitable)
    happened = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({wanted, happened}, return_when=asyncio.FIRST_COMPLETED)
        return wanted.result() if wanted.done() else None
    finally:
        happened.cancel()
        if not wanted.done():
            wanted.cancel()
            await asyncio.wait({wanted})


class Loudspeaker:
    """Runs on the event loop; the sink's methods on the playback thread. One announcement is `begin`, `write`…,
    `finish`."""

    def __init__(
        self,
        config: AudioConfig,
        sink: AudioSink,
        metrics: Metrics,
        thread: OneThread,
        interruption: asyncio.Event,
        report: Callable[[str | None], None],
        on_reopened: Callable[[], Awaitable[None]],
    ) -> None:
        self._config = config
        self._sink = sink
        self._metrics = metrics
        self._call = thread.call
        self._interruption = interruption
        self._report = report
        self._on_reopened = on_reopened
        self._name = ""
        self._recent: deque[Audio] = deque(maxlen=max(1, round(config.held_s / BLOCK_S)))
        """Blocks the device may hold unheard: said again if it vanishes."""

        self._n_taken = 0
        self._failing_since_s: float | None = None
        self.is_started = False

    def begin(self, name: str) -> None:
        self._name = name
        self._recent.clear()
        self._failing_since_s = None
        self.is_started = False

    async def write(self, block: Audio) -> None:
        """Play *block*, however long that takes. Returns early when somebody interrupts while the device is gone;
        raises DeviceError when it stays away for `audio.device_wait_s`."""
        pending = deque([block])
        while pending:
            try:
                if not self.is_started:
                    await self._start(block.sample_rate)
                if await self._patiently(self._sink.write, pending[0].samples):
                    self._metrics.underflows.inc()
            except DeviceError as error:
                await self._reopen(block.sample_rate, error)
                if self._interruption.is_set():
                    return
                pending.extendleft(reversed(self._recent))
                self._recent.clear()
                continue
            self._recent.append(pending.popleft())
            self._n_taken += 1
            # Its buffer takes some even of a device that plays nothing.
            if self._n_taken == 2 * len(self._recent) + 2:
                self._works()

    async def _start(self, sample_rate: int) -> None:
        await self._call(self._sink.start, self._name, sample_rate)
        self.is_started = True
        self._n_taken = 0

    async def _patiently(self, function: Callable[..., Any], *args: Any) -> Any:
        return await self._call(function, *args, deadline_s=self._sink.patience_s)

    def _works(self) -> None:
        if self._failing_since_s is not None:
            log.info("sound device is back")
        self._failing_since_s = None
        self._report(None)

    async def _reopen(self, sample_rate: int, reason: DeviceError) -> None:
        if not self._sink.can_resume:
            raise reason
        self._metrics.device_failures.inc()
        log.warning("sound device: %s", reason)
        if self._failing_since_s is None:
            self._failing_since_s = time.monotonic()
        give_up_s = self._failing_since_s + self._config.device_wait_s
        for pause_s in itertools.chain(RETRY_S, itertools.repeat(RETRY_S[-1])):
            self._report(str(reason))
            await self.close()
            if time.monotonic() > give_up_s:
                raise DeviceError(f"gave up after {self._config.device_wait_s:.0f} s: {reason}") from reason
            await unless(self._interruption, asyncio.sleep(pause_s))
            if self._interruption.is_set():
                return
            try:
                await self._start(sample_rate)
                await self._on_reopened()
                return
            except DeviceError as error:
                reason = error

    async def rest(self) -> None:
        """Fall silent for a while, when all has been heard."""
        try:
            await self._patiently(self._sink.rest)
        except DeviceError as error:
            # Gone in this very moment: the first block after the pause finds out and waits for it.
            log.warning("sound device: %s", error)
            await self.close()

    async def finish(self) -> None:
        """Wait until the device has played what it was given."""
        if not self.is_started:
            return
        self.is_started = False
        try:
            await self._patiently(self._sink.finish)
        except DeviceError as error:
            if not self._sink.can_resume:
                raise
            # All but the buffer's last moments was heard; the next announcement will find out more.
            log.warning("sound device: %s", error)
            await self.close()
        else:
            self._works()

    async def close(self) -> None:
        self.is_started = False
        await self._call(self._sink.close, deadline_s=CLOSE_DEADLINE_S)
