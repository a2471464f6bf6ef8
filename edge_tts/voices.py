"""Voices on disk and in memory: found, described, loaded on demand, unloaded under the memory limit.

Everything but `scan` belongs to the synth thread.
"""

from __future__ import annotations

import ctypes
import gc
import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from edge_tts import __version__
from edge_tts.cache import digest
from edge_tts.errors import MemoryBudgetError, UnknownVoiceError, VoiceLoadError
from edge_tts.metrics import Metrics, rss_bytes
from edge_tts.models import FAMILIES, piper
from edge_tts.models.base import ModelTools, SpeechModel, VoiceSpec

log = logging.getLogger(__name__)

HUM = VoiceSpec(
    "hum", "hum", Path(), {}, 22050, ("en-US",), licence="Apache-2.0", source="a sine, made on the spot"
)
"""Always installed: finds the loudspeaker when nothing else works."""

LOADED_PER_FILE_BYTE = 1.6
"""Memory a voice takes per byte of its files: the weights and onnxruntime's packed copies of some of them."""

_KEYS = {
    "name", "family", "languages", "sample_rate", "files", "sha256", "speakers", "default_speakers", "emotions",
    "gain_db", "licence", "source",
}  # fmt: skip


@dataclass(frozen=True)
class Installed:
    """What a scan of the voice folders found."""

    voices: Mapping[str, VoiceSpec] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    """Name → why it cannot be used."""


def scan(folders: Iterable[Path]) -> Installed:
    """Every voice below *folders*, one level deep; the first of a name wins. Reads no graph."""
    voices, broken = {HUM.name: HUM}, {}
    for folder in folders:
        for path in _candidates(folder):
            name = path.parent.name if path.name == "voice.yaml" else path.stem
            try:
                spec = read_voice_yaml(path) if path.name == "voice.yaml" else piper.spec(path)
                voices.setdefault(spec.name, spec)
            except VoiceLoadError as error:
                broken[name] = str(error)
    return Installed(voices, broken)


def _candidates(folder: Path) -> Iterator[Path]:
    """Files that describe a voice: voice.yaml, or a graph with the configuration of a known foreign layout."""
    for below in [folder, *sorted(path for path in folder.glob("*") if path.is_dir())]:
        if (below / "voice.yaml").exists():
            yield below / "voice.yaml"
            continue
        yield from sorted(below.glob("*.onnx"))


def read_voice_yaml(path: Path) -> VoiceSpec:
    """The voice described by *path*; raises VoiceLoadError naming the file and the key at fault."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise VoiceLoadError(path, f"cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise VoiceLoadError(path, f"expected keys and values, found {type(document).__name__}")
    missing = {"name", "family", "languages", "sample_rate", "files"} - document.keys()
    if missing:
        raise VoiceLoadError(path, f"missing: {', '.join(sorted(missing))}")
    if document["family"] not in FAMILIES:
        raise VoiceLoadError(path, f"unknown family {document['family']!r}; known: {', '.join(FAMILIES)}")
    try:
        return _spec(document, path.parent)
    except (TypeError, ValueError, AttributeError) as error:
        raise VoiceLoadError(path, str(error)) from error


def _spec(document: dict[str, Any], folder: Path) -> VoiceSpec:
    return VoiceSpec(
        name=str(document["name"]),
        family=document["family"],
        folder=folder,
        files={role: _inside(folder, name) for role, name in document["files"].items()},
        sample_rate=int(document["sample_rate"]),
        languages=tuple(map(str, document["languages"])),
        speakers={str(name): int(speaker) for name, speaker in document.get("speakers", {}).items()},
        default_speakers={str(tag): str(name) for tag, name in document.get("default_speakers", {}).items()},
        emotions={str(name): dict(preset) for name, preset in document.get("emotions", {}).items()},
        sha256={str(name): str(digest) for name, digest in document.get("sha256", {}).items()},
        gain_db=float(document.get("gain_db", 0.0)),
        licence=str(document.get("licence", "")),
        source=str(document.get("source", "")),
        settings={key: value for key, value in document.items() if key not in _KEYS},
    )


def _inside(folder: Path, name: str) -> Path:
    """A downloaded voice.yaml must not make us read files elsewhere."""
    if Path(name).name != name:
        raise ValueError(f"files: {name!r} must be a file name without folders")
    return folder / name


@dataclass(frozen=True)
class LoadedVoice:
    """A voice in memory, with what it was when it was loaded: its files may be replaced meanwhile."""

    model: SpeechModel
    spec: VoiceSpec
    memory_bytes: int
    identity: str
    """Changes when the files do: part of the key of every sentence it speaks."""


class VoiceStore:
    """Loaded voices, least recently used first."""

    def __init__(
        self, folders: tuple[Path, ...], tools: ModelTools, limit_bytes: int, metrics: Metrics
    ) -> None:
        self._folders = folders
        self._tools = tools
        self._limit_bytes = limit_bytes
        self._metrics = metrics
        self._loaded: OrderedDict[str, LoadedVoice] = OrderedDict()
        self._empty_bytes = rss_bytes()
        self.installed = scan(folders)
        for name, reason in self.installed.broken.items():
            log.warning("voice %s cannot be used: %s", name, reason)

    def rescan(self) -> Installed:
        self.installed = scan(self._folders)
        return self.installed

    def describe(self) -> list[dict[str, Any]]:
        """Every installed voice as JSON, those that cannot be used with their error."""
        installed = self.rescan()
        described: list[dict[str, Any]] = [
            {
                "name": spec.name,
                "family": spec.family,
                "languages": list(spec.languages),
                "speakers": list(spec.speakers),
                "emotions": list(spec.emotions),
                "sample_rate": spec.sample_rate,
                "is_loaded": self.is_loaded(spec.name),
                "licence": spec.licence,
                "source": spec.source,
            }
            for spec in installed.voices.values()
        ]
        return described + [{"name": name, "error": reason} for name, reason in installed.broken.items()]

    def is_loaded(self, name: str) -> bool:
        return name in self._loaded

    def spec(self, name: str) -> VoiceSpec:
        """Raises UnknownVoiceError, or VoiceLoadError for a voice that is there but cannot be used."""
        if name not in self.installed.voices:
            self.rescan()
        if name in self.installed.voices:
            return self.installed.voices[name]
        if name in self.installed.broken:
            raise VoiceLoadError(Path(name), self.installed.broken[name])
        raise UnknownVoiceError(name, self.installed.voices)

    def loaded(self, name: str) -> LoadedVoice:
        """Raises UnknownVoiceError, VoiceLoadError or MemoryBudgetError."""
        if name in self._loaded:
            self._loaded.move_to_end(name)
            return self._loaded[name]
        spec = self.spec(name)
        self._make_room(spec)
        voice = LoadedVoice(
            FAMILIES[spec.family](spec, self._tools), spec, _memory_bytes(spec), _identity(spec)
        )
        # What loading took and let go of, twenty megabytes for a Piper voice, would stay for ever.
        release_memory()
        self._loaded[name] = voice
        log.info("loaded voice=%s family=%s rss_mb=%d", name, spec.family, rss_bytes() >> 20)
        self._metrics.voices_loaded.set(len(self._loaded))
        return voice

    def _make_room(self, spec: VoiceSpec) -> None:
        wanted_bytes = _memory_bytes(spec)
        if self._empty_bytes + wanted_bytes > self._limit_bytes:
            # Unloading all the others would not help: let them stay.
            raise self._too_large(spec, self._empty_bytes)
        while self._used_bytes() + wanted_bytes > self._limit_bytes and self._loaded:
            name, _ = self._loaded.popitem(last=False)
            log.info("unloaded voice=%s to make room for voice=%s", name, spec.name)
            release_memory()
        self._metrics.voices_loaded.set(len(self._loaded))
        if self._used_bytes() + wanted_bytes > self._limit_bytes:
            raise self._too_large(spec, self._used_bytes())

    def _too_large(self, spec: VoiceSpec, used_bytes: int) -> MemoryBudgetError:
        return MemoryBudgetError(
            f"voice {spec.name!r} needs about {_memory_bytes(spec) >> 20} MB and {used_bytes >> 20} MB are used "
            f"already; memory.limit_mb is {self._limit_bytes >> 20}"
        )

    def _used_bytes(self) -> int:
        """Resident now, or what the loaded voices will take once all of their pages have been touched."""
        expected_bytes = self._empty_bytes + sum(voice.memory_bytes for voice in self._loaded.values())
        return max(rss_bytes(), expected_bytes)


def _memory_bytes(spec: VoiceSpec) -> int:
    return round(spec.size_bytes * LOADED_PER_FILE_BYTE)


def _identity(spec: VoiceSpec) -> str:
    files = {path.name: spec.sha256.get(path.name) or path.stat().st_mtime_ns for path in spec.files.values()}
    return digest(__version__, spec.name, spec.family, spec.gain_db, spec.emotions, files)


def release_memory() -> None:
    """Give freed memory back to the system: glibc keeps it otherwise (reliability: onnxruntime over weeks)."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:  # musl has none
        log.debug("this C library cannot trim its heap")
