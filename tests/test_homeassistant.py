"""Home Assistant and the box: device discovery as its own core reads it, and what the door tells the broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from paho.mqtt.enums import MQTTProtocolVersion

from edge_tts.config import Config
from edge_tts.door_config import HomeAssistantConfig, HttpConfig, MqttConfig
from edge_tts.doors.homeassistant_device import config_topic, device_config, device_id
from edge_tts.doors.mqtt import Delays, open_door
from edge_tts.service import Service
from tests.doors_house import until as until_within
from tests.homeassistant_house import HomeAssistant, running_homeassistant
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone, at
from tests.test_service import serving

WAIT_S = 30.0
"""Home Assistant is large, and the tests run beside each other."""

KITCHEN = "edge_tts_kitchen"
TOPIC = f"homeassistant/device/{KITCHEN}/config"
BIRTH = "homeassistant/status"
QUICK = Delays(birth_s=0.0)


async def until(condition: Callable[[], object]) -> None:
    await until_within(condition, WAIT_S)


@asynccontextmanager
async def opened(config: Config, delays: Delays = QUICK) -> AsyncIterator[Service]:
    """As started by systemd: it can be started again."""
    async with serving(config) as service:
        service.on_restart = asyncio.Event().set
        async with open_door(service, config, delays):
            yield service


def with_home(config: Config, broker: Mosquitto, **settings: Any) -> Config:
    return replace(at(config, broker.port), homeassistant=HomeAssistantConfig(**settings))


# Its own core


@pytest.fixture(scope="module")
def home(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    with running_homeassistant(tmp_path_factory.mktemp("homeassistant"), broker.port) as home:
        yield home


@pytest.fixture
async def service(
    config: Config, broker: Mosquitto, home: HomeAssistant, phone: Phone
) -> AsyncIterator[Service]:
    """In the house, and known there. Sound takes a tenth of its time."""
    config = replace(config, audio=replace(config.audio, null_pace=10.0))
    async with opened(with_home(config, broker, name="Kitchen speaker", area="Kitchen")) as service:
        await until(lambda: home.states.get(f"number.{KITCHEN}_volume") == "80")
        await until(lambda: home.states.get(f"switch.{KITCHEN}_mute") == "off")
        yield service


async def called(home: HomeAssistant, action: str, entity: str, **data: Any) -> None:
    await asyncio.to_thread(home.call, action, f"{action.partition('.')[0]}.{entity}", **data)


@pytest.mark.homeassistant
@pytest.mark.broker
async def test_it_takes_every_entity_without_a_word(service: Service, home: HomeAssistant) -> None:
    device = device_config(service.config, voices=service.voice_names, tones=service.chimes, can_restart=True)
    entities = {
        each["default_entity_id"]
        for each in device["components"].values()
        if each["platform"] != "device_automation"
    }
    assert len(entities) == 23
    await until(lambda: entities <= home.entities())
    shown = {
        "binary_sensor.{}_speaking": "off",
        "number.{}_speed": "1",
        "select.{}_voice": "hum",
        "switch.{}_pause": "off",
        "binary_sensor.{}_problem": "off",
        "sensor.{}_queue": "0",
        "siren.{}_chime": "off",
    }
    await until(lambda: {name: home.states[name.format(KITCHEN)] for name in shown} == shown)
    assert home.attributes[f"notify.{KITCHEN}"]["friendly_name"] == "Kitchen speaker"
    assert home.attributes[f"update.{KITCHEN}_update"]["installed_version"]
    assert home.attributes[f"siren.{KITCHEN}_chime"]["available_tones"] == list(service.chimes)
    triggers = (await asyncio.to_thread(home.ask, triggers=True))["triggers"]
    assert triggers == [f"announcement {step}" for step in ("failed", "finished", "interrupted", "started")]
    assert home.warnings == []


@pytest.mark.homeassistant
@pytest.mark.broker
@pytest.mark.parametrize(
    ("entity", "priority"),
    [("", "message"), ("_important", "important"), ("_notification", "notification")],
)
async def test_a_message_is_said_as_it_was_written(
    service: Service, home: HomeAssistant, entity: str, priority: str
) -> None:
    message = 'Say "hi"\n\\ {{ 1 + 1 }} <b>Grüße</b> 你好'
    await called(home, "notify.send_message", f"{KITCHEN}{entity}", message=message)
    await until(lambda: service.jobs() and service.jobs()[0].event_type.is_outcome)
    [job] = service.jobs()
    assert (job.text, job.priority) == (message, priority)
    await until(lambda: home.attributes[f"event.{KITCHEN}_event"].get("event_type") == "finished")
    await until(lambda: home.attributes[f"sensor.{KITCHEN}_last"].get("job") == job.job)
    assert home.states[f"sensor.{KITCHEN}_last"] == message
    await until(lambda: home.states[f"sensor.{KITCHEN}_latency"] == str(job.first_audio_ms))


@pytest.mark.homeassistant
@pytest.mark.broker
async def test_what_is_set_there_is_set_here(service: Service, home: HomeAssistant) -> None:
    def state(entity: str) -> Callable[[], str | None]:
        return lambda: home.states[entity.format(KITCHEN)]

    await called(home, "number.set_value", f"{KITCHEN}_volume", value=35)
    await called(home, "number.set_value", f"{KITCHEN}_speed", value=1.5)
    await called(home, "select.select_option", f"{KITCHEN}_voice", option="hum")
    await called(home, "switch.turn_on", f"{KITCHEN}_pause")
    await until(lambda: state("number.{}_volume")() == "35" and state("number.{}_speed")() == "1.5")
    await until(lambda: state("switch.{}_pause")() == "on" and service.state.is_paused)
    await called(home, "text.set_value", f"{KITCHEN}_text", value='{"a brace')
    await until(lambda: state("sensor.{}_queue")() == "1")
    await called(home, "button.press", f"{KITCHEN}_clear")
    await until(lambda: state("sensor.{}_queue")() == "0")
    await called(home, "switch.turn_off", f"{KITCHEN}_pause")
    await called(home, "switch.turn_on", f"{KITCHEN}_mute")
    await until(lambda: state("switch.{}_mute")() == "on" and not service.state.is_paused)
    assert (service.state.volume, service.state.speed, service.state.is_muted) == (35, 1.5, True)
    assert [(job.text, job.code) for job in service.jobs()] == [('{"a brace', "cancelled")]


@pytest.mark.homeassistant
@pytest.mark.broker
async def test_its_buttons_do_what_they_say(service: Service, home: HomeAssistant) -> None:
    await called(home, "notify.send_message", KITCHEN, message="Hello.")
    await until(lambda: service.jobs() and service.jobs()[0].event_type.is_outcome)
    await called(home, "button.press", f"{KITCHEN}_repeat")
    await until(lambda: len(service.jobs()) == 2 and service.jobs()[1].event_type.is_outcome)
    service.pause()
    await called(home, "notify.send_message", KITCHEN, message="Never heard.")
    await until(lambda: len(service.jobs()) == 3)
    await called(home, "button.press", f"{KITCHEN}_stop")
    await until(lambda: service.jobs()[2].event_type.is_outcome)
    assert [job.event_type for job in service.jobs()] == ["finished", "finished", "interrupted"]
    asked = asyncio.Event()
    service.on_restart = asked.set
    await called(home, "button.press", f"{KITCHEN}_restart")
    await asyncio.wait_for(asked.wait(), 10)


@pytest.mark.homeassistant
@pytest.mark.broker
async def test_its_siren_is_our_chime(service: Service, home: HomeAssistant) -> None:
    before = len(home.history[f"siren.{KITCHEN}_chime"])
    await called(home, "siren.turn_on", f"{KITCHEN}_chime", tone="bell", volume_level=0.5)
    await until(lambda: home.history[f"siren.{KITCHEN}_chime"][before:] == ["on", "off"])
    [job] = service.jobs()
    assert (job.text, job.event_type) == ("bell", "finished")


WRONG = {
    "an unknown key of the payload": lambda device: device.update(colour="red"),
    "an unknown key of the device": lambda device: device["device"].update(colour="red"),
    "a platform there is not": lambda device: device["components"]["stop"].update(platform="media_player"),
    "no unique id": lambda device: device["components"]["volume"].pop("unique_id"),
    "no such class": lambda device: device["components"]["queue"].update(state_class="sometimes"),
    "no template": lambda device: device["components"]["last"].update(value_template="{{ value_json"),
}


@pytest.mark.homeassistant
@pytest.mark.broker
@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_wrong_with_a_payload_would_be_seen(
    home: HomeAssistant, phone: Phone, wrong: str
) -> None:
    """Or the tests above would prove nothing."""
    config = Config(mqtt=MqttConfig(device=f"wrong {wrong}"))
    device = device_config(config, voices=["hum"], tones=["bell"], can_restart=True)
    WRONG[wrong](device)
    phone.publish(config_topic(config), json.dumps(device))
    await until(lambda: any(device_id(config.mqtt) in warning for warning in home.warnings))
    home.warnings.clear()


@pytest.mark.homeassistant
@pytest.mark.broker
async def test_it_forgets_a_box_of_another_name_or_none(
    config: Config, broker: Mosquitto, home: HomeAssistant, phone: Phone
) -> None:
    attic = replace(config, mqtt=MqttConfig(device="attic"))
    async with opened(with_home(attic, broker)):
        await until(lambda: "notify.edge_tts_attic" in home.entities())
    cellar = replace(config, mqtt=MqttConfig(device="cellar"))
    async with opened(with_home(cellar, broker)):
        await until(lambda: "notify.edge_tts_cellar" in home.entities())
        await until(lambda: "notify.edge_tts_attic" not in home.entities())
    async with opened(with_home(cellar, broker, enabled=False)):
        await until(lambda: not any("cellar" in name for name in home.entities()))
    assert json.loads((config.state.folder / "homeassistant.json").read_text()) == []


# What the broker is told


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Phone]:
    listener = Phone(broker.port, MQTTProtocolVersion.MQTTv5, "homeassistant/#")
    yield listener
    listener.publish(TOPIC, "", retain=True)
    listener.close()


@pytest.mark.broker
async def test_the_device_is_retained_and_told_again_at_birth(
    config: Config, broker: Mosquitto, listener: Phone, tmp_path: Path
) -> None:
    folder = tmp_path / "voices" / "siren"
    folder.mkdir(parents=True)
    config = replace(config, voices=replace(config.voices, folders=(folder.parent,)))
    async with opened(with_home(config, broker)) as service:
        await until(lambda: listener.latest("status") == "online")
        late = Phone(broker.port, MQTTProtocolVersion.MQTTv5, TOPIC)
        await until(lambda: late.payloads(TOPIC))
        late.close()
        siren = {"name": "siren", "family": "hum", "languages": ["en"], "sample_rate": 22050, "files": {}}
        (folder / "voice.yaml").write_text(yaml.safe_dump(siren))
        n_states = len(listener.payloads(f"{BASE}/volume"))
        listener.publish(BIRTH, "offline")
        listener.publish(BIRTH, "online")
        await until(lambda: len(listener.payloads(f"{BASE}/volume")) > n_states)
        options = json.loads(listener.payloads(TOPIC)[-1])["components"]["voice"]["options"]
        assert options == service.voice_names == ["hum", "siren"]


@pytest.mark.broker
async def test_a_broker_that_forgot_is_told_again(config: Config, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await asyncio.to_thread(broker.start)
    async with opened(with_home(config, broker), Delays(first_s=0.01, max_s=0.05)):
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
    async with opened(with_home(config, broker), Delays(queue_s=0.05)):
        await until(lambda: len(listener.payloads(f"{BASE}/queue")) >= 4)
    assert set(listener.payloads(f"{BASE}/queue")) == {"0"}


@pytest.mark.broker
async def test_a_house_that_wants_none_hears_nothing(
    config: Config, broker: Mosquitto, listener: Phone
) -> None:
    async with opened(with_home(config, broker, enabled=False)):
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
