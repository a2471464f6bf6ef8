"""One connection to an MQTT broker, from the attempt to its end: paho's thread on one side, the loop on the other.

A connection is never reused: paho keeps much state in a client, and a new one has none of the old one's troubles.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_tts.door_config import MqttConfig
from edge_tts.doors.mqtt_client import Broker, build_client, properties_of
from edge_tts.doors.mqtt_deliveries import Deliveries

log = logging.getLogger(__name__)

MAX_PACKET_BYTES = 16 << 20
"""What an MQTT 5 broker is told to send at most. Far above max_payload_bytes: what is merely too large arrives and is
answered, what could fill the memory does not."""

MAX_UNACKNOWLEDGED = 1000
"""Messages that an MQTT 5 broker is told to send before we have acknowledged the first: in a burst it keeps the others,
where one of 3.1.1 may send what then overflows. An alarm can only pass those that have been sent."""

SILENCE_MARGIN_S = 5.0
"""paho's thread pings the broker, and gives it up, within twice keepalive_s; without a sign of life it hangs."""

ANSWER_TIMEOUT_S = 8.0
"""Until we are let in. A broker of 3.1.1 may read the properties of MQTT 5 as the length of our name and wait for the
rest of it (amqtt does)."""


class Listener(Protocol):
    """Whom a connection tells, on the loop."""

    def connected(self, connection: Connection) -> None: ...
    def subscribed(self, connection: Connection, denied: list[str]) -> None: ...
    def received(self, connection: Connection, message: MQTTMessage, size_bytes: int) -> None: ...
    def overflowed(self) -> None: ...


@dataclass(frozen=True, slots=True)
class End:
    """How a connection ended."""

    reason: str
    was_connected: bool = False
    is_wrong_protocol: bool = False
    is_takeover: bool = False
    """Another client came with our name: another box of the same `mqtt.device`."""


class Connection:
    """Callbacks named `_on_…` run on paho's thread and hop to the loop at once."""

    def __init__(
        self,
        config: MqttConfig,
        broker: Broker,
        protocol: MQTTProtocolVersion,
        will_topic: str | None,
        listener: Listener,
        *,
        max_payload_bytes: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A larger payload is dropped where it arrives."""
        self.is_v5 = protocol is MQTTProtocolVersion.MQTTv5
        self._config = config
        self._broker = broker
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[End] = self._loop.create_future()
        self.is_connected = False
        self._topics: list[str] = []
        self._acknowledged: dict[int, asyncio.Future[None]] = {}
        self._max_payload_bytes = max_payload_bytes
        self._deliveries = Deliveries(self._acknowledge)
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._heard_s = clock()
        """When paho's thread last did something."""

        self._client = build_client(config, broker, protocol, will_topic)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_log = self._on_log

    async def run(self) -> End:
        """Connect and stay connected as long as it lasts."""
        wishes = {
            "SessionExpiryInterval": 0,
            "MaximumPacketSize": MAX_PACKET_BYTES,
            "ReceiveMaximum": MAX_UNACKNOWLEDGED,
        }
        # MQTT_CLEAN_START_FIRST_ONLY is the only value that 3.1.1 takes.
        clean_start: Any = True if self.is_v5 else 3
        before = set(threading.enumerate())
        self._client.connect_async(
            self._broker.host,
            self._broker.port,
            self._config.keepalive_s,
            clean_start=clean_start,
            properties=properties_of(PacketTypes.CONNECT, **wishes) if self.is_v5 else None,
        )
        silence = End("does not answer", is_wrong_protocol=True)
        deadline = self._loop.call_later(ANSWER_TIMEOUT_S, self._unless_connected, silence)
        self._client.loop_start()
        started = set(threading.enumerate()) - before
        self._thread = next((each for each in started if each.name.startswith("paho-mqtt")), None)
        try:
            return await asyncio.shield(self._end)
        finally:
            deadline.cancel()
            self._retire()

    def _retire(self) -> None:
        """Let paho's thread end. It may still be waiting for a name server: nobody waits for that."""
        self._client.disconnect()
        threading.Thread(target=self._client.loop_stop, name="mqtt-end", daemon=True).start()

    @property
    def is_dead(self) -> bool:
        """Whether paho's thread ended or stopped without a word, so that nothing would ever be heard again."""
        if self._thread is None or self._end.done():
            return False
        silent_s = self._clock() - self._heard_s
        is_silent = self.is_connected and silent_s > 2 * self._config.keepalive_s + SILENCE_MARGIN_S
        return is_silent or not self._thread.is_alive()

    # From the loop

    def subscribe(self, topics: list[str]) -> None:
        self._topics = topics
        if self.is_v5:
            # A retained command is from another day; the broker need not even send it.
            options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
            self._client.subscribe([(topic, options) for topic in topics])
        else:
            self._client.subscribe([(topic, 1) for topic in topics])

    def publish(
        self, topic: str, payload: str, *, retain: bool = False, correlation: bytes | None = None
    ) -> int | None:
        """Send; returns what `acknowledgement` takes, None if too much waits. Raises ValueError for a bad topic."""
        properties = None
        if correlation is not None and self.is_v5:
            properties = properties_of(PacketTypes.PUBLISH, CorrelationData=correlation)
        info = self._client.publish(topic, payload, 1, retain, properties)
        return None if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE else info.mid

    def acknowledgement(self, mid: int) -> asyncio.Future[None]:
        """Of what was published just now: done when the broker has it, cancelled if the connection ends before."""
        acknowledgement: asyncio.Future[None] = self._loop.create_future()
        # No await since then: it comes through the loop, so it cannot be missed.
        self._acknowledged[mid] = acknowledgement
        if self._end.done():
            acknowledgement.cancel()
        return acknowledgement

    async def close(self, last_words: tuple[str, str], timeout_s: float) -> None:
        """Publish *last_words* (topic, retained payload) and hang up, within *timeout_s* seconds."""
        if not self.is_connected or self._end.done():
            return
        mid = self.publish(*last_words, retain=True)
        if mid is not None:
            await asyncio.wait([self.acknowledgement(mid)], timeout=timeout_s)
        self._client.disconnect()
        await asyncio.wait([self._end], timeout=timeout_s)

    def hang_up(self) -> None:
        self._client.disconnect()

    def delivery_of(self, message: MQTTMessage) -> Callable[[], None]:
        """As `Deliveries.of`."""
        return self._deliveries.of(message)

    def _acknowledge(self, mid: int, qos: int) -> None:
        if not self._end.done():
            self._client.ack(mid, qos)

    # From paho's thread

    def _hop(self, call: Callable[..., object], *arguments: object) -> None:
        """To the loop; nowhere, if the daemon has ended meanwhile."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def _on_connect(
        self, client: Client, userdata: object, flags: object, reason: ReasonCode, properties: object
    ) -> None:
        self._hop(self._connected, reason)

    def _on_connect_fail(self, client: Client, userdata: object) -> None:
        reason = str(sys.exception() or "unknown reason")  # paho calls this where it caught the error
        client.disconnect()  # or paho would try again by itself
        self._hop(self._ended, End(f"cannot be reached: {reason}"))

    def _on_disconnect(
        self, client: Client, userdata: object, flags: object, reason: ReasonCode, properties: object
    ) -> None:
        self._hop(self._disconnected, reason)

    def _on_subscribe(
        self, client: Client, userdata: object, mid: int, reasons: list[ReasonCode], properties: object
    ) -> None:
        self._hop(self._subscribed, reasons)

    def _on_publish(
        self, client: Client, userdata: object, mid: int, reason: object, properties: object
    ) -> None:
        self._hop(self._was_published, mid)

    def _on_log(self, client: Client, userdata: object, level: int, line: str) -> None:
        """paho has a line for every packet, and sends one at least every keepalive_s. Also called on the loop."""
        if threading.current_thread() is self._thread:
            self._heard_s = self._clock()

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        """Hop to the loop, do nothing else (even reading `topic` can raise)."""
        size_bytes = len(message.payload)
        if not self._deliveries.take(message, self._max_payload_bytes):
            self._hop(self._overflowed, message)
            return
        self._hop(self._listener.received, self, message, size_bytes)

    # Back on the loop

    def _connected(self, reason: ReasonCode) -> None:
        if reason.is_failure:
            # Then the broker hangs up, but its reason is better than "connection lost".
            is_wrong_protocol = reason.getName() == "Unsupported protocol version"
            self._ended(End(str(reason), is_wrong_protocol=is_wrong_protocol))
            return
        self.is_connected = True
        self._listener.connected(self)

    def _disconnected(self, reason: ReasonCode) -> None:
        is_takeover = reason.getName() == "Session taken over"
        # A broker of 3.1.1 may also just hang up on a CONNECT of MQTT 5.
        self._ended(End(str(reason), self.is_connected, not self.is_connected, is_takeover))

    def _overflowed(self, message: MQTTMessage) -> None:
        self._listener.overflowed()
        self.delivery_of(message)()

    def _unless_connected(self, end: End) -> None:
        if not self.is_connected:
            self._ended(end)

    def _ended(self, end: End) -> None:
        if not self._end.done():
            self._end.set_result(end)
        for waiting in self._acknowledged.values():
            waiting.cancel()  # it will not come any more

    def _subscribed(self, reasons: list[ReasonCode]) -> None:
        denied = [topic for topic, reason in zip(self._topics, reasons, strict=False) if reason.value >= 0x80]
        self._listener.subscribed(self, denied)

    def _was_published(self, mid: int) -> None:
        waiting = self._acknowledged.pop(mid, None)
        if waiting and not waiting.done():
            waiting.set_result(None)
