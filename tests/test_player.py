from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_tts.audio import read_wav
from edge_tts.blocks import BLOCK_S
from edge_tts.config import AudioConfig
from edge_tts.errors import DeviceError
from edge_tts.metrics import Metrics
from edge_tts.player import Player, open_player
from edge_tts.sinks import NullSink
from edge_tts.speech import Audio, Piece
from edge_tts.threads import OneThread, one_thread
from tests.fake_sink import FakeSink

CONFIG = AudioConfig(close_after_s=0, buffer_ms=120)


@pytest.fixture
def sink() -> FakeSink:
    return FakeSink()


@pytest.fixture
def playback() -> Iterator[OneThread]:
    with one_thread("playback", 10.0) as thread:
        yield thread


@pytest.fixture
async def player(sink: FakeSink, playback: OneThread) -> Player:
    return Player(CONFIG, sink, Metrics(), playback)


def tone(duration_s: float, sample_rate: int = 22050) -> Audio:
    seconds = np.arange(round(duration_s * sample_rate)) / sample_rate
    return Audio((0.5 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32), sample_rate)


async def pieces(*sounds: Audio) -> AsyncIterator[Piece]:
    for index, sound in enumerate(sounds):
        yield Piece(sound, index, len(sounds))


def full() -> float:
    return 1.0


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


async def test_pieces_become_one_gapless_sound_at_the_devices_rate(player: Player, sink: FakeSink) -> None:
    whole = tone(1.0)
    parts = [Audio(part, 22050) for part in np.array_split(whole.samples, 5)]
    played = await player.play(pieces(*parts), name="a", gain=full)
    assert played.is_complete
    assert played.spoken_s == pytest.approx(1.0, abs=0.002)
    assert sink.calls == ["start a 48000", "finish"]
    # A gap or a click would show as a departure from the sine.
    seconds = np.arange(len(sink.samples)) / 48000
    expected = 0.5 * np.sin(2 * np.pi * 440 * seconds)
    np.testing.assert_allclose(sink.samples[500:-500], expected[500:-500], atol=0.005)


async def test_voices_of_different_rates_follow_each_other(player: Player, sink: FakeSink) -> None:
    await player.play(pieces(tone(0.5, 22050), tone(0.5, 16000)), name="a", gain=full)
    assert len(sink.samples) / 48000 == pytest.approx(1.0, abs=0.005)


async def test_an_interruption_fades_and_says_how_much_was_spoken(player: Player, sink: FakeSink) -> None:
    sink.gate = threading.Event()
    playing = asyncio.create_task(player.play(pieces(tone(5.0)), name="a", gain=full))
    await until(sink.wrote)
    player.interrupt()
    sink.gate.set()
    played = await playing
    assert not played.is_complete
    assert played.spoken_s == pytest.approx(BLOCK_S, abs=0.001)
    assert len(sink.samples) / 48000 == pytest.approx(BLOCK_S + CONFIG.fade_ms / 1000, abs=0.001)
    assert abs(sink.samples[-1]) < 0.001
    assert np.abs(np.diff(sink.samples)).max() < 0.05
    assert sink.calls[-1] == "finish"


async def test_a_stop_does_not_wait_for_a_slow_voice(player: Player, sink: FakeSink) -> None:
    async def slow() -> AsyncIterator[Piece]:
        yield Piece(tone(BLOCK_S), 0, 2)
        await asyncio.Event().wait()

    async with aclosing(slow()) as never:  # type: ignore[type-var]
        playing = asyncio.create_task(player.play(never, name="a", gain=full))
        await asyncio.sleep(0)
        player.interrupt()
        async with asyncio.timeout(5):
            assert not (await playing).is_complete


async def test_a_pause_is_silent_and_loses_nothing(player: Player, sink: FakeSink) -> None:
    sink.gate = threading.Event()
    playing = asyncio.create_task(player.play(pieces(tone(0.4)), name="a", gain=full))
    await until(sink.wrote)
    player.pause()
    sink.gate.set()
    while "rest" not in sink.calls:
        await asyncio.sleep(0.001)
    n_blocks = len(sink.blocks)
    await asyncio.sleep(0.05)
    assert len(sink.blocks) == n_blocks
    player.resume()
    played = await playing
    assert played.is_complete
    assert played.spoken_s == pytest.approx(0.4, abs=0.002)
    # What was faded out is said again, faded in.
    assert len(sink.samples) / 48000 == pytest.approx(0.4 + CONFIG.fade_ms / 1000, abs=0.003)
    assert np.abs(np.diff(sink.samples)).max() < 0.05


async def test_a_volume_set_meanwhile_is_heard_without_a_click(player: Player, sink: FakeSink) -> None:
    gains = iter([1.0, 1.0] + [0.25] * 1000)
    await player.play(pieces(tone(1.0)), name="a", gain=lambda: next(gains))
    n_block = round(BLOCK_S * 48000)
    assert np.abs(sink.samples[:n_block]).max() == pytest.approx(0.5, abs=0.01)
    assert np.abs(sink.samples[-n_block:]).max() == pytest.approx(0.125, abs=0.01)
    assert np.abs(np.diff(sink.samples)).max() < 0.05


async def test_lead_in_only_after_idleness(sink: FakeSink, playback: OneThread) -> None:
    player = Player(replace(CONFIG, lead_in_ms=500, lead_in_idle_s=60), sink, Metrics(), playback)
    first = await player.play(pieces(tone(0.2)), name="a", gain=full)
    assert not sink.samples[: round(0.49 * 48000)].any()
    assert len(sink.samples) / 48000 == pytest.approx(0.7, abs=0.002)
    assert first.spoken_s == pytest.approx(0.2, abs=0.002)
    sink.blocks.clear()
    await player.play(pieces(tone(0.2)), name="b", gain=full)
    assert len(sink.samples) / 48000 == pytest.approx(0.2, abs=0.002)


async def test_a_chime_comes_before_speech_and_is_not_counted(player: Player, sink: FakeSink) -> None:
    played = await player.play(pieces(tone(0.2)), name="a", gain=full, chime=tone(0.3, 44100))
    assert len(sink.samples) / 48000 == pytest.approx(0.5, abs=0.005)
    assert played.spoken_s == pytest.approx(0.2, abs=0.002)


async def test_a_device_that_vanishes_goes_on_where_it_was_lost(player: Player, sink: FakeSink) -> None:
    sink.fail_at_block, sink.failures = 10, 3
    problems: list[str | None] = []
    player.on_problem = problems.append
    played = await player.play(pieces(tone(1.0)), name="a", gain=full)
    assert played.is_complete
    assert "the device is gone" in problems
    assert problems[-1] is None
    # What the device may have held unheard when it vanished is said again.
    assert len(sink.samples) / 48000 == pytest.approx(1.0 + CONFIG.buffer_ms / 1000, abs=0.003)


async def test_a_device_that_stays_away_is_an_error(sink: FakeSink, playback: OneThread) -> None:
    sink.fail_at_block, sink.failures = 0, 1000
    player = Player(replace(CONFIG, device_wait_s=0.3), sink, Metrics(), playback)
    with pytest.raises(DeviceError, match="gave up after 0 s: the device is gone"):
        await player.play(pieces(tone(1.0)), name="a", gain=full)


async def test_a_stop_ends_the_wait_for_a_device(player: Player, sink: FakeSink) -> None:
    sink.fail_at_block, sink.failures = 0, 1000
    playing = asyncio.create_task(player.play(pieces(tone(1.0)), name="a", gain=full))
    while "close" not in sink.calls:
        await asyncio.sleep(0.001)
    player.interrupt()
    async with asyncio.timeout(5):
        assert not (await playing).is_complete


async def test_a_hanging_device_is_seen(sink: FakeSink) -> None:
    hung: asyncio.Queue[str] = asyncio.Queue()
    with one_thread("playback", 10.0, hung.put_nowait) as thread:
        player = Player(CONFIG, sink, Metrics(), thread)
        sink.gate, sink.patience_s = threading.Event(), 0.05
        playing = asyncio.create_task(player.play(pieces(tone(0.1)), name="a", gain=full))
        async with asyncio.timeout(10):
            assert await hung.get() == "playback"
        assert player.is_stuck
        sink.gate.set()
        await playing
        assert not player.is_stuck


async def test_a_device_that_takes_sound_but_plays_none_is_given_up(
    sink: FakeSink, playback: OneThread
) -> None:
    """A suspended sink can be opened, and its buffer takes the first blocks, again and again."""
    sink.fail_at_block, sink.failures, sink.holds = 0, 1000, 3
    problems: list[str | None] = []
    player = Player(replace(CONFIG, device_wait_s=0.5), sink, Metrics(), playback)
    player.on_problem = problems.append
    with pytest.raises(DeviceError, match="gave up after 0 s: the device is gone"):
        await player.play(pieces(tone(1.0)), name="a", gain=full)
    assert sink.calls.count("start a 48000") > 1
    assert None not in problems


async def test_a_device_that_vanishes_in_a_pause_is_waited_for(player: Player, sink: FakeSink) -> None:
    sink.gate, sink.fails_at_rest = threading.Event(), True
    playing = asyncio.create_task(player.play(pieces(tone(0.4)), name="a", gain=full))
    await until(sink.wrote)
    player.pause()
    sink.gate.set()
    while "close" not in sink.calls:
        await asyncio.sleep(0.001)
    player.resume()
    assert (await playing).spoken_s == pytest.approx(0.4, abs=0.002)


async def test_a_stop_while_the_device_is_gone_is_an_interruption(player: Player, sink: FakeSink) -> None:
    sink.fail_at_block, sink.failures = 5, 1000
    playing = asyncio.create_task(player.play(pieces(tone(1.0)), name="a", gain=full))
    while sink.calls.count("close") < 2:
        await asyncio.sleep(0.001)
    player.interrupt()
    played = await playing
    assert not played.is_complete
    assert played.spoken_s == pytest.approx(5 * BLOCK_S, abs=0.001)


async def test_an_idle_device_is_released(sink: FakeSink, playback: OneThread) -> None:
    player = Player(replace(CONFIG, close_after_s=0.05), sink, Metrics(), playback)
    await player.play(pieces(tone(0.1)), name="a", gain=full)
    assert "close" not in sink.calls
    async with asyncio.timeout(5):
        while "close" not in sink.calls:
            await asyncio.sleep(0.01)
    await player.close()


async def test_the_wav_sink_writes_whole_files(tmp_path: Path) -> None:
    config = AudioConfig(sink="wav", wav_dir=tmp_path / "new")
    async with open_player(config, Metrics()) as player:
        await player.play(pieces(tone(0.5)), name="job-1", gain=full)
    (path,) = (tmp_path / "new").iterdir()
    assert path.name == "job-1.wav"
    np.testing.assert_allclose(read_wav(path).samples, tone(0.5).samples, atol=1 / 32767)


async def test_a_failed_announcement_leaves_no_file_and_the_next_one_has_its_own(tmp_path: Path) -> None:
    async def failing() -> AsyncIterator[Piece]:
        yield Piece(tone(0.5), 0, 2)
        raise DeviceError("the voice broke")

    async with open_player(AudioConfig(sink="wav", wav_dir=tmp_path, close_after_s=0), Metrics()) as player:
        with pytest.raises(DeviceError, match="the voice broke"):
            await player.play(failing(), name="one", gain=full)
        await player.play(pieces(tone(0.3)), name="two", gain=full)
    assert [path.name for path in tmp_path.iterdir()] == ["two.wav"]
    assert read_wav(tmp_path / "two.wav").duration_s == pytest.approx(0.3, abs=0.001)


async def test_nothing_to_play_is_silence(player: Player, sink: FakeSink) -> None:
    played = await player.play(pieces(), name="a", gain=full)
    assert (played.spoken_s, played.is_complete) == (0.0, True)
    assert sink.calls == []


def test_the_null_sink_takes_as_long_as_speech() -> None:
    now_s = 100.0
    sink = NullSink(0.2, clock=lambda: now_s)
    sink.start("a", 1000)
    assert sink.write(np.zeros(100, np.float32)) is False
    now_s = 100.05
    assert sink.write(np.zeros(100, np.float32)) is False
    # All was heard at 100.2: the device ran dry.
    now_s = 100.5
    assert sink.write(np.zeros(10, np.float32)) is True
    # After a rest it begins anew.
    now_s = 101.0
    sink.rest()
    assert sink.write(np.zeros(10, np.float32)) is False


def test_the_null_sink_at_ten_times_the_pace() -> None:
    now_s = 100.0
    sink = NullSink(0.2, clock=lambda: now_s, pace=10)
    sink.start("a", 1000)
    assert sink.write(np.zeros(1000, np.float32)) is False
    now_s = 100.09
    assert sink.write(np.zeros(10, np.float32)) is False
    now_s = 100.2
    assert sink.write(np.zeros(10, np.float32)) is True
