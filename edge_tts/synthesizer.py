"""The pipeline: a request becomes a plan (sentences), a plan becomes pieces of sound.

Synchronous, on the synth thread only; knows no sockets and no loudspeaker.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from edge_tts.audio import join
from edge_tts.cache import PhraseCache, digest
from edge_tts.config import VoicesConfig
from edge_tts.errors import NothingToSayError, UnknownLanguageError, UnknownSpeakerError
from edge_tts.metrics import Metrics
from edge_tts.models.base import SpeechModel, VoiceSpec
from edge_tts.pressure import Pressure
from edge_tts.references import References
from edge_tts.speech import Audio, Piece, Sentence, SpeakRequest, silence, with_gain
from edge_tts.text.frontend import Frontend, without_style
from edge_tts.voices import LoadedVoice, VoiceStore


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that can be spoken: checked, normalized, cut into sentences."""

    voice: str
    sentences: tuple[Sentence, ...]
    """Each with its voice and speaker decided."""

    warnings: tuple[str, ...]
    is_minor: bool = False
    """Gives way to others when time or memory is short."""

    is_crowded: bool = False
    """Too many wait behind it."""


class Synthesizer:
    def __init__(
        self,
        config: VoicesConfig,
        frontend: Frontend,
        voices: VoiceStore,
        pressure: Pressure,
        cache: PhraseCache,
        metrics: Metrics,
        warned: list[str],
        references: References,
    ) -> None:
        """*warned* is where the models of *voices* put their warnings."""
        self._config = config
        self._frontend = frontend
        self._pressure = pressure
        self._cache = cache
        self._metrics = metrics
        self._warned = warned
        self.references = references
        self.voices = voices

    def plan(self, request: SpeakRequest, default_voice: str) -> Plan:
        """Raises RequestError for what cannot be spoken as asked, VoiceLoadError for a voice that is broken."""
        voice = request.voice or default_voice
        spec = self.voices.spec(voice)
        with self._metrics.stage("normalize"):
            sentences, warnings = self._frontend.sentences(
                request, languages=spec.languages, language=self._language(request, spec)
            )
        references = self.references.of(request.reference) if request.reference else ()
        cast = tuple(
            replace(self._cast(sentence, request, voice), references=references) for sentence in sentences
        )
        cast *= request.repeat
        for warning in warnings:
            self._metrics.warnings.labels(warning.split(":")[0]).inc()
        return Plan(voice, cast, tuple(warnings), self._pressure.is_minor(request.priority))

    def _language(self, request: SpeakRequest, spec: VoiceSpec) -> str:
        """The language of text that doesn't show its own: asked for, the speaker's, configured, the voice's."""
        if request.language:
            if _match(request.language, spec.languages) is None:
                raise UnknownLanguageError(request.language, spec.name, spec.languages)
            return request.language
        if request.speaker:
            for language, speaker in spec.default_speakers.items():
                if speaker == request.speaker:
                    return _match(language, spec.languages) or spec.languages[0]
        if self._config.language:
            return _match(self._config.language, spec.languages) or spec.languages[0]
        return spec.languages[0]

    def _cast(self, sentence: Sentence, request: SpeakRequest, voice: str) -> Sentence:
        """*sentence* with the voice and speaker that will say it."""
        spec = self.voices.spec(sentence.voice or voice)
        # A speaker of the request's voice means nothing inside another voice named by markup.
        speaker = sentence.speaker or (request.speaker if spec.name == voice else None)
        if speaker is not None and speaker not in spec.speakers:
            by_id = {str(number): name for name, number in spec.speakers.items()}
            if speaker not in by_id:
                raise UnknownSpeakerError(speaker, spec.name, spec.speakers)
            speaker = by_id[speaker]
        return replace(sentence, voice=spec.name, speaker=speaker)

    def render(self, plan: Plan) -> Generator[Piece, None, None]:
        """The pieces of *plan* in order; raises VoiceError or UnsupportedPronunciationError where it happens, and
        NothingToSayError at the end if not a sound was made."""
        n_sentences = len(plan.sentences)
        is_silent = True
        # What is left is of a plan that failed.
        self._warned.clear()
        for index, asked in enumerate(plan.sentences):
            sentence, sample_rate, pieces = self._sounds(asked, plan)
            for audio, synthesis_s in pieces:
                sound = with_gain(audio, sentence.prosody.volume)
                yield Piece(sound, index, n_sentences, synthesis_s, self._take_warnings())
                is_silent = False
            if sentence.pause_s and (index + 1 < n_sentences or not sentence.spans):
                pause = silence(sentence.pause_s, sample_rate)
                yield Piece(pause, index, n_sentences, warnings=self._take_warnings())
        if is_silent and any(sentence.spans for sentence in plan.sentences):
            raise NothingToSayError
        if self._warned:
            yield Piece(silence(0, sample_rate), index, n_sentences, warnings=self._take_warnings())

    def _sounds(self, asked: Sentence, plan: Plan) -> tuple[Sentence, int, Iterable[tuple[Audio, float]]]:
        """*asked* as it is said now, its sample rate and its pieces."""
        wanted = asked.voice or plan.voice
        is_pressed = plan.is_minor and (plan.is_crowded or self._pressure.is_above_budget)
        if is_pressed or not self.voices.is_loaded(wanted):
            cached = self._spoken_before(asked, wanted)
            if cached is not None:
                return asked, cached.sample_rate, [(cached, 0.0)]
        voice = self._pressure.voice_for(asked, wanted, is_pressed=is_pressed)
        if voice.spec.name != wanted:
            asked = replace(asked, voice=voice.spec.name, speaker=None)
            self._warned.append(f"degraded_voice:{voice.spec.name}")
        sentence, warnings = as_said(asked, voice)
        self._warned.extend(warnings)
        return sentence, voice.model.sample_rate, self._pieces(sentence, voice)

    def _spoken_before(self, asked: Sentence, wanted: str) -> Audio | None:
        """From the cache, without loading the voice; None too for what only the voice knows how to say."""
        if not asked.spans or asked.style or asked.references:
            return None
        key = _cache_key(asked, self.voices.identity(wanted))
        return self._cache.get(key) if self._cache.has(key) else None

    def _take_warnings(self) -> tuple[str, ...]:
        """What the piece just made was warned of; nothing else ran on this thread since."""
        warnings = tuple(dict.fromkeys(self._warned))
        self._warned.clear()
        for warning in warnings:
            self._metrics.warnings.labels(warning.split(":")[0]).inc()
        return warnings

    def _pieces(self, sentence: Sentence, voice: LoadedVoice) -> Generator[tuple[Audio, float], None, None]:
        """The sound of one sentence with the seconds each piece took, from the cache or the model."""
        if not sentence.spans:
            return
        start_s = time.perf_counter()
        key = _cache_key(sentence, voice.identity)
        cached = self._cache.get(key)
        if cached is not None:
            yield cached, time.perf_counter() - start_s
            return
        made: list[Audio] = []
        total_s = 0.0
        is_as_asked = True
        pieces = voice.model.synthesize(sentence)
        while True:
            start_s = time.perf_counter()
            audio = next(pieces, None)
            took_s = time.perf_counter() - start_s
            total_s += took_s
            if audio is None:
                break
            if not len(audio.samples):
                continue
            made.append(audio)
            is_as_asked = is_as_asked and not self._warned
            yield audio, took_s
        whole = join(made, voice.model.sample_rate)
        if not len(whole.samples):
            self._warned.append("silent_sentence: it has nothing that this voice can say")
            return
        self._metrics.audio_seconds.inc(whole.duration_s)
        self._metrics.rtf.labels(voice.spec.name).observe(total_s / whole.duration_s)
        # A sentence that was warned of is made anew each time, to be warned of again.
        if is_as_asked:
            self._cache.put(key, whole)

    def explain(self, request: SpeakRequest, default_voice: str) -> dict[str, Any]:
        """What would be said, as JSON; makes no sound."""
        plan = self.plan(request, default_voice)
        sentences, warnings, duration_s = [], list(plan.warnings), 0.0
        for sentence in plan.sentences:
            voice = self.voices.loaded(sentence.voice or plan.voice)
            shown: dict[str, Any] = {
                "text": sentence.text,
                "language": sentence.language,
                "voice": voice.spec.name,
            }
            if sentence.spans:
                said, unsupported = as_said(sentence, voice)
                explanation = voice.model.explain(said)
                warnings += [*unsupported, *explanation.warnings]
                seconds = explanation.duration_s
                shown |= {
                    "phonemes": explanation.phonemes,
                    "duration_s": None if seconds is None else round(seconds, 3),
                }
                duration_s += seconds or 0.0
            duration_s += sentence.pause_s
            sentences.append(shown | {"pause_s": sentence.pause_s})
        return {
            "voice": plan.voice,
            "normalized": " ".join(sentence.text.strip() for sentence in plan.sentences),
            "sentences": sentences,
            "duration_s": round(duration_s, 3),
            "warnings": list(dict.fromkeys(warnings)),
        }


def as_said(sentence: Sentence, voice: LoadedVoice) -> tuple[Sentence, list[str]]:
    """*sentence* as *voice* will say it, and warnings for what it cannot do."""
    warnings: list[str] = []
    if "style" not in voice.model.controls:
        sentence, warnings = without_style(sentence)
    warnings += unsupported_controls(sentence, voice.model, voice.spec)
    if "reference" not in voice.model.controls:
        sentence = replace(sentence, references=())
    return sentence, warnings


def unsupported_controls(sentence: Sentence, model: SpeechModel, spec: VoiceSpec) -> list[str]:
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


def _match(language: str, languages: tuple[str, ...]) -> str | None:
    """The entry of *languages* that is *language*, or at least shares its primary subtag."""
    lowered = language.lower().replace("_", "-")
    for tag in languages:
        if tag.lower() == lowered:
            return tag
    primary = lowered.split("-")[0]
    return next((tag for tag in languages if tag.lower().split("-")[0] == primary), None)


def _cache_key(sentence: Sentence, identity: str) -> str:
    """Everything that decides the sound; not the volume and the pause, which come after the cache."""
    heard = replace(sentence, pause_s=0.0, prosody=replace(sentence.prosody, volume=1.0))
    return digest(identity, asdict(heard))
