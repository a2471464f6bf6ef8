"""OpenAI's API with OpenAI's own client, and what other clients send."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import openai
import pytest
import soundfile
from aiohttp import ClientPayloadError

from edge_tts.config import Config, VoicesConfig
from edge_tts.door_config import HttpConfig
from edge_tts.doors.openai import VOICES
from tests.doors_house import House, opened
from tests.tiny_voices import build_piper

TEXT = "The washing machine is done."
DURATION_S = 0.06 * len(TEXT)
"""Of the hum."""

LONG = "".join(f"Sentence number {number} is not the last one of this text. " for number in range(30))


def client_of(house: House, token: str = "any") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{house.port}/v1", api_key=token, max_retries=0)


@pytest.fixture
async def client(house: House) -> AsyncIterator[openai.AsyncOpenAI]:
    async with client_of(house) as client:
        yield client


def duration_s(content: bytes) -> float:
    samples, sample_rate = soundfile.read(io.BytesIO(content))
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.2 / np.sqrt(2), rel=0.1)
    return float(len(samples) / sample_rate)


@pytest.mark.parametrize(
    ("format", "media_type"),
    [
        (openai.omit, "audio/mpeg"),
        ("mp3", "audio/mpeg"),
        ("opus", "audio/ogg"),
        ("flac", "audio/flac"),
        ("wav", "audio/wav"),
    ],
)
async def test_speech(client: openai.AsyncOpenAI, format: Any, media_type: str) -> None:
    answer = await client.audio.speech.create(
        input=TEXT, model="gpt-4o-mini-tts", voice="coral", response_format=format
    )
    assert answer.response.headers["Content-Type"] == media_type
    assert duration_s(answer.content) == pytest.approx(DURATION_S, abs=0.15)


async def test_mp3_is_mp3(client: openai.AsyncOpenAI) -> None:
    answer = await client.audio.speech.create(input=TEXT, model="tts-1", voice="alloy")
    assert soundfile.info(io.BytesIO(answer.content)).format == "MP3"
    # A frame, not a RIFF with another name; and no tag that would state a length.
    assert answer.content[0] == 0xFF
    assert answer.content[1] & 0xE0 == 0xE0


async def test_pcm_is_of_24_khz(client: openai.AsyncOpenAI) -> None:
    answer = await client.audio.speech.create(
        input=TEXT, model="tts-1", voice="alloy", response_format="pcm", speed=2.0
    )
    assert len(answer.content) / 2 / 24_000 == pytest.approx(DURATION_S / 2, abs=0.05)
    spectrum = np.abs(np.fft.rfft(np.frombuffer(answer.content, "<i2")))
    assert np.argmax(spectrum) / (len(answer.content) / 2) * 24_000 == pytest.approx(220, abs=2)


@pytest.mark.parametrize("format", ["mp3", "opus", "wav", "pcm"])
async def test_sound_is_sent_while_it_is_made(client: openai.AsyncOpenAI, house: House, format: Any) -> None:
    def made_s() -> float:
        return house.service.metrics.registry.get_sample_value("edge_tts_audio_seconds_total") or 0.0

    async with client.audio.speech.with_streaming_response.create(
        input=LONG, model="tts-1", voice="alloy", response_format=format
    ) as answer:
        blocks = answer.iter_bytes()
        first = await anext(blocks)
        made_first_s = made_s()
        rest = [block async for block in blocks]
    assert first
    assert rest
    assert made_first_s < made_s() / 2


async def test_events(client: openai.AsyncOpenAI) -> None:
    async with client.audio.speech.with_streaming_response.create(
        input=LONG, model="tts-1", voice="alloy", response_format="wav", stream_format="sse"
    ) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        events = [json.loads(line.removeprefix("data: ")) async for line in answer.iter_lines() if line]
    *deltas, done = events
    assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
    assert done == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
    }
    assert len(deltas) > 10
    content = b"".join(base64.b64decode(delta["audio"]) for delta in deltas)
    assert duration_s(content) > 30 * 2


# Who speaks


@pytest.mark.parametrize("voice", [*VOICES, "hum", {"id": "hum"}])
async def test_known_voices_speak(client: openai.AsyncOpenAI, house: House, voice: Any) -> None:
    answer = await client.audio.speech.create(input="Hi", model="any", voice=voice)
    assert answer.response.headers["X-Voice"] == "hum"
    assert "X-Warning" not in answer.response.headers


async def test_for_an_unknown_voice_the_own_one_speaks_and_that_is_told(
    client: openai.AsyncOpenAI, house: House
) -> None:
    answer = await client.audio.speech.create(input="Hi", model="any", voice="af_bella\r\nX-Evil: 1")
    assert answer.response.headers["X-Voice"] == "hum"
    assert answer.response.headers["X-Warning"].startswith("stand_in_voice")
    assert "X-Evil" not in answer.response.headers
    warned = house.service.metrics.registry.get_sample_value(
        "edge_tts_warnings_total", {"warning": "stand_in_voice"}
    )
    assert warned == 1


async def test_lists(client: openai.AsyncOpenAI, house: House) -> None:
    models = await client.models.list()
    assert [model.id for model in models.data] == ["tts-1", "tts-1-hd", "gpt-4o-mini-tts"]
    assert (await client.models.retrieve("tts-1")).object == "model"
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("gpt-9")
    assert caught.value.code == "unknown_model"
    for path in ("/v1/audio/voices", "/v1/voices"):
        status, voices = await house.json("GET", path)
        assert (status, voices["data"]) == (200, voices["voices"])
        assert {"id": "hum", "object": "voice", "name": "hum"} in voices["voices"]


# Errors


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": ""}, None, "nothing_to_say"),
        ({"input": " \n"}, None, "nothing_to_say"),
        ({"input": "🙂"}, None, "nothing_to_say"),
        ({"input": "x" * 4097}, None, "text_too_long"),
        ({"input": 5}, "input", "bad_request"),
        ({"input": None}, "input", "bad_request"),
        ({"response_format": "aac"}, "response_format", "bad_request"),
        ({"response_format": ["mp3"]}, "response_format", "bad_request"),
        ({"stream_format": "websocket"}, "stream_format", "bad_request"),
        ({"speed": 5}, "speed", "bad_request"),
        ({"speed": "fast"}, "speed", "bad_request"),
        ({"voice": ["alloy"]}, "voice", "bad_request"),
        ({"voice": {"name": "alloy"}}, "voice", "bad_request"),
        ({"instructions": 7}, "instructions", "bad_request"),
        ({"language": "xx"}, None, "unknown_language"),
        ({"voice": "hum/nobody"}, None, "unknown_speaker"),
    ],
)
async def test_what_is_wrong_is_a_bad_request(
    client: openai.AsyncOpenAI, fields: dict[str, Any], param: str | None, code: str
) -> None:
    body = {"input": "Hi", "model": "tts-1", "voice": "alloy"} | fields
    with pytest.raises(openai.BadRequestError) as caught:
        await client.post("/audio/speech", body=body, cast_to=object)
    assert (caught.value.type, caught.value.param, caught.value.code) == (
        "invalid_request_error",
        param,
        code,
    )
    assert len(str(caught.value.body["message"])) > 20  # type: ignore[index]


async def test_errors_of_the_guard_have_the_same_form(config: Config) -> None:
    async with opened(replace(config, http=HttpConfig(port=0, token="secret"))) as house:
        async with client_of(house, "wrong") as client:
            with pytest.raises(openai.AuthenticationError) as caught:
                await client.models.list()
            assert caught.value.code == "unauthorized"
        async with client_of(house, "secret") as client:
            await client.models.list()
            with pytest.raises(openai.NotFoundError) as missing:
                await client.embeddings.create(input="x", model="y")
            assert missing.value.code == "unknown_route"
            with pytest.raises(openai.APIStatusError) as large:
                await client.audio.speech.create(input="x" * 70_000, model="tts-1", voice="alloy")
            assert (large.value.status_code, large.value.code) == (413, "body_too_large")
        headers = {"Authorization": "Bearer secret"}
        status, body = await house.json("GET", "/v1/audio/speech", headers=headers)
        assert (status, body["error"]["code"]) == (405, "method_not_allowed")
        # What is not theirs keeps our own form.
        assert await house.code("GET", "/v1", headers=headers) == (404, "unknown_route")


async def test_hanging_up_stops_the_synthesis(client: openai.AsyncOpenAI, house: House) -> None:
    def made_s() -> float:
        return house.service.metrics.registry.get_sample_value("edge_tts_audio_seconds_total") or 0.0

    async with client.audio.speech.with_streaming_response.create(
        input=LONG, model="tts-1", voice="alloy", response_format="mp3"
    ) as answer:
        await anext(answer.iter_bytes())
    async with house.client.get("/healthz") as health:
        assert health.status == 200
    assert made_s() < len(LONG) * 0.06 / 2


@pytest.fixture
async def half_said(config: Config, tmp_path: Path) -> AsyncIterator[House]:
    """A voice that reads letters, and says HALF to its middle."""
    (tmp_path / "voices").mkdir()
    build_piper(tmp_path / "voices" / "tiny.onnx", phoneme_type="text")
    voices = VoicesConfig(default="tiny", folders=(tmp_path / "voices",))
    async with opened(replace(config, voices=voices)) as house:
        yield house


HALF = "Hello there, this can be said. [[ həˈloʊ ]]."


async def test_what_fails_in_the_middle_is_cut_not_ended(half_said: House) -> None:
    # Whoever listened waited for the rest for ever.
    async with half_said.client.post("/api/tts", json={"text": HALF}) as answer:
        assert answer.status == 200
        with pytest.raises(ClientPayloadError):
            await answer.read()
    async with client_of(half_said) as client:
        speaking = client.audio.speech.with_streaming_response.create(
            input=HALF, model="tts-1", voice="alloy", response_format="pcm"
        )
        async with speaking as streamed:
            with pytest.raises(httpx.RemoteProtocolError):
                await streamed.read()


async def test_what_fails_in_the_middle_is_told_in_events(half_said: House) -> None:
    async with client_of(half_said) as client:
        speaking = client.audio.speech.with_streaming_response.create(
            input=HALF, model="tts-1", voice="alloy", response_format="pcm", stream_format="sse"
        )
        async with speaking as answer:
            events = [json.loads(line.removeprefix("data: ")) async for line in answer.iter_lines() if line]
    assert [event["type"] for event in events[-2:]] == ["speech.audio.delta", "error"]
    assert events[-1]["error"]["code"] == "unsupported_pronunciation"


async def test_what_is_sent_whole_fails_with_a_status(half_said: House) -> None:
    async with client_of(half_said) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.audio.speech.create(input=HALF, model="tts-1", voice="alloy", response_format="flac")
    assert caught.value.code == "unsupported_pronunciation"


async def test_no_log_shows_what_was_said(
    client: openai.AsyncOpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for fields in ({}, {"speed": 99}, {"voice": "zyzzyva"}, {"input": "zyzzyva " * 999}, {"language": "xx"}):
        body = {"input": "The zyzzyva is done.", "model": "tts-1"} | fields
        with contextlib.suppress(openai.BadRequestError):
            await client.post("/audio/speech", body=body, cast_to=object)
    assert "zyzzyva" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("edge_tts")
    )
