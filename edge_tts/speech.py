"""The nouns: what travels between the steps. All frozen; units live in the names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Audio:
    """Mono sound in memory."""

    samples: NDArray[np.float32]
    """Shape [n_samples], each in [-1, 1]."""

    sample_rate: int
    """Hertz."""

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate


def silence(duration_s: float, sample_rate: int) -> Audio:
    return Audio(np.zeros(round(duration_s * sample_rate), dtype=np.float32), sample_rate)


class Priority(StrEnum):
    """speech-dispatcher's five priorities, most urgent first (doc/ssip.texi)."""

    IMPORTANT = "important"
    MESSAGE = "message"
    TEXT = "text"
    NOTIFICATION = "notification"
    PROGRESS = "progress"


@dataclass(frozen=True, slots=True)
class Emotion:
    name: str
    intensity: float = 1.0
    """0 is neutral, 1 the preset in full."""


NEUTRAL = Emotion("neutral")


@dataclass(frozen=True, slots=True)
class Prosody:
    """How a sentence is said. A family ignores what it has no control for; `controls` says which."""

    speed: float = 1.0
    """1.0 is natural, 2.0 twice as fast."""

    pitch_semitones: float = 0.0
    pitch_range: float = 1.0
    """1.0 is the voice's own liveliness of pitch, 0 monotone."""

    energy: float = 0.0
    """Vocal effort in standard deviations of the speaker's own; 0 is natural."""

    emotion: Emotion = NEUTRAL

    volume: float = 1.0
    """Linear gain of this sentence (from markup), 1.0 unchanged; applied after the phrase cache."""

    def over(self, base: Prosody) -> Prosody:
        """This prosody relative to *base*: factors multiply, offsets add, an emotion other than neutral wins."""
        return Prosody(
            speed=base.speed * self.speed,
            pitch_semitones=base.pitch_semitones + self.pitch_semitones,
            pitch_range=base.pitch_range * self.pitch_range,
            energy=base.energy + self.energy,
            emotion=base.emotion if self.emotion.name == "neutral" else self.emotion,
            volume=base.volume * self.volume,
        )


class Alphabet(StrEnum):
    IPA = "ipa"
    PINYIN = "pinyin"
    ARPABET = "arpabet"
    SOUND = "sound"


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """A pronunciation given by the user (inline tag, SSML, lexicon) instead of derived from letters."""

    alphabet: Alphabet
    symbols: str
    """IPA as written; pinyin as "hao4" syllables and ARPAbet as "K L EH1 R", each separated by spaces."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of written text under one markup; what `markup.parse` and `ssml.parse` yield."""

    text: str = ""
    language: str | None = None
    """Language tag from the markup; None: to be detected."""

    pronunciation: Pronunciation | None = None
    """If set, said instead of `text`."""

    pause_s: float = 0.0
    """Silence after it."""

    prosody: Prosody = field(default_factory=Prosody)
    """Relative to the request's."""

    voice: str | None = None
    """Voice from the markup."""

    ends_sentence: bool = False
    """A paragraph or sentence ends here whatever the punctuation says."""

    is_verbatim: bool = False
    """Spoken as it stands (say-as characters already spelt out): no normalisation."""


@dataclass(frozen=True, slots=True)
class Span:
    """Normalized words of one language, or one given pronunciation, inside a sentence."""

    text: str
    language: str
    """Primary language subtag: "en", "de", "zh"."""

    pronunciation: Pronunciation | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """An enrolled clip of somebody's voice, for families that imitate one."""

    name: str
    path: str
    """A mono 16-bit WAV."""

    text: str
    """What is said in it."""

    sha256: str
    """Of the file: what a model computed about it is kept under this."""

    language: str | None = None
    """BCP-47; None: as its script shows."""

    emotion: str | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a model is given in one go."""

    spans: tuple[Span, ...]
    language: str
    """Of most of it; decides the speaker of a voice with one speaker per language."""

    prosody: Prosody = field(default_factory=Prosody)
    pause_s: float = 0.0
    """Silence that follows it."""

    voice: str | None = None
    """Set by markup: another voice than the request's."""

    speaker: str | None = None

    style: str | None = None
    """An instruction in words."""

    references: tuple[Reference, ...] = ()
    """Of the person asked for; the first is said without emotion, or is the only one."""

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a model would say, without saying it."""

    phonemes: str
    duration_s: float | None
    """None where the family learns the duration only by synthesizing."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeakRequest:
    """One request, the same through every door. See docs/requests.md for the JSON form."""

    text: str
    format: str = "text"
    """"text" (with inline tags) or "ssml"."""

    voice: str | None = None
    language: str | None = None
    speaker: str | None = None
    speed: float = 1.0
    pitch: float = 0.0
    """Semitones, -12 to 12."""

    volume: float | None = None
    """0 to 100; None: the device's volume."""

    emotion: Emotion = NEUTRAL
    style: str | None = None
    reference: str | None = None
    priority: Priority = Priority.MESSAGE
    id: str | None = None
    replace: str | None = None
    ttl_s: float | None = None
    at: float | None = None
    """Wall-clock time of the start, Unix seconds."""

    chime: str | None = None
    """None: as configured; "": none; "default": the configured one, or the first there is."""

    repeat: int = 1
    source: str = ""
    """The door it came through, for logs and metrics."""

    context: str = ""
    """What that door wants back with the outcome, over a restart too."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Audio on its way to the listener, with where it stands in the text."""

    audio: Audio
    sentence: int
    """Index from 0."""

    n_sentences: int
    synthesis_s: float = 0.0
    """Processor time it took to make; a cached sentence takes next to none."""

    warnings: tuple[str, ...] = ()
    """What is done otherwise than asked, as known since the piece before."""

    tokens_per_s: float | None = None
    """At what pace its tokens were made, for voices that make them one by one; None: none since the piece before."""


class EventType(StrEnum):
    """`queued` and `started`, then exactly one of the others."""

    QUEUED = "queued"
    STARTED = "started"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    MUTED = "muted"
    FAILED = "failed"

    @property
    def is_outcome(self) -> bool:
        return self not in (EventType.QUEUED, EventType.STARTED)


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One step of a job, published by every door."""

    event_type: EventType
    job: str
    id: str | None
    text: str
    """What is said; doors decide whether they show it, logs never do."""

    source: str
    voice: str | None = None
    priority: Priority = Priority.MESSAGE
    code: str | None = None
    """Error code or reason of an outcome other than finished."""

    message: str | None = None
    queued_ms: int | None = None
    first_audio_ms: int | None = None
    """From acceptance to the first samples ready for the device."""

    audio_ms: int | None = None
    spoken_ms: int | None = None
    rtf: float | None = None
    tokens_per_s: float | None = None
    """The last that was known of a voice that makes tokens."""

    sentence: int = 0
    n_sentences: int = 0
    warnings: tuple[str, ...] = ()
    context: str = ""
    """The request's; for the door alone."""

    def to_json(self) -> dict[str, object]:
        """The event without the text and without what is unknown."""
        body: dict[str, object] = {"event_type": str(self.event_type), "job": self.job}
        body["priority"] = str(self.priority)
        figures = ("queued_ms", "first_audio_ms", "audio_ms", "spoken_ms", "rtf", "tokens_per_s")
        optional = ("id", "voice", "code", "message", *figures)
        body |= {name: value for name in optional if (value := getattr(self, name)) is not None}
        if self.n_sentences:
            body |= {"sentence": self.sentence, "n_sentences": self.n_sentences}
        return body | {"warnings": list(self.warnings)}


def with_gain(audio: Audio, gain: float) -> Audio:
    return audio if gain == 1.0 else replace(audio, samples=np.clip(audio.samples * np.float32(gain), -1, 1))
