"""Another client of the broker, and the door it talks to."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_tts.config import Config
from edge_tts.doors.mqtt import open_door
from edge_tts.service import Service
from tests.doors_house import until
from tests.test_service import serving

BASE = "edge_tts/kitchen"


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
    """Another client of the broker: publishes, and collects everything below the base topic, `reply/` and *others*."""

    def __init__(
        self,
        port: int,
        protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
        *others: str,
        login: tuple[str, str] | None = None,
    ) -> None:
        """*login* is a name and its password."""
        self.messages: list[MQTTMessage] = []
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self._client.on_message = lambda client, userdata, message: self.messages.append(message)
        if login:
            self._client.username_pw_set(*login)
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe([(topic, 1) for topic in ("edge_tts/#", "reply/#", *others)])
        assert subscribed.wait(10)

    def publish(
        self, topic: str, payload: bytes | str, *, retain: bool = False, **properties: Any
    ) -> MQTTMessageInfo:
        extra = None
        if properties:
            extra = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            for name, value in properties.items():
                setattr(extra, name, value)
        return self._client.publish(topic, payload, 1, retain, extra)

    def publish_qos_0(self, topic: str, payload: str) -> None:
        self._client.publish(topic, payload, 0)

    def publish_qos_2(self, topic: str, payload: str) -> None:
        self._client.publish(topic, payload, 2)

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
