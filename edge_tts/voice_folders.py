"""Voices on disk: found, described, checked; no graph is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_tts.documents import parse_yaml
from edge_tts.errors import VoiceLoadError
from edge_tts.models import FAMILIES, piper
from edge_tts.models.base import VoiceSpec
from edge_tts.models.files import MAX_DOCUMENT_BYTES, check_file, read_file, read_verified
from edge_tts.models.opening import Opener

HUM = VoiceSpec(
    "hum", "hum", Path(), {}, 22050, ("en-US",), licence="Apache-2.0", source="a sine, made on the spot"
)
"""Always installed: finds the loudspeaker when nothing else works."""

SAMPLE_RATES = range(8000, 96001)
MAX_NAME_CHARACTERS = 100

MALFORMED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What code that reads a stranger's file may end in, besides what it says itself."""

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
                _check(path, spec)
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
        document = parse_yaml(read_file(path, MAX_DOCUMENT_BYTES).decode("utf-8"))
    except ValueError as error:
        raise VoiceLoadError(path, f"cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise VoiceLoadError(path, f"expected keys and values, found {type(document).__name__}")
    missing = {"name", "family", "languages", "sample_rate", "files"} - document.keys()
    if missing:
        raise VoiceLoadError(path, f"missing: {', '.join(sorted(missing))}")
    if document["family"] not in list(FAMILIES):
        raise VoiceLoadError(path, f"unknown family {document['family']!r}; known: {', '.join(FAMILIES)}")
    try:
        return _spec(document, path.parent)
    except MALFORMED as error:
        raise VoiceLoadError(path, str(error)) from error


def _check(path: Path, spec: VoiceSpec) -> None:
    """Raise VoiceLoadError if *spec*, described by *path*, cannot be that of a voice, or a file of it cannot be read;
    opens no file."""
    if not spec.name.isprintable() or not 1 <= len(spec.name) <= MAX_NAME_CHARACTERS:
        raise VoiceLoadError(path, f"name: expected 1 to {MAX_NAME_CHARACTERS} printable characters")
    if spec.sample_rate not in SAMPLE_RATES:
        limits = f"{SAMPLE_RATES.start} to {SAMPLE_RATES.stop - 1}"
        raise VoiceLoadError(path, f"sample_rate: expected {limits} Hz, found {spec.sample_rate}")
    if not spec.languages:
        raise VoiceLoadError(path, "languages: expected at least one, as [en-US]")
    for file in spec.files.values():
        check_file(file)


def verify(spec: VoiceSpec) -> None:
    """Read every file of *spec* and check it against its digest, graphs also for what they say they are. Raises
    VoiceLoadError. Loads nothing."""
    opener = Opener(spec, threads=1)
    for role, path in spec.files.items():
        if path.suffix == ".onnx":
            opener.read(role)
        else:
            read_verified(path, spec.sha256.get(path.name))


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
