"""paho's client for the broker of the configuration, with limits where it has none."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from edge_tts.door_config import MqttConfig
from edge_tts.errors import ConfigError

MAX_UNSENT = 2000
"""Messages waiting for the broker: the outcomes of a full queue, each of two, that ends at once. paho's own limit is
none."""

CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Broker:
    """Where and how to connect."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: ssl.SSLContext | None

    @property
    def address(self) -> str:
        """For people; without the password."""
        return f"{self.host}:{self.port}"


def read_broker(config: MqttConfig) -> Broker:
    """From `mqtt.url`; raises ConfigError if a file it needs cannot be read."""
    if config.url == "embedded":
        return Broker("127.0.0.1", config.embedded_port, None, None, None)
    parts = urlsplit(config.url or "")
    is_tls = parts.scheme == "mqtts"
    password = None if parts.password is None else unquote(parts.password)
    if config.password_file is not None:
        try:
            password = config.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"mqtt.password_file: {config.password_file} cannot be read: {error}"
            ) from error
    user = None if parts.username is None else unquote(parts.username)
    tls = _tls_context(config) if is_tls else None
    return Broker(parts.hostname or "", parts.port or (8883 if is_tls else 1883), user, password, tls)


def _tls_context(config: MqttConfig) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"mqtt.ca_file: {config.ca_file} cannot be used: {error}") from error


def properties_of(packet_type: int, **values: object) -> Properties:
    """MQTT 5 properties by their names in paho, which are those of the specification without spaces."""
    properties = Properties(packet_type)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


class _QuietClient(Client):
    """paho's thread wakes every second to look at its clocks; this one's as often as keepalive_s needs it."""

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        return super().loop_forever(max(timeout, self.keepalive / 6), retry_first_connection)


def build_client(
    config: MqttConfig, broker: Broker, protocol: MQTTProtocolVersion, will_topic: str | None
) -> Client:
    """Without a *will_topic* it has no name, and nobody is told when it is gone."""
    client = _QuietClient(
        CallbackAPIVersion.VERSION2,
        f"edge_tts-{config.device}" if will_topic else "",
        clean_session=None if protocol is MQTTProtocolVersion.MQTTv5 else True,
        protocol=protocol,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    # Without it one exception in a callback ends the thread, and the client still says it is connected.
    client.suppress_exceptions = True
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.max_queued_messages_set(MAX_UNSENT)
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls:
        client.tls_set_context(broker.tls)
    if will_topic:
        client.will_set(will_topic, "offline", qos=1, retain=True)
    return client
