"""Messages on their way from paho's thread to the loop, and their acknowledgements on the way back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from paho.mqtt.client import MQTTMessage

MAX_OUTSTANDING = 4000
"""Messages on their way; more are dropped and counted. Mosquitto 2.0 sends a burst without waiting for
acknowledgements, and what is dropped may be the alarm at its end."""

MAX_OUTSTANDING_BYTES = 64 << 20
"""Of their payloads together, but for the last one."""


@dataclass(slots=True)
class _Delivery:
    """A message that the broker waits to be told of."""

    mid: int
    qos: int
    kept_bytes: int
    is_done: bool = False


class Deliveries:
    """Of one connection."""

    def __init__(self, acknowledge: Callable[[int, int], None]) -> None:
        """*acknowledge* takes the message's id and quality of service."""
        self._acknowledge = acknowledge
        # Counters with one writer each, so that their difference needs no lock.
        self._arrived = self._arrived_bytes = 0
        self._handled = self._handled_bytes = 0
        self._waiting: deque[_Delivery] = deque()

    def take(self, message: MQTTMessage, max_bytes: int) -> bool:
        """On paho's thread: count *message*, whose payload is dropped if it is larger; False if there is no room."""
        held_bytes = self._arrived_bytes - self._handled_bytes
        has_room = self._arrived - self._handled < MAX_OUTSTANDING and held_bytes < MAX_OUTSTANDING_BYTES
        if not has_room or len(message.payload) > max_bytes:
            # Refused anyway, and a thousand of these would be gigabytes.
            message.payload = b""
        self._arrived += 1
        self._arrived_bytes += len(message.payload)
        return has_room

    def of(self, message: MQTTMessage) -> Callable[[], None]:
        """To be asked in the order of arrival. What it returns is called when *message* has been dealt with, and
        only then the broker is told that it came; in that order too, as MQTT wants it."""
        delivery = _Delivery(message.mid, message.qos, len(message.payload))
        self._waiting.append(delivery)

        def done() -> None:
            self._handled += 1
            self._handled_bytes += delivery.kept_bytes
            delivery.is_done = True
            while self._waiting and self._waiting[0].is_done:
                first = self._waiting.popleft()
                self._acknowledge(first.mid, first.qos)

        return done
