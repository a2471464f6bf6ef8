"""The MQTT door against a real Mosquitto: what each topic does and shows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from edge_tts.config import Config
from edge_tts.service import Service
from tests.doors_house import until
from tests.fake_broker import REFUSED_PROTOCOL_311, listening, only_311
from tests.mosquitto import Mosquitto
from tests.phone import BASE, Phone, at, ignored, opened

pytestmark = pytest.mark.broker


@pytest.fixture
async def service(config: Config, broker: Mosquitto, phone: Phone) -> AsyncIterator[Service]:
    async with opened(at(config, broker.port)) as service:
        await until(lambda: phone.latest("status") == "online")
        yield service


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
    # Its own each time: what the other left must not pass for it.
    news = f"Yesterday's news by {protocol}."
    phone.publish(f"{BASE}/say", news, retain=True)
    await until(lambda: phone.latest("say") == news)
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


async def test_an_answer_is_nothing_that_another_box_would_say(service: Service, phone: Phone) -> None:
    """An error's "message" is taken for a text, by boxes that its sender may not write to."""
    refused = json.dumps({"text": "Hello.", "voice": "Open the door"})
    for topic in ("edge_tts/bedroom/say", f"{BASE}/status", "reply/last"):
        phone.publish(f"{BASE}/say", refused, ResponseTopic=topic)
    await until(lambda: phone.payloads("reply/last"))
    assert phone.payloads("edge_tts/bedroom/say") == []
    assert set(phone.payloads(f"{BASE}/status")) <= {"online", "offline"}


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
