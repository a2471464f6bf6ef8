"""Device discovery as the core of Home Assistant reads it, and what is done there done here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from edge_tts.config import Config
from edge_tts.door_config import MqttConfig
from edge_tts.doors.homeassistant_device import config_topic, device_config, device_id
from edge_tts.service import Service
from tests.doors_house import until as until_within
from tests.homeassistant_house import HomeAssistant, introduced, running_homeassistant, with_home
from tests.mosquitto import Mosquitto
from tests.phone import Phone

WAIT_S = 30.0
"""Home Assistant is large, and the tests run beside each other."""

KITCHEN = "edge_tts_kitchen"


async def until(condition: Callable[[], object]) -> None:
    await until_within(condition, WAIT_S)


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
    # What it shows yet may be of the box before, which is gone: what is done there now would reach nobody.
    shown = {f"number.{KITCHEN}_volume": "80", f"switch.{KITCHEN}_mute": "off"}
    n_before = {entity: len(home.history[entity]) for entity in shown}
    async with introduced(with_home(config, broker, name="Kitchen speaker", area="Kitchen")) as service:
        await until(lambda: all(shown[each] in home.history[each][n:] for each, n in n_before.items()))
        yield service


async def called(home: HomeAssistant, action: str, entity: str, **data: Any) -> None:
    await asyncio.to_thread(home.call, action, f"{action.partition('.')[0]}.{entity}", **data)


@pytest.mark.homeassistant
@pytest.mark.broker
async def test_it_takes_every_entity_without_a_word(service: Service, home: HomeAssistant) -> None:
    device = device_config(
        service.config, voices=sorted(service.installed), tones=service.chimes, can_restart=True
    )
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
    states = home.history[f"siren.{KITCHEN}_chime"]
    n_before = len(states)
    await called(home, "siren.turn_on", f"{KITCHEN}_chime", tone="bell", volume_level=0.5)
    await until(lambda: "on" in states[n_before:] and states[-1] == "off")
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
    async with introduced(with_home(attic, broker)):
        await until(lambda: "notify.edge_tts_attic" in home.entities())
    cellar = replace(config, mqtt=MqttConfig(device="cellar"))
    async with introduced(with_home(cellar, broker)):
        await until(lambda: "notify.edge_tts_cellar" in home.entities())
        await until(lambda: "notify.edge_tts_attic" not in home.entities())
    async with introduced(with_home(cellar, broker, enabled=False)):
        await until(lambda: not any("cellar" in name for name in home.entities()))
    assert json.loads((config.state.folder / "homeassistant.json").read_text()) == []
