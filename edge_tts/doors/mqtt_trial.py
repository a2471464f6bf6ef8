"""Whether a broker would take us, for `edgetts check`."""

from __future__ import annotations

import asyncio

from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTProtocolVersion

from edge_tts.door_config import MqttConfig
from edge_tts.doors.mqtt_client import read_broker
from edge_tts.doors.mqtt_connection import Connection
from edge_tts.errors import DeviceError


def try_broker(config: MqttConfig) -> str:
    """Connect once, as the daemon would but without its name, and say what was found. Blocks.

    Raises DeviceError if the broker does not take us.
    """
    return asyncio.run(_try(config))


async def _try(config: MqttConfig) -> str:
    broker = read_broker(config)
    for protocol, name in ((MQTTProtocolVersion.MQTTv5, "5"), (MQTTProtocolVersion.MQTTv311, "3.1.1")):
        end = await Connection(config, broker, protocol, None, _Visitor()).run()
        if end.was_connected:
            return f"{broker.address} takes us, MQTT {name}"
        if not end.is_wrong_protocol:
            break
    raise DeviceError(f"{broker.address}: {end.reason}; is the broker running, are name and password right?")


class _Visitor:
    """Leaves as soon as it was let in."""

    def connected(self, connection: Connection) -> None:
        connection.hang_up()

    def subscribed(self, connection: Connection, denied: list[str]) -> None: ...
    def received(self, connection: Connection, message: MQTTMessage, size_bytes: int) -> None: ...
    def overflowed(self) -> None: ...
