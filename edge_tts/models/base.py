"""What the pipeline asks of a model, and what a family's loader is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edge_tts.cache import EmbeddingCache
from edge_tts.metrics import StageTimer
from edge_tts.speech import Audio, Explanation, Sentence
from edge_tts.text.phonemes import Phonemizer


@dataclass(frozen=True)
class VoiceSpec:
    """An installed voice as found on disk, before any graph is read."""

    name: str
    family: str
    folder: Path
    files: Mapping[str, Path]
    """Role ("encoder", "model", …) → absolute path; the roles are the family's own."""

    sample_rate: int
    languages: tuple[str, ...]
    """BCP-47 tags, the first is the default: ("en-US", "de-DE", "zh-CN")."""

    speakers: Mapping[str, int] = field(default_factory=dict)
    default_speakers: Mapping[str, str] = field(default_factory=dict)
    """Primary language subtag → speaker that speaks it unless the request names one."""

    emotions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Emotion → preset in the family's own terms (two_stage: speed, pitch_semitones, pitch_range, energy)."""

    sha256: Mapping[str, str] = field(default_factory=dict)
    """File name → hex digest; a file not listed is not checked."""

    gain_db: float = 0.0
    licence: str = ""
    source: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The rest of voice.yaml or of the foreign configuration, as parsed."""

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in set(self.files.values()) if path.exists())


def _ignore(told: object) -> None: ...


@dataclass
class Told:
    """What models have told since it was last asked for."""

    warnings: list[str] = field(default_factory=list)
    tokens_per_s: float | None = None

    def pace(self, tokens_per_s: float) -> None:
        self.tokens_per_s = tokens_per_s


@dataclass(frozen=True)
class ModelTools:
    """What a family may use; all of it belongs to the synth thread."""

    phonemizer: Phonemizer
    embeddings: EmbeddingCache
    timer: StageTimer
    threads: int = 1
    """Threads onnxruntime may use inside one run."""

    warn: Callable[[str], None] = _ignore
    """Told, before the next piece, what of a sentence is said otherwise than asked or not at all."""

    pace: Callable[[float], None] = _ignore
    """Told, before the next piece, how many tokens were made in a second, by those who make them one by one."""

    stream: bool = True
    """False: one piece per sentence (tests, and files where latency does not matter)."""


class SpeechModel(Protocol):
    """A loaded voice. Every method runs on the synth thread.

    `synthesize` yields one or more pieces that follow each other without a gap, all at `sample_rate`; one without
    samples says that long work goes on. Between two pieces the model may be asked for another sentence, or the
    generator closed. Raises SynthesisError, or UnsupportedPronunciationError before the first piece.
    """

    sample_rate: int
    controls: frozenset[str]
    """Of "speed", "pitch", "energy", "emotion", "style", "reference", "sounds"; what is missing becomes a warning."""

    def synthesize(self, sentence: Sentence) -> Iterator[Audio]: ...

    def explain(self, sentence: Sentence) -> Explanation: ...


Loader = Callable[[VoiceSpec, ModelTools], SpeechModel]
"""Raises VoiceLoadError naming the file at fault."""

OpenBytes = Callable[[VoiceSpec], int]
"""Size of the files that are in memory at once while a voice speaks or learns a clip."""
