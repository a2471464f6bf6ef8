"""The synth thread: text, models and voices live on it, the event loop asks it and gets frozen values back."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from edge_tts.speech import Piece
from edge_tts.synthesizer import Plan, Synthesizer

CALL_DEADLINE_S = 60.0
"""One piece, or loading one voice, takes less than this on any board worth its name; the watchdog waits for it."""

_T = TypeVar("_T")


class Renderer:
    """Runs a synthesizer on its own thread. Made by `open_renderer`."""

    def __init__(self, synthesizer: Synthesizer, thread: ThreadPoolExecutor) -> None:
        self.synthesizer = synthesizer
        """Its methods only by `call`."""

        self._thread = thread
        self._busy_since_s: float | None = None

    async def call(self, function: Callable[..., _T], *args: Any) -> _T:
        """Run *function* on the synth thread, when its turn comes."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._timed, function, *args)

    def _timed(self, function: Callable[..., _T], *args: Any) -> _T:
        self._busy_since_s = time.monotonic()
        try:
            return function(*args)
        finally:
            self._busy_since_s = None

    @property
    def stuck_s(self) -> float:
        """How long the synth thread has been over the deadline of a call; 0 while it works. For the watchdog."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else max(0.0, time.monotonic() - since_s - CALL_DEADLINE_S)

    async def stream(self, plan: Plan) -> AsyncGenerator[Piece, None]:
        """The pieces of *plan*, rendered ahead of the caller to the end of the next sentence."""
        # A generator: nothing has run yet, and only the synth thread runs and closes it.
        pieces = self.synthesizer.render(plan)
        ahead = _Ahead()
        producer = asyncio.create_task(self._produce(pieces, ahead))
        try:
            while (piece := await ahead.take()) is not None:
                yield piece
        finally:
            producer.cancel()
            await asyncio.wait({producer})
            await self.call(pieces.close)

    async def _produce(self, pieces: Generator[Piece, None, None], ahead: _Ahead) -> None:
        try:
            while True:
                await ahead.has_room()
                # None marks the end: StopIteration cannot travel through a future.
                piece = await self.call(next, pieces, None)
                ahead.put(piece)
                if piece is None:
                    return
        except Exception as error:
            # Handed to whoever listens, who decides what it means.
            ahead.put(error)


class _Ahead:
    """Pieces between the synth thread and their listener: at most the rest of a sentence and the next one."""

    def __init__(self) -> None:
        self._pieces: deque[Piece | Exception | None] = deque()
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()
        self._listening_to = 0
        self._produced = 0

    async def has_room(self) -> None:
        while self._pieces and self._produced > self._listening_to + 1:
            self._taken.clear()
            await self._taken.wait()

    def put(self, piece: Piece | Exception | None) -> None:
        if isinstance(piece, Piece):
            self._produced = piece.sentence
        self._pieces.append(piece)
        self._filled.set()

    async def take(self) -> Piece | None:
        while not self._pieces:
            self._filled.clear()
            await self._filled.wait()
        piece = self._pieces.popleft()
        self._taken.set()
        if isinstance(piece, Exception):
            raise piece
        if piece is not None:
            self._listening_to = piece.sentence
        return piece


@asynccontextmanager
async def open_renderer(build: Callable[[], Synthesizer]) -> AsyncIterator[Renderer]:
    """The renderer with its thread, on which *build* makes the synthesizer."""
    with ThreadPoolExecutor(1, thread_name_prefix="synth") as thread:
        yield Renderer(await asyncio.get_running_loop().run_in_executor(thread, build), thread)
