"""The journal on disk: SQLite, one row per accepted request. Synchronous, on the journal thread only."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from edge_tts.moments import Moment
from edge_tts.speech import Emotion, Priority, SpeakRequest

log = logging.getLogger(__name__)

VERSION = 1
PAGE_BYTES = 1024
"""Small, as every change writes whole pages and a request is shorter than one."""

MAX_PAGES = 32 * 1024
WAL_PAGES = 512
"""So many changed pages are collected before they go to their places."""

MAX_SET_ASIDE = 3

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, boot TEXT NOT NULL, boot_s REAL NOT NULL, wall_s REAL NOT NULL,
    ttl_s REAL NOT NULL, id TEXT, mark TEXT, request TEXT
);
CREATE TABLE IF NOT EXISTS begun (
    number INTEGER PRIMARY KEY, attempts INTEGER NOT NULL, sentence INTEGER NOT NULL,
    boot TEXT NOT NULL, boot_s REAL NOT NULL, wall_s REAL NOT NULL
);
"""
# Apart from the long row, which would be written again for each sentence.

ENTRIES = """
SELECT number, name, coalesce(begun.boot, jobs.boot), coalesce(begun.boot_s, jobs.boot_s),
    coalesce(begun.wall_s, jobs.wall_s), ttl_s, id, mark, request, coalesce(sentence, 0), coalesce(attempts, 0)
FROM jobs LEFT JOIN begun USING (number) ORDER BY number
"""

Statement = tuple[str, tuple[object, ...]]


class DamagedJournalError(Exception):
    """The file is no journal of ours any more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An accepted request."""

    number: int
    """Grows with each: the order of acceptance."""

    name: str
    """Of its job."""

    moment: Moment
    """When it was accepted, or last heard."""

    ttl_s: float
    id: str | None
    mark: str | None
    """By which a door knows a message that it is given again."""

    request: SpeakRequest | None
    """None: it has ended, and only id and mark are remembered."""

    sentence: int = 0
    """Index of the one being spoken."""

    attempts: int = 0
    """How often it was begun."""


def accepted(entry: Entry) -> Statement:
    moment = entry.moment
    request = None if entry.request is None else request_to_json(entry.request)
    values = (entry.number, entry.name, moment.boot, moment.boot_s, moment.wall_s, entry.ttl_s)
    sql = "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    return sql, (*values, entry.id, entry.mark, request)


def begun(entry: Entry) -> Statement:
    moment = entry.moment
    values = (entry.number, entry.attempts, entry.sentence, moment.boot, moment.boot_s, moment.wall_s)
    return "INSERT OR REPLACE INTO begun VALUES (?, ?, ?, ?, ?, ?)", values


def ended(entry: Entry) -> list[Statement]:
    """*entry* without its request; without id and mark nothing is left of it."""
    rest = "UPDATE jobs SET request = NULL WHERE number = ?"
    nothing = "DELETE FROM jobs WHERE number = ?"
    is_remembered = entry.id is not None or entry.mark is not None
    return [
        ("DELETE FROM begun WHERE number = ?", (entry.number,)),
        (rest if is_remembered else nothing, (entry.number,)),
    ]


def forgotten(entry: Entry) -> Statement:
    return "DELETE FROM jobs WHERE number = ?", (entry.number,)


def whole(entries: Sequence[Entry]) -> list[Statement]:
    """Nothing but *entries*."""
    statements: list[Statement] = [("DELETE FROM jobs", ()), ("DELETE FROM begun", ())]
    return statements + [
        statement
        for entry in entries
        for statement in (accepted(entry), *([begun(entry)] if entry.attempts else []))
    ]


def request_to_json(request: SpeakRequest) -> str:
    """Without what is as by default."""
    defaults = {field.name: field.default for field in fields(request) if field.default is not MISSING}
    values = {
        name: value for name, value in asdict(request).items() if getattr(request, name) != defaults.get(name)
    }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def request_from_json(text: str) -> SpeakRequest:
    """Raises ValueError or TypeError."""
    values: dict[str, Any] = json.loads(text)
    if "emotion" in values:
        values["emotion"] = Emotion(**values["emotion"])
    if "priority" in values:
        values["priority"] = Priority(values["priority"])
    return SpeakRequest(**values)


class JournalFile:
    """Open from the beginning to `close`. Raises OSError, sqlite3.Error or DamagedJournalError."""

    def __init__(self, path: Path) -> None:
        _prepare(path)
        # Nobody else may use it, and so it needs no shared memory beside it.
        self._connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        try:
            self._set_up()
            self.entries()
        except BaseException as error:
            self._connection.close()
            if _is_damage(error):
                raise DamagedJournalError(str(error)) from error
            raise

    def _set_up(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")
        execute(f"PRAGMA page_size = {PAGE_BYTES}")
        execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        execute(f"PRAGMA journal_size_limit = {WAL_PAGES * PAGE_BYTES}")
        execute(f"PRAGMA max_page_count = {MAX_PAGES}")
        [state] = execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise DamagedJournalError(state)
        [version] = execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise DamagedJournalError(f"it is of version {version}, this program reads version {VERSION}")
        self._connection.executescript(SCHEMA)
        execute(f"PRAGMA user_version = {VERSION}")

    def entries(self) -> list[Entry]:
        try:
            return [_entry(row) for row in self._connection.execute(ENTRIES)]
        except (ValueError, TypeError) as error:
            raise DamagedJournalError(f"a row cannot be read: {type(error).__name__}") from error

    def commit(self, statements: Sequence[Statement], is_durable: bool) -> None:
        """All or nothing; on the disk when it returns if *is_durable*, else with the next one that is."""
        execute = self._connection.execute
        execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
        execute("BEGIN")
        try:
            for sql, values in statements:
                execute(sql, values)
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._connection.close()


def _entry(row: tuple[Any, ...]) -> Entry:
    """Raises ValueError or TypeError."""
    number, name, boot, boot_s, wall_s, ttl_s, key, mark, request, sentence, attempts = row
    moment = Moment(float(wall_s), str(boot), float(boot_s))
    spoken = None if request is None else request_from_json(request)
    return Entry(number, str(name), moment, float(ttl_s), key, mark, spoken, int(sentence), int(attempts))


def _prepare(path: Path) -> None:
    """Readable by nobody else: it holds what is to be spoken. The files that SQLite adds get the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        is_empty = os.fstat(descriptor).st_size == 0
    finally:
        os.close(descriptor)
    log_file = _beside(path, "-wal")
    # SQLite would delete the log of an empty file.
    if is_empty and log_file.exists() and log_file.stat().st_size:
        raise DamagedJournalError("it is empty, but the log beside it is not")


def _is_damage(error: BaseException) -> bool:
    primary_code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return primary_code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path) -> Path:
    """Give a damaged journal another name, for those who want to look; returns it."""
    aside = _beside(path, f".damaged-{time.time_ns()}")
    path.replace(aside)
    if (wal := _beside(path, "-wal")).exists():
        wal.replace(_beside(aside, "-wal"))
    old = sorted(path.parent.glob(f"{path.name}.damaged-*[0-9]"))[:-MAX_SET_ASIDE]
    for each in old:
        log.warning("journal: removing %s, which is old", each)
        each.unlink()
        _beside(each, "-wal").unlink(missing_ok=True)
    return aside


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
