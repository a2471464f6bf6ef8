"""config.yaml, checked. The dataclasses are the documentation of every key; nothing else reads the file.

A relative path counts from the folder of the configuration file.
"""

from __future__ import annotations

import os
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_tts.documents import parse_yaml
from edge_tts.door_config import (
    HermesConfig,
    HomeAssistantConfig,
    HttpConfig,
    MaryTtsConfig,
    MqttConfig,
    WyomingConfig,
)
from edge_tts.errors import ConfigError
from edge_tts.quiet_hours import QuietHoursConfig
from edge_tts.schema import at_least, between, build
from edge_tts.sound_config import SnapcastConfig

BUNDLED_VOICES = Path(__file__).resolve().parent.parent / "models_onnx"


@dataclass(frozen=True)
class AudioConfig:
    sink: typing.Literal["sounddevice", "wav", "null", "snapcast"] = "sounddevice"
    """sounddevice: the loudspeaker; wav: one file per announcement in `wav_dir`; null: nothing, at real-time pace;
    snapcast: several rooms."""

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

    lead_in_ms: int | None = None
    """Silence before speech after the device has been idle, for amplifiers, HDMI and Bluetooth that wake slowly; null:
    what suits the kind of device, if its name shows that."""

    lead_in_idle_s: float = 5.0
    close_after_s: float = 5.0
    """The device is released after so long without speech; 0 keeps it open (some jacks pop)."""

    fade_ms: int = 30
    device_wait_s: float = 300.0
    """How long a job waits for a device that vanished before it fails."""

    chime: str | None = None
    """Sound before speech: "gong", "bell", "soft", or a file in `sounds_dir` by its name without ending; null: none
    but for requests that ask for one."""

    sounds_dir: Path = Path("sounds")
    others: typing.Literal["none", "duck", "pause", "switch"] = "none"
    """Other players while we speak. duck: streams of PulseAudio or PipeWire are lowered by `duck_db`; pause: players on
    the desktop's bus (MPRIS) are paused; switch: Snapcast's groups listen to our stream."""

    duck_db: float = 15.0
    snapcast: SnapcastConfig = field(default_factory=SnapcastConfig)

    def __post_init__(self) -> None:
        between("volume", self.volume, 0, 100)
        between("duck_db", self.duck_db, 0, 60)
        if self.others == "switch" and self.sink != "snapcast":
            raise ValueError("others: switch needs sink: snapcast; known for other sinks: none, duck, pause")
        if self.sample_rate is not None and not 8000 <= self.sample_rate <= 192000:
            raise ValueError(f"sample_rate must be 8000 to 192000 Hz, not {self.sample_rate}")
        between("null_pace", self.null_pace, 0.01, 10_000)
        between("buffer_ms", self.buffer_ms, 10, 2000)
        between("lead_in_ms", self.lead_in_ms or 0, 0, 10_000)
        between("fade_ms", self.fade_ms, 0, 1000)
        for name in ("lead_in_idle_s", "close_after_s", "device_wait_s"):
            at_least(name, getattr(self, name), 0)

    @property
    def held_s(self) -> float:
        """What a device may hold unheard."""
        return self.buffer_ms / 1000 + (self.snapcast.held_s if self.sink == "snapcast" else 0)


@dataclass(frozen=True)
class VoicesConfig:
    default: str = "kathleen-kerstin-yuetan"
    folders: tuple[Path, ...] = (BUNDLED_VOICES,)
    """Each is searched for voices: folders with a voice.yaml, and foreign voices as downloaded."""

    language: str | None = None
    """Language of requests that name none, as "de-DE"; null: the voice's first. Chinese script is always Chinese."""

    threads: int = 1
    """Processor threads for one model. The bundled voice is fastest with 1; Piper on four cores likes 3."""

    heavy: typing.Literal["wait", "fallback"] = "wait"
    """Of a voice that speaks slower than it is heard on this box. wait: an announcement is made whole before it starts;
    fallback: what matters least (`pressure.priority`) is said by `pressure.light_voice` or the default voice."""

    def __post_init__(self) -> None:
        at_least("threads", self.threads, 1)


@dataclass(frozen=True)
class TextConfig:
    lexicon: Path | None = None
    """User pronunciations, reloaded when the file changes: see docs/requests.md."""

    sentence_pause_ms: int = 220
    paragraph_pause_ms: int = 500

    def __post_init__(self) -> None:
        for name in ("sentence_pause_ms", "paragraph_pause_ms"):
            between(name, getattr(self, name), 0, 10_000)


@dataclass(frozen=True)
class MemoryConfig:
    limit_mb: int = 512
    """Voices are unloaded, least recently used first, to keep the daemon below it; a voice that cannot fit is
    refused with out_of_memory_budget."""

    def __post_init__(self) -> None:
        at_least("limit_mb", self.limit_mb, 64)


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
        at_least("queue_longer_than", self.queue_longer_than, 0)


@dataclass(frozen=True)
class CacheConfig:
    dir: Path | None = None
    """Where spoken sentences are kept; null: $CACHE_DIRECTORY, else ~/.cache/edge_tts."""

    limit_mb: int = 64
    """0 turns the phrase cache off."""

    embeddings_limit_mb: int = 8
    """In memory: what a model computed about a text, style or reference clip."""

    def __post_init__(self) -> None:
        at_least("limit_mb", self.limit_mb, 0)
        at_least("embeddings_limit_mb", self.embeddings_limit_mb, 0)

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

    same_text_window_s: float = 0.0
    """The same text through the same door inside it is spoken once, if it has no id and is not important; 0: always."""

    history: int = 200
    """Ended jobs that can still be asked for."""

    def __post_init__(self) -> None:
        at_least("max_jobs", self.max_jobs, 1)
        at_least("max_text_characters", self.max_text_characters, 1)
        at_least("ttl_s", self.ttl_s, 0)
        at_least("dedup_window_s", self.dedup_window_s, 0)
        at_least("same_text_window_s", self.same_text_window_s, 0)
        at_least("history", self.history, 1)


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
    homeassistant: HomeAssistantConfig = field(default_factory=HomeAssistantConfig)
    hermes: HermesConfig = field(default_factory=HermesConfig)
    wyoming: WyomingConfig = field(default_factory=WyomingConfig)
    marytts: MaryTtsConfig = field(default_factory=MaryTtsConfig)
    audio: AudioConfig = field(default_factory=AudioConfig)
    voices: VoicesConfig = field(default_factory=VoicesConfig)
    text: TextConfig = field(default_factory=TextConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    pressure: PressureConfig = field(default_factory=PressureConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)
    state: StateConfig = field(default_factory=StateConfig)
    queue: QueueConfig = field(default_factory=QueueConfig)
    quiet_hours: QuietHoursConfig = field(default_factory=QuietHoursConfig)
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
    config = build(Config, {} if document is None else document, "", base, problems)
    if problems or config is None:
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in problems))
    return config
