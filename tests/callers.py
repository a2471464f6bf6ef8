"""Every way into a box, each by its protocol's own client."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import openai
import pytest
import soundfile
from aiohttp import ClientSession
from speak2mary import MaryTTS
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.tts import Synthesize, SynthesizeVoice

from edge_tts.audio import from_pcm16, to_pcm16
from edge_tts.models.hum import AMPLITUDE, CHARACTER_S, PITCH_HZ
from edge_tts.speech import Audio
from tests.box import Announcer, Answer, Box, Caller, Voice
from tests.phone import BASE, Phone
from tests.wyoming_house import pcm, received

SAMPLE_RATE = 22050

LEAKY_SOCKETS = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
"""speak2mary leaves them to the garbage collector."""


# HTTP


async def _posted(box: Box, path: str, body: Mapping[str, Any]) -> Answer:
    async with box.web as client, client.post(path, json=body) as answer:
        if answer.content_type != "application/json":
            return Answer(sound=_sound(await answer.read()))
        told = await answer.json()
    told = told.get("error", told)
    return Answer(told.get("code", ""), told.get("message", ""))


def _sound(content: bytes) -> Audio:
    samples, sample_rate = soundfile.read(io.BytesIO(content), dtype="float32")
    return Audio(samples, sample_rate)


class HttpSay(Announcer):
    door = "http"

    async def ask(self, text: str, **fields: Any) -> Answer:
        return await _posted(self.box, "/api/say?wait=finished", {"text": text, **fields})


class HttpTts(Voice):
    door = "http"

    async def ask(self, text: str, **fields: Any) -> Answer:
        return await _posted(self.box, "/api/tts", {"text": text, **fields})

    async def hang_up(self, text: str) -> None:
        async with self.box.web as client, client.post("/api/tts", json={"text": text}) as answer:
            assert await answer.content.readany()


class OpenAi(Voice):
    door = "http"

    def _client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=f"{self.box.url}/v1", api_key=self.box.token, max_retries=0)

    async def ask(self, text: str, voice: str = "alloy", **fields: Any) -> Answer:
        async with self._client() as client:
            try:
                answer = await client.audio.speech.create(
                    input=text, model="tts-1", voice=voice, response_format="flac", **fields
                )
            except openai.APIStatusError as error:
                return Answer(error.code or "", error.message)
            return Answer(sound=_sound(answer.content))

    async def hang_up(self, text: str) -> None:
        wanted: dict[str, Any] = {"model": "tts-1", "voice": "alloy", "response_format": "wav"}
        async with self._client() as client:
            create = client.audio.speech.with_streaming_response.create
            async with create(input=text, **wanted) as answer:
                assert await anext(answer.iter_bytes())


class Mary(Voice):
    door = "marytts"

    async def ask(self, text: str, **fields: Any) -> Answer:
        client = MaryTTS(self.box.host, self.box.ports["marytts"], **{"voice": "hum", **fields})
        try:
            return Answer(sound=_sound(await asyncio.to_thread(client.speak, text)))
        except Exception as error:  # it knows no other
            _, code, message = re.split(r"'b['\"](\w+): ", str(error))
            return Answer(code, message)

    async def hang_up(self, text: str) -> None:
        # Its own client reads all before it returns.
        asked = {"INPUT_TEXT": text, "AUDIO": "WAVE_STREAM"}
        url = f"http://{self.box.host}:{self.box.ports['marytts']}/process"
        async with ClientSession() as client, client.get(url, params=asked) as answer:
            assert await answer.content.readany()


# MQTT


async def first_of(
    phone: Phone, n_heard: int, topic: str, wanted: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The first *wanted* JSON object on *topic*, of what *phone* hears after its first *n_heard* messages."""
    async with asyncio.timeout(60):
        while True:
            for message in phone.messages[n_heard:]:
                n_heard += 1
                if message.topic == topic and wanted(body := json.loads(message.payload)):
                    return dict(body)
            await asyncio.sleep(0.005)


def is_outcome(event: Mapping[str, Any]) -> bool:
    return event["event_type"] not in ("queued", "started")


class Mqtt(Announcer):
    door = "mqtt"
    _numbers = itertools.count(1)

    async def ask(self, text: str, **fields: Any) -> Answer:
        request = {"id": f"mqtt-{next(self._numbers)}", "text": text, **fields}
        phone = self.box.phone
        n_heard = len(phone.messages)
        phone.publish(f"{BASE}/say", json.dumps(request))

        def is_end(event: dict[str, Any]) -> bool:
            # What was too large to be read has no id.
            is_nobodys = "job" not in event and "id" not in event
            return is_outcome(event) and (is_nobodys or event.get("id") == request["id"])

        event = await first_of(phone, n_heard, f"{BASE}/event", is_end)
        return Answer(event.get("code", ""), event.get("message", ""))

    async def cancel(self, job: str) -> None:
        self.box.phone.publish(f"{BASE}/stop", json.dumps({"id": job}))


class Hermes(Announcer):
    """Its errors have no codes, and what somebody here ended is none."""

    door = "mqtt"
    told_when_cancelled = ""
    _numbers = itertools.count(1)

    async def ask(self, text: str, **fields: Any) -> Answer:
        asked = f"hermes-{next(self._numbers)}"
        phone = self.box.phone
        n_heard = len(phone.messages)
        request = {"text": text, "siteId": "default", "id": asked, **fields}
        phone.publish("hermes/tts/say", json.dumps(request))
        return await _hermes_answer(phone, n_heard, "hermes/tts/sayFinished", "hermes/error/tts", asked)


async def _hermes_answer(phone: Phone, n_heard: int, end: str, error: str, asked: str) -> Answer:
    # An error comes before the end; of what was too large to be read neither has the id.
    await first_of(phone, n_heard, end, lambda body: body["id"] in (asked, None))
    bodies = [json.loads(m.payload) for m in phone.messages[n_heard:] if m.topic == error]
    told = [body["error"] for body in bodies if body["context"] in (asked, None)]
    return Answer(message=told[0]) if told else Answer()


class HermesSound(Announcer):
    """A sound file, here with what the hum would make of a text; `content` is another."""

    door = "mqtt"
    told_when_cancelled = ""
    _numbers = itertools.count(1)

    async def ask(self, text: str, **fields: Any) -> Answer:
        asked = f"sound-{next(self._numbers)}"
        phone, site = self.box.phone, "hermes/audioServer/default"
        n_heard = len(phone.messages)
        file = io.BytesIO()
        pcm16 = np.frombuffer(hummed(text, fields.get("pitch", 0.0)), "<i2")
        soundfile.write(file, pcm16, SAMPLE_RATE, format=fields.get("format", "WAV"))
        phone.publish(f"{site}/playBytes/{asked}", fields.get("content", file.getvalue()))
        error = "hermes/error/audioServer/play"
        return await _hermes_answer(phone, n_heard, f"{site}/playFinished", error, asked)


# Wyoming


class WyomingVoice(Voice):
    door = "wyoming"

    def _client(self) -> AsyncTcpClient:
        return AsyncTcpClient(self.box.host, self.box.ports["wyoming"])

    async def ask(self, text: str, **fields: Any) -> Answer:
        voice = SynthesizeVoice(name=fields.get("voice", "hum"))
        async with self._client() as client:
            await client.write_event(Synthesize(text, voice).event())
            events = await received(client, "audio-stop", "error")
        if events[-1].type == "error":
            return Answer(events[-1].data["code"], events[-1].data["text"])
        start = AudioStart.from_event(events[0])
        return Answer(sound=Audio(from_pcm16(pcm(events)), start.rate))

    async def hang_up(self, text: str) -> None:
        async with self._client() as client:
            await client.write_event(Synthesize(text).event())
            assert (await received(client, "audio-chunk"))[-1].type == "audio-chunk"


class Satellite(Announcer):
    """Is sent sound; here the one that the hum would make of a text, in blocks of `block_bytes`."""

    door = "wyoming"

    async def ask(self, text: str, **fields: Any) -> Answer:
        sound, block_bytes = hummed(text, fields.get("pitch", 0.0)), fields.get("block_bytes", 1 << 14)
        form = {"rate": fields.get("rate", SAMPLE_RATE), "width": 2, "channels": 1}
        async with AsyncTcpClient(self.box.host, self.box.ports["satellite"]) as client:
            await client.write_event(AudioStart(**form).event())
            for start in range(0, len(sound), block_bytes):
                block = sound[start : start + block_bytes]
                await client.write_event(AudioChunk(**form, audio=block).event())
            await client.write_event(AudioStop().event())
            end = (await received(client, "played", "error"))[-1]
        return Answer(end.data["code"], end.data["text"]) if end.type == "error" else Answer()


def hummed(text: str, pitch: float = 0.0) -> bytes:
    """What the hum says, mono 16-bit at SAMPLE_RATE; *pitch* is in semitones."""
    times_s = np.arange(round(CHARACTER_S * len(text) * SAMPLE_RATE)) / SAMPLE_RATE
    pitch_hz = PITCH_HZ * 2 ** (pitch / 12)
    return to_pcm16((AMPLITUDE * np.sin(2 * np.pi * pitch_hz * times_s)).astype(np.float32))


ANNOUNCERS: dict[str, type[Announcer]] = {
    "say": HttpSay,
    "mqtt": Mqtt,
    "hermes": Hermes,
    "hermes_sound": HermesSound,
    "satellite": Satellite,
}
VOICES: dict[str, type[Voice]] = {"tts": HttpTts, "openai": OpenAi, "marytts": Mary, "wyoming": WyomingVoice}
CALLERS: dict[str, type[Caller]] = {**ANNOUNCERS, **VOICES}
