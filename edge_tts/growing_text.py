"""A text that is still being written: what is complete of it can be spoken already. On the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from edge_tts.errors import TextTooLongError
from edge_tts.text import sentences


class GrowingText:
    def __init__(self, limit_characters: int, *, language: str = "en", is_whole: bool = False) -> None:
        """*language* decides about abbreviations. Of a text that *is_whole* no sentence can be told before it is
        complete (markup)."""
        self._limit_characters = limit_characters
        self._language = language
        self._is_whole = is_whole
        self._n_characters = 0
        self._unsaid = ""
        self._is_finished = False
        self._changed = asyncio.Event()

    def add(self, text: str) -> None:
        """Raises TextTooLongError."""
        self._n_characters += len(text)
        if self._n_characters > self._limit_characters:
            raise TextTooLongError(self._n_characters, self._limit_characters)
        self._unsaid += text
        self._changed.set()

    def finish(self) -> None:
        """That was all."""
        self._is_finished = True
        self._changed.set()

    async def parts(self) -> AsyncGenerator[str, None]:
        """Whole sentences, as many at a time as there are; joined they are the text."""
        while True:
            if part := self._take():
                yield part
            elif self._is_finished:
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    def _take(self) -> str:
        if self._is_finished:
            part = self._unsaid
        elif self._is_whole:
            part = ""
        else:
            part = sentences.complete(self._unsaid, self._language)
        self._unsaid = self._unsaid[len(part) :]
        return part
