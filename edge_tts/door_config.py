"""The sections of config.yaml that are a door's own."""

from __future__ import annotations

from dataclasses import dataclass
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
        is_loopback = self.host in ("localhost", "::1") or self.host.startswith("127.")
        if self.enabled and not is_loopback and not (self.token or self.token_file or self.client_ca):
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
