"""Voices in memory: loaded on demand, unloaded under the memory limit. Belongs to the synth thread."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_tts import __version__
from edge_tts.cache import digest
from edge_tts.errors import MemoryBudgetError, SpeechError, UnknownVoiceError, VoiceError, VoiceLoadError
from edge_tts.memory import release_memory, rss_bytes
from edge_tts.metrics import Metrics
from edge_tts.models import FAMILIES, OPEN_BYTES
from edge_tts.models.base import ModelTools, SpeechModel, VoiceSpec
from edge_tts.speech import Sentence, Span
from edge_tts.text.frontend import without_style
from edge_tts.text.languages import primary
from edge_tts.text.normalize import normalize
from edge_tts.text.sounds import words_only
from edge_tts.voice_folders import MALFORMED, Installed, scan, verify

log = logging.getLogger(__name__)

LOADED_PER_FILE_BYTE = 1.6
"""Memory a voice takes per byte of its files: the weights and onnxruntime's packed copies of some of them."""

SLOW_RTF = 1.0
"""A voice that takes longer than this for a second of sound cannot be heard while it speaks."""

FIRST_WORDS = {"en": "One, two, 3.", "zh": "一，二，3。"}
"""Said into nothing by a voice that was loaded; in every language not here, the English ones. With a digit: the tables
of Chinese take 0.3 s to load, and there are those of numbers."""

TRIAL_S = 5.0
"""After so long a voice has shown that it is slow."""

NEWEST_SHARE = 0.25
"""Of the last sentence in a voice's RTF: the box gets busy, and hot, after a voice was loaded."""


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
        self._failed: dict[str, tuple[str, str]] = {}
        """Name → stamp of the files that could not be loaded, and why."""

        self._rtf: dict[str, float] = {}
        """Identity → RTF; stays when the voice is unloaded."""

        self.installed = scan(folders)
        for name, reason in self.installed.broken.items():
            log.warning("voice %s cannot be used: %s", name, reason)

    def rescan(self) -> Installed:
        """What is installed now, without those whose files could not be loaded and are still the same."""
        found = scan(self._folders)
        failed = {
            name: reason
            for name, (stamp, reason) in self._failed.items()
            if name in found.voices and _stamp(found.voices[name]) == stamp
        }
        voices = {name: spec for name, spec in found.voices.items() if name not in failed}
        self.installed = Installed(voices, {**found.broken, **failed})
        return self.installed

    def verify(self) -> None:
        """Check every file of every voice, which takes a while."""
        for spec in self.rescan().voices.values():
            try:
                verify(spec)
            except VoiceLoadError as error:
                self._failed[spec.name] = _stamp(spec), str(error)

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
                "size_mb": round(spec.size_bytes / 1e6, 1),
                "is_loaded": self.is_loaded(spec.name),
                "rtf": None if (rtf := self.rtf(spec.name)) is None else round(rtf, 4),
                "licence": spec.licence,
                "source": spec.source,
            }
            for spec in installed.voices.values()
        ]
        return described + [{"name": name, "error": reason} for name, reason in installed.broken.items()]

    def is_loaded(self, name: str) -> bool:
        return name in self._loaded

    def identity(self, name: str) -> str:
        """Of the voice as it is, or would be, loaded."""
        return self._loaded[name].identity if name in self._loaded else _identity(self.spec(name))

    def rtf(self, name: str) -> float | None:
        """On this machine, as measured when it was loaded and since; None: never, or it says nothing without a clip."""
        return self._rtf.get(self.identity(name))

    def is_slow(self, name: str) -> bool:
        """Whether it speaks slower than it is heard, or may; loads it to know. Raises what `loaded` does."""
        rtf = self.rtf(name)
        if rtf is None:
            self.loaded(name)
            rtf = self.rtf(name)
        return rtf is None or rtf > SLOW_RTF

    def note_rtf(self, identity: str, rtf: float) -> None:
        """What its newest sentence took."""
        before = self._rtf.get(identity, rtf)
        self._rtf[identity] = before + NEWEST_SHARE * (rtf - before)

    def try_all(self) -> None:
        """Load every voice that can be loaded, one after the other: then its RTF is known, or its fault."""
        for name in self.rescan().voices:
            try:
                self.loaded(name)
            except VoiceError as error:
                log.info("voice %s was not tried: %s", name, error)

    @property
    def is_above_budget(self) -> bool:
        return rss_bytes() > self._limit_bytes

    def spec(self, name: str) -> VoiceSpec:
        """Raises UnknownVoiceError, or VoiceLoadError for a voice that is there but cannot be used."""
        if name in self._loaded:  # whatever has happened to its files meanwhile
            return self._loaded[name].spec
        known = self.installed.voices.get(name)
        if known is None or not all(path.exists() for path in known.files.values()):
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
        # Its files may be others by now, described by other digests.
        self._failed.pop(name, None)
        self.rescan()
        spec = self.spec(name)
        self._make_room(spec)
        voice = LoadedVoice(self._model(spec), spec, _memory_bytes(spec), _identity(spec))
        if voice.identity not in self._rtf and (rtf := _first_rtf(voice)) is not None:
            self._rtf[voice.identity] = rtf
        # What loading took and let go of, twenty megabytes for a Piper voice, would stay for ever.
        release_memory()
        self._loaded[name] = voice
        log.info("loaded voice=%s family=%s rss_mb=%d", name, spec.family, rss_bytes() >> 20)
        self._metrics.voices_loaded.set(len(self._loaded))
        return voice

    def _model(self, spec: VoiceSpec) -> SpeechModel:
        try:
            return FAMILIES[spec.family](spec, self._tools)
        except VoiceLoadError as error:
            self._failed[spec.name] = _stamp(spec), str(error)
            raise
        except MALFORMED as error:
            raise VoiceLoadError(spec.folder, f"cannot be loaded: {error!r}") from error

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


def as_said(sentence: Sentence, voice: LoadedVoice) -> tuple[Sentence, list[str]]:
    """*sentence* as *voice* will say it, and warnings for what it cannot do."""
    warnings: list[str] = []
    if "style" not in voice.model.controls:
        sentence, warnings = without_style(sentence)
    if "sounds" not in voice.model.controls:
        told: dict[str, None] = {}
        sentence = replace(sentence, spans=tuple(words_only(sentence.spans, told)))
        warnings += told
    warnings += _unsupported(sentence, voice.model, voice.spec)
    if "reference" not in voice.model.controls:
        sentence = replace(sentence, references=())
    return sentence, warnings


def _unsupported(sentence: Sentence, model: SpeechModel, spec: VoiceSpec) -> list[str]:
    """Warnings for what the sentence asks and the voice cannot do."""
    prosody = sentence.prosody
    asked = {
        "speed": prosody.speed != 1.0,
        "pitch": prosody.pitch_semitones != 0.0 or prosody.pitch_range != 1.0,
        "energy": prosody.energy != 0.0,
        "emotion": prosody.emotion.name != "neutral",
        "reference": bool(sentence.references),
    }
    warnings = [
        f"unsupported_control:{name}"
        for name, is_asked in asked.items()
        if is_asked and name not in model.controls
    ]
    # Whoever imitates a clip can say what there is a clip of.
    clips = sentence.references if "reference" in model.controls else ()
    felt = {*spec.emotions, *(clip.emotion for clip in clips)}
    if asked["emotion"] and "emotion" in model.controls and prosody.emotion.name not in felt:
        warnings.append(f"unknown_emotion:{prosody.emotion.name}")
    return warnings


def _first_rtf(voice: LoadedVoice) -> float | None:
    """RTF of a few words; None if it has nothing to say to them, as without a clip to imitate."""
    language = primary(voice.spec.languages[0])
    words = normalize(FIRST_WORDS.get(language, FIRST_WORDS["en"]), language)
    sentence = Sentence((Span(words, language),), language)
    try:
        start_s = time.perf_counter()
        rtf = _rtf_of(voice.model, sentence)
        # The first run is the slow one: what looks slow gets another.
        is_doubtful = rtf is not None and rtf > SLOW_RTF and time.perf_counter() - start_s < TRIAL_S
        return _rtf_of(voice.model, sentence) if is_doubtful else rtf
    except (SpeechError, *MALFORMED) as error:
        log.info("voice %s could not be tried: %s", voice.spec.name, error)
        return None


def _rtf_of(model: SpeechModel, sentence: Sentence) -> float | None:
    """None if there was no sound within TRIAL_S."""
    start_s, audio_s = time.perf_counter(), 0.0
    for piece in model.synthesize(sentence):
        audio_s += piece.duration_s
        if time.perf_counter() - start_s > TRIAL_S:
            break
    return (time.perf_counter() - start_s) / audio_s if audio_s else None


def _memory_bytes(spec: VoiceSpec) -> int:
    open_bytes = OPEN_BYTES.get(spec.family)
    return round((open_bytes(spec) if open_bytes else spec.size_bytes) * LOADED_PER_FILE_BYTE)


def _identity(spec: VoiceSpec) -> str:
    files = {path.name: spec.sha256.get(path.name) or path.stat().st_mtime_ns for path in spec.files.values()}
    return digest(__version__, spec.name, spec.family, spec.gain_db, spec.emotions, files, spec.settings)


def _stamp(spec: VoiceSpec) -> str:
    """Changes when the files are written again, even if they should be the same, or described otherwise."""
    written = [(str(path), path.stat().st_mtime_ns) for path in spec.files.values() if path.exists()]
    return digest(written, spec.family, spec.sha256, spec.settings)
