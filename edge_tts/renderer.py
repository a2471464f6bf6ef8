"""The synth thread: text, models and voices live on it, the event loop asks it and gets frozen values back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from edge_tts.memory import Tidying
from edge_tts.speech import Piece
from edge_tts.synthesizer import Plan, Synthesizer
from edge_tts.threads import OneThread, one_thread

CALL_DEADLINE_S = 60.0
"""One piece, reading one text or loading one voice takes less than this on any board worth its name."""

_T = TypeVar("_T")


class Renderer:
    """Runs a synthesizer on its own thread. Made by `open_renderer`."""

    def __init__(self, synthesizer: Synthesizer, thread: OneThread) -> None:
        self.synthesizer = synthesizer
        """Its methods only by `call`."""

        self.call = thread.call
        self._thread = thread
        self._callers_turn = asyncio.Semaphore(1)
        self._tidying = Tidying()

    @property
    def is_stuck(self) -> bool:
        return self._thread.is_stuck

    async def call_in_turn(self, function: Callable[..., _T], *args: Any) -> _T:
        """`call` for those who want the sound themselves: they have one place on the thread between them, so that
        an announcement waits for one piece at most, however many they are."""
        async with self._callers_turn:
            return await self.call(function, *args)

    async def stream(self, plan: Plan, *, is_for_caller: bool = False) -> AsyncGenerator[Piece, None]:
        """The pieces of *plan*, rendered ahead of the listener to the end of the next sentence."""
        # A generator: nothing has run yet, and only the synth thread runs and closes it.
        pieces = self.synthesizer.render(plan)
        ahead = _Ahead()
        call = self.call_in_turn if is_for_caller else self.call
        producer = asyncio.create_task(_produce(lambda: call(next, pieces, None), ahead))
        try:
            while (piece := await ahead.take()) is not None:
                yield piece
        finally:
            producer.cancel()
            await asyncio.wait({producer})
            await self.call(self._close, pieces)

    def _close(self, pieces: Generator[Piece, None, None]) -> None:
        pieces.close()
        self._tidying.tidy()


async def _produce(render_next: Callable[[], Awaitable[Piece | None]], ahead: _Ahead) -> None:
    """Fill *ahead* until None, which marks the end: StopIteration cannot travel through a future."""
    try:
        while True:
            await ahead.has_room()
            piece = await render_next()
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
    with one_thread("synth", CALL_DEADLINE_S) as thread:
        yield Renderer(await thread.call(build), thread)
