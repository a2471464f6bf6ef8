"""What the door tells the broker of itself for Home Assistant (tests/test_homeassistant.py: what that makes of it)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from paho.mqtt.enums import MQTTProtocolVersion

from edge_tts.config import Config
from edge_tts.door_config import HomeAssistantConfig, HttpConfig, MqttConfig
from edge_tts.doors.homeassistant_device import device_config, device_id
from edge_tts.doors.mqtt import Delays, open_door
from tests.doors_house import until
from tests.fake_broker import ACCEPTED_5, CONNECT, SUBSCRIBE, listening, packet, read_packet, topics_of
from tests.homeassistant_house import QUICK, introduced, with_home
from tests.house import wait_until
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone, problems
from tests.test_service import serving

TOPIC = "homeassistant/device/edge_tts_kitchen/config"
BIRTH = "homeassistant/status"


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Phone]:
    listener = Phone(broker.port, MQTTProtocolVersion.MQTTv5, "homeassistant/#")
    yield listener
    listener.publish(TOPIC, "", retain=True)
    # Who hangs up at once may not have sent it, and the next test would be told of this one's device.
    wait_until(lambda: listener.payloads(TOPIC)[-1:] == [""])
    listener.close()


def add_voice(config: Config) -> None:
    folder = config.voices.folders[0] / "siren"
    folder.mkdir(parents=True)
    siren = {"name": "siren", "family": "hum", "languages": ["en"], "sample_rate": 22050, "files": {}}
    (folder / "voice.yaml").write_text(yaml.safe_dump(siren))


def voices_told(listener: Phone) -> list[str]:
    """The choice in the newest configuration."""
    told = json.loads(listener.payloads(TOPIC)[-1])
    return list(told["components"]["voice"]["options"])


@pytest.mark.broker
async def test_the_device_is_retained_and_told_again_at_birth(
    config: Config, broker: Mosquitto, listener: Phone, tmp_path: Path
) -> None:
    config = replace(config, voices=replace(config.voices, folders=(tmp_path / "voices",)))
    async with introduced(with_home(config, broker)) as service:
        await until(lambda: listener.latest("status") == "online")
        late = Phone(broker.port, MQTTProtocolVersion.MQTTv5, TOPIC)
        await until(lambda: late.payloads(TOPIC))
        late.close()
        add_voice(config)
        n_states = len(listener.payloads(f"{BASE}/volume"))
        listener.publish(BIRTH, "offline")
        listener.publish(BIRTH, "online")
        await until(lambda: len(listener.payloads(f"{BASE}/volume")) > n_states)
        assert voices_told(listener) == sorted(service.installed) == ["hum", "siren"]


@pytest.mark.broker
async def test_a_new_voice_is_told_when_it_was_seen(
    config: Config, broker: Mosquitto, listener: Phone, tmp_path: Path
) -> None:
    config = replace(config, voices=replace(config.voices, folders=(tmp_path / "voices",)))
    async with introduced(with_home(config, broker)) as service:
        await until(lambda: listener.latest("status") == "online")
        assert voices_told(listener) == ["hum"]
        add_voice(config)
        await service.voices()
        listener.publish(f"{BASE}/volume/set", "7")
        await until(lambda: voices_told(listener) == ["hum", "siren"])


async def test_who_may_not_hear_of_births_is_there_nevertheless(config: Config) -> None:
    published: list[bytes] = []

    async def denying_births(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            kind, body = await read_packet(reader)
            if kind == CONNECT:
                writer.write(ACCEPTED_5)
            elif kind == SUBSCRIBE:
                answers = [0x87 if topic == BIRTH.encode() else 1 for topic in topics_of(body[3:])]
                writer.write(packet(0x90, body[:2] + b"\0" + bytes(answers)))
            else:
                published.append(body)

    async with listening(denying_births) as port:
        config = replace(config, mqtt=replace(config.mqtt, url=f"mqtt://127.0.0.1:{port}"))
        async with introduced(config) as service:
            await until(lambda: any(b"/status" in body and b"online" in body for body in published))
            assert BIRTH in problems(service)["mqtt_denied"]


@pytest.mark.broker
@pytest.mark.parametrize("kept", ["{", '{"a": 1}', '["edge_tts/kitchen/say"]', "7"])
async def test_a_damaged_memory_of_old_names_does_no_harm(
    config: Config, broker: Mosquitto, listener: Phone, kept: str
) -> None:
    file = config.state.folder / "homeassistant.json"
    file.parent.mkdir(parents=True)
    file.write_text(kept)
    async with introduced(with_home(config, broker)):
        await until(lambda: listener.latest("status") == "online")
    assert json.loads(file.read_text()) == [TOPIC]
    assert listener.events() == []


@pytest.mark.broker
async def test_a_broker_that_forgot_is_told_again(config: Config, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await asyncio.to_thread(broker.start)
    async with introduced(with_home(config, broker), Delays(first_s=0.01, max_s=0.05)):
        for _ in range(2):
            phone = await asyncio.to_thread(Phone, broker.port, MQTTProtocolVersion.MQTTv5, "homeassistant/#")
            await until(lambda phone=phone: phone.payloads(TOPIC))  # type: ignore[misc]
            phone.close()
            await asyncio.to_thread(broker.stop)
            (tmp_path / "log").unlink()
            await asyncio.to_thread(broker.start)
    await asyncio.to_thread(broker.stop)


@pytest.mark.broker
async def test_the_queue_is_told_before_it_expires(
    config: Config, broker: Mosquitto, listener: Phone
) -> None:
    async with introduced(with_home(config, broker), Delays(queue_s=0.05)):
        await until(lambda: len(listener.payloads(f"{BASE}/queue")) >= 4)
    assert set(listener.payloads(f"{BASE}/queue")) == {"0"}


@pytest.mark.broker
async def test_a_house_that_wants_none_hears_nothing(
    config: Config, broker: Mosquitto, listener: Phone
) -> None:
    async with introduced(with_home(config, broker, enabled=False)):
        await until(lambda: listener.latest("status") == "online")
        listener.publish(BIRTH, "online")
        listener.publish(f"{BASE}/say", json.dumps({"text": "Hi.", "id": "a"}))
        await listener.event("finished", "a")
    assert listener.payloads(TOPIC) == []


@pytest.mark.broker
async def test_nobody_restarts_what_nobody_would_start(
    config: Config, broker: Mosquitto, listener: Phone
) -> None:
    async with serving(config) as service, open_door(service, with_home(config, broker), QUICK):
        await until(lambda: listener.latest("status") == "online")
        assert "restart" not in json.loads(listener.payloads(TOPIC)[-1])["components"]
        listener.publish(f"{BASE}/restart", "PRESS")
        assert (await listener.event("failed"))["code"] == "not_supervised"


@pytest.mark.parametrize(
    ("base_topic", "device", "expected"),
    [
        ("edge_tts", "kitchen", "edge_tts_kitchen"),
        ("edge_tts", "Living Room-2", "edge_tts_living_room_2"),
        ("edge_tts", "Küche", "edge_tts_kuche"),
        ("flat/tts", "hall", "flat_tts_hall"),
        ("edge_tts", "厨房", "edge_tts_457bb2"),
    ],
)
def test_ids_are_of_letters_that_home_assistant_takes(base_topic: str, device: str, expected: str) -> None:
    assert device_id(MqttConfig(base_topic=base_topic, device=device)) == expected


@pytest.mark.parametrize(
    ("http", "expected"),
    [
        (HttpConfig(), None),
        (HttpConfig(host="192.168.1.7", token="t"), "http://192.168.1.7:8765/"),
        (HttpConfig(host="0.0.0.0", token="t"), None),
        (HttpConfig(host="::", token="t", allowed_hosts=("speaker.home",)), "http://speaker.home:8765/"),
        (HttpConfig(host="fd00::7", token="t"), "http://[fd00::7]:8765/"),
    ],
)
def test_its_page_is_where_it_can_be_reached(http: HttpConfig, expected: str | None) -> None:
    config = Config(http=http, homeassistant=HomeAssistantConfig(area="Kitchen"))
    device = device_config(config, voices=[], tones=[], can_restart=False)["device"]
    assert device.get("configuration_url") == expected
    assert device["suggested_area"] == "Kitchen"
