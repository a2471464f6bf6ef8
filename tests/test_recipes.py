"""What people copy from recipes/: its topics, requests and names are ours, and it does what docs/recipes.md says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment
from paho.mqtt.enums import MQTTProtocolVersion

from edge_tts.config import Config
from edge_tts.door_config import MqttConfig
from edge_tts.doors.base import request_from_payload
from edge_tts.doors.homeassistant_device import device_config
from edge_tts.doors.mqtt_topics import Topics
from edge_tts.doors.wyoming_info import PROGRAM
from edge_tts.metrics import Metrics
from edge_tts.service import Service
from edge_tts.speech import EventType
from tests.doors_house import until
from tests.homeassistant_house import introduced, running_homeassistant, with_home
from tests.mosquitto import Mosquitto
from tests.phone import Phone, opened
from tests.phone import at as at_broker
from tests.test_service import serving

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "recipes"
FILES = sorted(path for path in RECIPES.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
PACKAGE = yaml.safe_load((RECIPES / "home-assistant.yaml").read_text(encoding="utf-8"))
FLOW = {node["id"]: node for node in json.loads((RECIPES / "node-red-flow.json").read_text(encoding="utf-8"))}
TOPIC = re.compile(r"edge_tts/(?:speaker|all)/[a-z_/]*\w")
REQUEST = re.compile(r"""'(\{"text": .*?\})'""")


@pytest.fixture
def config(config: Config) -> Config:
    """Named as in the recipes; sound takes a tenth of its time."""
    return replace(
        config, mqtt=MqttConfig(device="speaker"), audio=replace(config.audio, null_pace=10.0, chime=None)
    )


def test_every_recipe_is_told_of() -> None:
    told = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert {str(path.relative_to(ROOT)) for path in FILES if str(path.relative_to(ROOT)) not in told} == set()


async def test_topics_are_ours(config: Config) -> None:
    published = []
    async with serving(config) as service:
        topics = Topics(service, config, lambda topic, payload, **_: published.append(topic))
        topics.publish_states()
    ours = {
        *published,
        *topics.subscriptions,
        topics.status,
        "edge_tts/speaker/event",
        "edge_tts/speaker/last",
    }
    documents = [ROOT / "docs" / "recipes.md", *FILES]
    named = {each for path in documents for each in TOPIC.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 8, "the expression finds nothing"
    assert named <= ours


@pytest.mark.parametrize("path", [path for path in FILES if REQUEST.search(path.read_text(encoding="utf-8"))])
def test_requests_have_fields_that_are_ours(path: Path) -> None:
    for written in REQUEST.findall(path.read_text(encoding="utf-8")):
        assert request_from_payload(written.encode(), source="test")[1] == ()


# --- Home Assistant --------------------------------------------------------------------------------------


def strings(document: Any) -> list[str]:
    if isinstance(document, dict):
        return [each for value in document.values() for each in strings(value)]
    if isinstance(document, list):
        return [each for value in document for each in strings(value)]
    return [document] if isinstance(document, str) else []


def test_home_assistants_entities_are_those_of_the_discovery(config: Config) -> None:
    device = device_config(config, voices=["hum"], tones=["bell"], can_restart=True)
    ours = {each.get("default_entity_id") for each in device["components"].values()}
    named = {each for each in strings(PACKAGE) if re.fullmatch(r"\w+\.edge_tts_speaker\w*", each)}
    assert len(named) > 3
    assert named <= ours
    # Those of Wyoming are called as the program and as the box.
    assert {f"tts.{PROGRAM}", f"assist_satellite.{config.mqtt.device}"} <= set(strings(PACKAGE))


def test_home_assistants_templates_make_requests() -> None:
    environment = Environment(autoescape=False)
    environment.filters["to_json"] = json.dumps
    values = {"states": lambda entity, **_: '3.5 "°C"', "message": 'It\'s\n"done".', "id": "7"}
    made = [each for each in strings(PACKAGE) if "to_json" in each]
    assert len(made) == 2
    for template in made:
        payload = environment.from_string(template).render(values)
        assert request_from_payload(payload.encode(), source="test")[1] == ()


@pytest.mark.homeassistant
@pytest.mark.broker
async def test_home_assistant_runs_the_package(
    config: Config, broker: Mosquitto, tmp_path: Path, phone: Phone
) -> None:
    with running_homeassistant(tmp_path, broker.port) as home:
        async with introduced(with_home(config, broker)) as service:

            async def ask(**asked: Any) -> None:
                await asyncio.to_thread(home.ask, **asked)

            await until(lambda: home.states.get("switch.edge_tts_speaker_mute") == "off", 30)
            await ask(package=PACKAGE)
            # The text, its priority and how it came out, of each automation and of the script.
            await ask(states=[["binary_sensor.washing_machine", state] for state in ("on", "off")])
            await until(lambda: said(service).get("The washing machine is done.") == ("message", "finished"))
            await ask(states=[["input_boolean.nap", state] for state in ("off", "on")])
            await until(lambda: service.state.is_muted)
            await ask(states=[["event.doorbell", state] for state in ("unavailable", "1", "2")])
            await until(lambda: said(service).get("Somebody is at the door.") == ("message", "muted"))
            for entity in ("water", "smoke"):
                await ask(states=[[f"binary_sensor.{entity}", state] for state in ("off", "on")])
            await until(
                lambda: said(service).get("There is smoke in the kitchen!") == ("important", "finished")
            )
            assert "Water in the cellar!" in said(service)
            await ask(call="switch.turn_off", data={"entity_id": "switch.edge_tts_speaker_mute"})
            await until(lambda: not service.state.is_muted)
            # Returns when it is said, and not after a minute.
            text = 'It\'s "done".'
            await ask(call="script.edge_tts_say_and_wait", data={"message": text})
            assert said(service)[text] == ("message", "finished")
            # A template, and what Home Assistant knows nothing of.
            await ask(states=[["sensor.outside", "3.5"]])
            trigger = {"entity_id": "automation.say_the_weather_in_the_morning", "skip_condition": True}
            await ask(call="automation.trigger", data=trigger)
            await until(lambda: "Good morning. It is 3.5 outside." in said(service))
            assert home.warnings == []


def said(service: Service) -> dict[str, tuple[str, str]]:
    """Priority and latest event by text."""
    return {job.text: (str(job.priority), str(job.event_type)) for job in service.jobs()}


# --- Node-RED --------------------------------------------------------------------------------------------


def changed(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """*message* as the node "change" leaves it: the rules that the recipe has, not all there are."""
    message = {**message}
    read: dict[str, Callable[[str], Any]] = {"json": json.loads, "msg": message.get, "str": str}
    for rule in node["rules"]:
        value = read[rule["tot"]](rule["to"])
        if rule["t"] == "move":
            message[rule["to"]] = message.pop(rule["p"])
        elif "." in rule["p"]:
            outer, _, inner = rule["p"].partition(".")
            message[outer] = {**message[outer], inner: value}
        else:
            message[rule["p"]] = value
    return message


def pressed(inject: str) -> dict[str, Any]:
    """What the button *inject* sends to the broker."""
    node = FLOW[inject]
    [[change]] = node["wires"]
    [[out]] = FLOW[change]["wires"]
    assert (FLOW[out]["type"], FLOW[out]["topic"]) == ("mqtt out", "")
    return changed(FLOW[change], {"payload": node["payload"]})


def test_node_reds_wires_lead_somewhere() -> None:
    ends = {end for node in FLOW.values() for wires in node.get("wires", []) for end in wires}
    assert ends <= FLOW.keys()
    assert {
        node["broker"] for node in FLOW.values() if node["type"] in ("mqtt in", "mqtt out")
    } <= FLOW.keys()
    compared = {rule.get("v") for rule in FLOW["edge_tts.outcome"]["rules"]} - {None}
    assert compared <= set(EventType)


@pytest.fixture
async def service(config: Config, broker: Mosquitto) -> AsyncIterator[Service]:
    async with opened(at_broker(config, broker.port, device="speaker")) as service:
        yield service


@pytest.mark.broker
async def test_node_reds_buttons(service: Service, broker: Mosquitto) -> None:
    phone = Phone(broker.port, MQTTProtocolVersion.MQTTv5, "node-red/#")

    def publish(message: dict[str, Any]) -> None:
        payload = message["payload"]
        properties = {"ResponseTopic": message["responseTopic"]} if "responseTopic" in message else {}
        phone.publish(
            message["topic"], json.dumps(payload) if isinstance(payload, dict) else payload, **properties
        )

    def outcomes() -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in phone.payloads(FLOW["edge_tts.reply"]["topic"])]

    try:
        await until(lambda: phone.payloads("edge_tts/speaker/status")[-1:] == ["online"])
        publish(pressed("edge_tts.washing"))
        await until(lambda: len(outcomes()) == 1)
        service.pause()
        publish(pressed("edge_tts.washing"))
        publish(pressed("edge_tts.stop"))
        await until(lambda: len(outcomes()) == 2)
        publish(pressed("edge_tts.water"))
        await until(lambda: len(outcomes()) == 3)
    finally:
        phone.close()
    assert [(each["event_type"], each["priority"], each["warnings"]) for each in outcomes()] == [
        ("finished", "message", []),
        ("interrupted", "message", []),
        ("finished", "important", []),
    ]


# --- Units and monitoring --------------------------------------------------------------------------------


UNITS = [path.name for path in FILES if path.suffix in (".service", ".timer")]
DROP_INS = [
    path.name for path in (RECIPES / "sound").glob("*.conf") if path.name != "wireplumber-bluetooth.conf"
]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("name", [*UNITS, *DROP_INS])
def test_systemd_understands(name: str, tmp_path: Path) -> None:
    for path in (
        *RECIPES.rglob("*.service"),
        *RECIPES.rglob("*.timer"),
        ROOT / "systemd" / "edge-tts.service",
    ):
        # The programs need not be installed here.
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text(encoding="utf-8"), flags=re.M)
        (tmp_path / path.name).write_text(text)
    unit = tmp_path / name
    if name in DROP_INS:
        unit = tmp_path / "edge-tts.service"
        (tmp_path / "edge-tts.service.d").mkdir()
        shutil.copy(RECIPES / "sound" / name, tmp_path / "edge-tts.service.d")
    whose = ["--user"] if (RECIPES / "kiosk" / name).exists() else []
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *whose, str(unit)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    # A key that it does not know is a line there, and no failure.
    assert (checked.returncode, checked.stderr) == (0, "")


def test_prometheus_asks_for_what_there_is() -> None:
    scraped = yaml.safe_load((RECIPES / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert (RECIPES / "prometheus" / scraped["rule_files"][0]).exists()
    [job] = scraped["scrape_configs"]
    alerts = yaml.safe_load((RECIPES / "prometheus" / scraped["rule_files"][0]).read_text(encoding="utf-8"))
    rules = alerts["groups"][0]["rules"]
    assert len(rules) == 3
    asked = " ".join(rule["expr"] for rule in rules)
    assert set(re.findall(r'job="(\w+)"', asked)) == {job["job_name"]}
    metrics = Metrics()
    metrics.events.labels("failed", "mqtt").inc()
    metrics.first_audio.labels("hum").observe(0.1)
    there = set(re.findall(r"^edge_tts_\w+", metrics.text().decode(), re.MULTILINE))
    assert set(re.findall(r"edge_tts_\w+", asked)) <= there
    types = re.findall(r'event_type=~"([\w|]+)"', asked)
    assert {each for found in types for each in found.split("|")} <= set(EventType)
