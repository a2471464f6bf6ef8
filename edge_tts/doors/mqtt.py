"""The MQTT door: keeps a connection to the broker, and takes what arrives to the topics.

What arrives is carried out in its order, one at a time: a stop that follows a text ends that text. Among texts an
important one comes first.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTProtocolVersion

from edge_tts.config import Config
from edge_tts.doors.hermes import Hermes
from edge_tts.doors.homeassistant import HomeAssistant
from edge_tts.doors.homeassistant_device import QUEUE_EXPIRES_S
from edge_tts.doors.mqtt_arrival import Arrival, Line, Part, Seen, arrival_of
from edge_tts.doors.mqtt_client import Broker, read_broker
from edge_tts.doors.mqtt_connection import Connection, End
from edge_tts.doors.mqtt_outcomes import Outcomes
from edge_tts.doors.mqtt_topics import Topics
from edge_tts.errors import ConfigError
from edge_tts.service import Service, Update
from edge_tts.speech import JobEvent

log = logging.getLogger(__name__)

CONTESTED_AFTER = 3
"""So many connections in a row that did not last are no accident."""

CLOSE_TIMEOUT_S = 2.0

MAX_ACCEPTING = 32
"""Texts being accepted at the same time: they share the journal's commits."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Between a connection and the next one, in seconds."""

    first_s: float = 1.0
    max_s: float = 60.0
    takeover_s: float = 60.0
    """Two boxes with one name would throw each other out for ever; like this, once a minute."""

    steady_after_s: float = 60.0
    """A connection that lasted so long was a good one: the next delay is the first one again."""

    birth_s: float = 3.0
    """At most, before Home Assistant is told of us when it has started."""

    queue_s: float = 0.8 * QUEUE_EXPIRES_S
    """Its length is told so often though it has not changed."""


class MqttDoor:
    """Made by `open_door`."""

    def __init__(self, service: Service, config: Config, broker: Broker, delays: Delays) -> None:
        self._service = service
        self._config = config.mqtt
        self._broker = broker
        self._delays = delays
        self._topics = Topics(service, config, self.publish)
        home = HomeAssistant(
            service,
            config,
            self.publish,
            self._acknowledgement,
            self._publish_states,
            delays.birth_s,
            delays.queue_s,
        )
        hermes = [Hermes(service, config, self.publish)] if config.hermes.enabled else []
        self._parts: list[Part] = [home, *hermes, self._topics]
        # The embedded broker does not.
        self._speaks_v5 = self._is_v5 = config.mqtt.url != "embedded"
        self._connection: Connection | None = None
        self._is_online = False
        self._is_closing = False
        self._has_warned = False
        self._line = Line()
        self._accepting: set[asyncio.Task[None]] = set()
        self._outcomes = Outcomes(self._publish_outcome, service.metrics)
        self._seen = Seen(service.was_accepted)
        self._tasks: list[asyncio.Task[None]] = []

    async def _run(self) -> None:
        """Connect, and again whenever the connection is lost, until cancelled."""
        delay_s, n_short = self._delays.first_s, 0
        while True:
            started_s = time.monotonic()
            end = await self._connect()
            if self._is_closing:
                return
            if end.was_connected:
                is_short = time.monotonic() - started_s < self._delays.steady_after_s
                delay_s, n_short = (delay_s, n_short + 1) if is_short else (self._delays.first_s, 0)
            self._report_end(end, is_contested=end.is_takeover or n_short >= CONTESTED_AFTER)
            if self._falls_back(end):
                continue
            if end.is_takeover:
                delay_s = max(delay_s, self._delays.takeover_s)
            # Jitter: after a power cut every box in the house comes back in the same second.
            await asyncio.sleep(delay_s * random.uniform(1.0, 1.5))
            delay_s = min(delay_s * 2, self._delays.max_s)

    def _falls_back(self, end: End) -> bool:
        """Choose the protocol of the next attempt; whether that one can be made at once."""
        was_v5 = self._is_v5
        # Back to 5 after every other end: the broker may have hung up on MQTT 5 only because it was stopping.
        self._is_v5 = self._speaks_v5 and not (was_v5 and end.is_wrong_protocol)
        return was_v5 and not self._is_v5

    def _report_end(self, end: End, *, is_contested: bool) -> None:
        # Some brokers (Mosquitto 2.0) throw the older client out without a word.
        hint = "; is another box of the same mqtt.device connected?" if is_contested else ""
        log.warning("mqtt: %s: %s%s", self._broker.address, end.reason, hint)
        self._service.report_problem("mqtt_disconnected", f"{self._broker.address}: {end.reason}{hint}")

    async def _connect(self) -> End:
        protocol = MQTTProtocolVersion.MQTTv5 if self._is_v5 else MQTTProtocolVersion.MQTTv311
        connection = Connection(
            *(self._config, self._broker, protocol, self._topics.status, self),
            max_payload_bytes=max(part.max_payload_bytes for part in self._parts),
        )
        self._connection = connection
        try:
            return await connection.run()
        finally:
            self._is_online = False
            self._service.metrics.mqtt_connected.set(0)

    async def close(self) -> None:
        self._is_closing = True
        if self._connection:
            await self._connection.close((self._topics.status, "offline"), CLOSE_TIMEOUT_S)
        tasks = [*self._tasks, *self._accepting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *(part.close() for part in self._parts), return_exceptions=True)

    def start(self, updates: AsyncIterator[Update]) -> None:
        """*updates* are told to the broker."""
        self._tasks = [
            asyncio.create_task(each) for each in (self._run(), self._obey(), self._report(updates))
        ]

    def stuck(self) -> str | None:
        """For the watchdog: whether nothing will ever be heard again."""
        is_dead = any(task.done() for task in self._tasks) or (self._connection and self._connection.is_dead)
        return "mqtt" if is_dead else None

    def publish(
        self, topic: str, payload: str, *, retain: bool = False, correlation: bytes | None = None
    ) -> int | None:
        """As `Connection.publish`. Without a connection it is lost: states are sent again with the next one."""
        if self._connection is None or not self._connection.is_connected:
            return None
        mid = self._connection.publish(topic, payload, retain=retain, correlation=correlation)
        if mid is None:
            self._service.metrics.warnings.labels("mqtt_unsent").inc()
        return mid

    def _acknowledgement(self, mid: int) -> asyncio.Future[None]:
        """Of what was published just now."""
        assert self._connection is not None
        return self._connection.acknowledgement(mid)

    def _publish_outcome(self, outcome: JobEvent) -> asyncio.Future[None] | None:
        if not self._is_online:
            return None
        # A broker acknowledges in order: who has the last one has all.
        *_, mid = [part.publish_update(outcome) for part in self._parts]
        return None if mid is None else self._acknowledgement(mid)

    def _publish_states(self) -> None:
        for part in self._parts:
            part.publish_states()

    # What the connection tells

    def connected(self, connection: Connection) -> None:
        connection.subscribe([topic for part in self._parts for topic in part.subscriptions])

    def subscribed(self, connection: Connection, denied: list[str]) -> None:
        self._is_online = True
        self._service.metrics.mqtt_connected.set(1)
        self._service.report_problem("mqtt_disconnected", None)
        refused = f"the broker refuses to let us read {', '.join(denied)}; allow it in its access list"
        self._service.report_problem("mqtt_denied", refused if denied else None)
        self._publish_states()
        self._outcomes.tell_kept()
        if denied:
            log.error("mqtt: %s", refused)
        news = {topic for part in self._parts if part.is_news for topic in part.subscriptions}
        if not news.issuperset(denied):
            return
        log.info("mqtt connected to %s, MQTT %s", self._broker.address, "5" if connection.is_v5 else "3.1.1")
        self.publish(self._topics.status, "online", retain=True)

    def overflowed(self) -> None:
        self._ignore("overflow")

    def received(self, connection: Connection, message: MQTTMessage, size_bytes: int) -> None:
        arrival = arrival_of(message, size_bytes, connection.delivery_of(message))
        part = next((part for part in self._parts if part.takes(arrival.topic)), None)
        if part is None:
            self._ignore("unknown_topic")
            arrival.done()
        else:
            self._line.put(part, arrival)

    # What arrives

    async def _obey(self) -> None:
        """Carry out what arrives, until cancelled."""
        while True:
            part, arrival = await self._line.get()
            if arrival.is_retained and not part.is_news:
                self._warn_of_retained()
                self._ignore("retained")
                arrival.done()
            elif self._seen.is_repeated(arrival):
                self._ignore("duplicate")
                arrival.done()
            elif part.is_text(arrival):
                await self._accept(part, arrival)
            else:
                if self._accepting:
                    await asyncio.wait(self._accepting)
                await self._obey_one(part, arrival)

    def _warn_of_retained(self) -> None:
        # Once: it comes again with every connection.
        if not self._has_warned:
            log.warning("mqtt: a retained command is ignored; publish commands without retain")
            self._has_warned = True

    async def _accept(self, part: Part, arrival: Arrival) -> None:
        """Texts do not wait for each other's place in the journal; they keep their order on the way there."""
        if len(self._accepting) >= MAX_ACCEPTING:
            await asyncio.wait(self._accepting, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._obey_one(part, arrival))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)

    async def _obey_one(self, part: Part, arrival: Arrival) -> None:
        await part.obey(arrival)
        # Not if it was cancelled: then the broker may send it again.
        arrival.done()

    def _ignore(self, reason: str) -> None:
        self._service.metrics.mqtt_ignored.labels(reason).inc()

    async def _report(self, updates: AsyncIterator[Update]) -> None:
        """Publish what happens, until cancelled."""
        async for update in updates:
            if isinstance(update, JobEvent) and update.event_type.is_outcome:
                self._outcomes.tell(update)
            else:
                for part in self._parts:
                    part.publish_update(update)


@asynccontextmanager
async def open_door(
    service: Service, config: Config, delays: Delays = Delays()
) -> AsyncIterator[MqttDoor | None]:
    """Started inside the block, connected as soon as the broker lets us; None without `mqtt.url`.

    Raises ConfigError for files that cannot be read, and for Hermes without a broker.
    """
    if config.mqtt.url is None:
        if config.hermes.enabled:
            raise ConfigError("hermes.enabled needs a broker: set mqtt.url")
        yield None
        return
    async with AsyncExitStack() as house:
        if config.mqtt.url == "embedded":
            from edge_tts.doors.broker import open_broker  # only here: it costs 10 MB

            await house.enter_async_context(open_broker(config.mqtt.embedded_port))
        door = MqttDoor(service, config, read_broker(config.mqtt), delays)
        service.report_problem("mqtt_disconnected", "connecting")
        service.checks.append(door.stuck)
        # From now on, not from when the task runs: what was left over may end in this very moment.
        door.start(house.enter_context(service.updates()))
        try:
            yield door
        finally:
            service.checks.remove(door.stuck)
            await door.close()
