"""What was accepted and has not ended, kept over crashes and power cuts.

Runs on the event loop; the file is on a thread of its own. All entries are in memory too: a file that failed is
written anew from there as soon as it works again, and meanwhile the daemon speaks on without it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_tts.config import Config
from edge_tts.journal_file import (
    DamagedJournalError,
    Entry,
    JournalFile,
    Statement,
    accepted,
    begun,
    ended,
    forgotten,
    set_aside,
    whole,
)
from edge_tts.moments import elapsed_s, moment_now
from edge_tts.speech import SpeakRequest
from edge_tts.threads import OneThread, one_thread

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 5.0
"""A disk that takes longer does not keep the house waiting."""

RETRY_S = 60.0
REMEMBERED = 1024
"""Ended ones whose id or mark is remembered."""

ERRORS = (sqlite3.Error, OSError, DamagedJournalError)


@dataclass(eq=False)
class _Batch:
    """What is committed together."""

    written: asyncio.Future[None]
    statements: list[Statement] = field(default_factory=list)
    is_durable: bool = False


class Journal:
    """Made by `open_journal`."""

    def __init__(self, path: Path | None, thread: OneThread, retry_s: float, answer_s: float) -> None:
        self._path = path
        self._thread = thread
        self._answer_s = answer_s
        self._retry_s = retry_s
        self._file: JournalFile | None = None
        self._entries: dict[str, Entry] = {}
        self._numbers = itertools.count(1)
        self._batch: _Batch | None = None
        self._writer: asyncio.Task[None] | None = None
        self._is_loaded = False
        self._failed_s: float | None = None
        """Monotonic; since then the file is behind the entries in memory. None: all is well."""

        self.problems: dict[str, str] = {}
        self.on_problem: Callable[[str, str | None], None] = lambda code, message: None
        """Called with a code of `problems` and its message, or None when it is over."""

    @property
    def entries(self) -> list[Entry]:
        """In the order of acceptance; those that have ended too, as far as they are remembered."""
        return list(self._entries.values())

    @property
    def keeps(self) -> bool:
        """Whether what waits now will be there after a restart."""
        return self._path is not None and self._failed_s is None

    async def accept(self, name: str, request: SpeakRequest, ttl_s: float, mark: str | None) -> None:
        """Returns when it is on the disk, or when there is no journal to be had."""
        entry = Entry(next(self._numbers), name, moment_now(), ttl_s, request.id, mark, request)
        self._entries[name] = entry
        if self.keeps or self._may_retry():
            await self._answered(self._add([accepted(entry)], is_durable=True))

    async def caught_up(self) -> None:
        """Returns when all that happened is in the file, or when there is none to be had."""
        if self.keeps:
            await self._answered(self._add([]))

    async def _answered(self, written: asyncio.Future[None]) -> None:
        # The commit is not cancelled with a caller who hangs up.
        await asyncio.wait({written}, timeout=self._answer_s)
        if not written.done():
            self._fail(f"the disk did not answer within {self._answer_s:.0f} s")

    def begin(self, name: str) -> None:
        """It is being spoken. Nobody waits for the disk."""
        entry = self._entries[name]
        self._progressed(replace(entry, attempts=entry.attempts + 1, moment=moment_now()))

    def gave_way(self, name: str) -> None:
        """It was not heard, and waits again."""
        if (entry := self._entries.get(name)) is not None:
            self._progressed(replace(entry, attempts=entry.attempts - 1, moment=moment_now()))

    def progress(self, name: str, sentence: int) -> None:
        """Its sentence of that index is being spoken. Nobody waits for the disk."""
        self._progressed(replace(self._entries[name], sentence=sentence, moment=moment_now()))

    def _progressed(self, entry: Entry) -> None:
        self._entries[entry.name] = entry
        if self.keeps:
            self._add([begun(entry)])

    def end(self, name: str) -> None:
        """It has its outcome."""
        entry = self._entries.pop(name, None)
        if entry is None or entry.request is None:
            return
        if entry.id is not None or entry.mark is not None:
            self._entries[name] = replace(entry, request=None, sentence=0, attempts=0)
        self._ended(ended(entry) + [forgotten(old) for old in self._forget()])

    def withdraw(self, name: str) -> None:
        """It was not accepted after all: its id and mark may come again."""
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._ended([forgotten(entry)])

    def _ended(self, statements: list[Statement]) -> None:
        # A file that failed still has it as waiting, but not one that could not even be read.
        if self.keeps or (self._is_loaded and self._may_retry()):
            self._add(statements, is_durable=True)

    def _forget(self) -> list[Entry]:
        """Take out the oldest of those remembered, if they are too many."""
        over = [entry for entry in self._entries.values() if entry.request is None][:-REMEMBERED]
        for entry in over:
            del self._entries[entry.name]
        return over

    def knows(self, mark: str, window_s: float) -> bool:
        """Whether something of that mark was accepted within *window_s*."""
        now = moment_now()
        return any(
            entry.mark == mark and elapsed_s(entry.moment, now) < window_s for entry in self._entries.values()
        )

    # The file

    def _may_retry(self) -> bool:
        is_idle = self._writer is None or self._writer.done()
        is_over = self._failed_s is not None and time.monotonic() - self._failed_s >= self._retry_s
        return self._path is not None and is_idle and is_over

    def _add(self, statements: list[Statement], *, is_durable: bool = False) -> asyncio.Future[None]:
        """Commit soon, with whatever else comes until then; done when it is written, or cannot be."""
        if self._batch is None:
            self._batch = _Batch(asyncio.get_running_loop().create_future())
        self._batch.statements += statements
        self._batch.is_durable |= is_durable
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return self._batch.written

    async def _write(self) -> None:
        while self._batch is not None:
            batch, self._batch = self._batch, None
            try:
                await self._commit(batch)
            except ERRORS as error:
                self._fail(str(error))
            finally:
                batch.written.set_result(None)

    async def _commit(self, batch: _Batch) -> None:
        if self._file is not None and self._failed_s is None:
            try:
                await self._thread.call(self._file.commit, batch.statements, batch.is_durable)
                return
            except ERRORS as error:
                # One that was damaged or taken away can be replaced at once.
                log.warning("journal: %s", error)
        await self._write_anew()

    async def _write_anew(self) -> None:
        """The whole file, from memory. What comes meanwhile is in the next batch."""
        assert self._path is not None
        if self._file is not None:
            file, self._file = self._file, None
            await self._thread.call(_close, file)
        entries = self.entries
        self._failed_s = None
        self._file, damage = file, _ = await self._thread.call(_opened, self._path, not self._is_loaded)
        self._is_loaded = True
        self._tell_damage(damage)
        await self._thread.call(file.commit, whole(entries), True)
        self._report("journal_unavailable", None)

    async def load(self) -> None:
        """What is left from the last run."""
        if self._path is None:
            return
        try:
            self._file, damage = file, _ = await self._thread.call(_opened, self._path, False)
            self._tell_damage(damage)
            entries = await self._thread.call(file.entries)
        except ERRORS as error:
            self._fail(str(error))
            return
        self._is_loaded = True
        self._entries = {entry.name: entry for entry in entries}
        self._numbers = itertools.count(max((entry.number for entry in entries), default=0) + 1)

    async def close(self) -> None:
        if self._writer is not None:
            await asyncio.wait({self._writer})
        if self._is_loaded and not self.keeps:
            # Once more: what it has as waiting would be said again.
            await asyncio.wait({self._add([], is_durable=True)})
        if self._file is not None:
            await self._thread.call(_close, self._file)

    def _fail(self, cause: str) -> None:
        self._failed_s = time.monotonic()
        message = f"{self._path}: {cause}; announcements are spoken, but lost if the daemon ends before"
        self._report("journal_unavailable", message)

    def _tell_damage(self, damage: str | None) -> None:
        if damage is not None:
            self._report("journal_damaged", damage)

    def _report(self, code: str, message: str | None) -> None:
        if message is None:
            self.problems.pop(code, None)
        else:
            log.error("%s: %s", code, message)
            self.problems[code] = message
        self.on_problem(code, message)


def _opened(path: Path, is_unread: bool) -> tuple[JournalFile, str | None]:
    """The file, a new one in place of one that is damaged or *is_unread*; and what was found then."""
    try:
        file = JournalFile(path)
        if not (is_unread and file.entries()):
            return file, None
        file.close()
        found = "could not be read at the start"
    except DamagedJournalError as error:
        found = f"was damaged ({error})"
    aside = set_aside(path)
    return JournalFile(path), f"{path} {found}: what waited in it is lost; it is now {aside.name}"


def _close(file: JournalFile) -> None:
    try:
        file.close()
    except sqlite3.Error as error:
        log.warning("journal: %s", error)


@asynccontextmanager
async def open_journal(
    config: Config, *, retry_s: float = RETRY_S, answer_s: float = ANSWER_TIMEOUT_S
) -> AsyncIterator[Journal]:
    """The journal with what the last run left in it; leaving writes the rest of what happened."""
    path = config.state.folder / "journal.db" if config.journal.enabled else None
    # A disk that hangs does not mend when the process ends; `accept` notices.
    with one_thread("journal", answer_s, on_hang=lambda name: None) as thread:
        journal = Journal(path, thread, retry_s, answer_s)
        await journal.load()
        try:
            yield journal
        finally:
            await journal.close()
