"""When others are quieted and given back, whatever the way."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from edge_tts.config import Config, parse_config
from edge_tts.errors import OthersError
from edge_tts.metrics import Metrics
from edge_tts.others import WAYS, Others, open_others
from edge_tts.others.base import ATTEMPT_S, IDLE_S, Change
from edge_tts.player import Player
from edge_tts.sinks import NullSink
from edge_tts.speech import Audio, Piece
from edge_tts.threads import OneThread, one_thread
from tests.fake_sink import FakeSink
from tests.test_player import CONFIG


class FakeWay:
    """One player of music, and what was done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.error: Exception | None = None
        self.is_late = asyncio.Event()
        self.is_late.set()
        self.is_gone = False
        self.was_quieted = asyncio.Event()
        self.was_given_back = asyncio.Event()

    async def quiet(self, known: Mapping[str, Change], keep: Callable[[list[Change]], None]) -> None:
        await self._trouble()
        if "radio" not in known:
            keep([Change("radio", "music", 0.5)])
            self.done.append("quiet")
            self.was_quieted.set()

    async def give_back(self, changes: Collection[Change]) -> list[Change]:
        await self._trouble()
        self.done.append(f"back {[change.before for change in changes]}")
        if self.is_gone:
            return list(changes)
        self.was_given_back.set()
        return []

    async def _trouble(self) -> None:
        await self.is_late.wait()
        if self.error:
            raise self.error


@pytest.fixture
async def way() -> FakeWay:
    return FakeWay()


@pytest.fixture
async def others(way: FakeWay, tmp_path: Path) -> AsyncIterator[Others]:
    others = Others(way, tmp_path / "state" / "others.json")
    yield others
    way.is_late.set()
    way.error = None
    await others.close()


@pytest.fixture
def playback() -> Iterator[OneThread]:
    with one_thread("playback", 10.0) as thread:
        yield thread


async def pieces() -> AsyncIterator[Piece]:
    yield Piece(Audio(np.full(4410, 0.5, np.float32), 22050), 0, 1)


async def test_a_series_is_one_announcement_to_the_others(way: FakeWay, others: Others) -> None:
    for _ in range(3):
        await others.quiet()
        others.release()
    async with asyncio.timeout(10):
        await way.was_given_back.wait()
    assert way.done == ["quiet", "back [0.5]"]


async def test_an_announcement_in_the_moment_of_giving_back(way: FakeWay, others: Others) -> None:
    """Quieting and giving back waited for each other, and music was low for ever."""
    await others.quiet()
    now = asyncio.Event()
    asyncio.get_running_loop().call_later(IDLE_S, now.set)
    others.release()
    await now.wait()
    await others.quiet()
    others.release()
    async with asyncio.timeout(10):
        await way.was_given_back.wait()


async def test_an_announcement_plays_between_quiet_and_release(
    way: FakeWay, others: Others, playback: OneThread
) -> None:
    sink = FakeSink()
    player = Player(CONFIG, sink, Metrics(), playback, others)
    done_at_first_sample: list[str] = []

    def on_first_block() -> None:
        done_at_first_sample.extend(way.done)

    await player.play(pieces(), name="a", gain=lambda: 1.0, on_first_block=on_first_block)
    assert done_at_first_sample == ["quiet"]
    assert way.done == ["quiet"]
    async with asyncio.timeout(10):
        await way.was_given_back.wait()
    assert sink.calls[-1] == "finish"


async def test_a_pause_gives_music_back(way: FakeWay, others: Others, playback: OneThread) -> None:
    player = Player(CONFIG, FakeSink(), Metrics(), playback, others)
    player.pause()
    playing = asyncio.create_task(player.play(pieces(), name="a", gain=lambda: 1.0))
    async with asyncio.timeout(10):
        await way.was_given_back.wait()
    player.resume()
    assert (await playing).is_complete
    assert way.done == ["quiet", "back [0.5]", "quiet"]


async def test_who_answers_late_delays_an_announcement_for_a_moment_and_is_quiet_then(
    way: FakeWay, others: Others
) -> None:
    way.is_late.clear()
    async with asyncio.timeout(ATTEMPT_S):
        await others.quiet()
    assert way.done == []
    way.is_late.set()
    await others.quiet()
    assert way.done == ["quiet"]


async def test_who_answers_after_the_announcement_gets_it_back(way: FakeWay, others: Others) -> None:
    way.is_late.clear()
    await others.quiet()
    others.release()
    way.is_late.set()
    async with asyncio.timeout(10):
        await way.was_given_back.wait()
    assert way.done == ["quiet", "back [0.5]"]


async def test_who_does_not_answer_is_told_of(way: FakeWay, others: Others) -> None:
    told = asyncio.Queue[str | None]()
    others.on_problem = told.put_nowait
    way.is_late.clear()
    async with asyncio.timeout(10):
        for _ in range(5):
            await others.quiet()
        assert "do not answer" in (await told.get() or "")
        way.is_late.set()
        await others.quiet()
        assert await told.get() is None


async def test_what_goes_wrong_is_told_not_raised(way: FakeWay, others: Others) -> None:
    told: list[str | None] = []
    others.on_problem = told.append
    for error in (OthersError("nobody is there"), TypeError("what was kept is damaged"), None):
        way.error = error
        await others.quiet()
    assert told == ["nobody is there", "an unexpected error; see the log", None]


async def test_giving_back_is_tried_again(way: FakeWay, others: Others) -> None:
    await others.quiet()
    way.error = OthersError("the server restarts")
    problem = asyncio.Event()
    others.on_problem = lambda message: problem.set() if message else None
    others.release()
    async with asyncio.timeout(10):
        await problem.wait()
        way.error = None
        await way.was_given_back.wait()


async def test_who_is_gone_gets_it_back_when_he_is_there_again(way: FakeWay, tmp_path: Path) -> None:
    path = tmp_path / "others.json"
    way.is_gone = True
    first = Others(way, path)
    await first.quiet()
    await first.close()
    assert path.exists()
    way.is_gone = False
    await Others(way, path).close()
    assert way.done == ["quiet", "back [0.5]", "back [0.5]"]
    assert not path.exists()


async def test_who_was_left_quiet_is_remembered_over_a_crash(way: FakeWay, tmp_path: Path) -> None:
    path = tmp_path / "others.json"
    crashed = Others(way, path)
    await crashed.quiet()
    assert json.loads(path.read_text()) == [{"of": "radio", "kind": "music", "before": 0.5}]
    started_again = Others(way, path)
    # Speech goes on at once: what is quiet already stays so.
    await started_again.quiet()
    started_again.release()
    async with asyncio.timeout(10):
        await way.was_given_back.wait()
    await started_again.close()
    assert way.done == ["quiet", "back [0.5]"]
    assert not path.exists()


@pytest.mark.parametrize("content", ["", "[", "[1]", '[{"of": "radio"}]', "\0"])
async def test_a_memory_that_is_damaged_is_no_memory(way: FakeWay, tmp_path: Path, content: str) -> None:
    path = tmp_path / "others.json"
    path.write_text(content)
    await Others(way, path).close()
    assert way.done == []


@pytest.mark.parametrize("name", WAYS)
async def test_a_way_that_is_configured_is_one_line(name: str, tmp_path: Path) -> None:
    audio = {"others": name, "sink": "snapcast" if name == "switch" else "null"}
    config = parse_config({"audio": audio, "state": {"dir": str(tmp_path)}}, tmp_path)
    async with open_others(config) as others:
        assert others.problem is None


async def test_nothing_configured_is_nothing_done() -> None:
    async with open_others(Config()) as others:
        await others.quiet()
        others.release()
        assert others.problem is None


async def test_music_plays_until_shortly_before_an_announcement_at_a_time(
    way: FakeWay, others: Others, playback: OneThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its device is opened seconds before."""
    limit_s = 2.0  # on a busy machine a moment is longer
    monkeypatch.setattr("edge_tts.player.LIMIT_S", limit_s)
    player = Player(CONFIG, NullSink(0.1), Metrics(), playback, others)
    start_s = time.monotonic() + 2 * limit_s
    quieted_s: list[float] = []

    async def note() -> None:
        await way.was_quieted.wait()
        quieted_s.append(time.monotonic())

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(note())
        await player.play(pieces(), name="a", gain=lambda: 1.0, start_s=start_s)
    assert start_s - 1.5 * limit_s < quieted_s[0] < start_s - 0.25 * limit_s
