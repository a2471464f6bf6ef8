"""Text to speech over Wyoming, with the client classes of its own library."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from wyoming.audio import AudioStart
from wyoming.event import Event
from wyoming.info import Info, SelectProgram
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeTextFormat,
    SynthesizeVoice,
)

from edge_tts.audio import to_pcm16
from edge_tts.config import Config, QueueConfig
from edge_tts.doors import DOORS
from edge_tts.service import Service
from edge_tts.speech import SpeakRequest
from tests.busy import busy
from tests.doors_house import until
from tests.test_service import LONG, serving
from tests.wyoming_house import House, answer, opened, pcm, received, types


@pytest.fixture
async def house(config: Config) -> AsyncIterator[House]:
    async with opened(config) as house:
        yield house


async def spoken(service: Service, text: str, **fields: Any) -> bytes:
    async with aclosing(service.stream(SpeakRequest(text, **fields))) as pieces:
        return b"".join([to_pcm16(piece.audio.samples) async for piece in pieces])


async def test_a_box_without_it_listens_nowhere(config: Config) -> None:
    async with serving(config) as service, DOORS["wyoming"](service, config) as door:
        assert door is None


async def test_it_tells_its_voices(house: House) -> None:
    async with house.speech() as client:
        events = await answer(client, "describe", {}, "info")
    info = Info.from_event(events[-1])
    assert info.satellite is None
    (program,) = info.tts
    assert program.installed
    assert program.supports_synthesize_streaming
    installed = {voice["name"]: voice for voice in await house.service.voices()}
    assert {voice.description for voice in program.voices} == set(installed)
    for voice in program.voices:
        known = installed[voice.description or ""]
        assert voice.installed
        assert voice.languages[0] in known["languages"]
        assert [speaker.name for speaker in voice.speakers or []] == known["speakers"]


@pytest.mark.voice
async def test_each_language_of_a_voice_can_be_chosen(house: House) -> None:
    """Home Assistant sends nothing but the name of the voice that was chosen for a language."""
    voice = "kathleen-kerstin-yuetan"
    async with house.speech() as client:
        info = Info.from_event((await answer(client, "describe", {}, "info"))[-1])
        names = {v.languages[0]: v.name for v in info.tts[0].voices if v.description == voice}
        assert names["de-DE"] != names["en-US"]
        await client.write_event(Synthesize("3 km", SynthesizeVoice(name=names["de-DE"])).event())
        german = pcm(await received(client, "audio-stop", "error"))
        await client.write_event(Synthesize("3 km", SynthesizeVoice(language="de")).event())
        await received(client, "audio-stop", "error")
    assert german == await spoken(house.service, "3 km", voice=voice, language="de-DE")


async def test_the_list_of_voices_does_not_wait_for_a_busy_voice(house: House) -> None:
    async with house.speech() as client, busy(house.service._renderer.call):
        # It is busy for ten seconds.
        async with asyncio.timeout(8):
            await answer(client, "describe", {}, "info")


async def test_a_text_becomes_sound(house: House) -> None:
    text = "Hello there. This is a test."
    async with house.speech() as client:
        for _ in range(2):
            events = await answer(client, "synthesize", {"text": text}, "audio-stop")
            assert types(events) == ["audio-start", "audio-chunk", "audio-stop"]
            start = AudioStart.from_event(events[0])
            assert (start.width, start.channels) == (2, 1)
            assert pcm(events) == await spoken(house.service, text)
    assert house.service.jobs() == []


async def test_ssml_is_a_format(house: House) -> None:
    text = '<speak>One<break time="2s"/>two</speak>'
    async with house.speech() as client:
        await client.write_event(Synthesize(text, text_format=SynthesizeTextFormat.SSML).event())
        assert pcm(await received(client, "audio-stop")) == await spoken(house.service, text, format="ssml")
        await client.write_event(SynthesizeStart(text_format=SynthesizeTextFormat.SSML).event())
        for part in (text[:9], text[9:]):
            await client.write_event(SynthesizeChunk(part).event())
        await client.write_event(SynthesizeStop().event())
        events = await received(client, "synthesize-stopped", "error")
        assert pcm(events) == await spoken(house.service, text, format="ssml")


async def test_a_growing_text_is_heard_before_it_is_written(house: House) -> None:
    async with house.speech() as client:
        await client.write_event(SynthesizeStart().event())
        for part in ("Hello the", "re. How are", " you?"):
            await client.write_event(SynthesizeChunk(part).event())
        first = await received(client, "audio-chunk")
        assert types(first) == ["audio-start", "audio-chunk"]
        await client.write_event(SynthesizeChunk(" I am well.").event())
        # For servers that know no streaming; spoken here, it would be heard twice.
        whole = "Hello there. How are you? I am well."
        await client.write_event(Synthesize(whole).event())
        await client.write_event(SynthesizeStop().event())
        rest = await received(client, "synthesize-stopped", "error")
        assert types(first + rest) == ["audio-start", "audio-chunk", "audio-stop", "synthesize-stopped"]
        events = await answer(client, "synthesize", {"text": "And again."}, "audio-stop")
    assert pcm(first + rest) == await spoken(house.service, whole)
    assert pcm(events) == await spoken(house.service, "And again.")


async def test_what_is_there_at_once_is_said_in_one_breath(house: House) -> None:
    async with house.speech() as client:
        await client.write_event(SynthesizeStart().event())
        for part in ("One. ", "\U0001f600 ", "Two."):
            await client.write_event(SynthesizeChunk(part).event())
        await client.write_event(SynthesizeStop().event())
        events = await received(client, "synthesize-stopped", "error")
    assert pcm(events) == await spoken(house.service, "One. Two.")


async def test_ping_is_answered_while_it_speaks(house: House) -> None:
    async with house.speech() as client:
        await client.write_event(SelectProgram("edge_tts").event())
        await client.write_event(Synthesize(LONG * 20).event())
        events = await answer(client, "ping", {"text": "a"}, "pong")
        assert events[-1].data == {"text": "a"}
        assert "audio-stop" not in types(events)


async def test_who_hangs_up_ends_the_synthesis(house: House) -> None:
    async with house.speech() as client:
        await client.write_event(Synthesize(" ".join(f"{n} {LONG}" for n in range(80))).event())
        await received(client, "audio-chunk")
    async with house.speech() as client:
        for text in ("Other.", "Another."):
            await answer(client, "synthesize", {"text": text}, "audio-stop")
    await until(lambda: n_tasks("attend") == 0)
    made_s = house.service.metrics.registry.get_sample_value("edge_tts_audio_seconds_total")
    assert made_s is not None
    assert made_s < 300, "all of it were ten minutes"


def n_tasks(name: str) -> int:
    return sum(name in repr(task.get_coro()) for task in asyncio.all_tasks())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "bad_request"),
        ({"text": 5}, "bad_request"),
        ({"text": "\ud800"}, "bad_request"),
        ({"text": "  "}, "nothing_to_say"),
        ({"text": "\U0001f600"}, "nothing_to_say"),
        ({"text": "a" * 10_001}, "text_too_long"),
        ({"text": "a", "voice": "amy"}, "bad_request"),
        ({"text": "a", "voice": {"name": "nobody"}}, "unknown_voice"),
        ({"text": "a", "voice": {"name": 1.5}}, "bad_request"),
        ({"text": "a", "voice": {"name": "hum", "speaker": "nobody"}}, "unknown_speaker"),
        ({"text": "a", "voice": {"name": "hum", "language": "fr"}}, None),
        ({"text": "a", "voice": {"language": "xx"}}, "unknown_language"),
        ({"text": "a", "text_format": "html"}, "bad_request"),
        ({"text": "<speak", "text_format": "ssml"}, "bad_markup"),
    ],
)
async def test_what_cannot_be_spoken_is_an_error_with_a_code(
    house: House, data: dict[str, Any], code: str | None
) -> None:
    async with house.speech() as client:
        # As JSON escapes: the library would refuse to send a lone surrogate.
        writer = client._writer
        assert writer is not None
        writer.write(json.dumps({"type": "synthesize", "data": data}).encode() + b"\n")
        events = await received(client, "audio-stop")
    if code is None:
        assert events[-1].type == "audio-stop"
        return
    # The error is the last: Home Assistant waits for more until the connection ends.
    assert [event.type for event in events] == ["error"]
    assert events[0].data["code"] == code
    assert events[0].data["text"]


async def test_a_growing_text_has_the_same_limit(config: Config) -> None:
    async with (
        opened(replace(config, queue=QueueConfig(max_text_characters=20))) as house,
        house.speech() as client,
    ):
        await client.write_event(SynthesizeStart().event())
        for _ in range(3):
            await client.write_event(SynthesizeChunk("a" * 8).event())
        assert (await received(client))[-1].data["code"] == "text_too_long"


@pytest.mark.parametrize(
    "kinds", [["synthesize-stop"], ["synthesize-chunk"], ["synthesize-start", "synthesize-start"]]
)
async def test_events_out_of_order_are_an_error(house: House, kinds: list[str]) -> None:
    async with house.speech() as client:
        for kind in kinds:
            await client.write_event(Event(kind, {"text": "a"}))
        assert (await received(client))[-1].data["code"] == "bad_request"
