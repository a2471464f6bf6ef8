"""MaryTTS's interface with Home Assistant's client of it, and what else is sent there."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soundfile
from aiohttp import ClientSession
from speak2mary import MaryTTS
from yarl import URL

from edge_tts.config import Config
from edge_tts.door_config import MaryTtsConfig
from edge_tts.doors.http_connections import Deadlines
from edge_tts.doors.marytts import LIMITS, open_door
from edge_tts.doors.neighbours import is_let_in
from edge_tts.errors import ConfigError
from edge_tts.service import Service
from tests.doors_house import outer_address, until
from tests.test_service import serving

# speak2mary leaves its sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)

TEXT = "Grüße aus der Küche."
DURATION_S = 0.06 * len(TEXT)
"""Of the hum."""


class Mary:
    """The door, Home Assistant's client and another one."""

    def __init__(self, service: Service, port: int, web: ClientSession) -> None:
        self.service = service
        self.port = port
        self.web = web

    async def speak(self, text: str = TEXT, effects: dict[str, str] | None = None, **settings: Any) -> bytes:
        """By speak2mary, which blocks."""
        client = MaryTTS("127.0.0.1", self.port, **settings)
        content: bytes = await asyncio.to_thread(client.speak, text, effects)
        return content

    async def asked(self, path: str, **fields: str) -> tuple[int, str]:
        async with self.web.get(path, params=fields) as answer:
            return answer.status, await answer.text(errors="replace")


@asynccontextmanager
async def opened(config: Config, **settings: Any) -> AsyncIterator[Mary]:
    async with serving(config) as service, open_door(service, config, **settings) as door:
        assert door is not None
        async with ClientSession(f"http://127.0.0.1:{door.port}") as web:
            yield Mary(service, door.port, web)


@pytest.fixture
def mary_config(config: Config) -> Config:
    return replace(config, marytts=MaryTtsConfig(enabled=True, port=0))


@pytest.fixture
async def mary(mary_config: Config) -> AsyncIterator[Mary]:
    async with opened(mary_config) as mary:
        yield mary


def heard(content: bytes) -> tuple[float, float]:
    """Seconds and level."""
    samples, sample_rate = soundfile.read(io.BytesIO(content))
    return len(samples) / sample_rate, float(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize("codec", MaryTTS.supported_codecs())
async def test_home_assistants_client(mary: Mary, codec: str) -> None:
    content = await mary.speak(codec=codec, voice="hum")
    duration_s, level = heard(content)
    assert duration_s == pytest.approx(DURATION_S, abs=0.02)
    assert level == pytest.approx(0.2 / np.sqrt(2), rel=0.02)
    assert soundfile.info(io.BytesIO(content)).duration == pytest.approx(DURATION_S, abs=0.02)


async def test_home_assistants_default_voice_is_somebody_elses(mary: Mary) -> None:
    # "cmu-slt-hsmm", in every configuration that names none.
    assert heard(await mary.speak())[0] == pytest.approx(DURATION_S, abs=0.02)
    warned = mary.service.metrics.registry.get_sample_value(
        "edge_tts_warnings_total", {"warning": "stand_in_voice"}
    )
    assert warned == 1


async def test_effects(mary: Mary) -> None:
    duration_s, level = heard(await mary.speak(effects={"Rate": "durScale:2.0;", "Volume": "amount:2.0;"}))
    assert duration_s == pytest.approx(2 * DURATION_S, abs=0.02)
    assert level == pytest.approx(0.4 / np.sqrt(2), rel=0.02)
    assert heard(await mary.speak(effects=MaryTTS.supported_effects()))[0] == pytest.approx(
        1.5 * DURATION_S, abs=0.02
    )


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("WAVE_FILE", "audio/wav"),
        ("WAVE_STREAM", "audio/wav"),
        ("MP3_FILE", "audio/mpeg"),
        ("MP3_STREAM", "audio/mpeg"),
        ("Vorbis_FILE", "audio/ogg"),
        ("FLAC_FILE", "audio/flac"),
        ("AU_FILE", "audio/basic"),
    ],
)
async def test_formats_by_get(mary: Mary, name: str, media_type: str) -> None:
    fields = {"INPUT_TEXT": TEXT, "INPUT_TYPE": "TEXT", "OUTPUT_TYPE": "AUDIO", "LOCALE": "en_US"}
    async with mary.web.get("/process", params={**fields, "AUDIO": name}) as answer:
        assert (answer.status, answer.content_type) == (200, media_type)
        assert heard(await answer.read())[0] == pytest.approx(DURATION_S, abs=0.12)
    assert name in (await mary.asked("/audioformats"))[1].splitlines()


async def test_ssml(mary: Mary) -> None:
    text = '<speak>One.<break time="2s"/>Two.</speak>'
    assert heard(await mary.speak(text, input_type="SSML"))[0] > 2


async def test_mimic_3(mary: Mary) -> None:
    async with mary.web.post("/api/tts?voice=hum&lengthScale=2", data=TEXT) as answer:
        assert heard(await answer.read())[0] == pytest.approx(2 * DURATION_S, abs=0.02)
    async with mary.web.get("/api/tts", params={"text": TEXT}) as answer:
        assert heard(await answer.read())[0] == pytest.approx(DURATION_S, abs=0.02)


async def test_mimic_3_as_openhab_asks_it(mary: Mary) -> None:
    async with mary.web.get("/api/voices") as answer:
        assert {"key": "hum", "name": "hum", "language": "en_US", "speakers": []} in await answer.json()
    ssml = {"Content-Type": "application/ssml+xml", "Accept": "audio/wav"}
    text = '<speak>One.<break time="2s"/>Two.</speak>'
    path = "/api/tts?voice=hum&noiseScale=0.667&noiseW=0.8&lengthScale=1.0&audioTarget=client"
    async with mary.web.post(path, data=text, headers=ssml) as answer:
        content = await answer.read()
        # Without a length it is no answer to openHAB.
        assert int(answer.headers["Content-Length"]) == len(content)
        assert heard(content)[0] > 2


async def test_lists(mary: Mary) -> None:
    assert "hum en_US NA hum" in (await mary.asked("/voices"))[1].splitlines()
    assert "en_US" in (await mary.asked("/locales"))[1].splitlines()
    assert (await mary.asked("/version"))[1].startswith("Mary TTS server ")
    assert (await mary.asked("/datatypes"))[1].splitlines() == ["TEXT INPUT", "SSML INPUT", "AUDIO OUTPUT"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "INPUT_TEXT"),
        ({"INPUT_TEXT": " "}, "nothing_to_say"),
        ({"INPUT_TEXT": "Hi", "LOCALE": "tlh"}, "LOCALE: expected one of"),
        ({"INPUT_TEXT": "Hi", "LOCALE": "../x"}, "LOCALE: expected a language tag"),
        ({"INPUT_TEXT": "Hi", "VOICE": "hum", "LOCALE": "fr"}, "does not speak 'fr'"),
        ({"INPUT_TEXT": "Hi", "VOICE": "hum#nobody"}, "unknown_speaker"),
        ({"INPUT_TEXT": "Hi", "AUDIO": "MIDI_FILE"}, "WAVE_FILE"),
        ({"INPUT_TEXT": "Hi", "OUTPUT_TYPE": "PHONEMES"}, "AUDIO"),
        ({"INPUT_TEXT": "Hi", "INPUT_TYPE": "RAWMARYXML"}, "TEXT, SSML"),
        ({"INPUT_TEXT": "<speak>", "INPUT_TYPE": "SSML"}, "bad_markup"),
        ({"INPUT_TEXT": "Hi", "effect_Rate_selected": "on"}, "durScale:1.5;"),
        (
            {"INPUT_TEXT": "Hi", "effect_Rate_selected": "on", "effect_Rate_parameters": "durScale:nan"},
            "0 to 10",
        ),
        ({"INPUT_TEXT": "Hi", "effect_Rate_selected": "on", "effect_Rate_parameters": "durScale:0"}, "0.25"),
    ],
)
async def test_errors_are_text(mary: Mary, fields: dict[str, str], said: str) -> None:
    for asking in (mary.web.get("/process", params=fields), mary.web.post("/process", data=fields)):
        async with asking as answer:
            assert (answer.status, answer.content_type) == (400, "text/plain")
            assert said in await answer.text()


async def test_errors_reach_home_assistant(mary: Mary) -> None:
    with pytest.raises(Exception, match=r"400 - Bad Request.*LOCALE"):
        await mary.speak(locale="lb")


async def test_what_is_refused_before_it_is_read(mary: Mary) -> None:
    assert (await mary.asked("/nothing"))[0] == 404
    for content, status in (
        (b"\xff", 400),
        (b"INPUT_TEXT=%ff", 400),
        (b"x" * 70_000, 413),
        (b"a&" * 200, 400),
    ):
        async with mary.web.post("/process", data=content) as answer:
            assert (answer.status, answer.content_type) == (status, "text/plain")
    async with mary.web.get(URL("/process?INPUT_TEXT=Gr%FC%DFe", encoded=True)) as answer:
        assert (answer.status, (await answer.text())[:22]) == (400, "bad_request: no form: ")
    async with mary.web.head("/process", params={"INPUT_TEXT": TEXT}) as answer:
        assert answer.status == 405
    picture = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    foreign = {"Origin": "http://evil.example"}
    for headers, status in (({"Host": "evil.example"}, 421), (foreign, 403), (picture, 403)):
        async with mary.web.get("/voices", headers=headers) as answer:
            assert answer.status == status
    rejected = mary.service.metrics.registry.get_sample_value(
        "edge_tts_rejected_total", {"source": "marytts", "code": "unknown_route"}
    )
    assert rejected == 1


async def test_pages_that_are_named_may_call(mary_config: Config) -> None:
    """As browsers send it."""
    http = replace(mary_config.http, cors_origins=("https://panel.home",))
    async with opened(replace(mary_config, http=http)) as mary:
        for origin, status in (("https://panel.home", 200), ("https://evil.example", 403)):
            page = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
            async with mary.web.post("/process", data={"INPUT_TEXT": TEXT}, headers=page) as answer:
                assert answer.status == status


async def test_slow_callers_and_too_many(mary_config: Config) -> None:
    async with opened(mary_config, deadlines=Deadlines(head_s=2.0)) as mary:
        reader, writer = await asyncio.open_connection("127.0.0.1", mary.port)
        writer.write(b"GET /voices HTT")
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
        idle = [await asyncio.open_connection("127.0.0.1", mary.port) for _ in range(LIMITS.per_address + 5)]
        assert heard(await mary.speak())[0] == pytest.approx(DURATION_S, abs=0.02)
        for _, each in idle:
            each.close()


async def test_hanging_up_stops_the_synthesis(mary: Mary) -> None:
    def made_s() -> float:
        return mary.service.metrics.registry.get_sample_value("edge_tts_audio_seconds_total") or 0.0

    text = "".join(f"Sentence number {number} is heard by nobody. " for number in range(200))
    asking = asyncio.create_task(mary.asked("/process", INPUT_TEXT=text[:7000]))
    await until(made_s)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    async with ClientSession() as other, other.get(f"http://127.0.0.1:{mary.port}/version") as answer:
        assert answer.status == 200
    before_s = made_s()
    assert heard(await mary.speak("Hi"))[0] < 1
    assert made_s() - before_s < 10 < len(text) * 0.06 / 2


async def test_no_log_shows_what_was_said(mary: Mary, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for fields in ({}, {"LOCALE": "tlh"}, {"AUDIO": "MIDI"}, {"VOICE": "zyzzyva"}, {"INPUT_TYPE": "SSML"}):
        await mary.asked("/process", **{"INPUT_TEXT": "The zyzzyva is done.", **fields})
    assert caplog.records
    assert "zyzzyva" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("edge_tts")
    )


# Who is let in


@pytest.mark.parametrize(
    ("address", "is_in"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("192.168.1.7", True),
        ("::ffff:192.168.1.7", True),
        ("fd00::7", True),
        ("fe80::1%eth0", False),
        ("192.168.2.7", False),
        ("::ffff:8.8.8.8", False),
        ("", False),
        ("unknown", False),
    ],
)
def test_neighbours(address: str, is_in: bool) -> None:
    assert is_let_in(address, ["192.168.1.0/24", "fd00::/8"]) is is_in


async def test_others_are_not_let_in(mary_config: Config) -> None:
    # All of 127/8 is this box; so the caller from outside is this box by its own outer address, if it has one.
    address = outer_address()
    settings = MaryTtsConfig(enabled=True, host="0.0.0.0", port=0, allowed_networks=("203.0.113.0/24",))
    async with opened(replace(mary_config, marytts=settings)) as mary:
        async with mary.web.get(f"http://{address}:{mary.port}/voices") as answer:
            assert answer.status == 403
            assert "marytts.allowed_networks" in await answer.text()
        assert (await mary.asked("/version"))[0] == 200


def test_a_host_that_others_reach_needs_networks() -> None:
    with pytest.raises(ValueError, match="allowed_networks"):
        MaryTtsConfig(enabled=True, host="0.0.0.0")


async def test_a_taken_port_is_a_clear_error(mary: Mary, mary_config: Config) -> None:
    taken = replace(mary_config, marytts=MaryTtsConfig(enabled=True, port=mary.port))
    with pytest.raises(ConfigError, match=r"marytts\.port"):
        async with open_door(mary.service, taken):
            pass


async def test_it_is_shut_unless_asked_for(mary: Mary, config: Config) -> None:
    async with open_door(mary.service, config) as door:
        assert door is None
