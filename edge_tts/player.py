"""The loudspeaker: pieces of sound in, blocks to the device, at its pace.

The event loop decides block by block (go on, pause, stop); the playback thread owns the sink and does nothing
but obey. So nothing is shared, and a stop takes effect within one block and the device's buffer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_tts.audio import faded_in, faded_out
from edge_tts.blocks import BLOCK_S, Blocks, all_blocks
from edge_tts.config import AudioConfig
from edge_tts.errors import DeviceError
from edge_tts.loudspeaker import OPEN_DEADLINE_S, Loudspeaker, unless
from edge_tts.metrics import Metrics
from edge_tts.others import LIMIT_S, Others
from edge_tts.sinks import AudioSink, open_sink
from edge_tts.speech import Audio, Piece, silence
from edge_tts.threads import OneThread, one_thread

PUNCTUAL_S = 0.001
"""Nobody hears two rooms that are less apart."""


@dataclass(frozen=True, slots=True)
class Playback:
    """What was heard."""

    spoken_s: float
    """Of the pieces: without lead-in and chime."""

    is_complete: bool
    """False: interrupted."""


class Player:
    """Plays one announcement at a time. Runs on the event loop; made by `open_player`."""

    def __init__(
        self,
        config: AudioConfig,
        sink: AudioSink,
        metrics: Metrics,
        thread: OneThread,
        others: Others | None = None,
    ) -> None:
        self.config = config
        self.others = others or Others()
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

        # A sound server that was started again knows nothing of what it was told.
        self.loudspeaker = Loudspeaker(
            config, sink, metrics, thread, self._interruption, self._report, self.others.quiet
        )

    def _report(self, message: str | None) -> None:
        self.on_problem(message)

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
    def is_stuck(self) -> bool:
        return self._thread.is_stuck

    async def play(
        self,
        pieces: AsyncIterator[Piece],
        *,
        name: str,
        gain: Callable[[], float],
        chime: Audio | None = None,
        start_s: float | None = None,
        on_sound: Callable[[], None] = lambda: None,
        on_first_block: Callable[[], None] = lambda: None,
        on_piece: Callable[[Piece], None] = lambda piece: None,
    ) -> Playback:
        """Play *pieces* to their end or until `interrupt`.

        *gain* is asked for each block, so that a volume set meanwhile is heard at once. At *start_s*, monotonic, it
        is heard, chime first, or as soon as it can be; *on_sound* is called right before. Raises DeviceError when the
        device stays away for `audio.device_wait_s`, and whatever *pieces* raises.
        """
        self._interruption.clear()
        self._cancel_closing()
        track = _Track(self, name, gain)
        try:
            async for block, is_speech in self._blocks(pieces, chime, start_s, on_sound, on_piece):
                was_silent = not track.spoken_samples
                if not await track.write(block, is_speech):
                    break
                if was_silent and track.spoken_samples:
                    on_first_block()
            await self.loudspeaker.finish()
        except BaseException:
            # Whatever went wrong: the next announcement starts on a sink that knows nothing of this one.
            await self.loudspeaker.close()
            raise
        finally:
            self._idle_since_s = time.monotonic()
            self.others.release()
            self._schedule_closing()
        return Playback(track.spoken_s, not self._interruption.is_set())

    async def _blocks(
        self,
        pieces: AsyncIterator[Piece],
        chime: Audio | None,
        start_s: float | None,
        on_sound: Callable[[], None],
        on_piece: Callable[[Piece], None],
    ) -> AsyncIterator[tuple[Audio, bool]]:
        """Blocks at the device's sample rate, each with whether it is speech (or lead-in and chime)."""
        while (first := await self._unless_interrupted(anext(pieces, None))) and not len(first.audio.samples):
            # A slow voice makes all of it before any is heard.
            on_piece(first)
        if first is None:
            return
        sample_rate = await self.call(self.sink.wanted_rate, first.audio.sample_rate)
        if start_s is None:
            await self.others.quiet()
        async for block in self._lead_in(sample_rate):
            yield block, False
        if start_s is not None:
            async for block in self._silence_until(start_s - LIMIT_S, sample_rate):
                yield block, False
            await self.others.quiet()
            async for block in self._silence_until(start_s, sample_rate):
                yield block, False
        on_sound()
        if chime:
            for block in await self.call(all_blocks, chime, sample_rate):
                yield block, False
        piece: Piece | None = first
        blocks = Blocks(sample_rate)
        while piece is not None:
            on_piece(piece)
            for block in await self.call(blocks.add, piece.audio):
                yield block, True
            piece = await self._unless_interrupted(anext(pieces, None))
        for block in await self.call(blocks.rest):
            yield block, True

    async def _lead_in(self, sample_rate: int) -> AsyncIterator[Audio]:
        """Silence for a device that wakes."""
        if time.monotonic() - self._idle_since_s > self.config.lead_in_idle_s:
            lead_in_ms = self.config.lead_in_ms
            lead_in_s = await self.call(self.sink.lead_in_s) if lead_in_ms is None else lead_in_ms / 1000
            # Block by block: in one go it could not be interrupted, and a long one was taken for a device that hangs.
            for block in await self.call(all_blocks, silence(lead_in_s, sample_rate), sample_rate):
                yield block

    async def _silence_until(self, start_s: float, sample_rate: int) -> AsyncIterator[Audio]:
        """So much that what follows is heard at *start_s*."""
        while True:
            ahead_s = await self.call(self.sink.ahead_s)
            early_s = start_s - time.monotonic() - (ahead_s or 0.0)
            if early_s < PUNCTUAL_S:
                return
            if ahead_s is None:
                await self._unless_interrupted(asyncio.sleep(early_s))
                return
            yield silence(min(early_s, BLOCK_S), sample_rate)

    async def wait_for_resume(self) -> None:
        self.others.release()
        await self._unless_interrupted(self._resumption.wait())
        if not self.is_interrupted:
            await self.others.quiet()

    async def _unless_interrupted(self, awaitable: Any) -> Any:
        """The result, or None as soon as somebody interrupts: a slow voice must not delay a stop."""
        return await unless(self._interruption, awaitable)

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


class _Track:
    """One announcement: its volume, its pauses and its end by an interruption."""

    def __init__(self, player: Player, name: str, gain: Callable[[], float]) -> None:
        self._player, self._loudspeaker = player, player.loudspeaker
        self._loudspeaker.begin(name)
        self._gain = gain
        self._fade_s = player.config.fade_ms / 1000
        self._last_gain: float | None = None
        self._sample_rate = 0
        self.spoken_samples = 0

    @property
    def spoken_s(self) -> float:
        return self.spoken_samples / self._sample_rate if self._sample_rate else 0.0

    async def write(self, block: Audio, is_speech: bool) -> bool:
        """Play *block*; False when the announcement ends here by an interruption."""
        player, loudspeaker = self._player, self._loudspeaker
        self._sample_rate = block.sample_rate
        block = self._with_gain(block)
        was_paused = player.is_paused and not player.is_interrupted
        if was_paused:
            await self._pause(block)
        if player.is_interrupted:
            # After a pause all is silent already.
            if loudspeaker.is_started and not was_paused:
                await loudspeaker.write(faded_out(block, self._fade_s))
            return False
        await loudspeaker.write(faded_in(block, self._fade_s) if was_paused else block)
        if not loudspeaker.is_started:
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
        if self._loudspeaker.is_started:
            await self._loudspeaker.write(faded_out(block, self._fade_s))
        if self._loudspeaker.is_started:
            await self._loudspeaker.rest()
        await self._player.wait_for_resume()


@asynccontextmanager
async def open_player(
    config: AudioConfig, metrics: Metrics, others: Others | None = None
) -> AsyncIterator[Player]:
    """The player with its sink and thread; the device itself is opened by the first sound."""
    with one_thread("playback", OPEN_DEADLINE_S) as thread:
        player = Player(config, open_sink(config), metrics, thread, others)
        try:
            yield player
        finally:
            await player.close()
