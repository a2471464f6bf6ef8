"""Messages on their way from paho's thread: how many, how large, in which order taken and acknowledged."""

from __future__ import annotations

import json

import pytest
from paho.mqtt.client import MQTTMessage

from edge_tts.doors.mqtt_arrival import Arrival, Line
from edge_tts.doors.mqtt_deliveries import MAX_OUTSTANDING_BYTES, Deliveries
from edge_tts.service import Update

SOUND_BYTES = 8 << 20


def message(mid: int, payload: bytes) -> MQTTMessage:
    made = MQTTMessage(mid)
    made.payload, made.qos = payload, 1
    return made


def test_payloads_on_their_way_are_bounded() -> None:
    acknowledged: list[int] = []
    deliveries = Deliveries(lambda mid, qos: acknowledged.append(mid))
    sound = b"x" * SOUND_BYTES
    taken = [message(mid, sound) for mid in range(MAX_OUTSTANDING_BYTES // SOUND_BYTES)]
    assert all(deliveries.take(each, SOUND_BYTES) for each in taken)
    late = message(99, sound)
    assert not deliveries.take(late, SOUND_BYTES)
    assert late.payload == b""
    done = [deliveries.of(each) for each in [*taken, late]]
    done[-1]()
    assert acknowledged == [], "in their order"
    for each in done[:-1]:
        each()
    assert acknowledged == [*range(len(taken)), 99]
    assert deliveries.take(message(100, sound), SOUND_BYTES)


def test_what_is_too_large_for_everybody_is_not_kept() -> None:
    deliveries = Deliveries(lambda mid, qos: None)
    large = message(1, b"xx")
    assert deliveries.take(large, 1)
    assert large.payload == b""


class Texts:
    """A part that takes texts on `say`, and commands."""

    max_payload_bytes = 1000
    is_news = False

    def __init__(self) -> None:
        self.subscriptions = ["say", "stop"]

    def takes(self, topic: str) -> bool:
        return topic in self.subscriptions

    def is_text(self, arrival: Arrival) -> bool:
        return arrival.topic == "say"

    async def obey(self, arrival: Arrival) -> None: ...

    def publish_states(self) -> None: ...

    def publish_update(self, update: Update) -> int | None:
        return None

    async def close(self) -> None: ...


PAYLOADS = {
    "stop": "PRESS",
    "text": "Hello.",
    "quote": 'The "important" door.',
    "alarm": json.dumps({"text": "Fire!", "priority": "important"}),
    "replacing": json.dumps({"text": "Fire!", "priority": "important", "replace": "fire"}),
}


def arrival(name: str) -> Arrival:
    kind = name.split(maxsplit=1)[0]
    user = {"priority": "important"} if kind == "user" else None
    payload = PAYLOADS.get(kind, "Fire!").encode()
    topic = "stop" if kind == "stop" else "say"
    return Arrival(
        topic, payload, len(payload), False, False, done=lambda: None, user=user, content_type=name
    )


@pytest.mark.parametrize(
    ("came", "turns"),
    [
        ("text 1, text 2, alarm", "alarm, text 1, text 2"),
        ("text 1, user, quote", "user, text 1, quote"),
        ("text 1, alarm 1, text 2, alarm 2", "alarm 1, alarm 2, text 1, text 2"),
        ("text 1, stop, text 2, alarm, stop 2, alarm 2", "text 1, stop, alarm, text 2, stop 2, alarm 2"),
        ("text 1, quote, replacing", "text 1, quote, replacing"),
    ],
)
async def test_an_important_text_passes_texts_and_nothing_else(came: str, turns: str) -> None:
    line, part = Line(), Texts()
    for name in came.split(", "):
        line.put(part, arrival(name))
    taken = [(await line.get())[1].content_type for _ in came.split(", ")]
    assert taken == turns.split(", ")
    # Half of them taken, and more comes.
    line.put(part, arrival("text 1"))
    line.put(part, arrival("text 2"))
    await line.get()
    line.put(part, arrival("alarm"))
    assert [(await line.get())[1].content_type for _ in range(2)] == ["alarm", "text 2"]
