"""The MQTT door against a real Mosquitto, the embedded broker, and brokers that misbehave."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_tts.config import (
    Config,
    MqttConfig,
    QueueConfig,
)
from edge_tts.doors.broker import open_broker
from edge_tts.doors.mqtt import open_door, try_broker
from edge_tts.errors import ConfigError, DeviceError
from edge_tts.service import Service
from tests.doors_house import hum_config, until
from tests.fake_broker import REFUSED_PROTOCOL_311, listening, only_311, publish_5, scripted
from tests.house import Daemon, free_port, wait_until
from tests.mosquitto import Mosquitto
from tests.test_service import serving

BASE = "edge_tts/kitchen"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"), "max_packet_size 20000000")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return hum_config(tmp_path, mqtt=MqttConfig(device="kitchen"))


def at(config: Config, port: int, **settings: Any) -> Config:
    return replace(config, mqtt=replace(config.mqtt, url=f"mqtt://127.0.0.1:{port}", **settings))


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Service]:
    async with serving(config) as service, open_door(service, config):
        yield service


def problems(service: Service) -> dict[str, str]:
    return {problem["code"]: problem["message"] for problem in service.health()["problems"]}


def ignored(service: Service, reason: str) -> float:
    value = service.metrics.registry.get_sample_value("edge_tts_mqtt_ignored_total", {"reason": reason})
    return value or 0.0


class Phone:
    """Another client of the broker: publishes, and collects everything below the base topic and `reply/`."""

    def __init__(self, port: int, protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5) -> None:
        self.messages: list[MQTTMessage] = []
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self._client.on_message = lambda client, userdata, message: self.messages.append(message)
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe([("edge_tts/#", 1), ("reply/#", 1)])
        assert subscribed.wait(10)

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False, **properties: Any) -> None:
        extra = None
        if properties:
            extra = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            for name, value in properties.items():
                setattr(extra, name, value)
        self._client.publish(topic, payload, 1, retain, extra)

    def payloads(self, topic: str) -> list[str]:
        return [bytes(message.payload).decode() for message in self.messages if message.topic == topic]

    def latest(self, name: str) -> str | None:
        return next(reversed(self.payloads(f"{BASE}/{name}")), None)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.payloads(f"{BASE}/event")]

    async def event(self, event_type: str, request_id: str | None = None) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [e for e in self.events() if e["event_type"] == event_type and e.get("id") == request_id]

        await until(found, 20)
        return found()[0]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def phone(broker: Mosquitto) -> Iterator[Phone]:
    phone = Phone(broker.port)
    yield phone
    for message in phone.messages:
        if message.retain or message.topic.startswith("edge_tts"):
            phone.publish(message.topic, b"", retain=True)
    phone.close()


@pytest.fixture
async def service(config: Config, broker: Mosquitto, phone: Phone) -> AsyncIterator[Service]:
    async with opened(at(config, broker.port)) as service:
        await until(lambda: phone.latest("status") == "online")
        yield service


pytestmark = pytest.mark.broker


async def test_text_is_spoken_and_every_step_told(service: Service, phone: Phone) -> None:
    phone.publish(f"{BASE}/say", json.dumps({"text": "Hello.", "id": "a"}))
    finished = await phone.event("finished", "a")
    assert [e["event_type"] for e in phone.events()] == ["queued", "started", "finished"]
    assert finished["audio_ms"] > 0
    await until(lambda: phone.latest("last"))
    last = json.loads(phone.latest("last") or "")
    assert (last["text"], last["event_type"], last["voice"]) == ("Hello.", "finished", "hum")
    assert last["first_audio_ms"] == finished["first_audio_ms"]


@pytest.mark.parametrize("topic", [f"{BASE}/say", "edge_tts/all/say"])
@pytest.mark.parametrize("payload", ["Grüße!", "42", "true", '"quoted"'])
async def test_raw_text(service: Service, phone: Phone, topic: str, payload: str) -> None:
    phone.publish(topic, payload)
    await phone.event("finished")
    assert service.jobs()[0].text == payload


async def test_states_are_retained_and_follow(service: Service, phone: Phone, broker: Mosquitto) -> None:
    await until(lambda: phone.latest("audio_problem"))
    names = ("status", "volume", "voice", "speed", "mute", "speaking", "queue", "audio_problem")
    assert [phone.latest(name) for name in names] == ["online", "80", "hum", "1", "OFF", "OFF", "0", "OFF"]
    for name, value, shown in [
        ("volume", "30", "30"),
        ("volume", "55.0", "55"),
        ("volume", "0.4", "40"),
        ("speed", "1.5", "1.5"),
        ("mute", "ON", "ON"),
        ("mute", "off", "OFF"),
        ("voice", "hum", "hum"),
    ]:
        phone.publish(f"{BASE}/{name}/set", value)
        await until(lambda name=name, shown=shown: phone.latest(name) == shown)  # type: ignore[misc]
    late = Phone(broker.port)
    await until(lambda: {m.topic for m in late.messages} >= {f"{BASE}/{name}" for name in names})
    assert late.latest("volume") == "40"
    assert not late.events()
    late.close()


async def test_speaking_and_queue_are_shown(service: Service, phone: Phone) -> None:
    phone.publish(f"{BASE}/say", json.dumps({"text": "A long one. " * 40, "id": "long"}))
    phone.publish(f"{BASE}/say", json.dumps({"text": "Next.", "id": "next"}))
    await until(lambda: (phone.latest("speaking"), phone.latest("queue")) == ("ON", "1"))
    phone.publish(f"{BASE}/stop", "PRESS")
    assert (await phone.event("interrupted", "long"))["code"] == "cancelled"
    assert await phone.event("interrupted", "next")
    await until(lambda: (phone.latest("speaking"), phone.latest("queue")) == ("OFF", "0"))


async def test_commands(service: Service, phone: Phone) -> None:
    phone.publish(f"{BASE}/pause", "")
    await until(lambda: service.state.is_paused)
    for name in ("a", "b", "c"):
        phone.publish(f"{BASE}/say", json.dumps({"text": "One.", "id": name}))
    await phone.event("queued", "c")
    phone.publish(f"{BASE}/stop", json.dumps({"id": "b"}))
    await phone.event("interrupted", "b")
    phone.publish(f"{BASE}/resume", "PRESS")
    await phone.event("finished", "a")
    await phone.event("finished", "c")
    phone.publish(f"{BASE}/repeat", "PRESS")
    await phone.event("finished")


async def test_a_stop_that_follows_a_text_ends_it(service: Service, phone: Phone) -> None:
    for name in ("a", "b", "c"):
        phone.publish(f"{BASE}/say", json.dumps({"text": "A long one. " * 40, "id": name}))
    phone.publish(f"{BASE}/stop", "")
    for name in ("a", "b", "c"):
        await phone.event("interrupted", name)


@pytest.mark.parametrize(
    ("topic", "payload", "code"),
    [
        ("say", b"\xff\xfe", "bad_request"),
        ("say", b"", "nothing_to_say"),
        ("say", b" \n", "nothing_to_say"),
        ("say", b"a\0b", "bad_request"),
        ("say", "😀".encode(), "nothing_to_say"),
        ("say", b"x" * 10_000_000, "body_too_large"),
        ("say", b"x" * 65_537, "body_too_large"),
        ("say", b"x" * 10_001, "text_too_long"),
        ("say", b'{"text": "x"', "bad_json"),
        ("say", b'{"a": ' + b"[" * 50_000, "bad_json"),
        ("say", b'{"text": "x", "volume": NaN}', "bad_json"),
        ("say", b'{"text": "x", "text": "y"}', "bad_json"),
        ("say", b'{"text": 42}', "bad_request"),
        ("say", b'{"text": ["x"]}', "bad_request"),
        ("say", b'{"text": "\\ud800"}', "bad_request"),
        ("say", b'{"text": "x", "speed": "fast"}', "bad_request"),
        ("say", b'{"text": "x", "voice": "nobody"}', "unknown_voice"),
        ("say", b'{"voice": "hum"}', "bad_request"),
        ("stop", b'{"id": "nobody"}', "unknown_job"),
        ("stop", b'{"id": ', "bad_json"),
        ("repeat", b"", "unknown_job"),
        ("volume/set", b"loud", "bad_request"),
        ("volume/set", b"101", "bad_request"),
        ("volume/set", b"nan", "bad_request"),
        ("volume/set", b"\xff", "bad_request"),
        ("speed/set", b"", "bad_request"),
        ("mute/set", b"perhaps", "bad_request"),
        ("voice/set", b"nobody", "unknown_voice"),
    ],
)
async def test_poison_is_one_event_and_nothing_else(
    service: Service, phone: Phone, topic: str, payload: bytes, code: str
) -> None:
    before = service.state
    phone.publish(f"{BASE}/{topic}", payload)
    failed = await phone.event("failed")
    assert (failed["code"], failed.get("id")) == (code, None)
    assert failed["message"]
    # The door still hears.
    phone.publish(f"{BASE}/say", json.dumps({"text": "Hi.", "id": "after"}))
    await phone.event("finished", "after")
    assert [e["event_type"] for e in phone.events()] == ["failed", "queued", "started", "finished"]
    assert replace(service.state, is_speaking=False) == before


async def test_a_refused_request_keeps_its_id(service: Service, phone: Phone) -> None:
    phone.publish(f"{BASE}/say", json.dumps({"text": "x", "speed": 99, "id": "mine"}))
    assert (await phone.event("failed", "mine"))["detail"] == {"field": "speed"}


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_retained_commands_are_of_another_day(
    config: Config, broker: Mosquitto, phone: Phone, protocol: str
) -> None:
    phone.publish(f"{BASE}/say", "Yesterday's news.", retain=True)
    await until(lambda: phone.latest("say"))
    port = broker.port
    async with listening(only_311(broker.port, REFUSED_PROTOCOL_311)) as port_311:
        port = port_311 if protocol == "3.1.1" else broker.port
        async with opened(at(config, port)) as service:
            await until(lambda: phone.latest("status") == "online", 20)
            phone.publish(f"{BASE}/say", json.dumps({"text": "Today.", "id": "today"}))
            await phone.event("finished", "today")
            assert [job.text for job in service.jobs()] == ["Today."]
            # MQTT 5 asks the broker not to send them at all.
            assert ignored(service, "retained") == (1 if protocol == "3.1.1" else 0)


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


async def test_the_caller_is_answered(service: Service, phone: Phone) -> None:
    phone.publish(f"{BASE}/say", "Hello.", ResponseTopic="reply/me", CorrelationData=b"\x00\x17")
    await until(lambda: phone.payloads("reply/me"))
    [answer] = [message for message in phone.messages if message.topic == "reply/me"]
    assert json.loads(answer.payload)["event_type"] == "finished"
    assert getattr(answer.properties, "CorrelationData", None) == b"\x00\x17"
    phone.publish(f"{BASE}/say", "{", ResponseTopic="reply/me2", CorrelationData=b"\x01")
    await until(lambda: phone.payloads("reply/me2"))
    assert json.loads(phone.payloads("reply/me2")[0])["code"] == "bad_json"


async def test_an_answer_is_never_spoken(service: Service, phone: Phone) -> None:
    phone.publish(f"{BASE}/say", "Hello.", ResponseTopic=f"{BASE}/say")
    phone.publish(f"{BASE}/say", json.dumps({"text": "Bye.", "id": "z"}), ResponseTopic="edge_tts/all/say")
    await phone.event("finished", "z")
    phone.publish(f"{BASE}/say", json.dumps({"text": "End.", "id": "end"}))
    await phone.event("finished", "end")
    assert [job.text for job in service.jobs()] == ["Hello.", "Bye.", "End."]


async def test_a_message_expires_in_the_queue(service: Service, phone: Phone) -> None:
    service.pause()
    phone.publish(f"{BASE}/say", json.dumps({"text": "Late.", "id": "late"}), MessageExpiryInterval=1)
    phone.publish(f"{BASE}/say", json.dumps({"text": "In time.", "id": "ok"}))
    assert await phone.event("expired", "late")
    service.resume()
    assert await phone.event("finished", "ok")


async def test_properties_say_how(service: Service, phone: Phone) -> None:
    phone.publish(f"{BASE}/say", "Alarm!", UserProperty=[("priority", "important"), ("colour", "red")])
    assert (await phone.event("finished"))["priority"] == "important"
    # With this content type a brace is text.
    phone.publish(f"{BASE}/say", "{curly}", ContentType="text/plain")
    await until(lambda: len(service.jobs()) == 2)
    assert service.jobs()[1].text == "{curly}"
    phone.publish(f"{BASE}/say", "x", UserProperty=[("voice", "nobody")])
    assert (await phone.event("failed"))["code"] == "unknown_voice"


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


async def test_a_name_that_does_not_resolve(config: Config) -> None:
    nowhere = replace(config, mqtt=MqttConfig(url="mqtt://user:hush@nowhere.invalid"))
    async with opened(nowhere) as service:
        await until(lambda: "cannot be reached" in problems(service).get("mqtt_disconnected", ""), 20)
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
        await until(lambda: len([e for e in phone.events() if e.get("code") == "queue_full"]) == 3)
        assert len([e for e in phone.events() if e["event_type"] == "queued"]) == 2


@pytest.fixture
def embedded(config: Config) -> Config:
    return replace(config, mqtt=MqttConfig(url="embedded", device="kitchen", embedded_port=free_port()))


async def test_the_embedded_broker(embedded: Config) -> None:
    for _ in range(2):  # it also stops: the port is free again
        async with opened(embedded) as service:
            await until(lambda: "mqtt_disconnected" not in problems(service))
            phone = await asyncio.to_thread(Phone, embedded.mqtt.embedded_port, MQTTProtocolVersion.MQTTv311)
            await until(lambda phone=phone: phone.latest("status") == "online")  # type: ignore[misc]
            phone.publish(f"{BASE}/say", json.dumps({"text": "Hello.", "id": "a"}))
            await phone.event("finished", "a")
            phone.publish(f"{BASE}/say", b"\xff")
            assert (await phone.event("failed"))["code"] == "bad_request"
            phone.close()


async def test_the_embedded_broker_finds_another_one(embedded: Config, broker: Mosquitto) -> None:
    taken = replace(embedded, mqtt=replace(embedded.mqtt, embedded_port=broker.port))
    async with serving(taken) as service:
        with pytest.raises(ConfigError, match=f"mqtt://localhost:{broker.port}"):
            async with open_door(service, taken):
                pass


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
