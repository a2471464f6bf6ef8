"""The satellite as Home Assistant uses it: sound goes in, is heard in its turn, and `played` comes back."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event
from wyoming.info import Info
from wyoming.satellite import PauseSatellite, RunSatellite

from edge_tts.audio import read_wav, to_pcm16
from edge_tts.config import AudioConfig, Config
from edge_tts.door_config import HomeAssistantConfig
from edge_tts.given_sound import GivenSound
from edge_tts.speech import EventType, JobEvent, Priority, SpeakRequest
from tests.test_given_sound import SAMPLE_RATE, tone
from tests.test_service import LONG, outcome, say, started
from tests.wyoming_house import House, answer, opened, received


@pytest.fixture
async def house(config: Config) -> AsyncIterator[House]:
    async with opened(config) as house:
        yield house


async def announce(
    client: AsyncTcpClient, pcm: bytes, *, width: int = 2, channels: int = 1, size: int = 2048
) -> None:
    """As Home Assistant does it: as fast as it can, in small chunks."""
    sound_format = {"rate": SAMPLE_RATE, "width": width, "channels": channels}
    await client.write_event(AudioStart(**sound_format, timestamp=0).event())
    for start in range(0, len(pcm), size):
        await client.write_event(AudioChunk(**sound_format, audio=pcm[start : start + size]).event())
    await client.write_event(AudioStop().event())


async def test_it_is_a_satellite_and_no_voice(config: Config) -> None:
    """Home Assistant would not use the voices of a port that is a satellite too."""
    config = replace(config, homeassistant=HomeAssistantConfig(name="Kitchen speaker", area="Kitchen"))
    async with opened(config) as house, house.satellite() as client:
        await client.write_event(RunSatellite().event())
        info = Info.from_event((await answer(client, "describe", {}, "info"))[-1])
        await client.write_event(PauseSatellite().event())
        assert (await answer(client, "ping", {}, "pong"))[-1].type == "pong"
    assert info.satellite is not None
    assert info.satellite.installed
    assert (info.satellite.name, info.satellite.area) == ("Kitchen speaker", "Kitchen")
    assert [*info.tts, *info.asr, *info.wake, *info.mic] == []


@pytest.mark.parametrize("size", [2048, 999])
async def test_what_is_sent_is_heard_then_played_is_told(config: Config, tmp_path: Path, size: int) -> None:
    audio = AudioConfig(sink="wav", wav_dir=tmp_path / "wav", volume=100)
    async with opened(replace(config, audio=audio)) as house, house.satellite() as client:
        for n in (1, 2):
            await announce(client, tone(0.8), size=size)
            assert [event.type for event in await received(client, "played", "error")] == ["played"]
            heard = sorted((tmp_path / "wav").glob("*.wav"))
            assert len(heard) == n
        assert to_pcm16(read_wav(heard[-1]).samples) == tone(0.8)
        (first, _) = house.service.jobs()
        assert (first.event_type, first.source, first.priority) == (
            EventType.FINISHED,
            "wyoming",
            Priority.MESSAGE,
        )


async def test_it_waits_its_turn_among_the_others(house: House) -> None:
    with house.service.updates() as updates:
        # Long: it must still be speaking when the fire breaks out.
        speaking = await say(house.service, LONG)
        await started(house.service, speaking)
        async with house.satellite() as client:
            await announce(client, tone(0.2))
            # Alive to Home Assistant, which gives up after five seconds without a word.
            assert (await answer(client, "ping", {}, "pong"))[-1].type == "pong"
            fire = await say(house.service, "Fire!", priority=Priority.IMPORTANT)
            assert [event.type for event in await received(client, "played", "error")] == ["played"]
        ended = [await anext_outcome(updates) for _ in range(3)]
    assert [(event.job, event.event_type) for event in ended[:2]] == [
        (speaking, EventType.INTERRUPTED),
        (fire, EventType.FINISHED),
    ]
    assert (ended[2].source, ended[2].event_type) == ("wyoming", EventType.FINISHED)


async def anext_outcome(updates: AsyncIterator[object]) -> JobEvent:
    async with asyncio.timeout(20):
        async for update in updates:
            if isinstance(update, JobEvent) and update.event_type.is_outcome:
                return update
    raise AssertionError("no more events")


async def test_what_is_not_heard_is_an_error_and_not_played(house: House) -> None:
    house.service.set_muted(True)
    async with house.satellite() as client:
        await announce(client, tone(0.2))
        events = await received(client, "played", "error")
        assert (events[-1].type, events[-1].data["code"]) == ("error", "muted")
        house.service.set_muted(False)
        await announce(client, tone(30))
        async with asyncio.timeout(10):
            while not house.service.state.is_speaking:
                await asyncio.sleep(0.005)
        house.service.skip()
        events = await received(client, "played", "error")
        assert (events[-1].type, events[-1].data["code"]) == ("error", "cancelled")
        await announce(client, tone(0.1))
        assert (await received(client, "played", "error"))[-1].type == "played"


def n_sounds() -> int:
    """In memory."""
    gc.collect()
    return sum(isinstance(each, GivenSound) for each in gc.get_objects())


async def test_of_what_will_not_be_heard_the_rest_is_thrown_away(house: House) -> None:
    """Sixteen callers of a muted box took 256 MB once."""
    chunk = AudioChunk(rate=SAMPLE_RATE, width=2, channels=1, audio=tone(0.4)).event()
    before = n_sounds()
    house.service.set_muted(True)
    async with house.satellite() as client:
        await client.write_event(chunk)
        assert (await received(client, "played", "error"))[-1].data["code"] == "muted"
        house.service.set_muted(False)
        await client.write_event(chunk)
        assert (await answer(client, "ping", {}, "pong"))[-1].type == "pong"
        assert n_sounds() <= before
        await client.write_event(AudioStop().event())
        await announce(client, tone(0.1))
        assert [event.type for event in await received(client, "played", "error")] == ["played"]


async def test_it_is_heard_before_all_of_it_is_sent(house: House) -> None:
    async with house.satellite() as client:
        chunk = AudioChunk(rate=SAMPLE_RATE, width=2, channels=1, audio=tone(0.4)).event()
        await client.write_event(chunk)
        async with asyncio.timeout(10):
            while not (jobs := house.service.jobs()):
                await asyncio.sleep(0.005)
        await started(house.service, jobs[0].job)
        await client.write_event(AudioStop().event())
        assert (await received(client, "played", "error"))[-1].type == "played"


async def test_a_caller_who_hangs_up_amid_a_sound_ends_it_and_after_it_does_not(house: House) -> None:
    house.service.pause()
    async with house.satellite() as client:
        await announce(client, tone(0.1))
        await client.write_event(AudioChunk(rate=SAMPLE_RATE, width=2, channels=1, audio=tone(0.2)).event())
        async with asyncio.timeout(10):
            while len(jobs := house.service.jobs()) < 2:
                await asyncio.sleep(0.005)
    house.service.resume()
    whole, half = [await outcome(house.service, event.job) for event in jobs]
    assert whole.event_type is EventType.FINISHED
    assert (half.event_type, half.code) == (EventType.FAILED, "sound_broken_off")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rate": 10}, "bad_sound"),
        ({"rate": "fast"}, "bad_request"),
        ({"width": 3}, "bad_sound"),
        ({"channels": 0}, "bad_sound"),
        ({"channels": None}, "bad_request"),
    ],
)
async def test_what_is_no_sound_is_an_error_once(house: House, changes: dict[str, object], code: str) -> None:
    sound_format = {"rate": SAMPLE_RATE, "width": 2, "channels": 1, **changes}
    async with house.satellite() as client:
        for _ in range(3):
            await client.write_event(Event("audio-chunk", sound_format, b"\0\0"))
        await client.write_event(AudioStop().event())
        events = await answer(client, "ping", {}, "pong")
        assert [event.type for event in events] == ["error"]
        assert events[0].data["code"] == code
        assert (await received(client, "pong"))[-1].type == "pong"
        await announce(client, tone(0.1))
        assert (await received(client, "played", "error"))[-1].type == "played"


async def test_too_much_sound_fails_and_the_next_is_heard(house: House) -> None:
    async with house.satellite() as client:
        await announce(client, bytes((16 << 20) + 2), size=1 << 20)
        events = await received(client, "played", "error")
        assert (events[-1].type, events[-1].data["code"]) == ("error", "sound_too_long")
        await announce(client, tone(0.1))
        assert (await received(client, "played", "error"))[-1].type == "played"


async def test_a_full_queue_is_an_error(house: House) -> None:
    house.service.pause()
    for n in range(house.service.config.queue.max_jobs):
        await house.service.submit(SpeakRequest(f"{n} {LONG}", source="wyoming"))
    async with house.satellite() as client:
        await announce(client, tone(0.1))
        assert (await received(client, "played", "error"))[-1].data["code"] == "queue_full"
