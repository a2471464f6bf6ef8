"""The MQTT door and its broker: old ones, missing ones, ones that misbehave, and the embedded one."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish
from paho.mqtt.enums import MQTTProtocolVersion

from edge_tts.config import Config, QueueConfig
from edge_tts.door_config import MqttConfig
from edge_tts.doors.broker import open_broker
from edge_tts.doors.mqtt import open_door
from edge_tts.doors.mqtt_trial import try_broker
from edge_tts.errors import ConfigError, DeviceError
from tests.doors_house import until
from tests.fake_broker import REFUSED_PROTOCOL_311, listening, only_311, publish_5, scripted
from tests.house import Daemon, free_port, wait_until
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone, at, ignored, opened, problems
from tests.test_service import serving

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("refusal", [REFUSED_PROTOCOL_311, b""])
async def test_a_broker_of_3_1_1_only(
    config: Config, broker: Mosquitto, phone: Phone, refusal: bytes
) -> None:
    async with listening(only_311(broker.port, refusal)) as port, opened(at(config, port)) as service:
        await until(lambda: phone.latest("status") == "online", 20)
        phone.publish(f"{BASE}/say", "Hello.")
        await phone.event("finished")
        assert "mqtt_disconnected" not in problems(service)
    await until(lambda: phone.latest("status") == "offline")


@pytest.mark.slow
async def test_a_broker_that_hangs_on_mqtt_5(config: Config) -> None:
    port = free_port()
    async with open_broker(port), opened(at(config, port)) as service:
        await until(lambda: "mqtt_disconnected" not in problems(service), 20)


async def test_the_status_says_goodbye(config: Config, broker: Mosquitto, phone: Phone) -> None:
    async with opened(at(config, broker.port)):
        await until(lambda: phone.latest("status") == "online")
    await until(lambda: phone.latest("status") == "offline")


@pytest.mark.slow
def test_the_last_will_speaks_for_a_killed_daemon(tmp_path: Path, broker: Mosquitto, phone: Phone) -> None:
    settings: dict[str, dict[str, Any]] = {
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}", "device": "kitchen"},
        "audio": {"sink": "null"},
        "voices": {"default": "hum"},
    }
    daemon = Daemon(tmp_path, settings, {})
    daemon.start()
    assert daemon.process is not None
    try:
        wait_until(lambda: phone.latest("status") == "online")
    finally:
        daemon.process.kill()
        daemon.process.wait(10)
    wait_until(lambda: phone.latest("status") == "offline")


async def test_it_comes_back_when_the_broker_does(config: Config, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    async with opened(at(config, broker.port)) as service:
        # Nobody there yet.
        await until(lambda: "refused" in problems(service).get("mqtt_disconnected", ""))
        assert service.health()["is_ready"]
        for _ in range(2):
            await asyncio.to_thread(broker.start)
            await until(lambda: "mqtt_disconnected" not in problems(service), 20)
            phone = await asyncio.to_thread(Phone, broker.port)
            await until(lambda phone=phone: phone.latest("status") == "online")  # type: ignore[misc]
            phone.publish(f"{BASE}/say", "Hello.")
            await phone.event("finished")
            phone.close()
            await asyncio.to_thread(broker.stop)
            await until(lambda: "mqtt_disconnected" in problems(service))
            (tmp_path / "log").unlink()


async def test_a_broker_that_does_not_want_us(config: Config, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, "allow_anonymous false")
    await asyncio.to_thread(broker.start)
    async with opened(at(config, broker.port)) as service:
        await until(lambda: "authorized" in problems(service).get("mqtt_disconnected", "").lower())
    await asyncio.to_thread(broker.stop)


async def test_a_name_that_does_not_resolve(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    # A name server that cannot be reached itself takes longer to say no than a broker may take to answer.
    monkeypatch.setattr("edge_tts.doors.mqtt_connection.ANSWER_TIMEOUT_S", 120.0)
    nowhere = replace(config, mqtt=MqttConfig(url="mqtt://user:hush@nowhere.invalid"))
    async with opened(nowhere) as service:
        await until(lambda: "cannot be reached" in problems(service).get("mqtt_disconnected", ""), 120)
        assert "hush" not in str(problems(service))


async def test_denied_topics_are_a_problem_and_no_online(config: Config) -> None:
    async with listening(scripted(0x87)) as port, opened(at(config, port)) as service:
        await until(lambda: "mqtt_denied" in problems(service))
        assert f"{BASE}/say" in problems(service)["mqtt_denied"]


async def test_redelivery_is_not_spoken_again(config: Config) -> None:
    topic = f"{BASE}/say".encode()
    sent = [
        publish_5(topic, b"Once.", message_id=1),
        publish_5(topic, b"Once.", message_id=1, is_dup=True),
        publish_5(topic, b"Lost before.", message_id=2, is_dup=True),
        publish_5(topic, b"Twice.", message_id=3),
        publish_5(topic, b"Twice.", message_id=4),
    ]
    async with listening(scripted(1, *sent)) as port, opened(at(config, port)) as service:
        await until(lambda: len(service.jobs()) == 4)
        assert ignored(service, "duplicate") == 1
        assert [job.text for job in service.jobs()] == ["Once.", "Lost before.", "Twice.", "Twice."]


async def test_an_impossible_topic_is_ignored(config: Config) -> None:
    sent = [
        publish_5(b"\xff\xfe", b"Hello.", message_id=1),
        publish_5(f"{BASE}/say".encode(), b"Fine.", message_id=2),
    ]
    async with listening(scripted(1, *sent)) as port, opened(at(config, port)) as service:
        await until(service.jobs)
        assert ignored(service, "unknown_topic") == 1
        assert [job.text for job in service.jobs()] == ["Fine."]


async def test_two_boxes_of_one_name_are_noticed(config: Config) -> None:
    taken_over = b"\xe0\x02\x8e\x00"
    async with listening(scripted(1, taken_over)) as port, opened(at(config, port)) as service:
        await until(lambda: "Session taken over" in problems(service).get("mqtt_disconnected", ""))
        assert "mqtt.device" in problems(service)["mqtt_disconnected"]


async def test_a_flood_is_refused_but_not_fatal(config: Config, broker: Mosquitto, phone: Phone) -> None:
    few = replace(at(config, broker.port), queue=QueueConfig(max_jobs=2))
    async with opened(few) as service:
        await until(lambda: phone.latest("status") == "online")
        service.pause()
        for _ in range(5):
            phone.publish(f"{BASE}/say", "Hello.")
        # In any order: a refusal takes a shorter way than what is queued.
        await until(
            lambda: (
                Counter(e.get("code") or e["event_type"] for e in phone.events())
                == {"queue_full": 3, "queued": 2}
            )
        )


@pytest.fixture
def embedded(config: Config) -> Config:
    return replace(config, mqtt=MqttConfig(url="embedded", device="kitchen", embedded_port=free_port()))


async def test_the_embedded_broker(embedded: Config) -> None:
    for name in ("a", "b"):  # it also stops: the port is free again
        async with opened(embedded) as service:
            await until(lambda: "mqtt_disconnected" not in problems(service))
            phone = await asyncio.to_thread(Phone, embedded.mqtt.embedded_port, MQTTProtocolVersion.MQTTv311)
            await until(lambda phone=phone: phone.latest("status") == "online")  # type: ignore[misc]
            phone.publish(f"{BASE}/say", json.dumps({"text": "Hello.", "id": name}))
            await phone.event("finished", name)
            phone.publish(f"{BASE}/say", b"\xff")
            assert (await phone.event("failed"))["code"] == "bad_request"
            phone.close()


async def test_the_embedded_broker_loses_nothing_of_those_who_hang_up_at_once(embedded: Config) -> None:
    """What mosquitto_pub does. amqtt 0.12 sent it what others had subscribed to, and lost its message meanwhile."""
    port = embedded.mqtt.embedded_port
    async with opened(embedded) as service:
        await until(lambda: "mqtt_disconnected" not in problems(service))
        phone = await asyncio.to_thread(Phone, port, MQTTProtocolVersion.MQTTv311)
        await until(lambda: phone.latest("status") == "online")
        for number in range(10):
            await asyncio.to_thread(publish.single, f"{BASE}/say", f"Number {number}.", port=port)
        await until(lambda: len(service.jobs()) == 10)
        service.stop()
        phone.close()


async def test_the_embedded_broker_makes_way_for_one_that_runs(
    embedded: Config, broker: Mosquitto, phone: Phone
) -> None:
    taken = replace(embedded, mqtt=replace(embedded.mqtt, embedded_port=broker.port))
    async with opened(taken) as service:
        # Not the status: a retained one of an earlier test may say "online" before we are.
        await until(lambda: "mqtt_disconnected" not in problems(service))
        phone.publish(f"{BASE}/say", json.dumps({"text": "Hello.", "id": "a"}))
        await phone.event("finished", "a")


def test_trying_a_broker(config: Config, broker: Mosquitto) -> None:
    assert "MQTT 5" in try_broker(at(config, broker.port).mqtt)
    with pytest.raises(DeviceError, match="refused"):
        try_broker(at(config, free_port()).mqtt)


@pytest.mark.parametrize("key", ["password_file", "ca_file"])
async def test_files_that_cannot_be_read(config: Config, tmp_path: Path, key: str) -> None:
    files: dict[str, Any] = {key: tmp_path / "missing"}
    broken = replace(config, mqtt=MqttConfig(url="mqtts://localhost", **files))
    async with serving(config) as service:
        with pytest.raises(ConfigError, match=key):
            async with open_door(service, broken):
                pass
