"""Rhasspy's protocol over a real Mosquitto, in the messages of Rhasspy's own library."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge_tts.config import Config
from edge_tts.door_config import HermesConfig
from edge_tts.doors.hermes import MAX_SOUND_BYTES
from edge_tts.doors.mqtt import open_door
from edge_tts.errors import ConfigError
from edge_tts.service import Service
from tests.doors_house import until
from tests.house import Daemon, wait_until
from tests.mosquitto import Mosquitto
from tests.phone import Phone, at, ignored, opened
from tests.rhasspy import audioserver, base, tts
from tests.test_service import serving

pytestmark = pytest.mark.broker


class Rhasspy(Phone):
    """Another part of Rhasspy: speaks and hears in its messages."""

    def __init__(self, port: int) -> None:
        super().__init__(port, MQTTProtocolVersion.MQTTv5, "hermes/#", "rhasspy/#")

    def send(self, message: base.Message, **levels: str) -> None:
        self.publish(message.topic(**levels), message.payload())

    def heard(self, kind: Any, **levels: str) -> list[Any]:
        """What came, as its library reads it."""
        return [kind.from_dict(json.loads(payload)) for payload in self.payloads(kind.topic(**levels))]

    async def one(self, kind: Any, **levels: str) -> Any:
        await until(lambda: self.heard(kind, **levels), 20)
        [message] = self.heard(kind, **levels)
        return message


@pytest.fixture
def rhasspy(broker: Mosquitto) -> Iterator[Rhasspy]:
    rhasspy = Rhasspy(broker.port)
    yield rhasspy
    rhasspy.close()


@pytest.fixture
def hermes(config: Config, broker: Mosquitto) -> Config:
    """Two sites, sound at a tenth of its time."""
    sites = HermesConfig(enabled=True, site_ids=("kitchen", "hall"))
    audio = replace(config.audio, null_pace=10.0)
    return replace(at(config, broker.port), hermes=sites, audio=audio)


@pytest.fixture
async def service(hermes: Config, rhasspy: Rhasspy) -> AsyncIterator[Service]:
    async with opened(hermes) as service:
        await until(lambda: rhasspy.latest("status") == "online")
        yield service


def wav(duration_s: float = 0.2, **changes: int) -> bytes:
    form = {"rate": 16000, "channels": 1, "width": 2} | changes
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setframerate(form["rate"])
        writer.setnchannels(form["channels"])
        writer.setsampwidth(form["width"])
        writer.writeframes(b"\x11" * round(duration_s * form["rate"]) * form["channels"] * form["width"])
    return file.getvalue()


async def test_what_is_said_is_finished_when_it_was_heard(service: Service, rhasspy: Rhasspy) -> None:
    say = tts.TtsSay("Hello.", site_id="hall", lang="en", id="one", session_id="talk", volume=0.5)
    rhasspy.send(say)
    assert await rhasspy.one(tts.TtsSayFinished) == tts.TtsSayFinished("hall", "one", "talk")
    [job] = service.jobs()
    assert (job.text, job.source, job.event_type) == ("Hello.", "hermes", "finished")
    assert rhasspy.heard(tts.TtsError) == []


async def test_a_message_without_names_is_answered_too(service: Service, rhasspy: Rhasspy) -> None:
    rhasspy.publish("hermes/tts/say", json.dumps({"text": "Hello.", "siteId": "kitchen"}))
    assert await rhasspy.one(tts.TtsSayFinished) == tts.TtsSayFinished("kitchen")


@pytest.mark.parametrize(
    ("message", "told", "context"),
    [
        ({"text": "Hi.", "siteId": "hall", "lang": "fr_FR", "id": "x"}, "does not speak 'fr-FR'", "x"),
        ({"text": "Hi.", "siteId": "hall", "volume": 50, "id": "x"}, "volume: expected a number from 0", "x"),
        ({"text": "  ", "siteId": "hall", "id": "x"}, "nothing to say", "x"),
        ({"siteId": "hall", "id": "x"}, "text: expected the text", "x"),
        ({"text": "x" * 10_001, "siteId": "hall", "id": "x"}, "the limit is 10000", "x"),
        ({"text": "Hi.", "siteId": "hall", "id": ["x"]}, "id: expected text", None),
    ],
)
async def test_what_cannot_be_said_is_an_error_and_the_end_of_it(
    service: Service, rhasspy: Rhasspy, message: dict[str, Any], told: str, context: str | None
) -> None:
    rhasspy.publish(tts.TtsSay.topic(), json.dumps(message))
    error = await rhasspy.one(tts.TtsError)
    assert told in error.error
    assert error.context == context
    assert (await rhasspy.one(tts.TtsSayFinished)).id == context
    assert service.jobs() == []


async def test_no_json_is_an_error(service: Service, rhasspy: Rhasspy) -> None:
    rhasspy.publish(tts.TtsSay.topic(), "Hello.")
    assert "not JSON" in (await rhasspy.one(tts.TtsError)).error
    assert await rhasspy.one(tts.TtsSayFinished) == tts.TtsSayFinished("kitchen")


async def test_what_is_stopped_is_finished_and_no_error(service: Service, rhasspy: Rhasspy) -> None:
    service.pause()
    rhasspy.send(tts.TtsSay("Hello.", site_id="hall", id="stopped"))
    await until(service.jobs)
    service.stop()
    assert (await rhasspy.one(tts.TtsSayFinished)).id == "stopped"
    assert rhasspy.heard(tts.TtsError) == []


async def test_what_is_too_late_is_an_error(hermes: Config, rhasspy: Rhasspy) -> None:
    async with opened(replace(hermes, queue=replace(hermes.queue, ttl_s=0.1))) as service:
        await until(lambda: rhasspy.latest("status") == "online")
        service.pause()
        rhasspy.send(tts.TtsSay("Hello.", site_id="hall", id="late", session_id="talk"))
        error = await rhasspy.one(tts.TtsError)
        assert error == tts.TtsError("expired", "hall", "late", "talk")
        assert await rhasspy.one(tts.TtsSayFinished) == tts.TtsSayFinished("hall", "late", "talk")


async def test_other_sites_are_not_ours(service: Service, rhasspy: Rhasspy) -> None:
    rhasspy.send(tts.TtsSay("Hello."))
    rhasspy.publish(tts.TtsSay.topic(), '{"siteId": "attic", "id": ["x"]}')
    rhasspy.send(audioserver.AudioToggleOff(site_id="attic"))
    rhasspy.send(audioserver.AudioPlayBytes(wav()), site_id="attic", request_id="far")
    rhasspy.send(tts.TtsSay("Ours.", site_id="kitchen", id="ours"))
    assert (await rhasspy.one(tts.TtsSayFinished)).id == "ours"
    assert [job.text for job in service.jobs()] == ["Ours."]
    assert ignored(service, "other_site") == 3
    assert not service.state.is_muted


async def test_without_sites_every_one_is_ours(hermes: Config, rhasspy: Rhasspy) -> None:
    async with opened(replace(hermes, hermes=HermesConfig(enabled=True, site_ids=()))):
        await until(lambda: rhasspy.latest("status") == "online")
        rhasspy.send(tts.TtsSay("Hello.", site_id="anywhere", id="a"))
        assert await rhasspy.one(tts.TtsSayFinished) == tts.TtsSayFinished("anywhere", "a")
        rhasspy.send(audioserver.AudioPlayBytes(wav()), site_id="anywhere", request_id="b")
        assert (await rhasspy.one(audioserver.AudioPlayFinished, site_id="anywhere")).id == "b"


@pytest.mark.parametrize("form", [{}, {"rate": 44100, "channels": 2}, {"width": 1}])
async def test_a_sound_is_played_and_its_end_told(
    service: Service, rhasspy: Rhasspy, form: dict[str, int]
) -> None:
    rhasspy.send(audioserver.AudioPlayBytes(wav(0.5, **form)), site_id="hall", request_id="ding")
    finished = await rhasspy.one(audioserver.AudioPlayFinished, site_id="hall")
    assert finished == audioserver.AudioPlayFinished("ding", "ding")
    [job] = service.jobs()
    assert (job.event_type, job.source) == ("finished", "hermes")
    assert job.audio_ms == pytest.approx(500, abs=20)


@pytest.mark.parametrize(
    ("sound", "told"),
    [(b"", "no sound file"), (b"RIFF nonsense", "no sound file"), (b"x" * (MAX_SOUND_BYTES + 1), "at most")],
)
async def test_what_is_no_sound_is_an_error_and_the_end_of_it(
    service: Service, rhasspy: Rhasspy, sound: bytes, told: str
) -> None:
    rhasspy.send(audioserver.AudioPlayBytes(sound), site_id="hall", request_id="bad")
    error = await rhasspy.one(audioserver.AudioPlayError)
    assert told in error.error
    assert (error.site_id, error.context) == ("hall", "bad")
    assert (await rhasspy.one(audioserver.AudioPlayFinished, site_id="hall")).id == "bad"


async def test_a_site_too_long_for_an_answer_is_an_error(hermes: Config, rhasspy: Rhasspy) -> None:
    """Telling its end ended the door: nothing was told to anybody any more."""
    async with opened(replace(hermes, hermes=HermesConfig(enabled=True, site_ids=()))) as service:
        await until(lambda: rhasspy.latest("status") == "online")
        site = "s" * (65_535 - len("hermes/audioServer//playBytes/"))
        rhasspy.send(audioserver.AudioPlayBytes(wav()), site_id=site, request_id="")
        assert "expected 1 to 200 characters" in (await rhasspy.one(audioserver.AudioPlayError)).error
        rhasspy.send(tts.TtsSay("Hello.", id="next"))
        assert (await rhasspy.one(tts.TtsSayFinished)).id == "next"
        assert [job.text for job in service.jobs()] == ["Hello."]


async def test_volume_and_silence(service: Service, rhasspy: Rhasspy) -> None:
    rhasspy.send(audioserver.AudioSetVolume(0.3, site_id="hall"))
    rhasspy.send(audioserver.AudioToggleOff(site_id="hall"))
    await until(lambda: (service.state.volume, service.state.is_muted) == (30, True))
    rhasspy.send(tts.TtsSay("Hello.", site_id="hall", id="mute"))
    assert (await rhasspy.one(tts.TtsSayFinished)).id == "mute"
    rhasspy.send(audioserver.AudioToggleOn(site_id="hall"))
    await until(lambda: not service.state.is_muted)
    assert [job.event_type for job in service.jobs()] == ["muted"]
    assert rhasspy.heard(tts.TtsError) == []


async def test_voices_and_devices_are_told(service: Service, rhasspy: Rhasspy) -> None:
    rhasspy.send(tts.GetVoices("v", site_id="hall"))
    voices = await rhasspy.one(tts.Voices)
    assert (voices.id, voices.site_id) == ("v", "hall")
    shown = {voice.voice_id: voice.description for voice in voices.voices}
    assert shown["hum"] == "en-US (hum)"
    assert set(shown) == set(service.installed)
    output, microphone = audioserver.AudioDeviceMode.OUTPUT, audioserver.AudioDeviceMode.INPUT
    rhasspy.send(audioserver.AudioGetDevices([output], site_id="hall", id="d"))
    [device] = (await rhasspy.one(audioserver.AudioDevices)).devices
    assert (device.mode, device.working) == (output, True)
    rhasspy.messages.clear()
    rhasspy.send(audioserver.AudioGetDevices([microphone], site_id="hall"))
    assert (await rhasspy.one(audioserver.AudioDevices)).devices == []


async def test_hermes_needs_a_broker(config: Config) -> None:
    async with serving(config) as service:
        with pytest.raises(ConfigError, match=r"mqtt\.url"):
            async with open_door(service, replace(config, hermes=HermesConfig(enabled=True))):
                pass


@pytest.mark.slow
def test_the_end_is_told_after_a_crash(tmp_path: Path, broker: Mosquitto, rhasspy: Rhasspy) -> None:
    """The dialogue waits for it; what was accepted is in the journal with whom to tell."""
    settings: dict[str, dict[str, Any]] = {
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}", "device": "kitchen"},
        "hermes": {"enabled": True},
        "audio": {"sink": "null", "null_pace": 10},
        "voices": {"default": "hum"},
    }
    daemon = Daemon(tmp_path, settings, {})
    daemon.start()
    wait_until(lambda: rhasspy.latest("status") == "online")
    rhasspy.publish("edge_tts/kitchen/pause", "")
    wait_until(lambda: rhasspy.latest("paused") == "ON")
    rhasspy.send(tts.TtsSay("Hello.", id="one", session_id="talk"))
    wait_until(lambda: rhasspy.latest("queue") == "1")
    assert daemon.process is not None
    daemon.process.kill()
    daemon.process.wait(10)
    assert rhasspy.heard(tts.TtsSayFinished) == []
    daemon.start()
    wait_until(lambda: rhasspy.heard(tts.TtsSayFinished))
    assert rhasspy.heard(tts.TtsSayFinished) == [tts.TtsSayFinished("default", "one", "talk")]
    daemon.stop()
