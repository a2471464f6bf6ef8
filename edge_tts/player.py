"""The loudspeaker: pieces of sound in, blocks to the device, at its pace.

The event loop decides block by block (go on, pause, stop); the playback thread owns the sink and does nothing
but obey. So nothing is shared, and a stop takes effect within one block and the device's buffer.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_tts.audio import Resampler, faded_in, faded_out
from edge_tts.config import AudioConfig
from edge_tts.errors import DeviceError
from edge_tts.metrics import Metrics
from edge_tts.sinks import AudioSink, open_sink
from edge_tts.speech import Audio, Piece, silence
from edge_tts.threads import OneThread, one_thread

log = logging.getLogger(__name__)

BLOCK_S = 0.04
"""Given to the device in one go: short enough to stop soon, long enough not to keep a small board busy."""

CALL_DEADLINE_S = 10.0
"""A call of the sink that takes longer than this hangs: no block, no drain and no open needs as much."""

RETRY_S = (0.2, 0.5, 1.0, 2.0)
"""Pauses between attempts to reopen a device; the last one repeats."""


@dataclass(frozen=True, slots=True)
class Playback:
    """What was heard."""

    spoken_s: float
    """Of the pieces: without lead-in and chime."""

    is_complete: bool
    """False: interrupted."""


class Player:
    """Plays one announcement at a time. Runs on the event loop; made by `open_player`."""

    def __init__(self, config: AudioConfig, sink: AudioSink, metrics: Metrics, thread: OneThread) -> None:
        self.config = config
        self.sink = sink
        self.metrics = metrics
        self.call = thread.call
        self._thread = thread
        self._interruption = asyncio.Event()
        self._resumption = asyncio.Event()
        self._resumption.set()
        self._close_timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._idle_since_s = float("-inf")
        self.on_problem: Callable[[str | None], None] = lambda message: None
        """Called with what is wrong with the device, and with None when it works again."""

    def interrupt(self) -> None:
        """End what is playing, softly; no effect when nothing plays."""
        self._interruption.set()

    def pause(self) -> None:
        self._resumption.clear()

    def resume(self) -> None:
        self._resumption.set()

    @property
    def is_paused(self) -> bool:
        return not self._resumption.is_set()

    @property
    def stuck_s(self) -> float:
        return self._thread.stuck_s

    async def play(
        self,
        pieces: AsyncIterator[Piece],
        *,
        name: str,
        gain: Callable[[], float],
        chime: Audio | None = None,
        on_first_block: Callable[[], None] = lambda: None,
        on_piece: Callable[[Piece], None] = lambda piece: None,
    ) -> Playback:
        """Play *pieces* to their end or until `interrupt`.

        *gain* is asked for each block, so that a volume set meanwhile is heard at once. Raises DeviceError when
        the device stays away for `audio.device_wait_s`, and whatever *pieces* raises.
        """
        self._interruption.clear()
        self._cancel_closing()
        track = _Track(self, name, gain)
        try:
            async for block, is_speech in self._blocks(pieces, chime, on_piece):
                was_silent = not track.spoken_samples
                if not await track.write(block, is_speech):
                    break
                if was_silent and track.spoken_samples:
                    on_first_block()
            await track.finish()
        except BaseException:
            # Whatever went wrong: the next announcement starts on a sink that knows nothing of this one.
            await self.call(self.sink.close)
            raise
        finally:
            self._idle_since_s = time.monotonic()
            self._schedule_closing()
        return Playback(track.spoken_s, not self._interruption.is_set())

    async def _blocks(
        self, pieces: AsyncIterator[Piece], chime: Audio | None, on_piece: Callable[[Piece], None]
    ) -> AsyncIterator[tuple[Audio, bool]]:
        """Blocks at the device's sample rate, each with whether it is speech (or lead-in and chime)."""
        first = await self._unless_interrupted(anext(pieces, None))
        if first is None:
            return
        sample_rate = await self.call(self.sink.wanted_rate, first.audio.sample_rate)
        idle_s = time.monotonic() - self._idle_since_s
        if self.config.lead_in_ms and idle_s > self.config.lead_in_idle_s:
            yield silence(self.config.lead_in_ms / 1000, sample_rate), False
        if chime:
            for block in await self.call(_all_blocks, chime, sample_rate):
                yield block, False
        piece: Piece | None = first
        blocks = _Blocks(sample_rate)
        while piece is not None:
            on_piece(piece)
            for block in await self.call(blocks.add, piece.audio):
                yield block, True
            piece = await self._unless_interrupted(anext(pieces, None))
        for block in await self.call(blocks.rest):
            yield block, True

    async def _unless_interrupted(self, awaitable: Any) -> Any:
        """The result, or None as soon as somebody interrupts: a slow voice must not delay a stop."""
        wanted = asyncio.ensure_future(awaitable)
        interrupted = asyncio.ensure_future(self._interruption.wait())
        try:
            await asyncio.wait({wanted, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            return wanted.result() if wanted.done() else None
        finally:
            interrupted.cancel()
            if not wanted.done():
                wanted.cancel()
                await asyncio.wait({wanted})

    async def reopen(self, name: str, sample_rate: int, reason: DeviceError) -> None:
        """Get the sink back after it failed; raises DeviceError after `audio.device_wait_s`, or at once on a stop."""
        self.metrics.device_failures.inc()
        self.on_problem(str(reason))
        log.warning("sound device: %s", reason)
        give_up_s = time.monotonic() + self.config.device_wait_s
        for pause_s in itertools.chain(RETRY_S, itertools.repeat(RETRY_S[-1])):
            await self.call(self.sink.close)
            await self._unless_interrupted(asyncio.sleep(pause_s))
            if self._interruption.is_set():
                return
            try:
                await self.call(self.sink.start, name, sample_rate)
            except DeviceError as error:
                if time.monotonic() > give_up_s:
                    raise DeviceError(f"gave up after {self.config.device_wait_s:.0f} s: {error}") from error
                self.on_problem(str(error))
                continue
            log.info("sound device is back")
            self.on_problem(None)
            return

    async def wait_for_resume(self) -> None:
        await self._unless_interrupted(self._resumption.wait())

    @property
    def is_interrupted(self) -> bool:
        return self._interruption.is_set()

    def _schedule_closing(self) -> None:
        if self.config.close_after_s:
            loop = asyncio.get_running_loop()
            self._close_timer = loop.call_later(self.config.close_after_s, self._close_idle)

    def _close_idle(self) -> None:
        self._closing = asyncio.ensure_future(self.call(self.sink.close))

    def _cancel_closing(self) -> None:
        if self._close_timer:
            self._close_timer.cancel()

    async def probe(self) -> DeviceError | None:
        """What is wrong with the device, without playing anything; also pays for starting PortAudio."""
        try:
            await self.call(self.sink.probe)
        except DeviceError as error:
            self.on_problem(str(error))
            return error
        return None

    async def close(self) -> None:
        self._cancel_closing()
        if self._closing:
            await self._closing
        await self.call(self.sink.close)


class _Blocks:
    """Pieces at their own sample rates → blocks of BLOCK_S at the device's. Used on the playback thread."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._n_samples = round(BLOCK_S * sample_rate)
        self._resampler: tuple[int, Resampler] | None = None
        self._left = np.zeros(0, np.float32)

    def add(self, audio: Audio) -> list[Audio]:
        samples = [self._left]
        if self._resampler and self._resampler[0] != audio.sample_rate:
            samples.append(self._resampler[1].flush().samples)
            self._resampler = None
        if not self._resampler:
            self._resampler = (audio.sample_rate, Resampler(audio.sample_rate, self._sample_rate))
        samples.append(self._resampler[1].resample(audio).samples)
        return self._cut(np.concatenate(samples))

    def _cut(self, samples: NDArray[np.float32]) -> list[Audio]:
        n_whole = len(samples) // self._n_samples * self._n_samples
        self._left = samples[n_whole:]
        return [
            Audio(samples[at : at + self._n_samples], self._sample_rate)
            for at in range(0, n_whole, self._n_samples)
        ]

    def rest(self) -> list[Audio]:
        flushed = self._resampler[1].flush().samples if self._resampler else np.zeros(0, np.float32)
        blocks = self._cut(np.concatenate([self._left, flushed]))
        return [*blocks, Audio(self._left, self._sample_rate)] if len(self._left) else blocks


def _all_blocks(audio: Audio, sample_rate: int) -> list[Audio]:
    blocks = _Blocks(sample_rate)
    return [*blocks.add(audio), *blocks.rest()]


class _Track:
    """One announcement on the sink: started at its first block, resumed where a failing device lost it."""

    def __init__(self, player: Player, name: str, gain: Callable[[], float]) -> None:
        self._player = player
        self._name = name
        self._gain = gain
        self._is_started = False
        self._fade_s = player.config.fade_ms / 1000
        self._last_gain: float | None = None
        self._recent: deque[Audio] = deque(maxlen=max(1, round(player.config.buffer_ms / 1000 / BLOCK_S)))
        """Blocks the device may hold unheard: said again if it vanishes."""

        self._sample_rate = 0
        self.spoken_samples = 0

    @property
    def spoken_s(self) -> float:
        return self.spoken_samples / self._sample_rate if self._sample_rate else 0.0

    async def write(self, block: Audio, is_speech: bool) -> bool:
        """Play *block*; False when the announcement ends here by an interruption."""
        player = self._player
        self._sample_rate = block.sample_rate
        block = self._with_gain(block)
        was_paused = player.is_paused and not player.is_interrupted
        if was_paused:
            await self._pause(block)
        if player.is_interrupted:
            # After a pause all is silent already.
            if self._is_started and not was_paused:
                await self._write(faded_out(block, self._fade_s))
            return False
        await self._write(faded_in(block, self._fade_s) if was_paused else block)
        if not self._is_started:
            return False
        if is_speech:
            self.spoken_samples += len(block.samples)
        return True

    def _with_gain(self, block: Audio) -> Audio:
        """A volume that changes is spread over the block: a step would click."""
        gain = self._gain()
        before = gain if self._last_gain is None else self._last_gain
        self._last_gain = gain
        ramp = np.linspace(before, gain, len(block.samples), dtype=np.float32)
        return Audio(block.samples * ramp, block.sample_rate)

    async def _pause(self, block: Audio) -> None:
        """Fall silent with the start of *block*, which will be said again, and wait."""
        if self._is_started:
            await self._write(faded_out(block, self._fade_s))
        if self._is_started:
            await self._rest()
        await self._player.wait_for_resume()

    async def _rest(self) -> None:
        try:
            await self._player.call(self._player.sink.rest)
        except DeviceError as error:
            # Gone in this very moment: the first block after the pause finds out and waits for it.
            log.warning("sound device: %s", error)
            await self._player.call(self._player.sink.close)
            self._is_started = False

    async def _write(self, block: Audio) -> None:
        player = self._player
        pending = deque([block])
        while pending:
            try:
                if not self._is_started:
                    await player.call(player.sink.start, self._name, block.sample_rate)
                    self._is_started = True
                    player.on_problem(None)
                if await player.call(player.sink.write, pending[0].samples):
                    player.metrics.underflows.inc()
                self._recent.append(pending.popleft())
            except DeviceError as error:
                self._is_started = False
                if not player.sink.can_resume:
                    raise
                await player.reopen(self._name, block.sample_rate, error)
                if player.is_interrupted:
                    return
                self._is_started = True
                pending.extendleft(reversed(self._recent))
                self._recent.clear()

    async def finish(self) -> None:
        """Wait until the device has played what it was given."""
        if not self._is_started:
            return
        self._is_started = False
        try:
            await self._player.call(self._player.sink.finish)
        except DeviceError as error:
            if not self._player.sink.can_resume:
                raise
            # All but the buffer's last moments was heard; the next announcement will find out more.
            log.warning("sound device: %s", error)
            await self._player.call(self._player.sink.close)


@asynccontextmanager
async def open_player(config: AudioConfig, metrics: Metrics) -> AsyncIterator[Player]:
    """The player with its sink and thread; the device itself is opened by the first sound."""
    with one_thread("playback", CALL_DEADLINE_S) as thread:
        player = Player(config, open_sink(config), metrics, thread)
        try:
            yield player
        finally:
            await player.close()
