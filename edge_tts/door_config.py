"""The sections of config.yaml that are a door's own."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from edge_tts.schema import at_least, between


def _has_port(parts: SplitResult) -> bool:
    """Whether the port, if there is one, is a possible one: reading it raises otherwise."""
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


@dataclass(frozen=True)
class HttpConfig:
    enabled: bool = True
    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs `token`, `token_file` or `client_ca`."""

    port: int = 8765
    """0 picks a free one (printed in the log)."""

    token: str | None = None
    """If set, every call except /healthz and /readyz needs `Authorization: Bearer <token>`."""

    token_file: Path | None = None
    """The token, read from a file (systemd credentials)."""

    tls_cert: Path | None = None
    """Certificate of this box with its chain, PEM; then it is https, and only https."""

    tls_key: Path | None = None
    client_ca: Path | None = None
    """If set, only callers with a certificate of this authority (PEM) are let in."""

    allowed_hosts: tuple[str, ...] = ()
    """Names this box is called by, besides localhost and IP addresses (protects from DNS rebinding)."""

    cors_origins: tuple[str, ...] = ()
    """Web pages from elsewhere that may call, as "https://panel.home"; "*" is every page. Closed by default."""

    max_body_bytes: int = 65536
    max_connections: int = 64
    max_connections_per_address: int = 56

    def __post_init__(self) -> None:
        between("port", self.port, 0, 65535)
        at_least("max_body_bytes", self.max_body_bytes, 1024)
        at_least("max_connections", self.max_connections, 1)
        at_least("max_connections_per_address", self.max_connections_per_address, 1)
        self._check_tls()
        if (
            self.enabled
            and not is_loopback(self.host)
            and not (self.token or self.token_file or self.client_ca)
        ):
            raise ValueError(
                f"host {self.host} can be reached from outside this box: set token, token_file or client_ca "
                "(with tls_cert and tls_key)"
            )

    def _check_tls(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            given, missing = ("tls_cert", "tls_key") if self.tls_cert else ("tls_key", "tls_cert")
            raise ValueError(f"{given} is of no use without {missing}: set both, or neither")
        if self.client_ca is not None and self.tls_cert is None:
            raise ValueError("client_ca asks callers for certificates, which needs tls_cert and tls_key")


@dataclass(frozen=True)
class MqttConfig:
    url: str | None = None
    """mqtt://[user[:password]@]host[:port], mqtts://…, "embedded" (a small broker in this process, loopback), or
    null: no MQTT."""

    device: str = "speaker"
    """Name of this box in topics: edge_tts/<device>/say."""

    base_topic: str = "edge_tts"
    password_file: Path | None = None
    ca_file: Path | None = None
    """Certificate authority for mqtts; null: the system's."""

    keepalive_s: int = 30
    max_payload_bytes: int = 65536
    embedded_port: int = 1883

    def __post_init__(self) -> None:
        if self.url is not None and self.url != "embedded":
            parts = urlsplit(self.url)
            if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or not _has_port(parts):
                raise ValueError(
                    f"url must be mqtt://host[:port], mqtts://host[:port] or embedded, not {parts.scheme or self.url}"
                )
        for name in ("device", "base_topic"):
            value = getattr(self, name)
            if not value or any(c in value for c in "+#\0") or value.startswith(("/", "$")):
                raise ValueError(f"{name} must be a topic name without + and #, not {value!r}")
        if "/" in self.device or self.device == "all":
            raise ValueError(f"device must be one topic level other than 'all', not {self.device!r}")
        between("keepalive_s", self.keepalive_s, 5, 65535)
        between("embedded_port", self.embedded_port, 1, 65535)


@dataclass(frozen=True)
class HomeAssistantConfig:
    enabled: bool = True
    """Whether Home Assistant is told over MQTT what this box can do (device discovery)."""

    prefix: str = "homeassistant"
    birth_topic: str = "homeassistant/status"
    name: str | None = None
    """Of the device; null: `mqtt.device`."""

    area: str | None = None

    def __post_init__(self) -> None:
        for name in ("prefix", "birth_topic"):
            value = getattr(self, name)
            if not value or any(c in value for c in "+#\0") or value.startswith(("/", "$")):
                raise ValueError(f"{name} must be a topic without + and #, not {value!r}")


@dataclass(frozen=True)
class HermesConfig:
    enabled: bool = False
    """Whether hermes/tts/say is obeyed, on the broker of `mqtt.url`."""

    site_ids: tuple[str, ...] = ("default",)
    """Of Rhasspy, that this box speaks for; an empty list is every one."""


@dataclass(frozen=True)
class WyomingConfig:
    """The protocol knows neither passwords nor encryption."""

    enabled: bool = False
    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs `allowed_networks`."""

    port: int = 10200
    """Of the text-to-speech server; 0 picks a free one (printed in the log)."""

    satellite_port: int | None = 10700
    """Of the satellite that only speaks; null: none."""

    allowed_networks: tuple[str, ...] = ()
    """From where callers are let in besides this box, as ["192.168.1.0/24"]."""

    zeroconf: bool = True
    """Whether both are announced to the local network, if they can be reached from there."""

    def __post_init__(self) -> None:
        between("port", self.port, 0, 65535)
        if self.satellite_port is not None:
            between("satellite_port", self.satellite_port, 0, 65535)
        check_networks(self.enabled, self.host, self.allowed_networks)


@dataclass(frozen=True)
class MaryTtsConfig:
    """The protocol knows no passwords."""

    enabled: bool = False
    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs `allowed_networks`."""

    port: int = 59125
    """0 picks a free one (printed in the log)."""

    allowed_networks: tuple[str, ...] = ()
    """From where callers are let in besides this box, as ["192.168.1.0/24"]."""

    def __post_init__(self) -> None:
        between("port", self.port, 0, 65535)
        check_networks(self.enabled, self.host, self.allowed_networks)


def is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def check_networks(is_enabled: bool, host: str, networks: tuple[str, ...]) -> None:
    """Raise ValueError unless *networks* are such, and there are some if others can reach *host*."""
    for network in networks:
        try:
            ip_network(network)
        except ValueError as error:
            raise ValueError(f"allowed_networks: {error}; expected such as 192.168.1.0/24") from error
    if is_enabled and not is_loopback(host) and not networks:
        raise ValueError(
            f"host {host} can be reached from outside this box, and this protocol knows no passwords: set "
            "allowed_networks, as [192.168.1.0/24]"
        )
