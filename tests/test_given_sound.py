"""Sound in place of text: the same queue, the same outcomes."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_tts.audio import read_wav, to_pcm16
from edge_tts.config import AudioConfig, Config
from edge_tts.errors import (
    BadSoundError,
    QueueFullError,
    SoundBrokenOffError,
    SoundsFullError,
    SoundTooLongError,
)
from edge_tts.given_sound import MAX_BYTES, GivenSound, mono16, sound_of_file
from edge_tts.service import Service
from edge_tts.speech import EventType, Priority, SpeakRequest
from tests.test_service import LONG, outcome, say, serving, started

SAMPLE_RATE = 22050


@pytest.fixture
async def service(config: Config) -> AsyncIterator[Service]:
    async with serving(config) as service:
        yield service


def tone(duration_s: float) -> bytes:
    cycles = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE * 330
    return to_pcm16((0.3 * np.sin(2 * np.pi * cycles)).astype(np.float32))


def whole(pcm: bytes) -> GivenSound:
    sound = GivenSound(SAMPLE_RATE)
    sound.add(pcm)
    sound.finish()
    return sound


async def play(service: Service, sound: GivenSound, **fields: Any) -> str:
    return (await service.submit(SpeakRequest("", **fields), sound=sound)).job


async def test_a_sound_is_heard_as_it_was_given(config: Config, tmp_path: Path) -> None:
    audio = AudioConfig(sink="wav", wav_dir=tmp_path / "wav", volume=100)
    async with serving(replace(config, audio=audio)) as service:
        job = await play(service, whole(tone(1.3)), id="a", repeat=2)
        finished = await outcome(service, job)
    heard = read_wav(tmp_path / "wav" / f"{job}.wav")
    assert heard.sample_rate == SAMPLE_RATE
    assert to_pcm16(heard.samples) == tone(1.3) * 2
    assert (finished.event_type, finished.id, finished.audio_ms) == (EventType.FINISHED, "a", 2600)
    assert finished.rtf is None


async def test_it_is_heard_before_it_is_complete(service: Service) -> None:
    sound = GivenSound(SAMPLE_RATE)
    sound.add(tone(0.2))
    job = await play(service, sound)
    sound.add(tone(0.2))
    await started(service, job)
    sound.add(tone(0.2) + b"\0")  # half a sample
    sound.add(b"\0")
    sound.finish()
    event = await outcome(service, job)
    assert event.event_type is EventType.FINISHED
    assert event.audio_ms == 600


async def test_what_breaks_off_fails(service: Service) -> None:
    stalled, failed, empty = GivenSound(SAMPLE_RATE, stall_s=0.1), GivenSound(SAMPLE_RATE), whole(b"")
    stalled.add(tone(0.1))
    failed.add(tone(0.1))
    failed.fail(SoundBrokenOffError("the caller hung up"))
    events = [await outcome(service, await play(service, sound)) for sound in (stalled, failed, empty)]
    assert [event.event_type for event in events] == [EventType.FAILED] * 3
    assert [event.code for event in events] == ["sound_broken_off", "sound_broken_off", "bad_sound"]


async def test_sounds_and_texts_obey_the_same_priorities(service: Service) -> None:
    long = await say(service, LONG)
    await started(service, long)
    sound = await play(service, whole(tone(5)))
    fire = await play(service, whole(tone(0.1)), priority=Priority.IMPORTANT)
    assert (await outcome(service, long)).code == "priority"
    assert (await outcome(service, fire)).event_type is EventType.FINISHED
    await started(service, sound)
    service.set_muted(True)
    assert (await outcome(service, sound)).code == "muted"
    muted = await outcome(service, await play(service, whole(tone(0.1))))
    assert muted.event_type is EventType.MUTED


async def test_the_last_sound_can_be_repeated(service: Service) -> None:
    first = await outcome(service, await play(service, whole(tone(0.3)), id="once"))
    duplicate = await service.submit(SpeakRequest("", id="once"), sound=whole(tone(0.1)))
    assert duplicate.is_duplicate
    again = await outcome(service, (await service.repeat())[-1].job)
    assert (again.event_type, again.audio_ms) == (EventType.FINISHED, first.audio_ms)


async def test_a_stream_that_was_stopped_is_not_repeated(service: Service) -> None:
    """It was repeated up to where it had come, and then failed."""
    await outcome(service, await say(service, "Before."))
    stream = GivenSound(SAMPLE_RATE, stall_s=0.5)
    stream.add(tone(2.0))
    stopped = await play(service, stream)
    await started(service, stopped)
    service.stop()
    assert (await outcome(service, stopped)).event_type is EventType.INTERRUPTED
    again = await outcome(service, (await service.repeat())[-1].job)
    assert (again.event_type, again.text) == (EventType.FINISHED, "Before.")


async def test_memory_for_sounds_is_bounded(service: Service) -> None:
    service.pause()
    growing = [GivenSound(SAMPLE_RATE) for _ in range(4)]
    for sound in growing[:3]:
        await play(service, sound)
    with pytest.raises(SoundsFullError, match="48 MB"):
        await play(service, growing[3])
    assert issubclass(SoundsFullError, QueueFullError)
    growing[0].add(bytes(MAX_BYTES))
    with pytest.raises(SoundTooLongError, match="380 s"):
        growing[0].add(b"\0\0")
    service.clear()
    service.resume()
    assert (await outcome(service, await play(service, whole(tone(0.1))))).event_type is EventType.FINISHED


async def test_a_restart_ends_what_waits(config: Config) -> None:
    async with serving(config) as service:
        service.pause()
        waiting = asyncio.create_task(service.outcome(await play(service, whole(tone(0.1)))))
        await asyncio.sleep(0)
    assert (await waiting).event_type is EventType.INTERRUPTED
    async with serving(config) as service:
        assert service.jobs() == []


@pytest.mark.parametrize(
    ("width_bytes", "dtype", "loudest"), [(1, "u1", 255), (2, "<i2", 32767), (4, "<i4", 2**31 - 1)]
)
def test_samples_of_any_width_become_mono_16_bit(width_bytes: int, dtype: str, loudest: int) -> None:
    silent = 128 if width_bytes == 1 else 0
    frames = np.array([[loudest, silent], [silent, silent]], dtype)
    mixed = np.frombuffer(mono16(frames.tobytes(), width_bytes, 2), "<i2")
    assert mixed[0] == pytest.approx(16384, rel=0.01)
    assert mixed[1] == 0


@pytest.mark.parametrize(
    ("pcm", "width_bytes", "n_channels"), [(b"abc", 2, 1), (b"abc", 3, 1), (b"", 2, 0), (b"ab", 2, 2)]
)
def test_what_is_no_sound_is_refused(pcm: bytes, width_bytes: int, n_channels: int) -> None:
    with pytest.raises(BadSoundError):
        mono16(pcm, width_bytes, n_channels)


@pytest.mark.parametrize("sample_rate", [0, -1, 10**9])
def test_impossible_sample_rates_are_refused(sample_rate: int) -> None:
    with pytest.raises(BadSoundError, match="4000 to 192000"):
        GivenSound(sample_rate)


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG"])
async def test_a_file_is_a_sound(service: Service, container: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros((2205, 2)), SAMPLE_RATE, format=container)
    sound = await asyncio.to_thread(sound_of_file, file.getvalue())
    assert (await outcome(service, await play(service, sound))).audio_ms == 100


def test_what_is_no_sound_file_is_refused() -> None:
    for content in (b"", b"RIFF", b"{}", bytes(1000)):
        with pytest.raises(BadSoundError):
            sound_of_file(content)


def test_a_small_file_of_endless_silence_is_refused() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(MAX_BYTES // 2 + 1, np.int16), 8000, format="FLAC")
    assert len(file.getvalue()) < 1 << 20
    with pytest.raises(SoundTooLongError):
        sound_of_file(file.getvalue())
