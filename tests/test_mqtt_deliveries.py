"""Messages on their way from paho's thread: how many, how large, and in which order they are acknowledged."""

from __future__ import annotations

from paho.mqtt.client import MQTTMessage

from edge_tts.doors.mqtt_deliveries import MAX_OUTSTANDING_BYTES, Deliveries

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
