"""config.yaml, checked. The dataclasses are the documentation of every key; nothing else reads the file.

A relative path counts from the folder of the configuration file.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from edge_tts.documents import parse_yaml
from edge_tts.errors import ConfigError

BUNDLED_VOICES = Path(__file__).resolve().parent.parent / "models_onnx"


def _at_least(name: str, value: float, least: float) -> None:
    _between(name, value, least, math.inf)


def _between(name: str, value: float, least: float, most: float) -> None:
    # Written so that NaN, which compares false with everything, is refused.
    if not least <= value <= most or value == math.inf:
        limits = f"at least {least}" if most == math.inf else f"{least} to {most}"
        raise ValueError(f"{name} must be {limits}, not {value}")


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
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port must be 0 to 65535, not {self.port}")
        _at_least("max_body_bytes", self.max_body_bytes, 1024)
        _at_least("max_connections", self.max_connections, 1)
        _at_least("max_connections_per_address", self.max_connections_per_address, 1)
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
        _between("keepalive_s", self.keepalive_s, 5, 65535)
        _between("embedded_port", self.embedded_port, 1, 65535)


@dataclass(frozen=True)
class AudioConfig:
    sink: typing.Literal["sounddevice", "wav", "null"] = "sounddevice"
    """sounddevice: the loudspeaker; wav: one file per announcement in `wav_dir`; null: nothing, at real-time pace."""

    device: str | None = None
    """Sound device by name or part of it (`edgetts devices` lists them); null: the system's default."""

    wav_dir: Path = Path("wav")
    null_pace: float = 1.0
    """Seconds of sound that the null sink takes in one second; more than 1 is for tests."""

    sample_rate: int | None = None
    """Hertz given to the device; null: its default."""

    volume: int = 80
    """0 to 100, until it is set by a door; then remembered in `state.dir`."""

    buffer_ms: int = 120
    """Sound held by the device. Smaller stops sooner, larger survives a busier processor."""

    lead_in_ms: int = 0
    """Silence before speech after the device has been idle, for amplifiers, HDMI and Bluetooth that wake slowly."""

    lead_in_idle_s: float = 5.0
    close_after_s: float = 5.0
    """The device is released after so long without speech; 0 keeps it open (some jacks pop)."""

    fade_ms: int = 30
    device_wait_s: float = 300.0
    """How long a job waits for a device that vanished before it fails."""

    chime: str | None = None
    """Sound before speech: a WAV in `sounds_dir`, by name without ending; null: none."""

    sounds_dir: Path = Path("sounds")

    def __post_init__(self) -> None:
        if not 0 <= self.volume <= 100:
            raise ValueError(f"volume must be 0 to 100, not {self.volume}")
        if self.sample_rate is not None and not 8000 <= self.sample_rate <= 192000:
            raise ValueError(f"sample_rate must be 8000 to 192000 Hz, not {self.sample_rate}")
        _between("null_pace", self.null_pace, 0.01, 10_000)
        _between("buffer_ms", self.buffer_ms, 10, 2000)
        _between("lead_in_ms", self.lead_in_ms, 0, 10_000)
        _between("fade_ms", self.fade_ms, 0, 1000)
        for name in ("lead_in_idle_s", "close_after_s", "device_wait_s"):
            _at_least(name, getattr(self, name), 0)


@dataclass(frozen=True)
class VoicesConfig:
    default: str = "kathleen-kerstin-yuetan"
    folders: tuple[Path, ...] = (BUNDLED_VOICES,)
    """Each is searched for voices: folders with a voice.yaml, and foreign voices as downloaded."""

    language: str | None = None
    """Language of requests that name none, as "de-DE"; null: the voice's first. Chinese script is always Chinese."""

    threads: int = 1
    """Processor threads for one model. The bundled voice is fastest with 1; Piper on four cores likes 3."""

    def __post_init__(self) -> None:
        _at_least("threads", self.threads, 1)


@dataclass(frozen=True)
class TextConfig:
    lexicon: Path | None = None
    """User pronunciations, reloaded when the file changes: see docs/requests.md."""

    sentence_pause_ms: int = 220
    paragraph_pause_ms: int = 500

    def __post_init__(self) -> None:
        for name in ("sentence_pause_ms", "paragraph_pause_ms"):
            _between(name, getattr(self, name), 0, 10_000)


@dataclass(frozen=True)
class MemoryConfig:
    limit_mb: int = 512
    """Voices are unloaded, least recently used first, to keep the daemon below it; a voice that cannot fit is
    refused with out_of_memory_budget."""

    def __post_init__(self) -> None:
        _at_least("limit_mb", self.limit_mb, 64)


@dataclass(frozen=True)
class PressureConfig:
    light_voice: str | None = None
    """An installed voice that is small and quick. It speaks for another that does not fit into `memory.limit_mb`, and
    for what matters least when the queue is long or memory short; each time with a warning in the outcome. Sentences
    that were spoken before are not affected. null: such announcements fail or wait."""

    queue_longer_than: int = 10
    """More waiting announcements are a long queue."""

    priority: typing.Literal["important", "message", "text", "notification", "progress"] = "notification"
    """Announcements of this priority and lower matter least."""

    def __post_init__(self) -> None:
        _at_least("queue_longer_than", self.queue_longer_than, 0)


@dataclass(frozen=True)
class CacheConfig:
    dir: Path | None = None
    """Where spoken sentences are kept; null: $CACHE_DIRECTORY, else ~/.cache/edge_tts."""

    limit_mb: int = 64
    """0 turns the phrase cache off."""

    embeddings_limit_mb: int = 8
    """In memory: what a model computed about a text, style or reference clip."""

    def __post_init__(self) -> None:
        _at_least("limit_mb", self.limit_mb, 0)
        _at_least("embeddings_limit_mb", self.embeddings_limit_mb, 0)

    @property
    def folder(self) -> Path:
        return self.dir or _own_folder("CACHE_DIRECTORY", ".cache")


@dataclass(frozen=True)
class StateConfig:
    dir: Path | None = None
    """What must survive a restart (volume, mute, voice, speed); null: $STATE_DIRECTORY, else
    ~/.local/state/edge_tts."""

    @property
    def folder(self) -> Path:
        return self.dir or _own_folder("STATE_DIRECTORY", ".local/state")


def _own_folder(variable: str, below_home: str) -> Path:
    """systemd's folder (the first of a colon-separated list), else one below the home directory."""
    given = os.environ.get(variable, "").split(":")[0]
    return Path(given) if given else Path.home() / below_home / "edge_tts"


@dataclass(frozen=True)
class QueueConfig:
    max_jobs: int = 50
    """Requests waiting to be spoken; one more is refused with queue_full. Important ones have as many places of their
    own, and a door that has few in a full queue may add a quarter."""

    max_text_characters: int = 10_000
    ttl_s: float = 300.0
    """A request not started by then is dropped with the outcome expired, unless it says otherwise."""

    dedup_window_s: float = 600.0
    """The same request id inside it is spoken once."""

    history: int = 200
    """Ended jobs that can still be asked for."""

    def __post_init__(self) -> None:
        _at_least("max_jobs", self.max_jobs, 1)
        _at_least("max_text_characters", self.max_text_characters, 1)
        _at_least("ttl_s", self.ttl_s, 0)
        _at_least("dedup_window_s", self.dedup_window_s, 0)
        _at_least("history", self.history, 1)


@dataclass(frozen=True)
class JournalConfig:
    enabled: bool = True
    """What was accepted is kept in `state.dir` until it was spoken, over crashes, power cuts and restarts."""


@dataclass(frozen=True)
class LogConfig:
    level: typing.Literal["debug", "info", "warning", "error"] = "info"
    """debug writes what is spoken into the log; the others never do."""


@dataclass(frozen=True)
class Config:
    http: HttpConfig = field(default_factory=HttpConfig)
    mqtt: MqttConfig = field(default_factory=MqttConfig)
    audio: AudioConfig = field(default_factory=AudioConfig)
    voices: VoicesConfig = field(default_factory=VoicesConfig)
    text: TextConfig = field(default_factory=TextConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    pressure: PressureConfig = field(default_factory=PressureConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)
    state: StateConfig = field(default_factory=StateConfig)
    queue: QueueConfig = field(default_factory=QueueConfig)
    journal: JournalConfig = field(default_factory=JournalConfig)
    log: LogConfig = field(default_factory=LogConfig)


def load_config(path: Path) -> Config:
    """Read *path*; raises ConfigError listing every problem at once."""
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    return parse_config(document, path.resolve().parent, source=str(path))


def parse_config(document: Any, base: Path, *, source: str = "configuration") -> Config:
    """Build a Config from parsed YAML; relative paths count from *base*. Raises ConfigError."""
    problems: list[str] = []
    config = _build(Config, {} if document is None else document, "", base, problems)
    if problems or config is None:
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in problems))
    return config


_T = typing.TypeVar("_T")


def _build(kind: type[_T], document: Any, prefix: str, base: Path, problems: list[str]) -> _T | None:
    """An instance of the dataclass *kind*, or None after adding to *problems*."""
    where = prefix.rstrip(".") or "the file"
    if not isinstance(document, dict):
        problems.append(f"{where}: expected keys and values, found {_shown(document)}")
        return None
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    before = len(problems)
    for key, value in document.items():
        if key not in hints:
            close = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(hints)}"
            problems.append(f"{prefix}{key}: unknown key{hint}")
        elif dataclasses.is_dataclass(hints[key]):
            # "http:" with nothing below it is an empty section.
            section = {} if value is None else value
            values[key] = _build(typing.cast(type, hints[key]), section, f"{prefix}{key}.", base, problems)
        else:
            try:
                values[key] = _convert(value, hints[key], base)
            except ValueError as error:
                problems.append(f"{prefix}{key}: {error}")
    if len(problems) > before:
        return None
    for each in dataclasses.fields(typing.cast(Any, kind)):
        if isinstance(each.default, Path):  # "wav" is beside the file too when the file does not name it
            values.setdefault(each.name, base / each.default)
    try:
        return kind(**values)
    except ValueError as error:
        problems.append(f"{prefix}{error}")
        return None


def _convert(value: Any, hint: Any, base: Path) -> Any:
    """*value* as the annotated type, or ValueError saying what was expected and found."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType or origin is typing.Union:
        return None if value is None else _convert(value, arguments[0], base)
    if origin is typing.Literal:
        if value is None and "null" in arguments:
            return "null"  # `sink: null` is the natural way to write it, and YAML for None
        if value not in arguments:
            raise ValueError(f"expected one of {', '.join(arguments)}, found {_shown(value)}")
        return value
    if origin is tuple:
        values = value if isinstance(value, list) else [value]
        return tuple(_convert(each, arguments[0], base) for each in values)
    if hint is Path and isinstance(value, str):
        return base / Path(value).expanduser()
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if type(value) is not hint:
        names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
        raise ValueError(f"expected {names[hint]}, found {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…'"
