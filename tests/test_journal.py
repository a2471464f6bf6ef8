"""The journal alone: real SQLite, real files, a real full disk."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from edge_tts.config import Config, JournalConfig, StateConfig
from edge_tts.journal import REMEMBERED, Journal, open_journal
from edge_tts.journal_file import PAGE_BYTES, WAL_PAGES, request_from_json, request_to_json
from edge_tts.moments import BELIEVABLE_S, Moment, elapsed_s
from edge_tts.speech import Emotion, Priority, SpeakRequest
from tests.busy import busy
from tests.doors_house import until

FULL = SpeakRequest(
    "Grüße! <b>重阳</b>", "ssml", "hum", "de-DE", "anna", 1.5, -2.0, 40.0, Emotion("happy", 0.5), "whisper", "anna",
    Priority.IMPORTANT, "an id", "a key", 12.5, 1e9, "gong", 3, "mqtt",
)  # fmt: skip


def path_of(config: Config) -> Path:
    return config.state.folder / "journal.db"


async def accept(journal: Journal, *names: str, mark: str | None = None) -> None:
    for name in names:
        await journal.accept(name, SpeakRequest(f"This is {name}.", id=f"id of {name}"), 300.0, mark)


def waiting(journal: Journal) -> list[str]:
    return [entry.name for entry in journal.entries if entry.request is not None]


@pytest.mark.parametrize("request_", [FULL, SpeakRequest("x"), SpeakRequest("\ud800", at=0.0)])
def test_a_request_comes_back_as_it_was(request_: SpeakRequest) -> None:
    assert request_from_json(request_to_json(request_)) == request_


async def test_what_was_accepted_is_there_after_a_restart(config: Config) -> None:
    async with open_journal(config) as journal:
        await journal.accept("a", FULL, 12.5, "mark")
        await accept(journal, "b", "c")
        journal.begin("b")
        journal.progress("b", 3)
        journal.end("c")
    async with open_journal(config) as journal:
        a, b, c = journal.entries
        assert (a.name, a.request, a.ttl_s, a.id, a.mark) == ("a", FULL, 12.5, "an id", "mark")
        assert (b.name, b.attempts, b.sentence) == ("b", 1, 3)
        assert (c.name, c.id, c.request) == ("c", "id of c", None)
        assert a.number < b.number < c.number
        await accept(journal, "d")
        assert journal.entries[-1].number > c.number


async def test_what_was_accepted_is_in_the_file_before_it_is_answered(config: Config, tmp_path: Path) -> None:
    """As found by who comes after a kill: a copy of the files while they are open."""
    async with open_journal(config) as journal:
        await accept(journal, "a")
        for number, ending in enumerate(("", "-wal")):
            (tmp_path / f"copy.db{ending}").write_bytes(Path(f"{path_of(config)}{ending}").read_bytes())
            assert number < 2
        found = sqlite3.connect(tmp_path / "copy.db")
        assert found.execute("SELECT name FROM jobs").fetchall() == [("a",)]
        found.close()


def commits(config: Config) -> int:
    """Committed transactions in the log: frames that carry the size of the file after them."""
    log = Path(f"{path_of(config)}-wal").read_bytes()
    frames = [log[at : at + 24] for at in range(32, len(log), 24 + PAGE_BYTES)]
    return sum(frame[4:8] != b"\0\0\0\0" and frame[8:16] == log[16:24] for frame in frames)


def busy_disk(journal: Journal) -> AbstractAsyncContextManager[None]:
    return busy(journal._thread.call)


async def test_what_comes_while_a_commit_runs_shares_the_next_one(config: Config) -> None:
    async with open_journal(config) as journal:
        before = commits(config)
        async with busy_disk(journal):
            accepting = [asyncio.create_task(accept(journal, f"job {number}")) for number in range(30)]
            await asyncio.sleep(0.01)
            assert not any(task.done() for task in accepting)
        await asyncio.gather(*accepting)
        assert commits(config) - before <= 2


async def test_nobody_waits_for_a_disk_that_does_not_answer(config: Config) -> None:
    async with open_journal(config, retry_s=0.0, answer_s=1.0) as journal:
        async with busy_disk(journal):
            await accept(journal, "a")
            assert "did not answer" in journal.problems["journal_unavailable"]
            await accept(journal, "b")
        # A real one may be slow.
        journal._answer_s = 20.0
        writer = journal._writer
        assert writer
        await until(writer.done)
        # The disk is back: what it missed is made good.
        await accept(journal, "c")
        assert journal.keeps
    async with open_journal(config) as journal:
        assert waiting(journal) == ["a", "b", "c"]


async def test_nobody_else_reads_it(config: Config) -> None:
    config.state.folder.mkdir(parents=True)
    path_of(config).touch(mode=0o644)
    async with open_journal(config) as journal:
        await accept(journal, "a")
        modes = {path.name: path.stat().st_mode & 0o777 for path in config.state.folder.iterdir()}
    assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600}


async def test_it_stays_small(config: Config) -> None:
    async with open_journal(config) as journal:
        for number in range(3 * REMEMBERED):
            entered = asyncio.create_task(accept(journal, f"job {number}", mark=f"mark {number}"))
            if number % 64 == 0:
                await entered
            else:
                await asyncio.sleep(0)
            journal.begin(f"job {number}")
            journal.end(f"job {number}")
        assert len(journal.entries) == REMEMBERED
        assert journal.entries[0].name == f"job {2 * REMEMBERED}"
        size_bytes = sum(path.stat().st_size for path in config.state.folder.iterdir())
        assert size_bytes < 2 * WAL_PAGES * PAGE_BYTES
    async with open_journal(config) as journal:
        assert len(journal.entries) == REMEMBERED


async def test_two_daemons_do_not_share_one(config: Config) -> None:
    async with open_journal(config) as first:
        await accept(first, "a")
        async with open_journal(config, retry_s=0.0) as second:
            assert "locked" in second.problems["journal_unavailable"]
            await accept(second, "b")
            assert not second.keeps
        await accept(first, "c")
    async with open_journal(config) as journal:
        assert waiting(journal) == ["a", "c"]


async def test_switched_off_it_keeps_nothing(config: Config) -> None:
    async with open_journal(replace(config, journal=JournalConfig(enabled=False))) as journal:
        await accept(journal, "a")
        assert (journal.keeps, journal.problems) == (False, {})
    assert not config.state.folder.exists()


# Damage

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "random": lambda content: bytes(range(256)) * (len(content) // 256),
    "random in the middle": lambda content: content[:PAGE_BYTES] + b"\xa5" * (len(content) - PAGE_BYTES),
    "truncated": lambda content: content[: len(content) // 2 + 100],
    "text": lambda content: b"journal\n",
    "of a later version": lambda content: content[:60] + (99).to_bytes(4, "big") + content[64:],
    "no JSON": lambda content: content.replace(b'{"text"', b"[text:?"),
    "an unknown field": lambda content: content.replace(b'{"text"', b'{"tent"'),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_one_is_set_aside_and_a_new_one_begun(config: Config, damage: str) -> None:
    async with open_journal(config) as journal:
        await accept(journal, *(f"job {number}" for number in range(50)))
    whole = path_of(config).read_bytes()
    damaged = DAMAGES[damage](whole)
    assert damaged != whole
    path_of(config).write_bytes(damaged)
    async with open_journal(config) as journal:
        assert "is now journal.db.damaged-" in journal.problems["journal_damaged"]
        assert journal.keeps
        await accept(journal, "new")
        [aside] = config.state.folder.glob("journal.db.damaged-*")
        assert len(aside.read_bytes()) == len(damaged)
    async with open_journal(config) as journal:
        assert journal.problems == {}
        assert waiting(journal) == ["new"]


async def test_an_emptied_file_is_damage_and_its_log_is_set_aside_too(config: Config, tmp_path: Path) -> None:
    async with open_journal(config) as journal:
        await accept(journal, "a")
        (tmp_path / "wal").write_bytes(Path(f"{path_of(config)}-wal").read_bytes())
    path_of(config).write_bytes(b"")
    (tmp_path / "wal").rename(f"{path_of(config)}-wal")
    async with open_journal(config) as journal:
        assert "empty" in journal.problems["journal_damaged"]
    assert len(list(config.state.folder.glob("journal.db.damaged-*"))) == 2


async def test_of_those_set_aside_the_last_three_are_kept(config: Config) -> None:
    config.state.folder.mkdir(parents=True)
    for number in range(5):
        path_of(config).write_text(f"damage {number}")
        async with open_journal(config):
            pass
    kept = sorted(config.state.folder.glob("journal.db.damaged-*"))
    assert [path.read_text() for path in kept] == ["damage 2", "damage 3", "damage 4"]


async def test_one_that_is_damaged_while_it_is_used_is_written_anew_from_memory(config: Config) -> None:
    async with open_journal(config) as journal:
        await accept(journal, "a", "b")
        journal.end("a")
        assert journal._file is not None
        # Another table in its place: every further statement fails.
        await journal._thread.call(
            journal._file._connection.executescript, "DROP TABLE jobs; DROP TABLE begun"
        )
        await accept(journal, "c")
        assert journal.keeps
    async with open_journal(config) as journal:
        assert waiting(journal) == ["b", "c"]


# Disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def remount(mode: str, folder: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=True)


def free_bytes(folder: Path) -> int:
    free = os.statvfs(folder)
    return free.f_bavail * free.f_frsize


async def test_a_full_disk(config: Config, small_disk: Path) -> None:
    config = replace(config, state=StateConfig(dir=small_disk))
    async with open_journal(config, retry_s=0.0) as journal:
        await accept(journal, "a", "b")
        (small_disk / "photos").write_bytes(b"\0" * free_bytes(small_disk))
        journal.end("a")
        text = "long " * 8000
        await journal.accept("c", SpeakRequest(text), 300.0, None)
        assert "full" in journal.problems["journal_unavailable"]
        assert not journal.keeps
        (small_disk / "photos").unlink()
        await accept(journal, "d")
        assert journal.problems == {}
    async with open_journal(config) as journal:
        assert waiting(journal) == ["b", "c", "d"]


@pytest.mark.parametrize("retry_s", [0.0, 60.0])
async def test_what_ended_while_the_disk_was_full_is_not_said_again(
    config: Config, small_disk: Path, retry_s: float
) -> None:
    """The file had it as waiting until the next one was accepted, and for ever if the daemon was stopped before."""
    config = replace(config, state=StateConfig(dir=small_disk))
    async with open_journal(config, retry_s=retry_s) as journal:
        await accept(journal, "a", "b")
        (small_disk / "photos").write_bytes(b"\0" * free_bytes(small_disk))
        await journal.accept("c", SpeakRequest("long " * 8000), 300.0, None)
        assert not journal.keeps
        (small_disk / "photos").unlink()
        journal.end("a")
        if not retry_s:
            await until(lambda: not journal.problems)
    async with open_journal(config) as journal:
        assert waiting(journal) == ["b", "c"]


async def test_a_read_only_disk_that_becomes_writable(config: Config, small_disk: Path) -> None:
    config = replace(config, state=StateConfig(dir=small_disk))
    async with open_journal(config) as journal:
        await accept(journal, "left over")
    remount("ro", small_disk)
    async with open_journal(config, retry_s=0.0) as journal:
        assert "Read-only" in journal.problems["journal_unavailable"]
        await accept(journal, "a")
        remount("rw", small_disk)
        await accept(journal, "b")
        assert "journal_unavailable" not in journal.problems
        # What could not be read is not overwritten.
        assert "could not be read at the start" in journal.problems["journal_damaged"]
    async with open_journal(config) as journal:
        assert waiting(journal) == ["a", "b"]


async def test_what_could_not_be_read_is_left_for_the_next_start(config: Config, small_disk: Path) -> None:
    """Nothing was accepted meanwhile: the file is not in the way."""
    config = replace(config, state=StateConfig(dir=small_disk))
    async with open_journal(config) as journal:
        await accept(journal, "left over")
    remount("ro", small_disk)
    async with open_journal(config, retry_s=0.0) as journal:
        await accept(journal, "a")
        remount("rw", small_disk)
        journal.end("a")
    async with open_journal(config) as journal:
        assert waiting(journal) == ["left over"]


async def test_a_file_where_the_folder_should_be(config: Config) -> None:
    config.state.folder.write_text("")
    async with open_journal(config) as journal:
        await accept(journal, "a")
        assert "File exists" in journal.problems["journal_unavailable"]
        assert str(path_of(config)) in journal.problems["journal_unavailable"]


async def test_problems_are_told_and_name_no_text(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    config.state.folder.mkdir(parents=True)
    path_of(config).write_text(json.dumps({"text": "Zanzibar"}))
    told: list[tuple[str, str | None]] = []
    async with open_journal(config) as journal:
        journal.on_problem = lambda code, message: told.append((code, message))
        assert journal._file is not None
        await journal._thread.call(journal._file._connection.executescript, "DROP TABLE jobs")
        await journal.accept("a", SpeakRequest("Zanzibar"), 300.0, None)
    assert told == [("journal_unavailable", None)]
    assert "anzibar" not in caplog.text


# Clocks

YEAR_S = 365 * 86400.0


@pytest.mark.parametrize(
    ("then", "now", "expected_s"),
    [
        (Moment(1000.0, "a", 50.0), Moment(1030.0, "a", 80.0), 30.0),
        # The same start of the box: whatever happened to the clock, it is known.
        (Moment(1000.0, "a", 50.0), Moment(1000.0 + 10 * YEAR_S, "a", 80.0), 30.0),
        (Moment(1e9, "a", 50.0), Moment(0.0, "a", 80.0), 30.0),
        # Another start: by the clock, if it can be believed.
        (Moment(1000.0, "a", 50.0), Moment(1300.0, "b", 5.0), 300.0),
        (Moment(1e9, "a", 50.0), Moment(0.0, "b", 5.0), 0.0),
        (Moment(1000.0, "a", 50.0), Moment(1000.0 + 10 * YEAR_S, "b", 5.0), 0.0),
        (Moment(0.0, "a", 50.0), Moment(BELIEVABLE_S, "b", 5.0), BELIEVABLE_S),
        (Moment(1000.0, "", 50.0), Moment(1030.0, "", 5.0), 30.0),
    ],
)
def test_how_long_ago_it_was(then: Moment, now: Moment, expected_s: float) -> None:
    assert elapsed_s(then, now) == expected_s
