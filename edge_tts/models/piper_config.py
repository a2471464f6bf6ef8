"""x.onnx.json of a Piper voice, checked; and the voice it describes."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_tts.errors import VoiceLoadError
from edge_tts.models.base import VoiceSpec
from edge_tts.models.files import MAX_DOCUMENT_BYTES, read_file

BOS, PAD, EOS = "^", "_", "$"
PHONEME_TYPES = ("espeak", "text")
MAX_SCALE = 10.0
_SHA256 = re.compile("[0-9A-Fa-f]{64}")
DEFAULT_SCALES = {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8}


@dataclass(frozen=True)
class PiperConfig:
    """x.onnx.json, checked."""

    phoneme_type: str
    espeak_voice: str
    ids: Mapping[str, tuple[int, ...]]
    """Symbol (a codepoint, or several merged) → its ids."""

    clusters: tuple[str, ...]
    """Vowel sequences that are one symbol, longest first."""

    noise_scale: float
    length_scale: float
    noise_w: float
    n_speakers: int
    default_speaker: int


def spec(onnx_path: Path) -> VoiceSpec:
    """The voice of a Piper pair, from its configuration alone. Raises VoiceLoadError naming the file at fault."""
    config_path = config_beside(onnx_path)
    document = _read_json(config_path)
    config = parse_config(document, config_path)
    speakers = document.get("speaker_id_map") or {}
    if config.n_speakers > 1 and not speakers:
        speakers = {str(number): number for number in range(config.n_speakers)}
    try:
        language = str((document.get("language") or {}).get("code") or config.espeak_voice).replace("_", "-")
        return VoiceSpec(
            name=onnx_path.parent.name if onnx_path.stem == "model" else onnx_path.stem,
            family="piper",
            folder=onnx_path.parent,
            files={"model": onnx_path, "config": config_path},
            sample_rate=int(document["audio"]["sample_rate"]),
            languages=(language,),
            speakers={str(name): int(number) for name, number in speakers.items()},
            sha256=_digest(onnx_path),
            licence=_licence(onnx_path.parent / "MODEL_CARD"),
            source="Piper voice",
            settings=document,
        )
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise VoiceLoadError(config_path, f"is no Piper configuration: {error!r}") from error


def config_beside(onnx_path: Path) -> Path:
    """`x.onnx.json`, or the `config.json` that some repositories have beside `model.onnx`."""
    own = onnx_path.with_name(onnx_path.name + ".json")
    shared = onnx_path.with_name("config.json")
    return shared if shared.exists() and not own.exists() else own


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_file(path, MAX_DOCUMENT_BYTES))
    except (ValueError, RecursionError) as error:
        raise VoiceLoadError(path, f"is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise VoiceLoadError(path, "is no Piper configuration: not an object")
    return document


def _digest(onnx_path: Path) -> dict[str, str]:
    """From `x.onnx.sha256` (as sha256sum writes it), if there is one."""
    path = onnx_path.with_name(onnx_path.name + ".sha256")
    if not path.exists():
        return {}
    digest = read_file(path, MAX_DOCUMENT_BYTES).decode("ascii", "replace").split()[:1]
    if not digest or not _SHA256.fullmatch(digest[0]):
        raise VoiceLoadError(path, f"is no output of sha256sum {onnx_path.name}: it begins with no digest")
    return {onnx_path.name: digest[0]}


def _licence(card: Path) -> str:
    """The licence line of Piper's MODEL_CARD; "" if there is none."""
    if not card.exists():
        return ""
    text = read_file(card, MAX_DOCUMENT_BYTES).decode("utf-8", "replace")
    for line in text.splitlines():
        key, _, value = line.strip(" *-").partition(":")
        if key.strip().lower() in ("license", "licence"):
            return value.strip()
    return ""


def parse_config(document: Mapping[str, Any], path: Path) -> PiperConfig:
    """Raises VoiceLoadError if *document*, read from *path*, is no configuration of a voice this family can speak."""
    try:
        scales = DEFAULT_SCALES | (document.get("inference") or {})
        clusters = {
            unicodedata.normalize("NFD", "".join(each)) for each in document.get("vowel_clusters") or ()
        }
        config = PiperConfig(
            phoneme_type=str(document.get("phoneme_type") or "espeak"),
            espeak_voice=str((document.get("espeak") or {}).get("voice") or document.get("lang_code") or ""),
            ids={
                str(symbol): tuple(int(number) for number in ids)
                for symbol, ids in document["phoneme_id_map"].items()
            },
            clusters=tuple(sorted(clusters, key=len, reverse=True)),
            noise_scale=float(scales["noise_scale"]),
            length_scale=float(scales["length_scale"]),
            noise_w=float(scales["noise_w"]),
            n_speakers=int(document.get("num_speakers") or 1),
            default_speaker=int(document.get("default_speaker_id") or 0),
        )
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise VoiceLoadError(path, f"is no Piper configuration: {error!r}") from error
    for name in DEFAULT_SCALES:
        value = getattr(config, name)
        # Written so that NaN, which compares false with everything, is refused. Sentences of hours fill the memory.
        if not 0 <= value <= MAX_SCALE:
            raise VoiceLoadError(path, f"inference.{name}: expected 0 to {MAX_SCALE:g}, found {value}")
    if config.phoneme_type not in PHONEME_TYPES:
        reason = f"needs phonemes of type {config.phoneme_type!r}; supported: {', '.join(PHONEME_TYPES)}"
        raise VoiceLoadError(path, reason)
    if config.phoneme_type == "espeak" and not config.espeak_voice:
        raise VoiceLoadError(path, "has no espeak.voice")
    missing = [symbol for symbol in (BOS, PAD, EOS) if not config.ids.get(symbol)]
    if missing:
        raise VoiceLoadError(path, f"its phoneme_id_map lacks {' '.join(missing)}")
    return config
